"""A detector: the encoders that are pre-trained, and a head on their BEV."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from mmdet3d.registry import MODELS
from mmengine.structures import InstanceData
from torch import Tensor

from .on_encoders import OnEncoders


class BevDetector(OnEncoders):
    """LiDAR, cameras, or both, to boxes.

    Args:
        bbox_head: config of a head with ``loss``, ``predict`` and ``forward``; range and voxel size are
            ``voxelize_cfg``'s unless it has its own.
        encoders: see :class:`OnEncoders`.
    """

    def __init__(self, bbox_head: dict, **encoders: Any) -> None:
        super().__init__(**encoders)
        geometry = {name: self.voxelize_cfg[name] for name in ('point_cloud_range', 'voxel_size')}
        self.bbox_head = MODELS.build({**geometry, **bbox_head})

    def bev(self, batch_inputs_dict: Dict, metas: List[dict]) -> Tensor:
        """The fused BEV (B, C, X, Y)."""
        with self.encoding():
            return self.extract_feat(batch_inputs_dict, metas).fused_bev

    def loss(self, batch_inputs_dict: Dict, batch_data_samples: List, **unused) -> Dict[str, Tensor]:
        """Named losses of a batch, see the head's."""
        objects = [sample.get('gt_instances_3d', InstanceData()) for sample in batch_data_samples]
        return self.bbox_head.loss(self.bev(batch_inputs_dict, [s.metainfo for s in batch_data_samples]), objects)

    def predict(self, batch_inputs_dict: Dict, batch_data_samples: List, **unused) -> List:
        """The samples, each with ``pred_instances_3d``: ``bboxes_3d``, ``scores_3d``, ``labels_3d``."""
        metas = [sample.metainfo for sample in batch_data_samples]
        boxes = self.bbox_head.predict(self.bev(batch_inputs_dict, metas), metas)
        return self.add_pred_to_datasample(batch_data_samples, boxes)

    def _forward(self, batch_inputs_dict: Dict, batch_data_samples: Optional[List] = None, **unused) -> Any:
        """What the head predicts before anything is decoded (mode ``tensor``)."""
        metas = [sample.metainfo for sample in batch_data_samples or []]
        return self.bbox_head(self.bev(batch_inputs_dict, metas))
