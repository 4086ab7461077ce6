"""What PPKT and SLidR show of a frame: which pixels a point takes for its own, and SLidR its superpixels."""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, List, Sequence

import numpy as np
import torch
import torch.nn.functional as F

from ..encoders.geometry import STRIDE
from ..structures import CameraViews
from .pictures import Block, Image, Picture, Quantity, photos, title_of
from .point_pixel import without_padding
from .seen_points import SeenPoints

TITLES = dict(likeness='Where a point looks for its pixel')
_INCHES = (4.2, 2.4)
#: Points that are shown per camera.
_SHOWN = 2
#: A ring about the place of a point, pixels.
_RING = 6 * np.stack([np.cos(np.linspace(0, 6.2, 40)), np.sin(np.linspace(0, 6.2, 40))], axis=1)


def pictures(seen: SeenPoints, views: CameraViews, meta: dict, names: Sequence[str], state: str) -> Dict[str, Picture]:
    """The named pictures of a sample."""
    made = dict(likeness=_likeness, superpixels=_superpixels)
    title = title_of(meta, state)
    images = photos(views, meta)
    blocks = {name: made[name](seen, images) for name in names}
    return {name: Picture(title, [block]) for name, block in blocks.items() if block.panels}


def _likeness(seen: SeenPoints, images: List[Image]) -> Block:
    """How like a point all pixels of its image are; the ring is where it really is."""
    panels, draw = [], torch.Generator().manual_seed(0)
    for camera, photo in enumerate(images):
        own = seen.pairs.at(seen.pairs.camera == camera)
        chosen = replace(seen, pairs=own.drawn(_SHOWN, draw))
        pixels = F.normalize(without_padding(seen.images[camera], photo.rgb.shape, STRIDE), dim=0)
        for point, at, place in zip(chosen.point_embeddings(), chosen.pixel_embeddings(), chosen.pairs.uv):
            cosines = torch.einsum('d,dhw->hw', point, pixels)
            before = int((cosines > point @ at).sum())
            shown = Quantity(cosines.clamp(min=0).cpu().numpy(), 'turbo', 1.0, 'cosine; 0 or less alike')
            panels.append(
                replace(
                    photo,
                    title=f'{photo.title}: {before} of {cosines.numel()} cells are liker than the right one',
                    kept=0.3,
                    over=shown,
                    alpha=0.6,
                    dots=place.cpu().numpy() + _RING,
                )
            )
    return Block(panels, _SHOWN, _INCHES, 'Cosine of one point (red ring: where it is) with all pixels of the image')


def _superpixels(seen: SeenPoints, images: List[Image]) -> Block:
    """Every superpixel in a colour of its own, and the points that count for them."""
    panels = []
    for camera, photo in enumerate(images):
        numbers = seen.superpixels[camera].cpu().numpy().astype(np.int64)
        over = Quantity(np.where(numbers == 255, -1, numbers))
        dots = seen.pairs.at(seen.pairs.camera == camera).uv.cpu().numpy()
        panels.append(replace(photo, over=over, alpha=0.5, dots=dots))
    return Block(panels, _SHOWN, _INCHES)
