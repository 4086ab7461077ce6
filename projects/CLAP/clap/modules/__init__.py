"""Parameters that call :mod:`..functional`."""

from .masking import InputMasking
from .mlp import MLP
from .sdf_field import BoundField, SDFField
from .transfusion_decoder import TransFusionDecoderLayer
from .volume_decoder import VolumeDecoder

__all__ = ['BoundField', 'InputMasking', 'MLP', 'SDFField', 'TransFusionDecoderLayer', 'VolumeDecoder']
