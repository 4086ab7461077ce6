"""Contrast of matching rows with all others."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ._shapes import expect_same_shape, expect_shape
from .shared_mean import shared_mean
from .shared_rows import shared_rows


def info_nce(queries: Tensor, keys: Tensor, temperature: float = 0.07) -> Tensor:
    """-(1 / M) sum_i log softmax_j(q_i . k_j / temperature)[i], one direction, q and k of unit length.

    M counts the pairs of all ranks: each query is told from the keys of all of them, and the gradient that DDP averages
    is the one that a single process would have for the same pairs, see :func:`shared_rows`. A rank computes M_r x M
    products.

    Args:
        queries: (M_r, D), normalised here. Ranks may hold different numbers of pairs, none included; all must call.
        keys: (M_r, D), normalised here; row i belongs to row i of ``queries``.
        temperature: positive.

    Returns:
        Scalar, at least float32, also under autocast; a connected 0 if no rank has a pair.

    Source: PPKT, SLidR; Eq. 1 of CMCR.
    """
    expect_shape('queries', queries, None, None)
    expect_same_shape(queries=queries, keys=keys)
    if temperature <= 0:
        raise ValueError(f'temperature: expected a positive number, got {temperature}')
    dtype = torch.promote_types(queries.dtype, torch.float32)
    with torch.autocast(device_type=queries.device.type, enabled=False):
        queries, keys = (F.normalize(rows.to(dtype), dim=1) for rows in (queries, keys))
        everyone, first = shared_rows(keys)
        logits = queries @ everyone.t() / temperature
        own = torch.arange(first, first + len(queries), device=logits.device)
        return shared_mean(F.cross_entropy(logits, own, reduction='sum'), len(queries))
