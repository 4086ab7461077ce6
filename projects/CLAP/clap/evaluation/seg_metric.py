"""Intersection over union of semantic classes of points, by one confusion matrix per frame."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence

import numpy as np
from mmdet3d.registry import METRICS
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from terminaltables import AsciiTable
from torch import nn

from ..errors import ConfigError, DatasetError
from ..structures import NO_CLASS
from .whole_split import check_same_classes


@METRICS.register_module()
class CLAPSegMetric(BaseMetric):
    """IoU per class, their mean and the accuracies, with the names and the table of mmdetection3d's ``SegMetric``.

    Each frame becomes a confusion matrix (classes, classes + 1) whose last column holds the points that were given no
    class (a number of ``classes`` or more, or below 0): misses of the true class, no hits of another. ``SegMetric``
    counts them in the next row. Frames and ranks add up to one matrix of the whole split.

    ``iou`` = tp / (tp + fp + fn), ``miou`` its mean over the classes that are among truth or predictions (SemanticKITTI
    counts an absent class as 0, Waymo as 1), ``acc`` = right points / points with a true class, ``acc_cls`` the mean
    over classes of the right share of their points. A figure that is 0 / 0 is left out of the result.

    Args:
        classes: names in the order of the model's classes.
        ignore_index: true class that is not counted.
        collect_device: where results are gathered, ``'cpu'`` or ``'gpu'``.
        prefix: prefix of the names in the log.
    """

    def __init__(
        self,
        classes: Sequence[str],
        ignore_index: int = NO_CLASS,
        collect_device: str = 'cpu',
        prefix: Optional[str] = 'seg',
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.classes, self.ignore_index = list(classes), ignore_index

    def check(self, dataset: Any, model: nn.Module) -> None:
        """``ConfigError`` where the data set gives no classes of points, or others than the metric or the model.

        Args:
            dataset: of the evaluation.
            model: the segmentor.
        """
        if getattr(dataset, 'semantic_classes', 0) is None:
            raise ConfigError(
                'CLAPSegMetric measures classes of points: set semantic_classes of the evaluation data set'
            )
        check_same_classes(getattr(dataset, 'semantic_classes', None), self.classes)
        told = getattr(model, 'num_classes', len(self.classes))
        if told != len(self.classes):
            raise ConfigError(f'model.num_classes is {told}, but val_evaluator.classes are {len(self.classes)}')

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Count the points of each frame; (N,) classes in ``pred_pts_seg`` and ``gt_pts_seg``."""
        for sample in data_samples:
            truth, found = (_classes_of(sample, key) for key in ('gt_pts_seg', 'pred_pts_seg'))
            where = sample.get('lidar_path', 'this frame')
            if truth.shape != found.shape:
                raise DatasetError(
                    f'{where}: {len(found)} points were given a class, {len(truth)} have a label. Labels and points '
                    'must go through the same filters; correct the pipeline, or convert the data again'
                )
            counted = truth != self.ignore_index
            wrong = truth[counted & ((truth < 0) | (truth >= len(self.classes)))]
            if len(wrong):
                raise DatasetError(
                    f'{where}: label {wrong[0]} is none of {len(self.classes)} classes, nor ignored '
                    f'({self.ignore_index}); correct classes of the metric, or convert the data again'
                )
            self.results.append(confusion(truth[counted], found[counted], len(self.classes)))

    def compute_metrics(self, results: List[np.ndarray]) -> Dict[str, float]:
        """Add the frames up; prints the table."""
        matrix = np.sum(results, axis=0)
        hits, true, found = np.diag(matrix), matrix.sum(axis=1), matrix[:, :-1].sum(axis=0)
        if not true.sum():
            raise DatasetError(f'no point has a label other than {self.ignore_index} (ignored); nothing to measure')
        with np.errstate(invalid='ignore'):
            iou, right = hits / (true + found - hits), hits / true
        figures = dict(zip(self.classes, iou))
        figures.update(miou=np.nanmean(iou), acc=hits.sum() / true.sum(), acc_cls=np.nanmean(right))
        table = AsciiTable([['classes', *figures], ['results', *(f'{value:.4f}' for value in figures.values())]])
        print_log('\n' + table.table, 'current')
        return {name: float(value) for name, value in figures.items() if not np.isnan(value)}


def confusion(truth: np.ndarray, found: np.ndarray, classes: int) -> np.ndarray:
    """True classes (N,) in [0, classes) and predicted ones (N,) -> counts (classes, classes + 1); last column: none."""
    found = np.where((found >= 0) & (found < classes), found, classes)
    counts = np.bincount(truth * (classes + 1) + found, minlength=classes * (classes + 1))
    return counts.reshape(classes, classes + 1)


def _classes_of(sample: Dict[str, Any], key: str) -> np.ndarray:
    mask = sample[key]['pts_semantic_mask'] if key in sample else None
    if mask is None:
        raise DatasetError(f'a frame has no {key}.pts_semantic_mask; let the pipeline load labels, the model segment')
    return np.asarray(mask.cpu() if hasattr(mask, 'cpu') else mask).astype(np.int64)
