"""Weak labels: classes of the keyframe's points that another model predicted, as the data set loads them."""

from __future__ import annotations

from typing import List, Sequence

import torch
from torch import Tensor

from ..errors import ConfigError, DataError
from ..structures import NO_CLASS


def weak_labels(samples: Sequence, num_points: Sequence[int], num_classes: int) -> List[Tensor]:
    """For each sample the class (N,) int64 of every point of its keyframe sweep, -1 for none.

    Args:
        samples: data samples with ``gt_pts_seg.pts_semantic_mask`` (N,).
        num_points: N of each sample.
        num_classes: classes are below it; 0 asks for none, which gives an empty list.

    Raises:
        ConfigError: the data set does not load them.
        DataError: they are not of these points, or of more classes.
    """
    found: List[Tensor] = []
    for sample, num in zip(samples if num_classes else (), num_points):
        if 'gt_pts_seg' not in sample or 'pts_semantic_mask' not in sample.gt_pts_seg:
            raise ConfigError(
                "num_classes asks for weak labels, and a sample has none: set semantic_classes in the data set, or "
                "CLAPLoadLabelImages in its pipeline, and 'pts_semantic_mask' in the keys of CLAPPackInputs; or "
                'num_classes=0'
            )
        labels = sample.gt_pts_seg.pts_semantic_mask.long()
        where = sample.metainfo.get('lidar_path', 'a sample')
        if labels.shape != (num,):
            raise DataError(
                f'{where}: expected one weak label for each of the {num} points of the keyframe sweep, got '
                f'{tuple(labels.shape)}; make the labels of this sweep, in the order of its file'
            )
        labels = torch.where(labels == NO_CLASS, -torch.ones_like(labels), labels)
        if (labels >= num_classes).any():
            raise DataError(
                f'{where}: class {int(labels.amax())} among the weak labels, expected classes below num_classes = '
                f'{num_classes}; raise it or merge classes (semantic_classes)'
            )
        found.append(labels)
    return found
