"""Points as soft discs on an image, composited front to back (CluRender Eq. 15)."""

from __future__ import annotations

import math
from typing import Sequence, Tuple

import torch
from torch import Tensor

from ._shapes import expect_shape

#: Largest opacity of one point: at 1 what lies behind would have a weight, and a logarithm, without a gradient.
MAX_OPACITY = 0.99


def splat(
    uv: Tensor,
    depth: Tensor,
    colours: Tensor,
    size: Sequence[int],
    radius_px: float = 4.0,
    sigma_px: float = 2.83,
    num_nearest: int = 128,
    eta: float = 1.0,
) -> Tuple[Tensor, Tensor]:
    """CluRender Eq. 15: every point covers the pixels around its projection, nearer ones before those behind.

    Opacity of a point at a pixel centre in distance d: rho = exp(-d^2 / (2 sigma^2))^eta for d <= radius, at most 0.99
    (the paper compares d^2 with the radius). Of each pixel the ``num_nearest`` nearest points in depth, i = 1, 2, ...:
    colour = sum_i rho_i c_i prod_{j < i} (1 - rho_j), coverage = sum_i rho_i prod_{j < i} (1 - rho_j). Colour over
    coverage is a mean of colours, without a background. Points of equal depth keep their order.

    Only pairs of a point and a pixel in its disc are listed, about pi radius^2 a point.

    Args:
        uv: (N, 2) column and row of the projections, pixels, see ``project_points``; any, also outside the image.
        depth: (N,) metres in front of the camera, > 0.
        colours: (N, C).
        size: (H, W) pixels.
        radius_px: r, pixels.
        sigma_px: nu, pixels; the paper gives none, r / sqrt(2) is that of its code.
        num_nearest: K.
        eta: exponent of the opacity.

    Returns:
        Image (C, H, W), colours weighted by opacity, and coverage (H, W) in [0, 1); both 0 where no point is.
        Differentiable in ``colours`` and, inside the discs, in ``uv``.
    """
    expect_shape('uv', uv, None, 2)
    expect_shape('depth', depth, uv.shape[0])
    expect_shape('colours', colours, uv.shape[0], None)
    if not (radius_px > 0 and sigma_px > 0 and num_nearest >= 1 and eta > 0):
        raise ValueError(
            'radius_px, sigma_px, num_nearest and eta: expected positive numbers, got '
            f'{radius_px}, {sigma_px}, {num_nearest}, {eta}'
        )
    point, pixel, distance2 = _discs(uv, size, radius_px)
    with torch.no_grad():  # the nearest of every pixel first
        order = torch.argsort(depth[point], stable=True)
        order = order[torch.argsort(pixel[order], stable=True)]
        place = _place_in_run(pixel[order])
        order = order[place < num_nearest]
        place = place[place < num_nearest]
    point, pixel, distance2 = point[order], pixel[order], distance2[order]
    opacity = (-0.5 * eta / sigma_px**2 * distance2).exp().clamp(max=MAX_OPACITY)
    weight = (opacity * _light_left(opacity, place)).to(colours.dtype)
    image = colours.new_zeros(size[0] * size[1], colours.shape[1])
    image = image.index_add(0, pixel, weight[:, None] * colours[point])
    coverage = weight.new_zeros(size[0] * size[1]).index_add(0, pixel, weight)
    return image.t().reshape(-1, *size), coverage.reshape(*size)


def _discs(uv: Tensor, size: Sequence[int], radius_px: float) -> Tuple[Tensor, Tensor, Tensor]:
    """Pairs of a point and a pixel of its disc: point (M,), flat pixel (M,), squared distance (M,) in pixels^2."""
    height, width = size
    reach = math.ceil(radius_px)
    step = torch.arange(-reach, reach + 1, device=uv.device)
    offsets = torch.stack(torch.meshgrid(step, step, indexing='ij'), dim=-1).view(-1, 2)
    bounds = torch.tensor([width, height], device=uv.device)
    near = ((uv > -radius_px) & (uv < bounds + radius_px)).all(1).nonzero().flatten()  # NaN is nowhere
    pixels = uv.detach()[near].floor().long()[:, None] + offsets
    distance2 = (pixels + 0.5 - uv[near, None]).square().sum(-1)
    kept = (distance2 <= radius_px**2) & ((pixels >= 0) & (pixels < bounds)).all(-1)
    row, column = kept.nonzero(as_tuple=True)
    chosen = pixels[row, column]
    return near[row], chosen[:, 1] * width + chosen[:, 0], distance2[kept]


def _place_in_run(values: Tensor) -> Tensor:
    """How many equal values stand directly before each, (M,) sorted -> (M,) int64."""
    index = torch.arange(len(values), device=values.device)
    first = torch.ones_like(values, dtype=torch.bool)
    first[1:] = values[1:] != values[:-1]
    return index - torch.cummax(torch.where(first, index, torch.zeros_like(index)), dim=0).values


def _light_left(opacity: Tensor, place: Tensor) -> Tensor:
    """prod (1 - opacity) over those before each in its run; ``place`` as :func:`_place_in_run` gives it.

    By differences of one running sum of logarithms, in double precision: it reaches 1e6 on a large image.
    """
    log_left = torch.log1p(-opacity.double())
    before = log_left.cumsum(0) - log_left
    start = torch.arange(len(place), device=place.device) - place
    return (before - before[start]).exp()
