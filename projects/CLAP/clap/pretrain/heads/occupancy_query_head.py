"""Answers to occupancy queries from the BEV cells around them (ALSO)."""

from __future__ import annotations

from typing import List, NamedTuple, Sequence

import torch
from torch import Tensor, nn

from ...functional import radius_pairs
from ...modules import MLP


class Answers(NamedTuple):
    """What P pairs of a query and a cell say, each on its own; queries of all samples are numbered in turn."""

    query: Tensor  # (P,) int64
    logits: Tensor  # (P,) of being full
    intensity: Tensor  # (P,) of the hit, 1 being the brightest

    def told(self, num_queries: int) -> tuple[Tensor, Tensor]:
        """Mean logit of every query (Q,) over its cells, and whether it has any (Q,) bool."""
        count = torch.bincount(self.query, minlength=num_queries)
        total = torch.zeros(num_queries, device=count.device, dtype=self.logits.dtype)
        total = total.index_add(0, self.query, self.logits)
        return total / count.clamp(min=1), count > 0


class OccupancyQueryHead(nn.Module):
    """A cell answers for every query within ``radius_m`` of its centre, measured in the plane.

    An MLP reads the cell's latent vector and the query's place about the cell's centre at z = 0.

    Args:
        in_channels: channels of the BEV map.
        point_cloud_range: what the map covers, metres.
        radius_m: which cells answer a query.
        latent_channels: width of a cell's latent vector, and of the MLP's two hidden layers.
    """

    def __init__(
        self, in_channels: int, point_cloud_range: Sequence[float], radius_m: float = 1.0, latent_channels: int = 128
    ) -> None:
        super().__init__()
        self.point_cloud_range, self.radius_m = tuple(point_cloud_range), radius_m
        self.latent = nn.Conv2d(in_channels, latent_channels, 1)
        self.answer = MLP(latent_channels + 3, latent_channels, 2, 2, nn.ReLU(inplace=True))

    def forward(self, bev: Tensor, queries: List[Tensor]) -> Answers:
        """Map (B, C, X, Y) and B lists of queries (Q, 3), metres -> answers of all pairs."""
        with torch.autocast(device_type=bev.device.type, enabled=False):
            latents = self.latent(bev.float()).permute(0, 2, 3, 1).flatten(1, 2)
            centres = self._centres(bev)
            inputs, asked, before = [], [], 0
            for latent, places in zip(latents, queries):
                query, cell = radius_pairs(places, centres, self.radius_m, plane=True)
                inputs.append(torch.cat([latent[cell], places[query] - centres[cell]], dim=1))
                asked.append(query + before)
                before += len(places)
            logits, intensity = self.answer(torch.cat(inputs)).unbind(1)
        return Answers(torch.cat(asked), logits, intensity)

    def _centres(self, bev: Tensor) -> Tensor:
        """(X * Y, 3) centres of the cells at z = 0, metres."""
        low, high = (torch.tensor(self.point_cloud_range[i : i + 2], device=bev.device) for i in (0, 3))
        places = [
            start + (torch.arange(num, device=bev.device) + 0.5) * (end - start) / num
            for num, start, end in zip(bev.shape[2:], low, high)
        ]
        x, y = torch.meshgrid(*places, indexing='ij')
        return torch.stack([x, y, torch.zeros_like(x)], -1).view(-1, 3)
