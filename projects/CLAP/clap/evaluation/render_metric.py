"""How well the pre-trained field explains rays that the loss never saw."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence

import numpy as np
import torch
from mmdet3d.registry import METRICS
from mmengine.evaluator import BaseMetric
from torch import nn

from ..errors import ConfigError, DatasetError
from ..functional import box_of_points
from ..pretrain.base import Pretrainer


@METRICS.register_module()
class RenderMetric(BaseMetric):
    """Errors of rendered range and colour on held-back rays.

    Medians and means run over the rays of all frames. ``rgb_ratio`` compares the
    error of rendered colour with that of the mean colour of the image: below 1
    the field knows something about colour. ``rgb_mae_of_grey_images`` is the error
    when the encoders are given grey images: no larger than ``rgb_mae``, and the
    camera branch carries nothing. If the evaluation data have labels
    (``with_annotations=True``; nothing is trained on them), ``..._objects`` are the
    figures of the rays that end in a labelled box.

    Args:
        collect_device: where results are gathered, ``'cpu'`` or ``'gpu'``.
        prefix: prefix of the names in the log.
    """

    default_prefix = 'render'

    def __init__(self, collect_device: str = 'cpu', prefix: Optional[str] = None) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)

    def check(self, dataset: Any, model: nn.Module) -> None:
        """``ConfigError`` before training if the model has nothing to render for an evaluation."""
        instead = 'Leave the evaluation out: val_dataloader=None val_cfg=None val_evaluator=None'
        if not isinstance(model, Pretrainer) or model.evaluated != 'rendered':
            raise ConfigError(f'RenderMetric needs a method that renders, {type(model).__name__} does not. {instead}')
        if model.heldout_ratio == 0:
            raise ConfigError(
                'RenderMetric measures rays that the loss never sees, and model.heldout_ratio is 0; set it, to 0.02 '
                f'say. {instead}'
            )

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the per-ray errors of a batch."""
        for sample in data_samples:
            rays = {name: value.cpu().numpy() for name, value in sample['rendered'].items()}
            points = rays.pop('points_m', None)
            labels = sample.get('eval_ann_info')
            if points is not None and labels:  # {} where the data set leaves labels out
                boxes = labels['gt_bboxes_3d']
                gravity = torch.cat([boxes.gravity_center, boxes.tensor[:, 3:7]], dim=1).cpu()
                rays['in_box'] = box_of_points(torch.from_numpy(points), gravity).numpy() >= 0
            self.results.append(rays)

    def compute_metrics(self, results: List[dict]) -> Dict[str, float]:
        """Pool the rays of all frames."""

        def pool(name: str) -> np.ndarray:
            return np.concatenate([r[name] for r in results if name in r] or [np.zeros(0)])

        true = pool('range_true_m')
        if not len(true):
            raise DatasetError(
                'no held-back ray was rendered: heldout_ratio is 0, or no keyframe point lies in the volume'
            )
        error = np.abs(pool('range_m') - true)
        metrics = dict(
            range_median_m=float(np.median(error)),
            range_mae_m=float(error.mean()),
            range_within_1m=float((error < 1.0).mean()),
            rays=float(len(error)),
        )
        in_box = pool('in_box').astype(bool)
        if in_box.any():
            metrics.update(
                range_median_m_objects=float(np.median(error[in_box])),
                range_mae_m_objects=float(error[in_box].mean()),
                rays_objects=float(in_box.sum()),
            )
        rgb, mean_rgb = pool('rgb_error'), pool('rgb_mean_error')
        if len(rgb):
            metrics.update(
                rgb_mae=float(rgb.mean()),
                rgb_mae_of_mean_colour=float(mean_rgb.mean()),
                rgb_ratio=float(rgb.mean() / max(mean_rgb.mean(), 1e-9)),
            )
        grey = pool('rgb_grey_error')
        if len(grey):
            metrics.update(rgb_mae_of_grey_images=float(grey.mean()))
        return metrics
