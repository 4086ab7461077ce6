"""Which query is responsible for which object: the cheapest one-to-one matching."""

from __future__ import annotations

from typing import NamedTuple, Sequence

import torch
from mmdet3d.registry import TASK_UTILS
from mmdet3d.structures.ops import bbox_overlaps_3d
from scipy.optimize import linear_sum_assignment
from torch import Tensor

#: Stands in for costs that are not finite, so that a diverged step fails in the loss, which says so.
_PROHIBITIVE = 1e4


class Assignment(NamedTuple):
    """``queries`` and ``objects`` (M,) int64 are matched pairs by ascending query; ``ious`` (M,) their 3-D overlap."""

    queries: Tensor
    objects: Tensor
    ious: Tensor


class Costs(NamedTuple):
    """Weighted costs, each (P, G), and the overlap they come from."""

    classification: Tensor
    position: Tensor
    overlap: Tensor
    ious: Tensor

    @property
    def total(self) -> Tensor:
        return self.classification + self.position + self.overlap


@TASK_UTILS.register_module()
class CLAPHungarianAssigner3D:
    """Hungarian matching on classification, BEV distance and 3-D overlap.

    cost = ``cls_weight`` * (focal cost of being the object's class minus that of not being it)
    + ``reg_weight`` * (|dx| / range_x + |dy| / range_y) - ``iou_weight`` * IoU.

    Args:
        cls_weight, reg_weight, iou_weight: weights of the three costs.
        alpha, gamma: of the focal cost.
    """

    def __init__(
        self,
        cls_weight: float = 0.15,
        reg_weight: float = 0.25,
        iou_weight: float = 0.25,
        alpha: float = 0.25,
        gamma: float = 2.0,
    ) -> None:
        self.cls_weight, self.reg_weight, self.iou_weight = cls_weight, reg_weight, iou_weight
        self.alpha, self.gamma = alpha, gamma

    def costs(
        self, boxes: Tensor, logits: Tensor, gt_boxes: Tensor, gt_labels: Tensor, point_cloud_range: Sequence[float]
    ) -> Costs:
        """boxes (P, 7 or 9) decoded, logits (C, P), gt_boxes (G, 7 or 9), gt_labels (G,) -> costs (P, G)."""
        prob, eps = logits.sigmoid().t(), 1e-12
        positive = -(prob + eps).log() * self.alpha * (1 - prob) ** self.gamma
        negative = -(1 - prob + eps).log() * (1 - self.alpha) * prob**self.gamma
        classification = self.cls_weight * (positive - negative)[:, gt_labels]
        bounds = boxes.new_tensor(point_cloud_range)
        extent = bounds[3:5] - bounds[:2]
        position = self.reg_weight * torch.cdist(boxes[:, :2] / extent, gt_boxes[:, :2] / extent, p=1)
        ious = bbox_overlaps_3d(boxes, gt_boxes, coordinate='lidar')
        return Costs(classification, position, -self.iou_weight * ious, ious)

    @torch.no_grad()
    def assign(
        self, boxes: Tensor, logits: Tensor, gt_boxes: Tensor, gt_labels: Tensor, point_cloud_range: Sequence[float]
    ) -> Assignment:
        """Arguments as of :meth:`costs`; no object gives an empty assignment."""
        if len(gt_boxes) == 0:
            none = torch.zeros(0, dtype=torch.long, device=boxes.device)
            return Assignment(none, none, boxes.new_zeros(0))
        costs = self.costs(boxes, logits, gt_boxes, gt_labels, point_cloud_range)
        total = costs.total.nan_to_num(_PROHIBITIVE, _PROHIBITIVE, -_PROHIBITIVE).cpu().numpy()
        queries, objects = (torch.from_numpy(index).to(boxes.device) for index in linear_sum_assignment(total))
        return Assignment(queries, objects, costs.ious[queries, objects])
