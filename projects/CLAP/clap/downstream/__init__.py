"""What the encoders are pre-trained for: detectors, one file per model."""

from . import transfusion
from .bevfusion import CLAPBEVFusion

__all__ = ['CLAPBEVFusion', 'transfusion']
