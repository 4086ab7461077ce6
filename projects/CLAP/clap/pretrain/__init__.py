"""Pre-training methods: one file each, on the encoders of :mod:`..encoders`."""

from . import samplers
from .also import ALSO
from .clap import CLAP
from .cmcr import CMCR
from .heads import NeuSRenderHead, PrototypeHead
from .occupancy_mae import OccupancyMAE
from .ppkt import PPKT
from .slidr import SLidR

__all__ = [
    'ALSO',
    'CLAP',
    'CMCR',
    'NeuSRenderHead',
    'OccupancyMAE',
    'PPKT',
    'PrototypeHead',
    'SLidR',
    'samplers',
]
