"""The camera calibration of a batch, gathered from the samples' meta information."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence

import numpy as np
import torch
from torch import Tensor

from ..errors import DataError


@dataclass(frozen=True)
class CameraMatrices:
    """Homogeneous 4 x 4 matrices, float64 on the CPU: few, and inverted there exactly and without device syncs.

    Attributes:
        lidar2img: (B, C, 4, 4) un-augmented LiDAR frame -> original pixels.
        cam2img: (B, C, 4, 4) intrinsics of the original image.
        cam2lidar: (B, C, 4, 4) camera -> un-augmented LiDAR frame.
        img_aug: (B, C, 4, 4) original -> augmented pixels.
        lidar_aug: (B, 4, 4) original -> augmented LiDAR frame.
    """

    lidar2img: Tensor
    cam2img: Tensor
    cam2lidar: Tensor
    img_aug: Tensor
    lidar_aug: Tensor

    @classmethod
    def from_metas(cls, metas: Sequence[Dict[str, Any]], num_cameras: int) -> CameraMatrices:
        """Read `lidar2img`, `cam2img`, `cam2lidar` and the optional `img_aug_matrix`, `lidar_aug_matrix` (identity)."""
        identity = np.eye(4)
        cameras = np.broadcast_to(identity, (num_cameras, 4, 4))
        shape = (num_cameras, 4, 4)
        return cls(
            lidar2img=_stack(metas, 'lidar2img', shape),
            cam2img=_stack(metas, 'cam2img', shape),
            cam2lidar=_stack(metas, 'cam2lidar', shape),
            img_aug=_stack(metas, 'img_aug_matrix', shape, cameras),
            lidar_aug=_stack(metas, 'lidar_aug_matrix', (4, 4), identity),
        )


def _stack(metas: Sequence[Dict[str, Any]], key: str, shape: tuple, default: Optional[np.ndarray] = None) -> Tensor:
    matrices: List[np.ndarray] = []
    for meta in metas:
        value = meta.get(key, default)
        sample = meta.get('token', meta.get('sample_idx', '?'))
        if value is None:
            raise DataError(
                f'sample {sample} has no "{key}" in its meta information; expected {shape} matrices: add '
                f'"{key}" to meta_keys of Pack3DDetInputs and load the images before packing'
            )
        matrix = np.asarray([np.asarray(m) for m in value], dtype=np.float64)
        if matrix.shape != shape:
            raise DataError(
                f'sample {sample}: "{key}" has shape {matrix.shape}, expected {shape}; give one 4x4 matrix per image'
            )
        if not np.isfinite(matrix).all():
            raise DataError(f'sample {sample}: "{key}" has non-finite entries; check the calibration in the info file')
        matrices.append(matrix)
    return torch.from_numpy(np.stack(matrices))
