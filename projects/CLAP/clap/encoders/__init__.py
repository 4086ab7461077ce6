"""From sensors to bird's-eye-view maps: BEVFusion's encoders under its own names."""

from .data_preprocessor import CLAPDataPreprocessor
from .encoder_base import CLAPEncoderBase
from .fusion import CLAPConvFuser
from .lss_fpn import CLAPLSSFPN
from .sparse_encoder import CLAPSparseEncoder
from .view_transform import CLAPDepthLSSTransform

__all__ = [
    'CLAPConvFuser',
    'CLAPDataPreprocessor',
    'CLAPDepthLSSTransform',
    'CLAPEncoderBase',
    'CLAPLSSFPN',
    'CLAPSparseEncoder',
]
