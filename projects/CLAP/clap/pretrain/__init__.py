"""Pre-training methods: one file each, on the encoders of :mod:`..encoders`."""

from . import samplers
from .clap import CLAP
from .clurender import CluRender
from .cmcr import CMCR
from .heads import ClusterHead, NeuSRenderHead, PrototypeHead, SplatHead
from .objects import CLAPDGCNN, CLAPPointNet, ObjectCluRender
from .ppkt import PPKT
from .slidr import SLidR

__all__ = [
    'CLAP',
    'CLAPDGCNN',
    'CLAPPointNet',
    'CMCR',
    'CluRender',
    'ClusterHead',
    'NeuSRenderHead',
    'ObjectCluRender',
    'PPKT',
    'PrototypeHead',
    'SLidR',
    'SplatHead',
    'samplers',
]
