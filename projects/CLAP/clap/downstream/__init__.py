"""What the encoders are pre-trained for: detectors, one file per model."""

from . import transfusion
from .bevfusion import CLAPBEVFusion
from .center_head import CLAPCenterHead
from .centerpoint import CLAPCenterPoint

__all__ = ['CLAPBEVFusion', 'CLAPCenterHead', 'CLAPCenterPoint', 'transfusion']
