"""The encoders of BEVFusion, the CLAP pre-trainer and the BEVFusion detector."""

from .bevfusion import CLAPBEVFusion
from .clap import CLAP
from .data_preprocessor import CLAPDataPreprocessor
from .encoder_base import CLAPEncoderBase
from .fusion import CLAPConvFuser
from .lss_fpn import CLAPLSSFPN
from .sparse_encoder import CLAPSparseEncoder
from .view_transform import CLAPDepthLSSTransform

__all__ = [
    'CLAP',
    'CLAPBEVFusion',
    'CLAPConvFuser',
    'CLAPDataPreprocessor',
    'CLAPDepthLSSTransform',
    'CLAPEncoderBase',
    'CLAPLSSFPN',
    'CLAPSparseEncoder',
]
