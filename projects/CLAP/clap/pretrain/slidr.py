"""SLidR: the points and the pixels of a superpixel are to have the same mean embedding."""

from __future__ import annotations

from typing import ClassVar, Dict, Tuple

import torch
import torch.nn.functional as F
from mmdet3d.registry import MODELS
from torch import Tensor

from ..encoders.geometry import STRIDE
from ..errors import ConfigError
from ..functional import mean_by_segment
from . import contrast_pictures
from .contrast import ContrastPretrainer
from .seen_points import SeenPoints

#: Numbers that a superpixel of an image may have; the next one stands for none.
NUMBERS = 255
#: Pixels from one that counts for a superpixel to the next: the published method's image features have stride 4.
STEP = STRIDE // 2


@MODELS.register_module()
class SLidR(ContrastPretrainer):
    """Contrast of superpixels: the mean over their points against the mean over their pixels.

    ``CLAPLoadSuperpixels`` brings the superpixels. Members have unit length, their means are compared by direction.
    Arguments are those of :class:`ContrastPretrainer`.
    """

    picture_titles: ClassVar[Dict[str, str]] = {
        **contrast_pictures.TITLES,
        'superpixels': 'Superpixels and the points in them',
    }

    def matches(self, seen: SeenPoints, draw: torch.Generator, share: int) -> Tuple[Tensor, Tensor]:
        """Means over the points and over the pixels of every superpixel of the sample that has both."""
        if seen.superpixels is None:
            raise ConfigError(
                'SLidR needs superpixels: put CLAPLoadSuperpixels behind CLAPImageAug3D into the pipeline'
            )
        camera, row, column = seen.pairs.cells(1)
        total = NUMBERS * len(seen.images)
        of_points = _numbered(seen.superpixels[camera, row, column], camera)
        points, with_points = mean_by_segment(seen.point_embeddings(), of_points, total)
        fine = F.normalize(F.interpolate(seen.images, scale_factor=STRIDE // STEP, mode='bilinear'), dim=1)
        grid = seen.superpixels[:, STEP // 2 :: STEP, STEP // 2 :: STEP]
        fine = fine[..., : grid.shape[1], : grid.shape[2]]  # images may be padded
        of_pixels = _numbered(grid.flatten(1), torch.arange(len(grid), device=grid.device)[:, None]).flatten()
        pixels, with_pixels = mean_by_segment(fine.permute(0, 2, 3, 1).flatten(0, 2), of_pixels, total)
        both = with_points & with_pixels
        return points[both], pixels[both]


def _numbered(superpixels: Tensor, camera: Tensor) -> Tensor:
    """Numbers in their images -> in the sample, int64; -1 where there is none."""
    numbers = superpixels.long()
    return torch.where(numbers < NUMBERS, camera * NUMBERS + numbers, -torch.ones_like(numbers))
