"""Which points lie in which box."""

from __future__ import annotations

import torch
from torch import Tensor


def inside_box(points: Tensor, box: Tensor) -> Tensor:
    """(N,) bool: points (N, >=3) in a box (>=7,), its faces included.

    A box is x, y, z of its centre of gravity, length along its heading, width, height (metres) and the heading's yaw
    from the x axis, counter-clockwise (radians).
    """
    offset = points[:, :3] - box[:3]
    cos, sin = torch.cos(box[6]), torch.sin(box[6])
    along = cos * offset[:, 0] + sin * offset[:, 1]
    across = cos * offset[:, 1] - sin * offset[:, 0]
    length, width, height = box[3], box[4], box[5]
    return (along.abs() <= length / 2) & (across.abs() <= width / 2) & (offset[:, 2].abs() <= height / 2)


def box_of_points(points: Tensor, boxes: Tensor) -> Tensor:
    """(N,) int64: the last of the boxes (M, >=7) that holds each point (N, >=3), -1 for none; in float64."""
    owner = torch.full((len(points),), -1, dtype=torch.int64, device=points.device)
    points = points.double()
    for index, box in enumerate(boxes.double()):
        owner[inside_box(points, box)] = index
    return owner
