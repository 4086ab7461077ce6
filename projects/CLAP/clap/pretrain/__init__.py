"""Pre-training methods: one file each, on the encoders of :mod:`..encoders`."""

from . import samplers
from .clap import CLAP
from .cmcr import CMCR
from .heads import NeuSRenderHead, PrototypeHead
from .ppkt import PPKT
from .slidr import SLidR

__all__ = ['CLAP', 'CMCR', 'PPKT', 'NeuSRenderHead', 'PrototypeHead', 'SLidR', 'samplers']
