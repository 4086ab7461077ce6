"""The sensor rig: mounting and calibration of one spinning LiDAR and six cameras, close to the nuScenes car's.

Frames: ego x forward, y left, z up, origin on the ground under the rear axle; LiDAR x right, y forward, z up;
camera x right, y down, z along the optical axis. Matrices are 4x4, named ``from_to_to``-wise (``lidar_to_ego``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .mesh import yaw_matrix

LIDAR_NAME = 'LIDAR_TOP'
CAMERA_NAMES = ('CAM_FRONT', 'CAM_FRONT_RIGHT', 'CAM_BACK_RIGHT', 'CAM_BACK', 'CAM_BACK_LEFT', 'CAM_FRONT_LEFT')
FULL_WIDTH, FULL_HEIGHT = 1600, 900
BEAM_ELEVATIONS_DEG = np.linspace(-30.67, 10.67, 32)  # ring 0 looks lowest
# Position in the ego frame (m), heading of the optical axis (degrees, left positive), focal length at full size (px).
_CAMERAS = {
    'CAM_FRONT': ((1.70, 0.02, 1.51), 0.0, 1266.0),
    'CAM_FRONT_RIGHT': ((1.55, -0.49, 1.50), -56.0, 1261.0),
    'CAM_BACK_RIGHT': ((1.01, -0.48, 1.56), -110.0, 1259.0),
    'CAM_BACK': ((0.03, 0.00, 1.58), 180.0, 809.0),
    'CAM_BACK_LEFT': ((1.04, 0.48, 1.59), 109.0, 1257.0),
    'CAM_FRONT_LEFT': ((1.52, 0.49, 1.51), 55.0, 1273.0),
}
_LIDAR_POSITION = (0.94, 0.0, 1.84)


@dataclass(frozen=True)
class Camera:
    """One pinhole camera without distortion.

    Attributes:
        to_ego: (4, 4) camera -> ego.
        intrinsic: (3, 3) for the image size in use; pixel i covers [i, i+1).
        width, height: image size in pixels.
    """

    name: str
    to_ego: np.ndarray
    intrinsic: np.ndarray
    width: int
    height: int

    def rays(self, pixels: np.ndarray) -> np.ndarray:
        """(N, 3) unit directions in the camera frame through image positions (N, 2) = (u, v)."""
        focal, centre = self.intrinsic[[0, 1], [0, 1]], self.intrinsic[:2, 2]
        rays = np.concatenate([(pixels - centre) / focal, np.ones((len(pixels), 1))], axis=1)
        return rays / np.linalg.norm(rays, axis=1, keepdims=True)

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (N, 2) and depths (N,) of points (N, 3) in the camera frame; pixels are valid where depth > 0."""
        depth = points[:, 2]
        safe = np.where(np.abs(depth) < 1e-6, 1e-6, depth)
        return (points @ self.intrinsic.T)[:, :2] / safe[:, None], depth


@dataclass(frozen=True)
class Rig:
    """All sensors of one car."""

    lidar_to_ego: np.ndarray
    cameras: tuple[Camera, ...]


def transform(rotation: np.ndarray, translation: np.ndarray) -> np.ndarray:
    """(4, 4) from (3, 3) and (3,)."""
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation, translation
    return matrix


def pose_matrix(xyz: np.ndarray, yaw: float) -> np.ndarray:
    """(4, 4) body -> world of an upright body."""
    return transform(yaw_matrix(yaw), xyz)


def _small_rotation(rng: np.random.Generator, degrees: float) -> np.ndarray:
    a, b, c = np.radians(rng.normal(0, degrees, 3))
    x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    return yaw_matrix(c) @ y @ x


def make_rig(rng: np.random.Generator, image_width: int) -> Rig:
    """A rig whose mounting differs a little from car to car (1 cm, 0.4 degrees, 0.5 % in focal length)."""
    scale = image_width / FULL_WIDTH
    height = int(round(FULL_HEIGHT * scale))
    lidar = transform(
        yaw_matrix(-np.pi / 2) @ _small_rotation(rng, 0.25), np.array(_LIDAR_POSITION) + rng.normal(0, 0.01, 3)
    )
    cameras = []
    for name in CAMERA_NAMES:
        position, heading, focal = _CAMERAS[name]
        axes = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])  # camera axes in an ego-like frame
        rotation = yaw_matrix(np.radians(heading)) @ _small_rotation(rng, 0.4) @ axes
        f = focal * scale * (1 + rng.normal(0, 0.005))
        cx, cy = image_width / 2 + rng.normal(0, 8) * scale, (height / 2 + (41.0 + rng.normal(0, 5)) * scale)
        intrinsic = np.array([[f, 0, cx], [0, f, cy], [0, 0, 1.0]])
        cameras.append(
            Camera(
                name, transform(rotation, np.array(position) + rng.normal(0, 0.01, 3)), intrinsic, image_width, height
            )
        )
    return Rig(lidar, tuple(cameras))
