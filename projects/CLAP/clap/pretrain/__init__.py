"""Pre-training methods: one file each, on the encoders of :mod:`..encoders`."""

from . import samplers
from .also import ALSO
from .clap import CLAP
from .clurender import CluRender
from .cmcr import CMCR
from .heads import ClusterHead, NeuSRenderHead, PrototypeHead, SplatHead
from .objects import CLAPDGCNN, CLAPPointNet, ObjectCluRender
from .occupancy_mae import OccupancyMAE
from .ppkt import PPKT
from .slidr import SLidR

__all__ = [
    'ALSO',
    'CLAP',
    'CLAPDGCNN',
    'CLAPPointNet',
    'CMCR',
    'CluRender',
    'ClusterHead',
    'NeuSRenderHead',
    'ObjectCluRender',
    'OccupancyMAE',
    'PPKT',
    'PrototypeHead',
    'SLidR',
    'SplatHead',
    'samplers',
]
