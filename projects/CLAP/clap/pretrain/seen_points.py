"""The points of a sample that its images show, with embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Sequence

import torch.nn.functional as F
from torch import Tensor

from ..encoders.geometry import STRIDE
from ..functional import sample_bev, sample_images
from .point_pixel import Pairs


@dataclass(frozen=True)
class SeenPoints:
    """One sample: embeddings, not normalised, and its points with the pixels that show them.

    A point that two cameras see is in two of the P pairs.
    """

    bev: Tensor  # (D, X, Y)
    images: Tensor  # (C, D, h, w)
    points: Tensor  # (N, 3) keyframe, metres, augmented LiDAR frame
    pairs: Pairs
    box: Sequence[float]  # range of the map: x, y, z minimum, x, y, z maximum, metres
    superpixels: Optional[Tensor]  # (C, H, W) uint8, where the pipeline loads them

    def point_embeddings(self) -> Tensor:
        """(P, D) of unit length: of the points of the pairs."""
        return F.normalize(sample_bev(self.bev, self.points[self.pairs.point], self.box), dim=1)

    def pixel_embeddings(self) -> Tensor:
        """(P, D) of unit length: of their pixels."""
        return F.normalize(sample_images(self.images, self.pairs.camera, self.pairs.uv, STRIDE), dim=1)
