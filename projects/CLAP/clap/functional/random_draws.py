"""Random draws and the weight maps they are made from (section 3.3).

Every draw takes a ``torch.Generator``. It may live on the CPU while the data are on a GPU: the numbers are drawn where
the generator lives and carried over, so that one seed gives one draw on every device.
"""

from __future__ import annotations

from typing import Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ._shapes import expect_same_shape, expect_shape


def uniform(shape: Sequence[int], like: Tensor, generator: Optional[torch.Generator] = None) -> Tensor:
    """Uniform numbers in [0, 1) with the device and floating type of ``like``."""
    device = like.device if generator is None else generator.device
    dtype = like.dtype if like.is_floating_point() else torch.get_default_dtype()
    return torch.rand(*shape, generator=generator, device=device, dtype=dtype).to(like.device)


@torch.no_grad()
def weighted_draw(weights: Tensor, num: int, generator: Optional[torch.Generator] = None) -> Tensor:
    """Multinomial draw without replacement: each index with probability in proportion to its weight.

    Exponential race: an index arrives at time Exp(1) / w, and the first ``num`` to arrive are drawn, in that order.
    The result has exactly the distribution of drawing one by one, for any number of categories (``torch.multinomial``
    stops at 2^24), and costs one top-k.

    Args:
        weights: (N,); negative and non-finite weights count as 0 and are never drawn.
        num: how many to draw.
        generator: source of randomness.

    Returns:
        (min(num, number of positive weights),) int64 indices in the order drawn. Empty input gives an empty result.
    """
    expect_shape('weights', weights, None)
    index, drawn = weighted_draw_rows(weights[None], num, generator)
    return index[drawn]


@torch.no_grad()
def weighted_draw_rows(weights: Tensor, num: int, generator: Optional[torch.Generator] = None) -> Tuple[Tensor, Tensor]:
    """:func:`weighted_draw` from every row of (C, N) at once: on a GPU, C times fewer kernels and waits.

    A generator on the CPU draws what one call per row would, one on a GPU other indices.

    Returns:
        index (C, K) int64, K = min(num, N), and whether it was drawn (C, K): a row with fewer than K positive weights
        has others at its end.
    """
    expect_shape('weights', weights, None, None)
    speed, index = _race(weights, num, generator)
    return index, speed > 0


@torch.no_grad()
def inclusion_draw(weights: Tensor, num: int, generator: Optional[torch.Generator] = None) -> Tuple[Tensor, Tensor]:
    """:func:`weighted_draw`, and how likely each drawn index was to be drawn.

    With t the arrival of the first index that is not drawn, index i had arrived by then with probability
    1 - exp(-w_i t). Sums over the drawn, each divided by its probability, estimate sums over all without bias (bottom-k
    sampling: Cohen and Kaplan, PODC 2007).

    Returns:
        indices (K,) int64 as of :func:`weighted_draw`, and (K,) probabilities in (0, 1] in the type of ``weights``; 1
        where every positive weight is drawn.
    """
    expect_shape('weights', weights, None)
    speed, index = _race(weights, num, generator, beyond=1)
    drawn, last = index[:num][speed[:num] > 0], speed[num:]
    if not len(last) or not float(last) > 0:
        return drawn, torch.ones_like(weights[drawn])
    return drawn, -torch.expm1(-weights[drawn].double() / last).to(weights.dtype)


def _race(weights: Tensor, num: int, generator: Optional[torch.Generator], beyond: int = 0) -> Tuple[Tensor, Tensor]:
    """The first ``num + beyond`` of every row of (..., N): inverse arrival times (0: never arrives) and indices."""
    if num < 0:
        raise ValueError(f'num: expected a number of draws >= 0, got {num}')
    positive = torch.isfinite(weights) & (weights > 0)
    device = weights.device if generator is None else generator.device
    # Double precision: the race is decided by the smallest of N times, and single precision has only 2^24 of them.
    time = torch.empty(weights.shape, dtype=torch.float64, device=device).exponential_(generator=generator)
    speed = torch.where(positive, weights, torch.zeros_like(weights)).double() / time.to(weights.device)
    return speed.topk(min(num + beyond, weights.shape[-1]))


def splat_max(pixel_index: Tensor, weights: Tensor, size: int) -> Tensor:
    """Put each weight on its pixel; where several fall together the largest stays.

    Args:
        pixel_index: (N,) int64 flat pixel numbers in [0, size), e.g. (camera * H + row) * W + column.
        weights: (N,) >= 0.
        size: number of pixels.

    Returns:
        (size,) map, 0 where nothing fell. The same on every run, unlike last-write-wins on a GPU.
    """
    expect_same_shape(pixel_index=pixel_index, weights=weights)
    return weights.new_zeros(size).scatter_reduce_(0, pixel_index, weights, reduce='amax')


def gaussian_blur(image: Tensor, kernel_size: int, sigma: float) -> Tensor:
    """Spread weights over neighbouring pixels (section 3.3, kernel K_gaus).

    Two one-dimensional passes. Zeros lie beyond the border: no weight is mirrored in, so mass near the border leaves.

    Args:
        image: (C, H, W) maps, blurred one by one.
        kernel_size: odd number of pixels.
        sigma: standard deviation, pixels.

    Returns:
        (C, H, W); the kernel sums to 1, so mass in the interior is kept.
    """
    expect_shape('image', image, None, None, None)
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(f'kernel_size: expected an odd number of pixels, so that it has a centre, got {kernel_size}')
    if sigma <= 0:
        raise ValueError(f'sigma: expected a positive number of pixels, got {sigma}')
    half = kernel_size // 2
    distance = torch.arange(-half, half + 1, dtype=image.dtype, device=image.device)
    kernel = torch.softmax(-0.5 * (distance / sigma).square(), dim=0)
    rows = F.conv2d(image[:, None], kernel.view(1, 1, 1, -1), padding=(0, half))
    return F.conv2d(rows, kernel.view(1, 1, -1, 1), padding=(half, 0))[:, 0]
