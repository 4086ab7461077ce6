"""How much boxes overlap in space."""

from __future__ import annotations

import numpy as np
import shapely


def overlap_3d(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(N, M) volume that two upright boxes share, divided by the volume of their union (IoU).

    Args:
        boxes: (N, 7) x, y, z of the centre, length, width, height [m], yaw counter-clockwise from x [rad].
        others: (M, 7) the same.
    """
    result = np.zeros((len(boxes), len(others)))
    if not result.size:
        return result
    reach = [np.hypot(each[:, 3], each[:, 4]) / 2 for each in (boxes, others)]
    distance = np.hypot(*(boxes[:, None, axis] - others[None, :, axis] for axis in (0, 1)))
    low, high = (
        function(boxes[:, None, 2] + side * boxes[:, None, 5] / 2, others[None, :, 2] + side * others[None, :, 5] / 2)
        for function, side in ((np.maximum, -1), (np.minimum, 1))
    )
    rows, columns = np.nonzero((distance < reach[0][:, None] + reach[1][None]) & (high > low))
    shared = shapely.area(shapely.intersection(_footprints(boxes)[rows], _footprints(others)[columns]))
    shared *= (high - low)[rows, columns]
    volumes = [each[:, 3:6].prod(axis=1) for each in (boxes, others)]
    union = volumes[0][rows] + volumes[1][columns] - shared
    result[rows, columns] = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return result


def heading_difference(yaw: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Angle between two headings [rad], 0..pi; the arguments broadcast."""
    return np.abs((yaw - other + np.pi) % (2 * np.pi) - np.pi)


def _footprints(boxes: np.ndarray) -> np.ndarray:
    """(N,) polygons seen from above."""
    signs = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) / 2
    along, across = (signs[None, :, axis] * boxes[:, None, 3 + axis] for axis in (0, 1))
    cos, sin = np.cos(boxes[:, 6:7]), np.sin(boxes[:, 6:7])
    corners = np.stack([cos * along - sin * across, sin * along + cos * across], axis=-1) + boxes[:, None, :2]
    return shapely.polygons(corners)
