"""Runs the enrichment figures over the frames of a checkpoint's evaluation data."""

from __future__ import annotations

from typing import Any, Dict, Optional, Sequence

import torch
from mmdet3d.registry import TASK_UTILS
from mmengine.config import Config
from mmengine.logging import print_log

from ..engine.checkpoint.restore import restore_model, single_batch
from ..errors import ConfigError
from .enrichment import measure_frame
from .frame_labels import frame_labels


def build_samplers(
    configured: dict, lidar_rays: int, camera_rays: int, further: Optional[Dict[str, dict]] = None
) -> Dict[str, Any]:
    """The samplers that are compared, each with the same numbers of rays and the configuration's candidates.

    ``curvature`` is the configuration's sampler if that is a curvature sampler, else one with its
    defaults; ``curvature_literal`` is Eq. 12 as printed; ``further`` are options of
    more curvature samplers by name.
    """
    shared = dict(num_lidar_rays=lidar_rays, num_camera_rays=camera_rays)
    if 'min_range_m' in configured:
        shared['min_range_m'] = configured['min_range_m']
    options = dict(configured)
    if options.get('type') != 'CurvatureRaySampler':
        options = dict(type='CurvatureRaySampler')
    blur = {key: options[key] for key in ('blur_kernel_px', 'blur_sigma_px') if key in options}
    configs = dict(
        curvature=options,
        curvature_literal=dict(
            type='CurvatureRaySampler', mode='literal', power=1.0, uniform_share=0.0, importance=0.0, **blur
        ),
        depth=dict(type='DepthRaySampler'),
        surface_variation=dict(type='SurfaceVariationRaySampler', **blur),
        uniform=dict(type='UniformRaySampler'),
    )
    configs.update(
        {name: dict(type='CurvatureRaySampler', **{**blur, **given}) for name, given in (further or {}).items()}
    )
    return {name: TASK_UTILS.build({**config, **shared}) for name, config in configs.items()}


@torch.no_grad()
def measure_checkpoint(
    cfg: Config, checkpoint: str, samplers: Dict[str, Any], indices: Optional[Sequence[int]] = None, seeds: int = 4
) -> Dict[str, Dict[str, dict]]:
    """Figures of every sampler on every frame: frame -> sampler -> figures.

    Args:
        cfg: configuration whose evaluation data set has labels (see :func:`use_data_root`).
        checkpoint: file that training wrote.
        samplers: from :func:`build_samplers`.
        indices: frames of the evaluation data set, all if None.
        seeds: draws per sampler and frame.
    """
    model, dataset = restore_model(cfg, checkpoint)
    if not hasattr(model, 'fields'):
        raise ConfigError(f'{type(model).__name__} has no field that rays could be drawn by; give a model that renders')
    result = {}
    for index in range(len(dataset)) if indices is None else indices:
        batch = single_batch(model, dataset, index)
        inputs, metas = batch['inputs'], [sample.metainfo for sample in batch['data_samples']]
        field = model.fields(inputs, metas)[0].detach()
        sweep, views = model.sweeps(inputs, metas)[0], model.views(inputs, metas)[0]
        known = dataset.metainfo
        labels = frame_labels(
            inputs['keyframe_points'][0],
            dataset.get_data_info(index),
            known['classes'],
            known.get('semantic_classes'),
        )
        name = str(metas[0].get('token', index))
        result[name] = measure_frame(samplers, field, sweep, views, labels, seeds)
        print_log(
            f'frame {name}: {len(sweep.points)} points, {float(labels.objects.float().mean()):.3f} in boxes, '
            f'{float(labels.road.float().mean()):.3f} on road ({labels.road_source})',
            'current',
        )
    return result
