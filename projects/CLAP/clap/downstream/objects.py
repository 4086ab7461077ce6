"""What detection heads share: their grid, labelled objects as they take them, found ones as they give them."""

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


def bev_grid(
    point_cloud_range: Sequence[float], voxel_size: Sequence[float], out_size_factor: int
) -> Tuple[List[float], Tuple[int, ...]]:
    """Size (x, y) of a BEV cell in metres, and the cells (X, Y) of the range."""
    cell_size = [size * out_size_factor for size in voxel_size[:2]]
    spans = zip(point_cloud_range[:2], point_cloud_range[3:5], cell_size)
    return cell_size, tuple(round((high - low) / cell) for low, high, cell in spans)


def check_grid(bev: Tensor, grid: Tuple[int, ...]) -> None:
    """Raise :class:`ConfigError` unless a map (B, C, X, Y) has the cells of a head."""
    if tuple(bev.shape[-2:]) != grid:
        raise ConfigError(
            f'the BEV has {tuple(bev.shape[-2:])} cells, the head expects {grid} from '
            'point_cloud_range / (voxel_size * out_size_factor)'
        )


def found_objects(boxes: Tensor, scores: Tensor, labels: Tensor, meta: dict) -> InstanceData:
    """Boxes (K, 7 or 9: bottom centres), scores (K,) and classes (K,) of a sample, as metrics take them."""
    return InstanceData(
        bboxes_3d=meta['box_type_3d'](boxes, box_dim=boxes.shape[-1]), scores_3d=scores, labels_3d=labels.int()
    )
