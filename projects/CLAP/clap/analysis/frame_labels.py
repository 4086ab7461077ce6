"""What the points of a frame belong to: labelled boxes, road, semantic classes. For measurements, not for training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Mapping, Optional, Sequence

import numpy as np
import torch
from torch import Tensor

from ..errors import DataError
from ..functional import box_of_points

#: Groups of PandaSet's semantic classes, by the names of the info file.
SEMANTIC_GROUPS = {
    'road': ('Road', 'Lane Line Marking', 'Stop Line Marking', 'Other Road Marking'),
    'sidewalk': ('Sidewalk', 'Driveway'),
    'vegetation': ('Vegetation',),
    'building': ('Building',),
    'vehicle': (
        'Car', 'Pickup Truck', 'Medium-sized Truck', 'Semi-truck', 'Towed Object', 'Motorcycle',
        'Other Vehicle - Construction Vehicle', 'Other Vehicle - Uncommon', 'Other Vehicle - Pedicab',
        'Emergency Vehicle', 'Bus', 'Personal Mobility Device', 'Motorized Scooter', 'Bicycle', 'Train', 'Trolley',
        'Tram / Subway',
    ),
    'pedestrian': ('Pedestrian', 'Pedestrian with Object'),
}  # fmt: skip
VEHICLES = ('car', 'truck', 'trailer', 'bus', 'construction_vehicle')


@dataclass(frozen=True)
class FrameLabels:
    """Masks over the N points of a keyframe, file order, on the CPU."""

    objects: Tensor  # (N,) bool, inside a labelled box of any class
    road: Tensor  # (N,) bool
    groups: Dict[str, Tensor]  # further masks by name: classes of boxes, semantic classes
    road_source: str  # 'semantic' or 'fitted'


def frame_labels(
    points: Tensor, info: dict, classes: Sequence[str], stored: Optional[Mapping[str, int]] = None
) -> FrameLabels:
    """Labels of one frame from its info record.

    Args:
        points: (N, 3) keyframe points in the un-augmented LiDAR frame, file order.
        info: a record of an info file (parsed with annotations): ``instances`` and, where the recording has them,
            ``lidar_points.semantic_path``.
        classes: names of the box labels.
        stored: numbers of the semantic classes by name, ``metainfo.semantic_classes`` of the info file; names that are
            not PandaSet's are left alone.

    Raises:
        DataError: the semantic file has another number of points.
    """
    boxes = [(np.asarray(i['bbox_3d'], dtype=np.float64), int(i['bbox_label_3d'])) for i in info.get('instances') or []]
    owner = box_of_points(points.cpu(), torch.from_numpy(np.array([box[:7] for box, _ in boxes]).reshape(-1, 7)))
    label = torch.tensor([-1 if c < 0 else c for _, c in boxes] + [-2])[owner]
    groups = {name: label == index for index, name in enumerate(classes)}
    groups['vehicles'] = torch.isin(label, torch.tensor([i for i, name in enumerate(classes) if name in VEHICLES]))
    objects = owner >= 0
    known = {name for names in SEMANTIC_GROUPS.values() for name in names} <= set(stored or ())
    semantic = _semantics(info, len(points)) if known else None
    if semantic is None:
        return FrameLabels(objects, fitted_road(points, objects), groups, 'fitted')
    masks = {
        group: torch.isin(semantic, torch.tensor([stored[name] for name in names]))
        for group, names in SEMANTIC_GROUPS.items()
    }
    groups.update({f'semantic {name}': mask for name, mask in masks.items()})
    return FrameLabels(objects, masks['road'], groups, 'semantic')


def _semantics(info: dict, count: int) -> Optional[Tensor]:
    path = info.get('lidar_points', {}).get('semantic_path')
    if path is None or not Path(path).is_file():
        return None
    classes = np.fromfile(path, dtype=np.uint8)
    if len(classes) != count:
        raise DataError(f'{path} labels {len(classes)} points, the sweep has {count}; convert the data set again')
    return torch.from_numpy(classes.astype(np.int64))


def fitted_road(points: Tensor, objects: Tensor, cell_m: float = 2.0, height_m: float = 0.2) -> Tensor:
    """Points near a fitted ground surface and in no box (N,) bool; includes pavements.

    A quadratic surface z(x, y) is fitted to the low points (5th percentile) of 2 m cells by least squares with
    Tukey's weights, so that cells which see no ground do not count.
    """
    xyz = points.double().cpu().numpy()
    if len(xyz) < 50:
        return torch.zeros(len(points), dtype=torch.bool)
    cell = np.floor(xyz[:, :2] / cell_m).astype(np.int64)
    _, of_point = np.unique(cell, axis=0, return_inverse=True)
    order = np.argsort(of_point.ravel(), kind='stable')
    parts = np.split(order, np.flatnonzero(np.diff(of_point.ravel()[order])) + 1)
    low = np.array([[*xyz[part, :2].mean(0), np.percentile(xyz[part, 2], 5)] for part in parts])

    def terms(p: np.ndarray) -> np.ndarray:
        x, y = p[:, 0] / 50, p[:, 1] / 50
        return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)

    basis = terms(low)
    residual = low[:, 2] - np.median(low[:, 2])
    for _ in range(20):
        scale = max(3.0 * float(np.median(np.abs(residual))), 0.1)
        weight = np.where(np.abs(residual) < scale, (1 - (residual / scale) ** 2) ** 2, 0.0)
        surface, *_ = np.linalg.lstsq(basis * weight[:, None], low[:, 2] * weight, rcond=None)
        residual = low[:, 2] - basis @ surface
    height = xyz[:, 2] - terms(xyz) @ surface
    return torch.from_numpy(np.abs(height) < height_m) & ~objects.cpu()
