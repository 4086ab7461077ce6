"""Between boxes in metres and the numbers that the TransFusion head regresses in BEV cells."""

from __future__ import annotations

from typing import Dict, NamedTuple, Optional, Sequence

import torch
from torch import Tensor

from ...errors import ConfigError


class DecodedBoxes(NamedTuple):
    """``boxes`` (B, P, 7 or 9): x, y, z of the bottom, dx, dy, dz, yaw[, vx, vy]; ``scores``, ``labels`` (B, P)."""

    boxes: Tensor
    scores: Tensor
    labels: Tensor


class TransFusionBoxCoder:
    """Encodes boxes as [x, y in cells, z of the centre, ln dx, ln dy, ln dz, sin yaw, cos yaw, (vx, vy)] and back.

    Args:
        origin: (x, y) of the BEV's lower corner in metres.
        cell_size: (x, y) of a BEV cell in metres.
        with_velocity: boxes have 9 numbers and codes 10; else 7 and 8.
        post_center_range: x, y, z minimum, x, y, z maximum of the bottom centres that are kept by :meth:`keep`.
        score_threshold: scores must be greater; 0 or None keeps all.
    """

    def __init__(
        self,
        origin: Sequence[float],
        cell_size: Sequence[float],
        with_velocity: bool = True,
        post_center_range: Sequence[float] = (-61.2, -61.2, -10.0, 61.2, 61.2, 10.0),
        score_threshold: Optional[float] = 0.0,
    ) -> None:
        if len(post_center_range) != 6:
            raise ConfigError(
                f'post_center_range must be x, y, z minimum and x, y, z maximum, got {list(post_center_range)}'
            )
        self.origin, self.cell_size = list(origin), list(cell_size)
        self.with_velocity = with_velocity
        self.post_center_range, self.score_threshold = list(post_center_range), score_threshold

    @property
    def code_size(self) -> int:
        return 10 if self.with_velocity else 8

    def encode(self, boxes: Tensor) -> Tensor:
        """Boxes (G, 7 or 9) with bottom-centre z -> codes (G, code_size)."""
        xy = (boxes[:, :2] - boxes.new_tensor(self.origin)) / boxes.new_tensor(self.cell_size)
        z = boxes[:, 2:3] + boxes[:, 5:6] / 2
        yaw = boxes[:, 6:7]
        parts = [xy, z, boxes[:, 3:6].log(), yaw.sin(), yaw.cos()]
        return torch.cat(parts + ([boxes[:, 7:9]] if self.with_velocity else []), dim=1)

    def decode(self, preds: Dict[str, Tensor], scores: Tensor) -> DecodedBoxes:
        """Predictions, each (B, channels, P), and class scores (B, C, P) -> boxes; nothing is filtered or changed."""
        center = preds['center'].transpose(1, 2)
        xy = center * center.new_tensor(self.cell_size) + center.new_tensor(self.origin)
        dims = preds['dim'].transpose(1, 2).exp()
        z = preds['height'].transpose(1, 2) - dims[..., 2:3] / 2
        yaw = torch.atan2(preds['rot'][:, 0], preds['rot'][:, 1]).unsqueeze(-1)
        parts = [xy, z, dims, yaw] + ([preds['vel'].transpose(1, 2)] if self.with_velocity else [])
        best, labels = scores.max(dim=1)
        return DecodedBoxes(torch.cat(parts, dim=-1), best, labels)

    def keep(self, decoded: DecodedBoxes) -> Tensor:
        """(B, P) bool: the bottom centre lies in ``post_center_range``, and the score exceeds the threshold."""
        centres, bounds = decoded.boxes[..., :3], decoded.boxes.new_tensor(self.post_center_range)
        kept = ((centres >= bounds[:3]) & (centres <= bounds[3:])).all(dim=-1)
        if self.score_threshold:
            kept &= decoded.scores > self.score_threshold
        return kept
