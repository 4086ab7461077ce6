"""The distance between two sets of vectors, by what they look like from many directions (CluRender Eq. 18)."""

from __future__ import annotations

from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor

from ._shapes import expect_same_shape, expect_shape


def sliced_wasserstein(
    a: Tensor, b: Tensor, num_projections: int = 64, generator: Optional[torch.Generator] = None
) -> Tensor:
    """Root mean square difference of the sorted projections of two sets on random unit directions.

    In one dimension the optimal transport pairs the sorted values; over directions its squared cost averages to
    sliced Wasserstein-2. Exact transport between the 65 536 pixels of an image has a table of 17 GB.

    Args:
        a: (N, D) vectors; which belongs to which does not matter.
        b: (N, D) as many of them.
        num_projections: L directions; memory is N x L numbers.
        generator: source of the directions, may live on the CPU while the data are on a GPU.

    Returns:
        Scalar >= 0 in the unit of the vectors, 0 for equal sets (with gradient 0); |t| / sqrt(D) for a set and itself
        shifted by t, in the mean over directions. A connected 0 for N = 0.

    Source: Bonneel et al. 2015.
    """
    expect_shape('a', a, None, None)
    expect_same_shape(a=a, b=b)
    if num_projections < 1:
        raise ValueError(f'num_projections: expected at least 1 direction, got {num_projections}')
    device = a.device if generator is None else generator.device
    drawn = torch.randn(a.shape[1], num_projections, generator=generator, device=device, dtype=a.dtype).to(a.device)
    directions = F.normalize(drawn, dim=0)
    difference = (a @ directions).sort(dim=0).values - (b @ directions).sort(dim=0).values
    distance: Tensor = torch.linalg.vector_norm(difference) / max(difference.numel(), 1) ** 0.5
    return distance
