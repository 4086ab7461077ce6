"""Soft clusters of a cloud: centres in space, the loss of soft labels, the spread of centres (CluRender, section 4).

Rows are points (N), columns clusters (J).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ._shapes import expect_same_shape, expect_shape
from .shared_mean import shared_mean

#: A centre nearer to the mean of all, in the unit of the points, has no direction: a division would only blow it up.
MIN_NORM = 1e-6


def cluster_centres(points: Tensor, scores: Tensor) -> Tensor:
    """CluRender Eq. 2: c_j = sum_i s_ij p_i / sum_i s_ij.

    Args:
        points: (N, 3), any unit.
        scores: (N, J) >= 0, the share of point i that belongs to cluster j.

    Returns:
        (J, 3) in the unit and frame of ``points``; a cluster that nobody belongs to lies at the origin.
    """
    expect_shape('points', points, None, 3)
    expect_shape('scores', scores, points.shape[0], None)
    mass = scores.sum(0).clamp(min=torch.finfo(scores.dtype).tiny)
    return (scores / mass).t() @ points


def soft_label_loss(log_scores: Tensor, soft_labels: Tensor) -> Tensor:
    """CluRender Eq. 13: -(1 / N) sum_ij gamma_ij log s_ij, the mean over the points of all ranks.

    Args:
        log_scores: (N, J) log s, as ``log_softmax`` gives it.
        soft_labels: (N, J) gamma, rows sum to 1 (N times :func:`transport_plan`); targets, detached.

    Returns:
        Scalar >= 0; a connected 0 for N = 0.
    """
    expect_shape('log_scores', log_scores, None, None)
    expect_same_shape(log_scores=log_scores, soft_labels=soft_labels)
    return shared_mean(-(soft_labels.detach() * log_scores).sum(), log_scores.shape[0])


def spread_loss(centres: Tensor) -> Tensor:
    """CluRender section 4.3: |C*^T C* - I|_F of the centres' directions from their mean.

    Printed about the origin, where it would depend on where the cloud lies. Orthogonality is out of reach: J > 3
    directions in space give at least sqrt(J^2 / 3 - J), 36.07 for J = 64, which even directions attain. It does not see
    how far from each other the centres are, so that it hinders a collapse into one direction, not one into a point.

    Args:
        centres: (J, 3), any unit.

    Returns:
        Scalar >= 0.
    """
    expect_shape('centres', centres, None, 3)
    about = centres - centres.mean(0)
    unit = about / about.norm(dim=1, keepdim=True).clamp(min=MIN_NORM)
    gram = unit @ unit.t()
    distance: Tensor = torch.linalg.matrix_norm(gram - torch.eye(len(gram), dtype=gram.dtype, device=gram.device))
    return distance
