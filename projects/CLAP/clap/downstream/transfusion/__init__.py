"""The TransFusion detection head of BEVFusion."""

from .assigner import CLAPHungarianAssigner3D
from .head import CLAPTransFusionHead

__all__ = ['CLAPHungarianAssigner3D', 'CLAPTransFusionHead']
