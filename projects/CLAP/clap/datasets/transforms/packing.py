"""Packing into the model's inputs and ``Det3DDataSample``."""

from __future__ import annotations

from typing import Sequence

import numpy as np
import torch
from mmdet3d.datasets.transforms import Pack3DDetInputs
from mmdet3d.registry import TRANSFORMS

from ...encoders.data_preprocessor import TARGET_KEYS
from ...errors import DataError

META_KEYS = (
    'cam2img',
    'ori_cam2img',
    'lidar2cam',
    'cam2lidar',
    'lidar2img',
    'img_aug_matrix',
    'lidar_aug_matrix',
    'ori_shape',
    'img_shape',
    'pad_shape',
    'lidar_path',
    'img_path',
    'sample_idx',
    'token',
    'timestamp',
    'cam_names',
    'num_views',
    'num_pts_feats',
    'num_dropped_points',
    'box_type_3d',
    'box_mode_3d',
)


@TRANSFORMS.register_module()
class CLAPPackInputs(Pack3DDetInputs):
    """mmdet3d's packing plus the inputs that targets are made from.

    ``inputs``: ``points`` (N, 5) augmented frame, ``img`` (N_cam, 3, H, W) RGB 0..255, ``keyframe_points`` (M, 3) and
    ``keyframe_origins`` (1 or M, 3), both un-augmented, and what ``CLAPLoadSweeps`` gives for ``target_sweeps`` and
    ``CLAPLoadSuperpixels``. The matrices go into the data sample's metainfo; ``lidar_aug_matrix`` and
    ``img_aug_matrix`` are identities when no augmentation has run.

    Args:
        keys: what to pack; add 'gt_bboxes_3d' and 'gt_labels_3d' for a detector, 'pts_semantic_mask' (classes of the
            keyframe's points) for a segmentor.
        meta_keys: what the data sample carries besides.
    """

    INPUTS_KEYS = ['points', 'img', *TARGET_KEYS]

    def __init__(
        self,
        keys: Sequence[str] = ('points', 'img', *TARGET_KEYS),
        meta_keys: Sequence[str] = META_KEYS,
    ) -> None:
        super().__init__(keys=tuple(keys), meta_keys=tuple(meta_keys))

    def pack_single_results(self, results: dict) -> dict:
        where = results.get('lidar_path', 'this frame')
        if 'points' in results and len(results['points']) == 0:
            raise DataError(
                f'{where}: no point left after the pipeline. Are they in world coordinates or in another '
                'unit, so that the range filter drops all? Convert to the LiDAR frame in metres'
            )
        if 'points' in results and not torch.isfinite(results['points'].tensor).all():
            raise DataError(
                f'{where} or one of its earlier sweeps holds NaN or Inf; find the file with '
                "CLAPDataset(verify='full') and repair or remove it"
            )
        results['lidar_aug_matrix'] = np.asarray(results.get('lidar_aug_matrix', np.eye(4)), dtype=np.float32)
        if 'img' in results:
            shapes = {image.shape for image in results['img']}
            if len(shapes) > 1:
                raise DataError(
                    f'{where}: images of different sizes {sorted(shapes)} cannot be stacked; '
                    'put CLAPImageAug3D with one final_dim before CLAPPackInputs'
                )
            results.setdefault('img_aug_matrix', [np.eye(4, dtype=np.float32) for _ in results['img']])
        if 'keyframe_classes' in results:  # so named, no filter of ``points`` takes some of them away
            results['pts_semantic_mask'] = results['keyframe_classes']
        for key, dtype in TARGET_KEYS.items():
            if key in results:
                results[key] = torch.from_numpy(np.ascontiguousarray(results[key], dtype=dtype))
        return super().pack_single_results(results)
