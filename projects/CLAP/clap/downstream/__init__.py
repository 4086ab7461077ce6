"""What the encoders are pre-trained for: detectors and a segmentor, one file per model."""

from . import transfusion
from .bevfusion import CLAPBEVFusion
from .center_head import CLAPCenterHead
from .centerpoint import CLAPCenterPoint
from .segmentor import CLAPSegmentor

__all__ = ['CLAPBEVFusion', 'CLAPCenterHead', 'CLAPCenterPoint', 'CLAPSegmentor', 'transfusion']
