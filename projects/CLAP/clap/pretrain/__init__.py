"""Pre-training methods: one file each, on the encoders of :mod:`..encoders`."""

from . import samplers
from .clap import CLAP
from .cmcr import CMCR
from .heads import NeuSRenderHead, PrototypeHead

__all__ = ['CLAP', 'CMCR', 'NeuSRenderHead', 'PrototypeHead', 'samplers']
