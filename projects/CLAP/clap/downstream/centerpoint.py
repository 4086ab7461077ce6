"""The CenterPoint detector on the encoders that CLAP pre-trains."""

from __future__ import annotations

from mmdet3d.registry import MODELS

from .detector import BevDetector


@MODELS.register_module()
class CLAPCenterPoint(BevDetector):
    """A :class:`CLAPCenterHead` on the LiDAR's BEV, or on the fused one where cameras are configured."""
