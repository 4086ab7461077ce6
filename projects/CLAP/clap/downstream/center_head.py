"""CenterPoint's detection head: objects as peaks of a heatmap, their boxes read from the peak's cell."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Optional, Sequence

import torch
from mmcv.cnn import ConvModule
from mmcv.ops import nms_rotated
from mmdet3d.models.dense_heads.centerpoint_head import SeparateHead
from mmdet3d.registry import MODELS
from mmengine.model import bias_init_with_prob
from mmengine.structures import InstanceData
from torch import Tensor, nn

from ..errors import ConfigError
from .objects import bev_grid, check_grid, found_objects, labelled_objects
from .transfusion.nms import circle_nms_mask
from .transfusion.targets import heatmap_target

_PARTS = dict(reg=2, height=1, dim=3, rot=2, vel=2)
_CODE_WEIGHTS = (1.0,) * 8 + (0.2, 0.2)


class TaskTargets(NamedTuple):
    """What one task is trained towards: ``heatmap`` (B, C, X, Y); of G objects, ``sample`` and ``cell`` (G,) where they
    are in a map of X * Y cells, and ``codes`` (G, 8 or 10), NaN where unknown."""

    heatmap: Tensor
    sample: Tensor
    cell: Tensor
    codes: Tensor


@MODELS.register_module()
class CLAPCenterHead(nn.Module):
    """Boxes from a BEV map (B, C, X, Y); entries carry the names of mmdetection3d's CenterHead.

    Two things are done otherwise: boxes may have 7 numbers, which mmdetection3d's head cannot be trained on, and the
    heatmaps begin at ``heatmap_prior``, which its initialisation never reaches.

    Args:
        in_channels: channels of the BEV map.
        num_classes: C.
        point_cloud_range: x, y, z minimum and x, y, z maximum of the BEV, metres.
        voxel_size: x, y[, z] of a voxel, metres.
        tasks: numbers of classes that share a branch, in the order of the labels; None: one branch for all.
        out_size_factor: voxels per BEV cell along x and y.
        shared_channels, head_channels: channels after the shared convolution, and inside a branch.
        with_velocity: predict velocities (boxes of 9 numbers, else 7).
        gaussian_overlap, min_radius: of the heatmap's bumps, see :func:`heatmap_target`.
        max_objects: objects per sample and task that are trained on.
        code_weights: weights of x, y, z, ln dx, ln dy, ln dz, sin yaw, cos yaw, vx, vy in the loss.
        loss_heatmap, loss_bbox: configs of the losses.
        heatmap_prior: score that every cell of a new heatmap begins with.
        max_boxes: best cells per task that are decoded.
        score_threshold: scores must be greater.
        post_center_range: x, y, z minimum and maximum of the centres that are given out, metres.
        nms_iou: boxes of a task that overlap a better one by more, seen from above, are left out.
        nms_boxes: boxes that a task keeps.
        circle_nms: per task, squared distance in m² within which only the best box is kept, instead of ``nms_iou``.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        point_cloud_range: Sequence[float],
        voxel_size: Sequence[float],
        tasks: Optional[Sequence[int]] = None,
        out_size_factor: int = 8,
        shared_channels: int = 64,
        head_channels: int = 64,
        with_velocity: bool = True,
        gaussian_overlap: float = 0.1,
        min_radius: int = 2,
        max_objects: int = 500,
        code_weights: Sequence[float] = _CODE_WEIGHTS,
        loss_heatmap: Optional[dict] = None,
        loss_bbox: Optional[dict] = None,
        heatmap_prior: float = 0.1,
        max_boxes: int = 500,
        score_threshold: float = 0.1,
        post_center_range: Sequence[float] = (-61.2, -61.2, -10.0, 61.2, 61.2, 10.0),
        nms_iou: float = 0.2,
        nms_boxes: int = 83,
        circle_nms: Optional[Sequence[float]] = None,
    ) -> None:
        super().__init__()
        self.tasks = [num_classes] if tasks is None else list(tasks)
        if sum(self.tasks) != num_classes:
            raise ConfigError(f'tasks {self.tasks} have {sum(self.tasks)} classes, num_classes is {num_classes}')
        if circle_nms is not None and len(circle_nms) != len(self.tasks):
            raise ConfigError(f'circle_nms has {len(circle_nms)} distances for {len(self.tasks)} tasks')
        if not 0 < heatmap_prior < 1:
            raise ConfigError(f'heatmap_prior must lie between 0 and 1, got {heatmap_prior}')
        self.num_classes, self.with_velocity = num_classes, with_velocity
        self.origin = list(point_cloud_range[:2])
        self.cell_size, self.grid = bev_grid(point_cloud_range, voxel_size, out_size_factor)
        self.gaussian_overlap, self.min_radius, self.max_objects = gaussian_overlap, min_radius, max_objects
        self.code_weights = list(code_weights)[: 10 if with_velocity else 8]
        self.max_boxes, self.score_threshold = max_boxes, score_threshold
        self.post_center_range, self.nms_iou, self.nms_boxes = list(post_center_range), nms_iou, nms_boxes
        self.circle_nms = circle_nms
        self.loss_heatmap = MODELS.build(loss_heatmap or dict(type='mmdet.GaussianFocalLoss', reduction='mean'))
        self.loss_bbox = MODELS.build(loss_bbox or dict(type='mmdet.L1Loss', reduction='mean', loss_weight=0.25))
        self.shared_conv = ConvModule(in_channels, shared_channels, 3, padding=1, norm_cfg=dict(type='BN2d'))
        parts = {name: (size, 2) for name, size in _PARTS.items() if with_velocity or name != 'vel'}
        self.task_heads = nn.ModuleList(
            SeparateHead(shared_channels, dict(parts, heatmap=(size, 2)), head_channels, final_kernel=3)
            for size in self.tasks
        )
        for head in self.task_heads:
            nn.init.constant_(head.heatmap[-1].bias, bias_init_with_prob(heatmap_prior))

    def forward(self, bev: Tensor) -> List[Dict[str, Tensor]]:
        """BEV (B, in_channels, X, Y) -> maps of every task: ``heatmap`` logits, ``reg`` (the centre's place in its
        cell), ``height`` (of the centre, metres), ``dim`` (logarithms), ``rot`` (sine, cosine), ``vel``."""
        check_grid(bev, self.grid)
        shared = self.shared_conv(bev)
        return [{name: value.float() for name, value in head(shared).items()} for head in self.task_heads]

    # ---------------------------------------------------------------- training

    def loss(self, bev: Tensor, gt_instances: Sequence[InstanceData]) -> Dict[str, Tensor]:
        """BEV (B, in_channels, X, Y) and the objects of every sample -> ``task<i>.loss_heatmap`` and ``.loss_bbox``."""
        targets = self.targets(*labelled_objects(gt_instances, bev.device, self.num_classes, self.with_velocity))
        losses = {}
        for task, (preds, target) in enumerate(zip(self(bev), targets)):
            scores = preds['heatmap'].sigmoid().clamp(1e-4, 1 - 1e-4)
            peaks = max(float((target.heatmap == 1).sum()), 1.0)
            losses[f'task{task}.loss_heatmap'] = self.loss_heatmap(scores, target.heatmap, avg_factor=peaks)
            found = torch.cat([preds[name] for name in _PARTS if name in preds], 1).flatten(2)
            found = found[target.sample, :, target.cell]
            known = ~target.codes.isnan()
            weights = known * found.new_tensor(self.code_weights)
            losses[f'task{task}.loss_bbox'] = self.loss_bbox(
                found, target.codes.nan_to_num(), weights, avg_factor=len(found) + 1e-4
            )
        return losses

    def targets(self, boxes: Sequence[Tensor], labels: Sequence[Tensor]) -> List[TaskTargets]:
        """Per task, from every sample's boxes (G, 7 or 9: bottom centres) and labels (G,).

        Objects outside of the BEV or without extent are left out.
        """
        maps, places = [], []
        for sample, (own, classes) in enumerate(zip(boxes, labels)):
            maps.append(
                heatmap_target(
                    own,
                    classes,
                    self.num_classes,
                    self.grid,
                    self.origin,
                    self.cell_size,
                    self.gaussian_overlap,
                    self.min_radius,
                )
            )
            cells = (own[:, :2] - own.new_tensor(self.origin)) / own.new_tensor(self.cell_size)
            inside = ((cells >= 0) & (cells < own.new_tensor(self.grid))).all(1) & (own[:, 3:6] > 0).all(1)
            corner = cells.floor()
            place = (corner[:, 0] * self.grid[1] + corner[:, 1]).long()
            where = torch.full_like(place, sample)
            places.append([part[inside] for part in (classes, where, place, self._codes(own, cells - corner))])
        heatmaps = torch.stack(maps).split(self.tasks, dim=1)
        found, first = [], 0
        for size, heatmap in zip(self.tasks, heatmaps):
            own = [
                [part[(p[0] >= first) & (p[0] < first + size)][: self.max_objects] for part in p[1:]] for p in places
            ]
            found.append(TaskTargets(heatmap, *(torch.cat(parts) for parts in zip(*own))))
            first += size
        return found

    @staticmethod
    def _codes(boxes: Tensor, in_cell: Tensor) -> Tensor:
        yaw = boxes[:, 6:7]
        middle = boxes[:, 2:3] + boxes[:, 5:6] / 2
        return torch.cat([in_cell, middle, boxes[:, 3:6].log(), yaw.sin(), yaw.cos(), boxes[:, 7:9]], 1)

    # ---------------------------------------------------------------- inference

    @torch.no_grad()
    def predict(self, bev: Tensor, metas: Sequence[dict]) -> List[InstanceData]:
        """BEV (B, in_channels, X, Y) -> per sample ``bboxes_3d``, ``scores_3d``, ``labels_3d`` (int32)."""
        return self.boxes_of(self(bev), metas)

    def boxes_of(self, preds: Sequence[Dict[str, Tensor]], metas: Sequence[dict]) -> List[InstanceData]:
        """What :meth:`forward` gives -> boxes, task after task."""
        results = []
        for sample, meta in enumerate(metas):
            found = [self._task_boxes(task, own, sample) for task, own in enumerate(preds)]
            boxes, scores, labels = (torch.cat(parts) for parts in zip(*found))
            boxes[:, 2] -= boxes[:, 5] / 2  # from the centre to the bottom
            results.append(found_objects(boxes, scores, labels, meta))
        return results

    def _task_boxes(self, task: int, preds: Dict[str, Tensor], sample: int) -> List[Tensor]:
        """Boxes (K, 7 or 9: z of the centre), scores (K,) and labels (K,) of a sample, the best first."""
        heatmap = preds['heatmap'][sample].sigmoid().flatten()
        scores, index = heatmap.topk(min(self.max_boxes, len(heatmap)))
        cells = self.grid[0] * self.grid[1]
        labels, place = torch.div(index, cells, rounding_mode='floor'), index % cells
        parts = {name: preds[name][sample].flatten(1)[:, place].t() for name in _PARTS if name in preds}
        corner = torch.stack([torch.div(place, self.grid[1], rounding_mode='floor'), place % self.grid[1]], 1)
        xy = (corner + parts['reg']) * scores.new_tensor(self.cell_size) + scores.new_tensor(self.origin)
        yaw = torch.atan2(parts['rot'][:, :1], parts['rot'][:, 1:])
        columns = [xy, parts['height'], parts['dim'].exp(), yaw, *([parts['vel']] if self.with_velocity else [])]
        boxes, bounds = torch.cat(columns, 1), scores.new_tensor(self.post_center_range)
        kept = (
            (scores > self.score_threshold) & (boxes[:, :3] >= bounds[:3]).all(1) & (boxes[:, :3] <= bounds[3:]).all(1)
        )
        boxes, scores, labels = boxes[kept], scores[kept], labels[kept]
        if not len(boxes):
            return [boxes, scores, labels]
        if self.circle_nms is not None:
            one = torch.zeros_like(labels)
            best = circle_nms_mask(boxes[:, :2], scores, one, {0: float(self.circle_nms[task])}, self.nms_boxes)
        else:
            best = nms_rotated(boxes[:, [0, 1, 3, 4, 6]].contiguous(), scores, self.nms_iou)[1][: self.nms_boxes]
        return [boxes[best], scores[best], labels[best] + sum(self.tasks[:task])]
