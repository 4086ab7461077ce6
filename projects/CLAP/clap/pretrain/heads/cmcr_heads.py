"""Heads of CMCR: shared and specific features of points and pixels, and what is reconstructed from them."""

from __future__ import annotations

from typing import Sequence, Tuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...functional import sample_bev, sample_images
from ...modules import MLP
from ..point_pixel import Pairs


class PointHead(nn.Module):
    """Features of points from a BEV map and the height of the point.

    The map has one feature for a whole column; without the height all that stands in it would look the same.

    Args:
        in_channels: channels of the map.
        channels: width of the features.
        point_cloud_range: of the map, metres.
    """

    def __init__(self, in_channels: int, channels: int, point_cloud_range: Sequence[float]) -> None:
        super().__init__()
        self.point_cloud_range = tuple(point_cloud_range)
        self.mlp = MLP(in_channels + 1, channels, channels, 1, nn.ReLU())

    def forward(self, bev: Tensor, points: Tensor) -> Tensor:
        """(C, X, Y), (N, 3) metres -> (N, channels)."""
        low, high = self.point_cloud_range[2], self.point_cloud_range[5]
        height = 2 * (points[:, 2:] - low) / (high - low) - 1
        return self.mlp(torch.cat([sample_bev(bev, points, self.point_cloud_range).float(), height], dim=1))


class PixelHead(nn.Conv2d):
    """Features of pixels from an image map (..., C, h, w), and at positions between them."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__(in_channels, channels, kernel_size=1)

    def at(self, maps: Tensor, camera: Tensor, uv: Tensor, stride: int) -> Tensor:
        """Features at pixels.

        Args:
            maps: (N, C, h, w) of the cameras of one sample, covering the images.
            camera: (M,) int64.
            uv: (M, 2) column and row, pixels of the augmented image.
            stride: edge of a cell of the maps, pixels.

        Returns:
            (M, channels), bilinear.
        """
        return F.linear(sample_images(maps, camera, uv, stride), self.weight.flatten(1), self.bias)


class PairHead(nn.Module):
    """One kind of feature, shared or specific, of both modalities: ``point`` and ``pixel``.

    Args:
        bev_channels: channels of the BEV map.
        image_channels: channels of the image maps.
        channels: width of the features.
        point_cloud_range: of the BEV map, metres.
        stride: edge of a cell of the image maps, pixels.
    """

    def __init__(
        self, bev_channels: int, image_channels: int, channels: int, point_cloud_range: Sequence[float], stride: int
    ) -> None:
        super().__init__()
        self.stride = stride
        self.point = PointHead(bev_channels, channels, point_cloud_range)
        self.pixel = PixelHead(image_channels, channels)

    def forward(
        self, bev: Tensor, maps: Tensor, points: Sequence[Tensor], pairs: Sequence[Pairs]
    ) -> Tuple[Tensor, Tensor]:
        """Features of the pixels and of the points of pairs.

        Args:
            bev: (B, C, X, Y).
            maps: (B, N, C, h, w) of the cameras.
            points: for each sample the points that its pairs index, (N_i, 3) metres.
            pairs: of each sample.

        Returns:
            (M, channels) and (M, channels), sample after sample.
        """
        pixels = [self.pixel.at(one, pair.camera, pair.uv, self.stride) for one, pair in zip(maps, pairs)]
        return torch.cat(pixels), self.of_points(bev, [own[pair.point] for own, pair in zip(points, pairs)])

    def of_points(self, bev: Tensor, points: Sequence[Tensor]) -> Tensor:
        """(B, C, X, Y), for each sample (M_i, 3) metres -> (M, channels), sample after sample."""
        return torch.cat([self.point(one, own) for one, own in zip(bev, points)])


class ColourDecoder(nn.Sequential):
    """Colours of an image from features of its cells: (B, channels, h, w) -> (B, 3, h * stride, w * stride) in [0, 1].

    Args:
        channels: width of the features.
        stride: edge of a cell, pixels.
    """

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, 3 * stride**2, 1),
            nn.PixelShuffle(stride),
            nn.Sigmoid(),
        )
