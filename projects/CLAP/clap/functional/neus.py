"""From signed distance to opacity (Eq. 7)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def inverse_std(v: Tensor) -> Tensor:
    """The learnable sharpness h = exp(10 v) of Eq. 7, in 1/m; v starts at 0.3 (h = 20.1 1/m).

    The factor 10 lets an ordinary learning rate move h over orders of magnitude; exp keeps it positive.
    """
    return torch.exp(10 * v)


def neus_alpha(sdf: Tensor, inv_s: Tensor) -> Tensor:
    r"""Opacity of each ray interval from the signed distance at its two edges (Eq. 7).

    alpha_n = max((Phi_h(s_n) - Phi_h(s_{n+1})) / Phi_h(s_n), 0) with Phi_h(x) = 1 / (1 + exp(-h x))

    It is computed as ``1 - exp(log Phi(s_{n+1}) - log Phi(s_n))``: the quotient of two underflowed sigmoids deep
    inside an object would be 0/0, and the customary ``+ 1e-5`` against that is fog, opacity where there is no surface.

    Args:
        sdf: (..., S) metres, positive in free space, at the interval *edges*, in the order the ray meets them.
        inv_s: scalar h, 1/m (a tensor or a number).

    Returns:
        (..., S-1) in [0, 1]. Values and gradients are finite for |inv_s * sdf| up to 1e4 and beyond.

    Source: NeuS, equation 13 of its paper, as cited by CLAP.
    """
    if sdf.shape[-1] < 2:
        raise ValueError(f'sdf: expected at least 2 samples along the last axis, got shape {tuple(sdf.shape)}')
    log_phi = F.logsigmoid(inv_s * sdf)
    log_ratio = log_phi[..., 1:] - log_phi[..., :-1]
    # Clamped before the exponential: a ray that leaves an object has a large positive log ratio, whose exp is inf,
    # and clamping inf afterwards gives the gradient 0 * inf = NaN.
    return -torch.expm1(log_ratio.clamp(max=0))
