"""Where PandaSet's spinning LiDAR really is, and how we know.

PandaSet's points are in world coordinates and ``lidar/poses.json`` gives the pose of a frame that is *not* the LiDAR's:
its origin lies 1.86 m below the sensor, near the road. A ray sent from there has the wrong direction.

A laser of a spinning LiDAR has a fixed elevation, so its points lie on a cone; the 64 cones share one apex, the optical
centre. Seen from the apex the elevations of 100 000 points fall on 64 sharp lines; from anywhere else the lines smear.
:func:`estimate_optical_centre` finds the apex (and the tilt of the spin axis) that makes them sharpest. See
docs/datasets/pandaset.md for the figures on every frame and for the check that does not use elevations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from .trajectory import Trajectory

# Optical centre of the Pandar64 in the frame of lidar/poses.json (x right, y forward, z up) [m]: median over the 14
# frames of sequence 002, standard deviation (0.003, 0.003, 0.002).
OPTICAL_CENTRE_M = np.array([-0.001, 0.804, 1.860])
_BIN_DEG, _LOW_DEG, _HIGH_DEG = 0.01, -40.0, 30.0
_SEARCH_M = 1.5
LINE_WIDTH_DEG = 0.02


@dataclass(frozen=True)
class OriginEstimate:
    """``centre`` (3,) [m] in the pose frame, ``tilt`` (2,) [rad] of the spin axis, ``sharpness`` (1 = no lines)."""

    centre: np.ndarray
    tilt: np.ndarray
    sharpness: float


def points_in_moving_frame(points: np.ndarray, times: np.ndarray, trajectory: Trajectory) -> np.ndarray:
    """World points (N, 3), each seen from the pose frame at its own time (N,) [s] -> (N, 3)."""
    poses = trajectory.at(times)
    return np.einsum('nji,nj->ni', poses[:, :3, :3], points - poses[:, :3, 3])


def sensor_positions(times: np.ndarray, trajectory: Trajectory) -> np.ndarray:
    """World position (N, 3) of the optical centre when each point was measured; it travels during the 0.1 s sweep."""
    poses = trajectory.at(times)
    return poses[:, :3, :3] @ OPTICAL_CENTRE_M + poses[:, :3, 3]


def elevation_sharpness(points: np.ndarray, centre: np.ndarray, tilt: np.ndarray, width_deg: float) -> float:
    """How much of the elevation histogram stands in lines of ``width_deg``, relative to a 0.6 degree blur of it."""
    rays = points - centre
    up = rays[:, 2] + rays[:, :2] @ tilt
    elevation = np.degrees(np.arctan2(up, np.hypot(rays[:, 0], rays[:, 1])))
    num_bins = int(round((_HIGH_DEG - _LOW_DEG) / _BIN_DEG))
    histogram, _ = np.histogram(elevation, bins=num_bins, range=(_LOW_DEG, _HIGH_DEG))
    fine, coarse = (_blur(histogram.astype(float), width) for width in (width_deg, max(0.6, 3 * width_deg)))
    return float((fine**2).sum() / (coarse**2).sum())


def estimate_optical_centre(points: np.ndarray, start: np.ndarray | None = None) -> OriginEstimate:
    """Apex of the cones for one sweep.

    Args:
        points: (N, 3) one spinning LiDAR's points in the pose frame at their own time (:func:`points_in_moving_frame`).
        start: first guess [m]; the search stays within 1.5 m of it (far away all elevations merge into one line).
    """
    points = points[np.linalg.norm(points, axis=1) < 80.0]
    guess = np.array([0.0, 0.5, 1.7]) if start is None else np.asarray(start, dtype=float)

    def cost(value: np.ndarray, width_deg: float) -> float:
        if np.abs(value[:3] - guess).max() > _SEARCH_M or np.abs(value[3:]).max() > 0.1:
            return 0.0
        return -elevation_sharpness(points, value[:3], value[3:], width_deg)

    value = np.concatenate([guess, np.zeros(2)])
    for width_deg in (0.2, 0.08, 0.04, LINE_WIDTH_DEG):
        steps = np.diag([0.2, 0.2, 0.1, 0.01, 0.01]) * min(1.0, width_deg / 0.1)
        simplex = value + np.vstack([np.zeros(5), steps])
        value = minimize(
            cost,
            value,
            args=(width_deg,),
            method='Nelder-Mead',
            options=dict(initial_simplex=simplex, maxiter=200, xatol=2e-4, fatol=2e-4),
        ).x
    return OriginEstimate(value[:3], value[3:], -cost(value, LINE_WIDTH_DEG))


def _blur(histogram: np.ndarray, width_deg: float) -> np.ndarray:
    sigma = width_deg / _BIN_DEG
    offsets = np.arange(-int(4 * sigma), int(4 * sigma) + 1)
    kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
    return np.convolve(histogram, kernel / kernel.sum(), mode='same')
