"""The TransFusion detection head: object queries from a heatmap, refined by attention over the BEV."""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmdet3d.models.dense_heads.centerpoint_head import SeparateHead
from mmdet3d.registry import MODELS, TASK_UTILS
from mmengine.model import bias_init_with_prob
from mmengine.structures import InstanceData
from torch import Tensor, nn

from ...errors import ConfigError
from ..objects import bev_grid, check_grid, found_objects, labelled_objects
from .coder import TransFusionBoxCoder
from .decoder import TransFusionDecoderLayer
from .nms import circle_nms_mask
from .targets import QueryTargets, heatmap_target

Predictions = Dict[str, Tensor]
_BOX_PARTS = ('center', 'height', 'dim', 'rot', 'vel')
_CODE_WEIGHTS = (1.0,) * 8 + (0.2, 0.2)


@MODELS.register_module()
class CLAPTransFusionHead(nn.Module):
    """Boxes from a fused BEV map (B, C, X, Y); parameters carry BEVFusion's names.

    Args:
        in_channels: channels of the BEV map.
        num_classes: C.
        point_cloud_range: x, y, z minimum and x, y, z maximum of the BEV, metres.
        voxel_size: x, y[, z] of a voxel, metres.
        out_size_factor: voxels per BEV cell along x and y.
        num_proposals: P, queries per sample.
        hidden_channel: E, channels inside the head.
        num_decoder_layers: decoder layers; every one is supervised.
        decoder_layer: arguments of :class:`TransFusionDecoderLayer` besides ``embed_dims``.
        with_velocity: predict velocities (boxes of 9 numbers, else 7).
        nms_kernel_size: odd width of the window in which a query must be the largest of its class.
        small_classes: indices of classes that are exempt from it (objects closer to each other than a cell);
            pedestrian and traffic cone of nuScenes in BEVFusion's order of classes.
        bn_momentum: of every batch norm here.
        gaussian_overlap, min_radius: of the heatmap's bumps, see :func:`heatmap_target`.
        assigner: config of the query assigner.
        code_weights: weights of the box code's entries in the loss; the first eight without velocity.
        loss_cls, loss_heatmap, loss_bbox: configs of the losses.
        post_center_range, score_threshold: which boxes are given out, see :class:`TransFusionBoxCoder`.
        circle_nms: class index -> squared distance in m² within which only the best box of that class is kept;
            None keeps all.
        heatmap_prior: score that every cell of a new heatmap begins with (CenterPoint: 0.1); None, as BEVFusion, leaves
            it near 0.5, and the first losses are a hundred times the later ones.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        point_cloud_range: Sequence[float],
        voxel_size: Sequence[float],
        out_size_factor: int = 8,
        num_proposals: int = 200,
        hidden_channel: int = 128,
        num_decoder_layers: int = 1,
        decoder_layer: Optional[dict] = None,
        with_velocity: bool = True,
        nms_kernel_size: int = 3,
        small_classes: Sequence[int] = (8, 9),
        bn_momentum: float = 0.1,
        gaussian_overlap: float = 0.1,
        min_radius: int = 2,
        assigner: Optional[dict] = None,
        code_weights: Sequence[float] = _CODE_WEIGHTS,
        loss_cls: Optional[dict] = None,
        loss_heatmap: Optional[dict] = None,
        loss_bbox: Optional[dict] = None,
        post_center_range: Sequence[float] = (-61.2, -61.2, -10.0, 61.2, 61.2, 10.0),
        score_threshold: Optional[float] = 0.0,
        circle_nms: Optional[Dict[int, float]] = None,
        heatmap_prior: Optional[float] = None,
    ) -> None:
        super().__init__()
        if nms_kernel_size < 3 or nms_kernel_size % 2 == 0:
            raise ConfigError(f'nms_kernel_size must be odd and at least 3, got {nms_kernel_size}')
        self.in_channels, self.num_classes, self.num_proposals = in_channels, num_classes, num_proposals
        self.point_cloud_range = list(point_cloud_range)
        self.cell_size, self.grid = bev_grid(point_cloud_range, voxel_size, out_size_factor)
        if num_proposals > num_classes * self.grid[0] * self.grid[1]:
            raise ConfigError(f'num_proposals {num_proposals} exceeds the {num_classes} classes x {self.grid} cells')
        self.nms_kernel_size = nms_kernel_size
        self.small_classes = [index for index in small_classes if index < num_classes]
        self.gaussian_overlap, self.min_radius = gaussian_overlap, min_radius
        self.circle_nms = {} if circle_nms is None else {int(k): float(v) for k, v in circle_nms.items()}
        self.coder = TransFusionBoxCoder(
            point_cloud_range[:2], self.cell_size, with_velocity, post_center_range, score_threshold
        )
        self.assigner = TASK_UTILS.build(assigner or dict(type='CLAPHungarianAssigner3D'))
        self.code_weights = list(code_weights)[: self.coder.code_size]
        self.loss_cls = MODELS.build(
            loss_cls
            or dict(type='mmdet.FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, reduction='mean', loss_weight=1.0)
        )
        self.loss_heatmap = MODELS.build(
            loss_heatmap or dict(type='mmdet.GaussianFocalLoss', reduction='mean', loss_weight=1.0)
        )
        self.loss_bbox = MODELS.build(loss_bbox or dict(type='mmdet.L1Loss', reduction='mean', loss_weight=0.25))
        self._build_layers(hidden_channel, num_decoder_layers, decoder_layer or {}, bn_momentum)
        if heatmap_prior is not None:
            if not 0 < heatmap_prior < 1:
                raise ConfigError(f'heatmap_prior must lie between 0 and 1, got {heatmap_prior}')
            nn.init.constant_(self.heatmap_head[1].bias, bias_init_with_prob(heatmap_prior))
        centres = torch.meshgrid(*(torch.arange(size) + 0.5 for size in self.grid), indexing='ij')
        positions = torch.stack(centres, dim=-1).reshape(1, -1, 2)
        self.register_buffer('cell_centres', positions, persistent=False)  # (1, X Y, 2), x slowest, in cells

    def _build_layers(self, channels: int, num_layers: int, decoder_layer: dict, bn_momentum: float) -> None:
        self.shared_conv = nn.Conv2d(self.in_channels, channels, 3, padding=1)
        self.heatmap_head = nn.Sequential(
            ConvModule(channels, channels, 3, padding=1, bias=False, norm_cfg=dict(type='BN2d')),
            nn.Conv2d(channels, self.num_classes, 3, padding=1),
        )
        self.class_encoding = nn.Conv1d(self.num_classes, channels, 1)
        self.decoder = nn.ModuleList(TransFusionDecoderLayer(channels, **decoder_layer) for _ in range(num_layers))
        outputs = dict(zip(_BOX_PARTS, ((2, 2), (1, 2), (3, 2), (2, 2), (2, 2))))
        if not self.coder.with_velocity:
            del outputs['vel']
        outputs['heatmap'] = (self.num_classes, 2)
        self.prediction_heads = nn.ModuleList(
            SeparateHead(channels, dict(outputs), conv_cfg=dict(type='Conv1d'), norm_cfg=dict(type='BN1d'), bias=False)
            for _ in range(num_layers)
        )
        for module in self.modules():
            if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                module.momentum = bn_momentum

    # ---------------------------------------------------------------- forward

    def forward(self, bev: Tensor) -> Predictions:
        """BEV (B, in_channels, X, Y) -> predictions.

        ``center`` (cells), ``height``, ``dim``, ``rot``, ``vel`` and the class logits ``heatmap``, each (B, channels,
        layers * P), last layer last; ``query_labels`` (B, P) and ``query_heatmap_score`` (B, C, P), class and scores
        that the queries were chosen by; ``dense_heatmap`` (B, C, X, Y) logits.
        """
        check_grid(bev, self.grid)
        features = self.shared_conv(bev)
        with torch.autocast(device_type=bev.device.type, enabled=False):
            dense = self.heatmap_head(features.float())
        index, query_labels, scores = self.choose_queries(dense)
        flat = features.flatten(2)
        query = flat.gather(2, index.unsqueeze(1).expand(-1, flat.shape[1], -1))
        one_hot = F.one_hot(query_labels, self.num_classes).transpose(1, 2).to(query.dtype)
        query = query + self.class_encoding(one_hot)
        grid = self.cell_centres.expand(len(bev), -1, -1)
        position = self.cell_centres[0][index]  # (B, P, 2)
        layers: List[Predictions] = []
        for decoder, head in zip(self.decoder, self.prediction_heads):
            query = decoder(query, flat, position, grid)
            preds = head(query)
            preds['center'] = preds['center'] + position.transpose(1, 2)
            position = preds['center'].detach().transpose(1, 2).to(position.dtype)
            layers.append(preds)
        joined = {name: torch.cat([preds[name] for preds in layers], dim=-1) for name in layers[0]}
        return dict(joined, query_labels=query_labels, query_heatmap_score=scores, dense_heatmap=dense)

    def choose_queries(self, dense: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        """Heatmap logits (B, C, X, Y) -> cells (B, P), classes (B, P), and all classes' scores there (B, C, P).

        Scores of cells that are not the largest of their window are zero. The window never reaches beyond the map, so
        the outermost cells are never chosen, except for ``small_classes``, which every cell is a maximum of.
        """
        scores = dense.detach().float().sigmoid()
        margin = self.nms_kernel_size // 2
        peaks = torch.zeros_like(scores)
        peaks[..., margin:-margin, margin:-margin] = F.max_pool2d(scores, self.nms_kernel_size, stride=1)
        peaks[:, self.small_classes] = scores[:, self.small_classes]
        scores = (scores * (scores == peaks)).flatten(2)
        chosen = scores.flatten(1).topk(self.num_proposals, dim=1).indices
        cells = scores.shape[2]
        index = chosen % cells
        labels = torch.div(chosen, cells, rounding_mode='floor')
        return index, labels, scores.gather(2, index.unsqueeze(1).expand(-1, self.num_classes, -1))

    # ---------------------------------------------------------------- training

    def loss(self, bev: Tensor, gt_instances: Sequence[InstanceData]) -> Dict[str, Tensor]:
        """BEV (B, in_channels, X, Y) and the objects of every sample -> named losses and ``matched_ious``.

        Args:
            bev: fused BEV.
            gt_instances: ``bboxes_3d`` (mmdetection3d boxes, bottom centres) and ``labels_3d`` of every sample.
        """
        preds = {name: value if name == 'query_labels' else value.float() for name, value in self(bev).items()}
        boxes, labels = labelled_objects(gt_instances, bev.device, self.num_classes, self.coder.with_velocity)
        maps = torch.stack(
            [
                heatmap_target(
                    sample_boxes,
                    sample_labels,
                    self.num_classes,
                    self.grid,
                    self.point_cloud_range,
                    self.cell_size,
                    self.gaussian_overlap,
                    self.min_radius,
                )
                for sample_boxes, sample_labels in zip(boxes, labels)
            ]
        )
        probability = preds['dense_heatmap'].sigmoid().clamp(1e-4, 1 - 1e-4)
        losses = dict(loss_heatmap=self.loss_heatmap(probability, maps, avg_factor=max(float((maps == 1).sum()), 1.0)))
        num_layers = len(self.decoder)
        for layer in range(num_layers):
            part = slice(layer * self.num_proposals, (layer + 1) * self.num_proposals)
            own = {name: preds[name][..., part] for name in (*_BOX_PARTS, 'heatmap') if name in preds}
            targets = self.targets(own, boxes, labels)
            name = f'layer_{-1 if layer == num_layers - 1 else layer}'
            losses[f'{name}_loss_cls'], losses[f'{name}_loss_bbox'] = self._layer_losses(own, targets)
            losses['matched_ious'] = targets.mean_iou
        return losses

    def targets(self, preds: Predictions, boxes: Sequence[Tensor], labels: Sequence[Tensor]) -> QueryTargets:
        """Match the queries of one layer, (B, channels, P) each, with the objects of every sample."""
        decoded = self.coder.decode({name: value.detach() for name, value in preds.items()}, preds['heatmap'].detach())
        batch, num_queries = decoded.labels.shape
        query_labels = decoded.labels.new_full((batch, num_queries), self.num_classes)
        codes = decoded.boxes.new_zeros(batch, num_queries, self.coder.code_size)
        ious = []
        for sample, (own_boxes, own_labels) in enumerate(zip(boxes, labels)):
            found = self.assigner.assign(
                decoded.boxes[sample], preds['heatmap'][sample].detach(), own_boxes, own_labels, self.point_cloud_range
            )
            query_labels[sample, found.queries] = own_labels[found.objects]
            codes[sample, found.queries] = self.coder.encode(own_boxes[found.objects])
            ious.append(found.ious.mean() if len(found.ious) else found.ious.new_zeros(()))
        return QueryTargets(query_labels, codes, query_labels < self.num_classes, torch.stack(ious).mean())

    def _layer_losses(self, preds: Predictions, targets: QueryTargets) -> Tuple[Tensor, Tensor]:
        factor = max(float(targets.matched.sum()), 1.0)
        logits = preds['heatmap'].transpose(1, 2).reshape(-1, self.num_classes)
        cls = self.loss_cls(logits, targets.labels.reshape(-1), avg_factor=factor)
        codes = torch.cat([preds[name] for name in _BOX_PARTS if name in preds], dim=1).transpose(1, 2)
        weights = targets.matched.unsqueeze(-1) * codes.new_tensor(self.code_weights)
        return cls, self.loss_bbox(codes, targets.boxes, weights, avg_factor=factor)

    # ---------------------------------------------------------------- inference

    @torch.no_grad()
    def predict(self, bev: Tensor, metas: Sequence[dict]) -> List[InstanceData]:
        """BEV (B, in_channels, X, Y) -> per sample ``bboxes_3d``, ``scores_3d``, ``labels_3d`` (int32)."""
        preds = {name: value if name == 'query_labels' else value.float() for name, value in self(bev).items()}
        return self.boxes_of(preds, metas)

    def boxes_of(self, preds: Predictions, metas: Sequence[dict]) -> List[InstanceData]:
        """Predictions of :meth:`forward` -> boxes; a query's score is that of its own class times its heatmap's.

        A query whose score is zero has label 0, whatever its class.
        """
        last = {name: preds[name][..., -self.num_proposals :] for name in (*_BOX_PARTS, 'heatmap') if name in preds}
        own_class = F.one_hot(preds['query_labels'], self.num_classes).transpose(1, 2)
        decoded = self.coder.decode(last, last['heatmap'].sigmoid() * preds['query_heatmap_score'] * own_class)
        kept = self.coder.keep(decoded)
        results = []
        for sample, meta in enumerate(metas):
            boxes, scores, labels = (value[sample][kept[sample]] for value in decoded)
            if self.circle_nms:
                survivors = circle_nms_mask(boxes[:, :2], scores, labels, self.circle_nms)
                boxes, scores, labels = boxes[survivors], scores[survivors], labels[survivors]
            results.append(found_objects(boxes, scores, labels, meta))
        return results
