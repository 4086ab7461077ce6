"""The BEVFusion detector: the encoders that CLAP pre-trains, and a TransFusion head."""

from __future__ import annotations

from typing import Dict, List, Optional

import torch
from mmdet3d.registry import MODELS
from mmengine.structures import InstanceData
from torch import Tensor

from ..encoders.encoder_base import ENCODERS, CLAPEncoderBase


@MODELS.register_module()
class CLAPBEVFusion(CLAPEncoderBase):
    """LiDAR and camera to boxes. Entries of the state dict are mmdetection3d's BEVFusion's, name by name.

    Args:
        data_preprocessor: config of the data preprocessor.
        voxelize_cfg: voxel size, range and caps, see :class:`CLAPEncoderBase`.
        bbox_head: config of :class:`CLAPTransFusionHead`.
        pts_middle_encoder, img_backbone, img_neck, view_transform, fusion_layer,
            pts_backbone, pts_neck: the encoders, see :class:`CLAPEncoderBase`.
        freeze_encoders: train the head alone on what the encoders give (a probe of the representation):
            their parameters and running statistics stay as they are.
        init_cfg: as everywhere in MMEngine.
    """

    def __init__(
        self,
        data_preprocessor: dict,
        voxelize_cfg: dict,
        bbox_head: dict,
        pts_middle_encoder: Optional[dict] = None,
        img_backbone: Optional[dict] = None,
        img_neck: Optional[dict] = None,
        view_transform: Optional[dict] = None,
        fusion_layer: Optional[dict] = None,
        pts_backbone: Optional[dict] = None,
        pts_neck: Optional[dict] = None,
        freeze_encoders: bool = False,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(
            data_preprocessor=data_preprocessor,
            voxelize_cfg=voxelize_cfg,
            pts_middle_encoder=pts_middle_encoder,
            img_backbone=img_backbone,
            img_neck=img_neck,
            view_transform=view_transform,
            fusion_layer=fusion_layer,
            pts_backbone=pts_backbone,
            pts_neck=pts_neck,
            init_cfg=init_cfg,
        )
        self.bbox_head = MODELS.build(bbox_head)
        self.freeze_encoders = freeze_encoders
        if freeze_encoders:
            for part in self.encoders:
                part.requires_grad_(False)

    @property
    def encoders(self) -> List[torch.nn.Module]:
        """The encoders that exist."""
        return [part for part in (getattr(self, name) for name in ENCODERS) if part is not None]

    def train(self, mode: bool = True) -> CLAPBEVFusion:
        """As usual; frozen encoders stay in evaluation mode."""
        super().train(mode)
        if self.freeze_encoders:
            for part in self.encoders:
                part.eval()
        return self

    def bev(self, batch_inputs_dict: Dict, metas: List[dict]) -> Tensor:
        """The fused BEV (B, C, X, Y)."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.freeze_encoders):
            return self.extract_feat(batch_inputs_dict, metas).fused_bev

    def loss(self, batch_inputs_dict: Dict, batch_data_samples: List, **unused) -> Dict[str, Tensor]:
        """Named losses of a batch, see :meth:`CLAPTransFusionHead.loss`."""
        objects = [sample.get('gt_instances_3d', InstanceData()) for sample in batch_data_samples]
        return self.bbox_head.loss(self.bev(batch_inputs_dict, [s.metainfo for s in batch_data_samples]), objects)

    def predict(self, batch_inputs_dict: Dict, batch_data_samples: List, **unused) -> List:
        """The samples, each with ``pred_instances_3d``: ``bboxes_3d``, ``scores_3d``, ``labels_3d``."""
        metas = [sample.metainfo for sample in batch_data_samples]
        boxes = self.bbox_head.predict(self.bev(batch_inputs_dict, metas), metas)
        return self.add_pred_to_datasample(batch_data_samples, boxes)

    def _forward(
        self, batch_inputs_dict: Dict, batch_data_samples: Optional[List] = None, **unused
    ) -> Dict[str, Tensor]:
        """What the head predicts before anything is decoded (mode ``tensor``)."""
        metas = [sample.metainfo for sample in batch_data_samples or []]
        return self.bbox_head(self.bev(batch_inputs_dict, metas))
