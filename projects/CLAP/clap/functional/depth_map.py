"""Sparse depth images from a LiDAR cloud, as the camera branch of BEVFusion reads them."""

from __future__ import annotations

from typing import Tuple

import torch
from torch import Tensor

# metres; the range to which the stored depth is clamped
DEPTH_RANGE = (1e-5, 1e5)


def sparse_depth_map(
    points: Tensor, lidar2img: Tensor, img_aug: Tensor, lidar_aug: Tensor, image_size: Tuple[int, int]
) -> Tensor:
    """Depth of the points at the pixels they fall on, 0 elsewhere.

    Steps: undo `lidar_aug`; project with `lidar2img`; clamp z to `DEPTH_RANGE` and divide by it; apply `img_aug`; keep
    pixels with 0 <= row < H, 0 <= col < W and truncate. There is no test for points behind the camera: their clamped
    depth throws them out of any image, but for the exact principal ray (the published models do the same). When
    several points fall on one pixel, the last one in file order wins, on every device.

    Args:
        points: (N, >=3) augmented LiDAR frame, metres; non-finite points are dropped.
        lidar2img: (C, 4, 4) un-augmented LiDAR -> original pixels (homogeneous).
        img_aug: (C, 4, 4) original -> augmented pixels.
        lidar_aug: (4, 4) original -> augmented LiDAR frame.
        image_size: (H, W) of the augmented image.

    Returns:
        (C, 1, H, W) metres, no gradient.
    """
    height, width = image_size
    num_cameras = lidar2img.shape[0]
    with torch.no_grad(), torch.autocast(device_type=points.device.type, enabled=False):
        xyz = points[:, :3].float() - lidar_aug[:3, 3]
        xyz = torch.linalg.inv(lidar_aug[:3, :3]) @ xyz.t()  # (3, N)
        image = lidar2img[:, :3, :3] @ xyz + lidar2img[:, :3, 3:]  # (C, 3, N)
        depth = image[:, 2].clamp(*DEPTH_RANGE)
        pixel = torch.stack([image[:, 0] / depth, image[:, 1] / depth, depth], dim=1)
        pixel = img_aug[:, :3, :3] @ pixel + img_aug[:, :3, 3:]
        col, row = pixel[:, 0], pixel[:, 1]
        visible = (row >= 0) & (row < height) & (col >= 0) & (col < width)
        camera, point = torch.nonzero(visible, as_tuple=True)
        target = (camera * height + row[visible].long()) * width + col[visible].long()
        last = torch.full((num_cameras * height * width,), -1, dtype=torch.long, device=points.device)
        # a maximum does not depend on the order of the writes, unlike assignment on a GPU
        last.scatter_reduce_(0, target, point, reduce='amax')
        hit = torch.nonzero(last >= 0).squeeze(1)
        maps: Tensor = depth.new_zeros(num_cameras * height * width)
        camera_of_hit = torch.div(hit, height * width, rounding_mode='floor')
        maps[hit] = depth[camera_of_hit, last[hit]]
    return maps.view(num_cameras, 1, height, width)
