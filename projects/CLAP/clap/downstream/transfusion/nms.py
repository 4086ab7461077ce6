"""Non-maximum suppression by the distance of centres."""

from __future__ import annotations

from typing import Dict

import torch
from torch import Tensor

#: Boxes that one class may keep, as in CenterPoint.
MAX_PER_CLASS = 83


def circle_nms_mask(
    centres: Tensor, scores: Tensor, labels: Tensor, radii: Dict[int, float], max_boxes: int = MAX_PER_CLASS
) -> Tensor:
    """Which boxes survive: of two of one class whose *squared* distance is at most its radius, the better one.

    Args:
        centres: (N, 2) metres.
        scores: (N,).
        labels: (N,) class indices.
        radii: class index -> limit of the squared distance, m². Classes that are not named keep all their boxes.
        max_boxes: that a class keeps.

    Returns:
        (N,) bool.
    """
    survivors = torch.ones(len(scores), dtype=torch.bool, device=scores.device)
    for label, radius in radii.items():
        own = (labels == label).nonzero().flatten()
        order = own[scores[own].argsort(descending=True)]
        distance = (centres[order, None] - centres[None, order]).square().sum(-1).cpu()
        kept = []
        for row in range(len(order)):
            if len(kept) < max_boxes and not any(distance[row, other] <= radius for other in kept):
                kept.append(row)
        survivors[own] = False
        survivors[order[kept]] = True
    return survivors
