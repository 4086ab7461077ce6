"""Usual mistakes in ``lidar2cam``, each with what mends it."""

from __future__ import annotations

from typing import Any, Callable, Dict, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def _axes(x: Sequence[float], y: Sequence[float], z: Sequence[float]) -> Array:
    matrix = np.eye(4)
    matrix[:3, :3] = [x, y, z]
    return matrix


_GL = _axes((1, 0, 0), (0, -1, 0), (0, 0, -1))
FLU = _axes((0, -1, 0), (0, 0, -1), (1, 0, 0))
_FRD = _axes((0, 1, 0), (0, 0, 1), (1, 0, 0))
_LUF = _axes((-1, 0, 0), (0, -1, 0), (0, 0, 1))
TURNS = {
    degrees: _axes((cos, -sin, 0), (sin, cos, 0), (0, 0, 1))
    for degrees, cos, sin in ((90, 0, 1), (-90, 0, -1), (180, -1, 0))
}
#: Usual mistakes: what the matrix is, the code that mends it, and the same as a function.
MISTAKES: Dict[str, Tuple[str, Callable[[Array], Array]]] = {
    'inverted (it is camera to LiDAR)': ('np.linalg.inv(lidar2cam)', np.linalg.inv),
    'in camera axes x right, y up, z backward (OpenGL)': ('np.diag([1, -1, -1, 1]) @ lidar2cam', lambda m: _GL @ m),
    'in camera axes x forward, y left, z up': (
        'np.array([[0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]]) @ lidar2cam',
        lambda m: FLU @ m,
    ),
    'in camera axes x forward, y right, z down': (
        'np.array([[0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]]) @ lidar2cam',
        lambda m: _FRD @ m,
    ),
    'in camera axes x left, y up, z forward': ('np.diag([-1, -1, 1, 1]) @ lidar2cam', lambda m: _LUF @ m),
    'inverted, and in camera axes x right, y up, z backward (OpenGL)': (
        'np.diag([1, -1, -1, 1]) @ np.linalg.inv(lidar2cam)',
        lambda m: _GL @ np.linalg.inv(m),
    ),
    'inverted, and in camera axes x forward, y left, z up': (
        'np.array([[0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]]) @ np.linalg.inv(lidar2cam)',
        lambda m: FLU @ np.linalg.inv(m),
    ),
    'of a LiDAR frame that is turned by 90 degrees (x forward against y forward)': (
        'lidar2cam @ np.array([[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])',
        lambda m: m @ TURNS[90],
    ),
    'of a LiDAR frame that is turned by -90 degrees (y forward against x forward)': (
        'lidar2cam @ np.array([[0, 1, 0, 0], [-1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])',
        lambda m: m @ TURNS[-90],
    ),
    'of a LiDAR frame that is turned by 180 degrees': (
        'lidar2cam @ np.diag([-1, -1, 1, 1])',
        lambda m: m @ TURNS[180],
    ),
}


def tilt(axis: int, degrees: float) -> Array:
    """Rotation about an axis of the camera: 0 x, 1 y, 2 z."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    one, other = [index for index in range(3) if index != axis]
    matrix = np.eye(4)
    matrix[[one, one, other, other], [one, other, one, other]] = cos, -sin, sin, cos
    return matrix


#: Small errors that moving the points sideways does not show, mended.
TILTS: Dict[str, Array] = {
    f'{degrees:+d} degrees about the camera\'s {"xyz"[axis]} axis': tilt(axis, degrees)
    for axis in (0, 2)
    for degrees in (-3, 3)
}
