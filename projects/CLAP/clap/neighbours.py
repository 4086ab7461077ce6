"""SciPy's k-d tree for point clouds, safe under flush-to-zero."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Array = NDArray[Any]


def neighbour_indices(points: Array, num: int, asked: Optional[Array] = None) -> Array:
    """Indices (M, num) int64 of the ``num`` nearest of ``points`` (N, D) to each of ``asked`` (M, D), nearest first.

    ``asked`` None asks for every point, which is then among its own neighbours. ``num`` must not be above N;
    1 gives (M,).

    Training on a CPU flushes numbers below 1e-38 to zero (``torch.set_flush_denormal``). The tree divides points by the
    next number above a coordinate, which above 0 and above denormal numbers is then 0 again: it divides without end,
    and the process dies. Hence coordinates are moved away from 0, where nothing as small exists.
    """
    shift = 1.0 - points.min(axis=0).astype(np.float64)
    tree = cKDTree(points + shift)
    found: Array = tree.query(tree.data if asked is None else asked + shift, num)[1]
    return found
