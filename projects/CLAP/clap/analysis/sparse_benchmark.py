"""Strided sparse convolutions against the inverse ones that undo them; ``benchmark_sparse.py``."""

from __future__ import annotations

from statistics import median
from typing import Dict, List, Sequence

import torch
from mmengine.config import Config
from spconv.pytorch import SparseConvTensor
from torch import nn

from ..encoders.sparse_conv import CLAPSparseConv3d, CLAPSparseInverseConv3d
from ..errors import ConfigError
from ..files.text_table import text_table
from .benchmark import build_model, endless
from .step_timer import StepTimer


def benchmark_inverse(cfg: Config, repeats: int, device: torch.device) -> List[Dict]:
    """Seconds of both at every strided stage of the sparse encoder, on the voxels of one batch.

    The inverse convolution has the channels of the strided one exchanged, so that both do the same multiplications.
    They take turns, forward and backward, each ``repeats`` times after a first time that is not counted; the index
    pairs, which the inverse one shares, are made anew every time and count for the strided one.

    Args:
        cfg: configuration of a model with ``pts_middle_encoder``.
        repeats: measured turns.
        device: where to run.

    Returns:
        per stage: ``rows`` (in, out), ``channels`` (in, out), medians ``strided_s`` and ``inverse_s``, and ``ratio``,
        the median of the turns' ratios.
    """
    model = build_model(cfg, device, StepTimer(device))
    if not model.has_lidar:
        raise ConfigError('this benchmark needs the LiDAR branch (pts_middle_encoder)')
    clouds = model.data_preprocessor(next(endless(cfg)), training=True)['inputs']['points']
    with torch.no_grad():
        features, coords = model.voxelize(clouds)
        stages = model.pts_middle_encoder.stages(features, coords, len(clouds))
    layers = [stage[-1][0] for stage in list(model.pts_middle_encoder.encoder_layers)[:-1]]
    return [_stage(layer, x, repeats, device) for layer, x in zip(layers, stages)]


def _stage(layer: CLAPSparseConv3d, x: SparseConvTensor, repeats: int, device: torch.device) -> Dict:
    undo = CLAPSparseInverseConv3d(layer.out_channels, layer.in_channels, 3, indice_key='stage', bias=False).to(device)
    strided = CLAPSparseConv3d(
        layer.in_channels, layer.out_channels, 3, layer.stride, layer.padding, bias=False, indice_key='stage'
    ).to(device)
    timer, times = StepTimer(device), []
    for _ in range(repeats + 1):
        given = SparseConvTensor(x.features.clone().requires_grad_(), x.indices, x.spatial_shape, x.batch_size)
        with timer.measure('strided'):
            coarse = _there_and_back(strided, given)
        with timer.measure('inverse'):
            _there_and_back(undo, coarse.replace_feature(coarse.features.detach().requires_grad_()))
        times.append(timer.take())
    seconds = {name: [turn[name] for turn in times[1:]] for name in ('strided', 'inverse')}
    return dict(
        rows=[len(x.indices), len(coarse.indices)],
        channels=[layer.in_channels, layer.out_channels],
        strided_s=median(seconds['strided']),
        inverse_s=median(seconds['inverse']),
        ratio=median([b / a for a, b in zip(seconds['strided'], seconds['inverse'])]),
    )


def _there_and_back(layer: nn.Module, x: SparseConvTensor) -> SparseConvTensor:
    out = layer(x)
    out.features.sum().backward()
    return out


def format_table(found: Sequence[Dict]) -> str:
    """The figures of :func:`benchmark_inverse` for people."""
    rows = [
        [
            f'{one["rows"][0]} -> {one["rows"][1]}',
            f'{one["channels"][0]} -> {one["channels"][1]}',
            *(f'{one[key]:.4f}' for key in ('strided_s', 'inverse_s')),
            f'{one["ratio"]:.2f}',
        ]
        for one in found
    ]
    return text_table(['voxels', 'channels', 'strided (s)', 'inverse (s)', 'ratio'], rows)
