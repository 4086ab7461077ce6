"""The points of a sample that its images show."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Optional, Sequence

import torch.nn.functional as F
from torch import Tensor

from ..encoders.geometry import STRIDE
from ..functional import sample_bev, sample_images


@dataclass(frozen=True)
class SeenPoints:
    """One sample: embeddings, not normalised, and its points with the pixels that they project to.

    A point that two cameras see is in two of the P pairs.
    """

    bev: Tensor  # (D, X, Y)
    images: Tensor  # (C, D, h, w)
    points: Tensor  # (N, 3) keyframe, metres, augmented LiDAR frame
    point: Tensor  # (P,) int64, index of the point
    camera: Tensor  # (P,) int64, of the camera
    uv: Tensor  # (P, 2) column and row in the augmented image, pixels
    box: Sequence[float]  # range of the map: x, y, z minimum, x, y, z maximum, metres
    superpixels: Optional[Tensor]  # (C, H, W) uint8, where the pipeline loads them

    def pairs(self, index: Tensor) -> SeenPoints:
        """With some of the pairs."""
        return replace(self, point=self.point[index], camera=self.camera[index], uv=self.uv[index])

    def point_embeddings(self) -> Tensor:
        """(P, D) of unit length: of the points of the pairs."""
        return F.normalize(sample_bev(self.bev, self.points[self.point], self.box), dim=1)

    def pixel_embeddings(self) -> Tensor:
        """(P, D) of unit length: of their pixels."""
        return F.normalize(sample_images(self.images, self.camera, self.uv, STRIDE), dim=1)
