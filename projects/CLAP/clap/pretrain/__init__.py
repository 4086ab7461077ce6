"""Pre-training methods: one file each, on the encoders of :mod:`..encoders`."""

from . import samplers
from .clap import CLAP
from .clurender import CluRender
from .cmcr import CMCR
from .heads import ClusterHead, NeuSRenderHead, PrototypeHead, SplatHead
from .objects import CLAPDGCNN, CLAPPointNet, ObjectCluRender

__all__ = [
    'CLAP',
    'CLAPDGCNN',
    'CMCR',
    'CLAPPointNet',
    'CluRender',
    'ClusterHead',
    'NeuSRenderHead',
    'ObjectCluRender',
    'PrototypeHead',
    'SplatHead',
    'samplers',
]
