"""Labelled objects as detection heads take them."""

from __future__ import annotations

from typing import List, Sequence, Tuple

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from ..errors import ConfigError


def labelled_objects(
    instances: Sequence[InstanceData], device: torch.device, num_classes: int, with_velocity: bool
) -> Tuple[List[Tensor], List[Tensor]]:
    """Every sample's boxes (G, 9, or 7 without velocity: bottom centres) and class indices (G,).

    Raises:
        ConfigError: a sample has no labels, boxes have too few numbers, or a class index is not below ``num_classes``.
    """
    columns = 9 if with_velocity else 7
    boxes, labels = [], []
    for own in instances:
        if 'bboxes_3d' not in own or 'labels_3d' not in own:
            raise ConfigError(
                'training a detector needs labels, and a sample has none: set with_annotations=True '
                "in the data set, LoadAnnotations3D in the pipeline and 'gt_bboxes_3d', "
                "'gt_labels_3d' in the keys of CLAPPackInputs"
            )
        if own.bboxes_3d.tensor.shape[1] < columns:
            raise ConfigError(
                f'boxes have {own.bboxes_3d.tensor.shape[1]} numbers, with_velocity={with_velocity} needs {columns}; '
                'set with_velocity=False in bbox_head'
            )
        classes = own.labels_3d.to(device).long()
        if len(classes) and (int(classes.min()) < 0 or int(classes.max()) >= num_classes):
            raise ConfigError(
                f'labels reach from {int(classes.min())} to {int(classes.max())}, expected 0 to '
                f'{num_classes - 1}: put ObjectNameFilter into the pipeline'
            )
        boxes.append(own.bboxes_3d.tensor[:, :columns].to(device).float())
        labels.append(classes)
    return boxes, labels
