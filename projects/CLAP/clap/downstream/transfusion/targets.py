"""What the TransFusion head is trained towards: a heatmap of object centres, and a box for each matched query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence, Tuple

import torch
from mmdet3d.models.utils import draw_heatmap_gaussian, gaussian_radius
from torch import Tensor


@dataclass(frozen=True)
class QueryTargets:
    """Targets of one decoder layer.

    Attributes:
        labels: (B, P) int64, the number of classes for background.
        boxes: (B, P, code_size) codes, zeros for background.
        matched: (B, P) bool.
        mean_iou: mean over samples of the mean overlap of matched pairs; a sample without objects counts 0.
    """

    labels: Tensor
    boxes: Tensor
    matched: Tensor
    mean_iou: Tensor


def heatmap_target(
    boxes: Tensor,
    labels: Tensor,
    num_classes: int,
    grid: Tuple[int, int],
    origin: Sequence[float],
    cell_size: Sequence[float],
    min_overlap: float = 0.1,
    min_radius: int = 2,
) -> Tensor:
    """A Gaussian bump per object in the map of its class, 1 at the centre's cell.

    The bump's radius is the largest shift of the box's corners (mmdetection3d's
    ``gaussian_radius``) that keeps an overlap of ``min_overlap``, at least
    ``min_radius`` cells. Drawn on the CPU.

    Args:
        boxes: (G, >= 5) x, y, z, dx, dy in metres, ...
        labels: (G,) class indices.
        num_classes: C.
        grid: X, Y.
        origin: (x, y) of the grid's lower corner in metres.
        cell_size: (x, y) in metres.

    Returns:
        (C, X, Y) float32 on the device of ``boxes``. Objects outside the grid or without extent leave no trace.
    """
    target = torch.zeros(num_classes, *grid, device='cpu')
    on_cpu, classes = boxes.detach().float().cpu(), labels.tolist()
    cell = on_cpu.new_tensor(cell_size[:2])
    cells, sizes = (on_cpu[:, :2] - on_cpu.new_tensor(origin[:2])) / cell, on_cpu[:, 3:5] / cell
    inside = (cells >= 0).all(1) & (cells < on_cpu.new_tensor(grid)).all(1) & (sizes > 0).all(1)
    for row in inside.nonzero().flatten().tolist():
        radius = max(min_radius, int(gaussian_radius((sizes[row, 0], sizes[row, 1]), min_overlap)))
        ix, iy = cells[row].long().tolist()
        # The routine takes (column, row); the rows of our maps are x.
        draw_heatmap_gaussian(target[classes[row]], torch.tensor([iy, ix]), radius)
    return target.to(boxes.device)
