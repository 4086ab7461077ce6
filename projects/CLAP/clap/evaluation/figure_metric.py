"""Figures that a pre-training method gives of itself on evaluation frames."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence

from mmdet3d.registry import METRICS
from mmengine.evaluator import BaseMetric
from torch import nn

from ..errors import ConfigError
from ..pretrain.method import Method


@METRICS.register_module()
class CLAPFigureMetric(BaseMetric):
    """Means of what the method's ``predict`` leaves in every sample's ``figures``: name -> (sum, count).

    A mean runs over the items of all frames, sum of the sums / sum of the counts; one without an item is left out.

    Args:
        collect_device: where results are gathered, ``'cpu'`` or ``'gpu'``.
        prefix: prefix of the names in the log.
    """

    default_prefix = 'heldout'

    def __init__(self, collect_device: str = 'cpu', prefix: Optional[str] = None) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)

    def check(self, dataset: Any, model: nn.Module) -> None:
        """``ConfigError`` before training if the model has nothing to tell."""
        own = isinstance(model, Method) and type(model).predict is not Method.predict and model.evaluated == 'figures'
        if not own:
            raise ConfigError(
                f'CLAPFigureMetric needs a pre-training method with figures of its own, {type(model).__name__} has '
                'none. Leave the evaluation out: val_dataloader=None val_cfg=None val_evaluator=None'
            )

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the sums of a batch."""
        for sample in data_samples:
            self.results.append({name: (float(a), float(b)) for name, (a, b) in sample['figures'].items()})

    def compute_metrics(self, results: List[dict]) -> Dict[str, float]:
        """Pool the items of all frames."""
        metrics = {}
        for name in dict.fromkeys(name for result in results for name in result):
            total, count = (sum(result[name][part] for result in results if name in result) for part in (0, 1))
            if count:
                metrics[name] = total / count
        return metrics
