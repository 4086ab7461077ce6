"""Between LiDAR points and image pixels, with both augmentations undone and applied.

Frames: "augmented LiDAR" is the frame of the network's points, ``lidar_aug @ original``. Camera frames look along +z.
Pixel (column i, row j) covers [i, i+1) x [j, j+1); its centre is (i + 0.5, j + 0.5), its index the truncated position.
Matrices are 4 x 4 and act on column vectors; ``img_aug`` acts on pixels by its [:2, :2] and [:2, 3].
"""

from __future__ import annotations

from typing import NamedTuple, Sequence, Tuple

import torch
from torch import Tensor

from ._shapes import expect_shape

# A point nearer to the camera plane than this is not in front of it; also the bounds of the divisor.
MIN_DEPTH_M = 1e-5
MAX_DEPTH_M = 1e5


class ProjectedPoints(NamedTuple):
    """Points seen by C cameras.

    Attributes:
        uv: (C, N, 2) column and row in the augmented image, pixels; meaningless where not ``visible``.
        depth_m: (C, N) signed z in the camera frame, metres.
        visible: (C, N) bool, in front of the camera and inside the image.
    """

    uv: Tensor
    depth_m: Tensor
    visible: Tensor


def _linear(matrix: Tensor, vectors: Tensor) -> Tensor:
    """(..., D, D) applied to (..., N, D). Elementwise on purpose: a matmul would be halved under autocast."""
    return (matrix[..., None, :, :] * vectors[..., None, :]).sum(-1)


def _affine(matrix: Tensor, points: Tensor) -> Tensor:
    """(..., 4, 4) applied to positions (..., N, 3)."""
    return _linear(matrix[..., :3, :3], points) + matrix[..., None, :3, 3]


def transform_points(points: Tensor, matrix: Tensor) -> Tensor:
    """A rigid (or scaled) 4 x 4 transformation ``matrix`` applied to positions ``points`` (N, 3), metres -> (N, 3)."""
    expect_shape('points', points, None, 3)
    expect_shape('matrix', matrix, 4, 4)
    return _affine(matrix, points)


def _check_cameras(**matrices: Tensor) -> None:
    cameras = next(iter(matrices.values())).shape[0]
    for name, matrix in matrices.items():
        expect_shape(name, matrix, cameras, 4, 4)


def project_points(
    points: Tensor, lidar2img: Tensor, img_aug: Tensor, lidar_aug: Tensor, image_size: Sequence[int]
) -> ProjectedPoints:
    """Pixels and depths of LiDAR points in every camera.

    inverse lidar_aug -> lidar2img -> divide by z (clamped to [1e-5, 1e5] for the division only) -> img_aug.

    Args:
        points: (N, 3) augmented LiDAR frame, metres.
        lidar2img: (C, 4, 4) original LiDAR frame -> original image, without image augmentation.
        img_aug: (C, 4, 4) original pixel -> augmented pixel.
        lidar_aug: (4, 4) original -> augmented LiDAR frame.
        image_size: (H, W) of the augmented images.

    Returns:
        ``ProjectedPoints``; a point behind a camera is never visible in it.
    """
    expect_shape('points', points, None, 3)
    expect_shape('lidar_aug', lidar_aug, 4, 4)
    _check_cameras(lidar2img=lidar2img, img_aug=img_aug)
    height, width = image_size
    original = _affine(torch.linalg.inv(lidar_aug), points)
    in_camera = _affine(lidar2img, original[None])
    depth = in_camera[..., 2]
    uv = in_camera[..., :2] / depth.clamp(MIN_DEPTH_M, MAX_DEPTH_M)[..., None]
    uv = _linear(img_aug[:, :2, :2], uv) + img_aug[:, None, :2, 3]
    column, row = uv.unbind(-1)
    visible = (depth > MIN_DEPTH_M) & (column >= 0) & (column < width) & (row >= 0) & (row < height)
    return ProjectedPoints(uv, depth, visible)


def original_pixels(uv: Tensor, img_aug: Tensor) -> Tensor:
    """Positions in the augmented image as positions in the original one.

    Args:
        uv: (C, N, 2) column and row, pixels.
        img_aug: (C, 4, 4) original pixel -> augmented pixel.

    Returns:
        (C, N, 2) column and row in the original images.
    """
    expect_shape('uv', uv, img_aug.shape[0], None, 2)
    _check_cameras(img_aug=img_aug)
    return _linear(torch.linalg.inv(img_aug[:, :2, :2]), uv - img_aug[:, None, :2, 3])


def pixel_rays(
    uv: Tensor, cam2img: Tensor, cam2lidar: Tensor, img_aug: Tensor, lidar_aug: Tensor
) -> Tuple[Tensor, Tensor]:
    """The rays that pixels look along, the inverse of ``project_points``.

    undo img_aug -> inverse intrinsics -> cam2lidar -> lidar_aug -> normalise.

    Args:
        uv: (C, N, 2) column and row in the augmented images, pixels.
        cam2img: (C, 4, 4) intrinsics of the original images; a fourth column (rectified stereo) moves the origin.
        cam2lidar: (C, 4, 4) camera -> original LiDAR frame.
        img_aug: (C, 4, 4) original pixel -> augmented pixel.
        lidar_aug: (4, 4) original -> augmented LiDAR frame.

    Returns:
        origins (C, N, 3), metres, and directions (C, N, 3), unit, in the augmented LiDAR frame.
    """
    _check_cameras(cam2img=cam2img, cam2lidar=cam2lidar, img_aug=img_aug)
    expect_shape('lidar_aug', lidar_aug, 4, 4)
    pixels = original_pixels(uv, img_aug)
    intrinsics_inv = torch.linalg.inv(cam2img[:, :3, :3])
    homogeneous = torch.cat([pixels, torch.ones_like(pixels[..., :1])], dim=-1)
    in_camera = _linear(intrinsics_inv, homogeneous)
    centre = -_linear(intrinsics_inv, cam2img[:, None, :3, 3])
    directions = _linear(lidar_aug[:3, :3], _linear(cam2lidar[:, :3, :3], in_camera))
    origins = _affine(lidar_aug, _affine(cam2lidar, centre))
    return origins.expand_as(directions), torch.nn.functional.normalize(directions, dim=-1)
