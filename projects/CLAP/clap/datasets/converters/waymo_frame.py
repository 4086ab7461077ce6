"""One frame of the Waymo Open Dataset, however it is stored, and the mathematics of its range images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, NamedTuple, Optional, Tuple

import numpy as np

LASERS = {1: 'TOP', 2: 'FRONT', 3: 'SIDE_LEFT', 4: 'SIDE_RIGHT', 5: 'REAR'}
CAMERAS = {1: 'FRONT', 2: 'FRONT_LEFT', 3: 'FRONT_RIGHT', 4: 'SIDE_LEFT', 5: 'SIDE_RIGHT'}
TOP = 1


@dataclass(frozen=True)
class LaserCalibration:
    """``extrinsic`` (4, 4) laser -> vehicle; ``inclinations`` of the beams [rad], ascending as stored, or None.

    Without ``inclinations`` the beams are even between ``limits`` (lowest, highest) [rad].
    """

    extrinsic: np.ndarray
    inclinations: Optional[np.ndarray]
    limits: Tuple[float, float]


class Pixels(NamedTuple):
    """Pixels with a return: ``rows``, ``columns`` (N,) in an image of ``shape`` (H, W).

    ``values`` (N, 4): range [m] from the sensor, raw intensity, raw elongation, 1 inside a no-label zone.
    """

    shape: Tuple[int, int]
    rows: np.ndarray
    columns: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class CameraCalibration:
    """``intrinsic`` (9,) f_u, f_v, c_u, c_v, k1, k2, p1, p2, k3 [pixels]; ``extrinsic`` (4, 4) camera -> vehicle.

    Camera axes x forward, y left, z up; pixel i covers [i, i + 1).
    """

    intrinsic: np.ndarray
    extrinsic: np.ndarray
    width: int
    height: int


class Image(NamedTuple):
    """``jpeg`` as recorded (distorted), ``pose`` (4, 4) vehicle -> world at ``timestamp`` [s]."""

    jpeg: bytes
    pose: np.ndarray
    timestamp: float


class Label(NamedTuple):
    """A labelled object. ``box`` (7,) x, y, z, length, width, height [m], yaw [rad], vehicle frame.

    ``velocity`` (3,) [m/s], world axes, NaN where unknown; ``level`` 0 where not annotated.
    """

    box: np.ndarray
    type: int
    id: str
    num_points: int
    level: int
    velocity: np.ndarray


@dataclass(frozen=True)
class WaymoFrame:
    """Attributes:
    timestamp_us: start of TOP's sweep.
    pose: (4, 4) vehicle -> world; that of the labels and of the points of all lasers but TOP.
    returns: by laser the pixels of its first and, where there is one, of its second return.
    pixel_poses: (H, W, 6) roll, pitch, yaw [rad], x, y, z [m] of the vehicle at the time of each of TOP's pixels.
    semantics: (H, W) class of each pixel of TOP's first return, 0 undefined; None where not annotated.
    images: by camera.
    labels: None where the data have none.
    """

    timestamp_us: int
    pose: np.ndarray
    returns: Dict[int, List[Pixels]]
    pixel_poses: np.ndarray
    semantics: Optional[np.ndarray]
    images: Dict[int, Image]
    labels: Optional[List[Label]]


def pixels_of(image: np.ndarray) -> Pixels:
    """Those with a return of a range image (H, W, 4)."""
    rows, columns = np.nonzero(image[..., 0] > 0)
    return Pixels(image.shape[:2], rows.astype(np.int16), columns.astype(np.int16), image[rows, columns])


def row_inclinations(laser: LaserCalibration, height: int) -> np.ndarray:
    """(H,) [rad], the highest beam first."""
    if laser.inclinations is not None:
        return laser.inclinations[::-1]
    low, high = laser.limits
    return (low + (np.arange(height) + 0.5) / height * (high - low))[::-1]


def column_azimuths(laser: LaserCalibration, width: int) -> np.ndarray:
    """(W,) [rad] about the laser's own z axis; column 0 looks back, the middle one ahead, clockwise seen from above."""
    turn = np.arctan2(laser.extrinsic[1, 0], laser.extrinsic[0, 0])
    return ((width - np.arange(width) - 0.5) / width * 2 - 1) * np.pi - turn


def points_in_vehicle(
    pixels: Pixels, laser: LaserCalibration, pixel_poses: Optional[np.ndarray], frame_pose: np.ndarray
) -> Tuple[np.ndarray, np.ndarray]:
    """Points (N, 3) and where the sensor was when it measured each (N, 3) [m]: float64, vehicle frame of the frame.

    ``pixel_poses`` (H, W, 6) carries each point from the vehicle at the time of its pixel to that of the frame; None:
    the data hold the points in the frame's vehicle frame already.
    """
    inclination = row_inclinations(laser, pixels.shape[0])[pixels.rows]
    azimuth = column_azimuths(laser, pixels.shape[1])[pixels.columns]
    flat = np.cos(inclination)
    directions = np.stack([np.cos(azimuth) * flat, np.sin(azimuth) * flat, np.sin(inclination)], axis=1)
    rotation, position = laser.extrinsic[:3, :3], laser.extrinsic[:3, 3]
    points = pixels.values[:, :1].astype(np.float64) * directions @ rotation.T + position
    origins = np.tile(position, (len(points), 1))
    if pixel_poses is None:
        return points, origins
    poses = pixel_poses[pixels.rows, pixels.columns].astype(np.float64)
    back = frame_pose[:3, :3]
    shift = poses[:, 3:] - frame_pose[:3, 3]
    return tuple((_turned(each, poses[:, :3]) + shift) @ back for each in (points, origins))


def _turned(vectors: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """(N, 3) by roll about x, then pitch about y, then yaw about z: Rz Ry Rx v; ``angles`` (N, 3) in this order."""
    turned = list(vectors.T)
    for angle, (first, second) in zip(angles.T, ((1, 2), (2, 0), (0, 1))):
        cos, sin, one, other = np.cos(angle), np.sin(angle), turned[first], turned[second]
        turned[first], turned[second] = cos * one - sin * other, sin * one + cos * other
    return np.stack(turned, axis=1)
