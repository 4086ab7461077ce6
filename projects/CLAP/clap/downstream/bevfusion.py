"""The BEVFusion detector: the encoders that CLAP pre-trains, and a TransFusion head."""

from __future__ import annotations

from typing import ClassVar, Tuple

from mmdet3d.registry import MODELS

from .detector import BevDetector


@MODELS.register_module()
class CLAPBEVFusion(BevDetector):
    """Entries of the state dict are mmdetection3d's BEVFusion's, name by name; the head is a
    :class:`CLAPTransFusionHead`."""

    #: Figures of a step that are worth their place on the console, besides the losses.
    console_figures: ClassVar[Tuple[str, ...]] = ('matched_ious',)
