"""Parameters that call :mod:`..functional`."""

from .mlp import MLP
from .sdf_field import BoundField, SDFField
from .volume_decoder import VolumeDecoder

__all__ = ['MLP', 'BoundField', 'SDFField', 'VolumeDecoder']
