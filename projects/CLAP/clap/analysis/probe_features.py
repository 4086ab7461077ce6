"""Features that the encoders have at the points of a keyframe sweep."""

from __future__ import annotations

from typing import Dict, List

import torch
from spconv.pytorch import SparseConvTensor
from torch import Tensor, nn

from ..encoders.encoder_base import ENCODERS
from ..functional import sample_bev
from ..functional.voxelize import rows_of_cells

#: Kind of features -> the encoders that make them.
FEATURES = dict(lidar=('pts_middle_encoder',), fused=ENCODERS, voxel=('pts_middle_encoder',))


def point_features(model: nn.Module, inputs: Dict, metas: List[dict], kind: str) -> Tensor:
    """(N, D) of the first sample's keyframe points, un-augmented frames.

    Args:
        model: a :class:`CLAPEncoderBase`.
        inputs, metas: a preprocessed batch of one frame.
        kind: one of ``FEATURES``.
    """
    points = inputs['keyframe_points'][0]
    if kind == 'voxel':
        features, coords = model.voxelize(inputs['points'][:1])
        stages = model.pts_middle_encoder.stages(features, coords, 1)
        strides = [(0, 0, 0), *model.pts_middle_encoder.stride_paddings]
        return torch.cat(_stage_rows(points, stages, strides, model.voxelize_cfg), 1)
    if kind == 'lidar':
        bev = model.extract_lidar(inputs['points'])
    else:
        bev = model.extract_feat(inputs, metas).fused_bev
    return sample_bev(bev[0], points, model.voxelize_cfg['point_cloud_range'])


def _stage_rows(points: Tensor, stages: List[SparseConvTensor], paddings: List, cfg: dict) -> List[Tensor]:
    """Per stage the features of the cell around every point (N, C); zeros where there is none."""
    low, size = (points.new_tensor(values) for values in (cfg['point_cloud_range'][:3], cfg['voxel_size']))
    place, found = (points - low) / size - 0.5, []  # in cells, their centres at whole numbers
    for stage, padding in zip(stages, paddings):
        if stage is not stages[0]:
            place = (place + place.new_tensor(padding) - 1) / 2  # kernel 3, stride 2: cell o lies at 2 o + 1 - padding
        row = rows_of_cells((place + 0.5).floor().long(), stage.indices[:, 1:].long(), stage.spatial_shape)
        found.append(torch.where((row < 0)[:, None], stage.features.new_zeros(()), stage.features[row]))
    return found
