"""Registered heads of pre-training methods."""

from .cluster_head import ClusterHead
from .neus_render_head import NeuSRenderHead
from .prototype_head import PrototypeHead
from .splat_head import SplatHead

__all__ = ['ClusterHead', 'NeuSRenderHead', 'PrototypeHead', 'SplatHead']
