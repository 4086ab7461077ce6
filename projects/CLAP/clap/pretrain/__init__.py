"""Pre-training methods: one file each, on the encoders of :mod:`..encoders`."""

from . import samplers
from .clap import CLAP
from .clurender import CluRender
from .heads import ClusterHead, NeuSRenderHead, PrototypeHead, SplatHead

__all__ = ['CLAP', 'CluRender', 'ClusterHead', 'NeuSRenderHead', 'PrototypeHead', 'SplatHead', 'samplers']
