"""Means over the members of segments."""

from __future__ import annotations

from typing import Tuple

import torch
from torch import Tensor

from ._shapes import expect_shape
from .bev_pool import bev_pool


def mean_by_segment(features: Tensor, segments: Tensor, num_segments: int) -> Tuple[Tensor, Tensor]:
    """m_s = mean of the rows f_i with s_i = s. Means of unit vectors are shorter than one; they stay so.

    Args:
        features: (N, D); differentiable.
        segments: (N,) int64 in [-1, num_segments), -1 belongs to none.
        num_segments: S.

    Returns:
        (S, D) in at least float32, 0 where a segment has no member, and (S,) bool, whether it has any.

    Source: SLidR. A sum over sorted rows; its one-hot matrix of segments x rows is never made.
    """
    expect_shape('features', features, None, None)
    expect_shape('segments', segments, len(features))
    if len(segments) and not -1 <= int(segments.min()) <= int(segments.max()) < num_segments:
        raise ValueError(
            f'segments: expected numbers in [-1, {num_segments}), got {int(segments.min())} to {int(segments.max())}'
        )
    counts = torch.bincount(segments[segments >= 0], minlength=num_segments)
    ones = torch.ones_like(features[:, :1]).detach()
    sums = bev_pool(features, ones, segments[:, None], num_segments)
    return sums / counts.clamp(min=1)[:, None], counts > 0
