"""Registered heads: of the pre-trainer, and of the detector."""

from .neus_render_head import NeuSRenderHead
from .prototype_head import PrototypeHead
from .transfusion_assigner import CLAPHungarianAssigner3D
from .transfusion_head import CLAPTransFusionHead

__all__ = ['CLAPHungarianAssigner3D', 'CLAPTransFusionHead', 'NeuSRenderHead', 'PrototypeHead']
