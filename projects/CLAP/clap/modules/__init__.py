"""Parameters that call :mod:`..functional`."""

from .class_directions import ClassDirections
from .codebook import Codebook
from .mlp import MLP
from .sdf_field import BoundField, SDFField
from .volume_decoder import VolumeDecoder

__all__ = ['MLP', 'BoundField', 'ClassDirections', 'Codebook', 'SDFField', 'VolumeDecoder']
