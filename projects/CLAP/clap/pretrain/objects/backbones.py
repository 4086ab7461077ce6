"""PointNet and DGCNN: clouds of single objects to features of their points and of the whole."""

from __future__ import annotations

from typing import Sequence, Tuple

import torch
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...errors import ConfigError


class _Rows(nn.Sequential):
    """Linear, batch norm and ReLU on the last axis of (..., in) -> (..., out)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Linear(in_channels, out_channels, bias=False), nn.BatchNorm1d(out_channels), nn.LeakyReLU(0.2)
        )

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.flatten(0, -2)).view(*x.shape[:-1], -1)


@MODELS.register_module()
class CLAPPointNet(BaseModule):
    """PointNet (Qi et al., CVPR 2017) without its alignment networks: layers per point, then the maximum over points.

    A point's feature is that of the second layer and the whole's.

    Args:
        channels: widths of the layers.
    """

    def __init__(self, channels: Sequence[int] = (64, 64, 128, 256)) -> None:
        super().__init__()
        if len(channels) < 3:
            raise ConfigError(f'channels: expected at least three widths, got {list(channels)}')
        widths = [3, *channels]
        self.near = nn.Sequential(*(_Rows(a, b) for a, b in zip(widths[:2], widths[1:3])))
        self.far = nn.Sequential(*(_Rows(a, b) for a, b in zip(widths[2:], widths[3:])))
        self.point_channels, self.whole_channels = channels[1] + channels[-1], channels[-1]

    def forward(self, points: Tensor) -> Tuple[Tensor, Tensor]:
        """(B, N, 3) in the unit sphere -> (B, N, point_channels), (B, whole_channels)."""
        near = self.near(points)
        whole = self.far(near).amax(1)
        return torch.cat([near, whole[:, None].expand(-1, points.shape[1], -1)], 2), whole


class _EdgeConv(nn.Module):
    """Maximum over the nearest neighbours in feature space of a layer on (x_j - x_i, x_i)."""

    def __init__(self, in_channels: int, out_channels: int, num_neighbours: int) -> None:
        super().__init__()
        self.num_neighbours = num_neighbours
        # W (x_j - x_i) + V x_i: one product per point instead of one per edge
        self.there = nn.Linear(in_channels, out_channels, bias=False)
        self.here = nn.Linear(in_channels, out_channels, bias=False)
        self.norm, self.relu = nn.BatchNorm1d(out_channels), nn.LeakyReLU(0.2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, in) -> (B, N, out)."""
        count = min(self.num_neighbours, x.shape[1])
        with torch.no_grad():
            nearest = torch.cdist(x, x).topk(count, dim=2, largest=False).indices  # (B, N, k), the point itself, too
        there = self.there(x)
        rows = nearest + torch.arange(len(x), device=x.device)[:, None, None] * x.shape[1]
        edges = there.flatten(0, 1)[rows] + (self.here(x) - there)[:, :, None]
        return self.relu(self.norm(edges.flatten(0, 2))).view_as(edges).amax(2)


@MODELS.register_module()
class CLAPDGCNN(BaseModule):
    """DGCNN (Wang et al., TOG 2019): edge convolutions on the nearest neighbours in the space of the last features.

    A point's feature is that of all edge convolutions and the whole's.

    Args:
        channels: widths of the edge convolutions.
        whole_channels: width of the whole's feature, the maximum over points of a last layer.
        num_neighbours: k.
    """

    def __init__(
        self, channels: Sequence[int] = (64, 64, 128), whole_channels: int = 256, num_neighbours: int = 20
    ) -> None:
        super().__init__()
        if num_neighbours < 1:
            raise ConfigError(f'num_neighbours must be positive, got {num_neighbours}')
        widths = [3, *channels]
        self.edges = nn.ModuleList(_EdgeConv(a, b, num_neighbours) for a, b in zip(widths, widths[1:]))
        self.last = _Rows(sum(channels), whole_channels)
        self.point_channels, self.whole_channels = sum(channels) + whole_channels, whole_channels

    def forward(self, points: Tensor) -> Tuple[Tensor, Tensor]:
        """(B, N, 3) in the unit sphere -> (B, N, point_channels), (B, whole_channels)."""
        stages, x = [], points
        for edge in self.edges:
            x = edge(x)
            stages.append(x)
        near = torch.cat(stages, 2)
        whole = self.last(near).amax(1)
        return torch.cat([near, whole[:, None].expand(-1, points.shape[1], -1)], 2), whole
