"""Surface normals and curvature of the signed distance field (Eqs. 11 and 12): the weights of curvature sampling.

Everything here is a measurement, not a loss: results are detached unless ``create_graph`` asks otherwise, gradients
are taken with respect to positions only, and no parameter's ``.grad`` is touched. It works under ``no_grad`` callers.
"""
from __future__ import annotations

from typing import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ._shapes import expect_shape

SDFFunction = Callable[[Tensor], Tensor]
MODES = ('jacobian', 'literal')


def sdf_gradient(sdf_fn: SDFFunction, points: Tensor, create_graph: bool = False) -> Tensor:
    """n = ds/dp before normalisation (Eq. 11).

    Args:
        sdf_fn: (N, 3) metres -> (N,) metres, each output depending on its own point only.
        points: (N, 3) metres; their own history is cut.
        create_graph: keep the graph, for the eikonal term.

    Returns:
        (N, 3), unit-free; zeros where the field does not depend on the position.

    Raises:
        ValueError: when ``sdf_fn`` does not return one number per point.
    """
    expect_shape('points', points, None, 3)
    with torch.enable_grad():
        position = points.detach().clone().requires_grad_(True)
        return _differentiate(_evaluate(sdf_fn, position), position, create_graph)


def _evaluate(sdf_fn: SDFFunction, position: Tensor) -> Tensor:
    # Second derivatives of half-precision values are noise.
    with torch.autocast(device_type=position.device.type, enabled=False):
        sdf = sdf_fn(position)
    expect_shape('the result of sdf_fn', sdf, position.shape[0])
    return sdf


def _differentiate(values: Tensor, position: Tensor, keep_graph: bool) -> Tensor:
    """Row-wise derivative of ``values`` (N,) with respect to ``position`` (N, 3); zeros for a constant."""
    if not values.requires_grad:
        return torch.zeros_like(position)
    grad, = torch.autograd.grad(values.sum(), position, create_graph=keep_graph, allow_unused=True)
    return torch.zeros_like(position) if grad is None else grad


def sdf_normals(sdf_fn: SDFFunction, points: Tensor, eps: float = 1e-4) -> Tensor:
    """Surface normals n~ = n / |n| with n = ds/dp (Eq. 11).

    Args:
        sdf_fn: (N, 3) metres -> (N,) metres.
        points: (N, 3) metres.
        eps: floor on |n|: where the field is flatter than this its direction is noise, and the result shrinks to
            zero instead of jumping. A metric field has |n| = 1.

    Returns:
        (N, 3), unit length where |n| >= eps, detached.
    """
    return F.normalize(sdf_gradient(sdf_fn, points), dim=-1, eps=eps).detach()


def curvature_weights(sdf_fn: SDFFunction, points: Tensor, mode: str = 'jacobian', eps: float = 1e-4) -> Tensor:
    r"""Sampling weight of each point: the size of c = dn~/dp (Eq. 12).

    'jacobian' is the Frobenius norm of the 3 x 3 matrix dn~/dp, sqrt(k1^2 + k2^2) of the principal curvatures for a
    true distance field: sqrt(2)/r on a sphere of radius r, in every direction, and unchanged by rigid motion.
    'literal' is the norm of the vector that ``autograd.grad(n~, p, ones)`` returns, J^T 1; on a sphere it runs from 0
    to sqrt(3)/r with the direction, so it is here for fidelity only.

    Args:
        sdf_fn: (N, 3) metres -> (N,) metres, twice differentiable, each output depending on its own point only.
        points: (N, 3) metres.
        mode: 'jacobian' or 'literal'.
        eps: floor on |n|, see ``sdf_normals``.

    Returns:
        (N,) in 1/m, >= 0, finite (a non-finite value becomes 0), detached.

    Raises:
        ValueError: on an unknown mode.
    """
    if mode not in MODES:
        raise ValueError(f'mode: expected one of {MODES}, got {mode!r}')
    expect_shape('points', points, None, 3)
    with torch.enable_grad():
        position = points.detach().clone().requires_grad_(True)
        gradient = _differentiate(_evaluate(sdf_fn, position), position, keep_graph=True)
        normals = F.normalize(gradient, dim=-1, eps=eps)
        parts = normals.unbind(-1) if mode == 'jacobian' else (normals.sum(-1),)
        rows = [_differentiate(part, position, keep_graph=True).detach() for part in parts]
    weights = torch.linalg.vector_norm(torch.cat(rows, dim=-1), dim=-1)
    return torch.where(torch.isfinite(weights), weights, torch.zeros_like(weights))
