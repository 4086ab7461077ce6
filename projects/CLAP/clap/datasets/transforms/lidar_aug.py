"""Augmentations of the LiDAR frame that record ``lidar_aug_matrix`` (original -> augmented, 4x4).

They act on ``points`` and, where present, on ``gt_bboxes_3d``. ``keyframe_points``, ``keyframe_origins`` and the
cameras' matrices stay in the original frame; ``lidar_aug_matrix`` connects the two.
"""

from __future__ import annotations

from typing import Sequence

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS

from ...errors import ConfigError
from .random_draws import check_limits, coin, normal, uniform


def _record(results: dict, matrix: np.ndarray) -> None:
    """Left-multiplies ``matrix`` (4, 4) float64 onto ``lidar_aug_matrix``."""
    results['lidar_aug_matrix'] = matrix @ results.get('lidar_aug_matrix', np.eye(4))


@TRANSFORMS.register_module()
class CLAPGlobalRotScaleTrans(BaseTransform):
    """p -> scale * (R p + t): rotation about z, then translation, then scaling.

    Args:
        rot_range: range of the angle in radians, counter-clockwise seen from above.
        scale_ratio_range: range of the scale factor.
        translation_std: standard deviations of the Gaussian translation along x, y, z in metres.
    """

    def __init__(
        self,
        rot_range: Sequence[float] = (-0.78539816, 0.78539816),
        scale_ratio_range: Sequence[float] = (0.9, 1.1),
        translation_std: Sequence[float] = (0.0, 0.0, 0.0),
    ) -> None:
        check_limits('rot_range', rot_range)
        check_limits('scale_ratio_range', scale_ratio_range)
        if scale_ratio_range[0] <= 0:
            raise ConfigError(f'scale_ratio_range must be positive, got {scale_ratio_range!r}')
        if len(translation_std) != 3 or min(translation_std) < 0:
            raise ConfigError(f'translation_std must be three numbers >= 0 (metres), got {translation_std!r}')
        self.rot_range, self.scale_ratio_range, self.translation_std = rot_range, scale_ratio_range, translation_std

    def transform(self, results: dict) -> dict:
        angle, scale = uniform(self.rot_range), uniform(self.scale_ratio_range)
        shift = normal(self.translation_std).numpy()
        cos, sin = np.cos(angle), np.sin(angle)
        matrix = np.eye(4)
        matrix[:3, :3] = scale * np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
        matrix[:3, 3] = scale * shift
        points, matrix_t = results['points'].tensor, torch.from_numpy(matrix)
        points[:, :3] = points[:, :3].double() @ matrix_t[:3, :3].T + matrix_t[:3, 3]
        _record(results, matrix)
        if 'gt_bboxes_3d' in results:
            boxes = results['gt_bboxes_3d']
            boxes.rotate(angle)
            boxes.translate(torch.as_tensor(shift, dtype=boxes.tensor.dtype))
            boxes.scale(scale)
        return results


@TRANSFORMS.register_module()
class CLAPRandomFlip3D(BaseTransform):
    """Mirrors the LiDAR frame.

    Args:
        flip_ratio_bev_horizontal: probability of y -> -y (mmdet3d's 'horizontal').
        flip_ratio_bev_vertical: probability of x -> -x (mmdet3d's 'vertical').
    """

    def __init__(self, flip_ratio_bev_horizontal: float = 0.5, flip_ratio_bev_vertical: float = 0.5) -> None:
        for name, value in (
            ('flip_ratio_bev_horizontal', flip_ratio_bev_horizontal),
            ('flip_ratio_bev_vertical', flip_ratio_bev_vertical),
        ):
            if not 0 <= value <= 1:
                raise ConfigError(f'{name} must be a probability between 0 and 1, got {value!r}')
        self.ratios = {'horizontal': flip_ratio_bev_horizontal, 'vertical': flip_ratio_bev_vertical}

    def transform(self, results: dict) -> dict:
        for direction, axis in (('horizontal', 1), ('vertical', 0)):
            if not coin(self.ratios[direction]):
                continue
            matrix = np.eye(4)
            matrix[axis, axis] = -1.0
            _record(results, matrix)
            for moved in ('points', 'gt_bboxes_3d'):
                if moved in results:
                    results[moved].flip(direction)
        return results
