"""Registered heads of pre-training methods."""

from .neus_render_head import NeuSRenderHead
from .prototype_head import PrototypeHead

__all__ = ['NeuSRenderHead', 'PrototypeHead']
