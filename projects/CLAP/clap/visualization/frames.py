"""All pictures of one frame: the method's own, and the points on its images."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence

from torch import nn

from ..pretrain.pictures import Picture
from . import lidar_on_images


def known_pictures(model: nn.Module) -> List[str]:
    """Names of what can be drawn of a model; each is part of a file name."""
    return [lidar_on_images.NAME, *getattr(model, 'picture_titles', ())]


def pictures_of(model: nn.Module, batch: dict, names: Sequence[str], **options: Any) -> Dict[str, Picture]:
    """The named pictures of the first sample of a batch, without those that the model cannot give.

    Args:
        model: a pre-training method in evaluation mode.
        batch: ``inputs`` and ``data_samples`` on the model's device.
        names: some of :func:`known_pictures`.
        options: ``stride``, ``max_points`` and ``state`` of the method's ``pictures``.
    """
    general = lidar_on_images.batch_picture(model, batch) if lidar_on_images.NAME in names else None
    own = model.pictures(batch, [name for name in names if name != lidar_on_images.NAME], **options)
    return own if general is None else {lidar_on_images.NAME: general, **own}
