"""The camera calibration of a batch, gathered from the samples' meta information."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence

import numpy as np
import torch
from torch import Tensor

from ..errors import DataError
from ..structures import CameraMatrices


def camera_matrices(metas: Sequence[Dict[str, Any]], num_cameras: int) -> CameraMatrices:
    """The calibration of a batch of B samples, float64 on the CPU: inverted there exactly and without device syncs.

    Args:
        metas: meta information of the samples with ``lidar2img``, ``cam2img``, ``cam2lidar`` and, where there is an
            augmentation, ``img_aug_matrix`` and ``lidar_aug_matrix``.
        num_cameras: C.

    Raises:
        DataError: a matrix is missing, of another shape or not finite; the message names the sample.
    """
    shape = (num_cameras, 4, 4)
    return CameraMatrices(
        lidar2img=_stack(metas, 'lidar2img', shape),
        cam2img=_stack(metas, 'cam2img', shape),
        cam2lidar=_stack(metas, 'cam2lidar', shape),
        img_aug=_stack(metas, 'img_aug_matrix', shape, np.broadcast_to(np.eye(4), shape)),
        lidar_aug=lidar_augmentations(metas),
    )


def lidar_augmentations(metas: Sequence[Dict[str, Any]]) -> Tensor:
    """(B, 4, 4) LiDAR frame -> augmented LiDAR frame, float64 on the CPU; the identity where none is recorded."""
    return _stack(metas, 'lidar_aug_matrix', (4, 4), np.eye(4))


def _stack(metas: Sequence[Dict[str, Any]], key: str, shape: tuple, default: Optional[np.ndarray] = None) -> Tensor:
    matrices: List[np.ndarray] = []
    for meta in metas:
        value = meta.get(key, default)
        sample = meta.get('token', meta.get('sample_idx', '?'))
        if value is None:
            raise DataError(
                f'sample {sample} has no "{key}" in its meta information; expected {shape} matrices: add '
                f'"{key}" to meta_keys of the packing transform and load the images before it'
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
