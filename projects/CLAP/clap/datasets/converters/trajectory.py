"""Where a sensor or a vehicle was at any time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation, Slerp


@dataclass(frozen=True)
class Trajectory:
    """Poses of one sensor: ``to_world`` (F,4,4) sensor -> world, ``times`` (F,) seconds."""

    to_world: np.ndarray
    times: np.ndarray

    def at(self, times: np.ndarray) -> np.ndarray:
        """Poses (N,4,4) at any times: linear in position, slerp in rotation.

        Beyond the ends (the first sweep starts 0.1 s before the first pose) the motion of the nearest interval goes on.
        """
        if len(self.times) == 1:
            return np.broadcast_to(self.to_world, (len(times), 4, 4))
        before = self.to_world[0] @ np.linalg.inv(self.to_world[1]) @ self.to_world[0]
        after = self.to_world[-1] @ np.linalg.inv(self.to_world[-2]) @ self.to_world[-1]
        poses = np.concatenate([before[None], self.to_world, after[None]])
        knots = np.concatenate([[2 * self.times[0] - self.times[1]], self.times, [2 * self.times[-1] - self.times[-2]]])
        clipped = np.clip(times, knots[0], knots[-1])
        result = np.tile(np.eye(4), (len(times), 1, 1))
        result[:, :3, :3] = Slerp(knots, Rotation.from_matrix(poses[:, :3, :3]))(clipped).as_matrix()
        result[:, :3, 3] = np.stack([np.interp(clipped, knots, poses[:, axis, 3]) for axis in range(3)], axis=1)
        return result

    def near(self, start: float, stop: float) -> Trajectory:
        """The part that answers for the times from ``start`` to ``stop``."""
        first, last = np.searchsorted(self.times, [start, stop])
        part = slice(max(first - 2, 0), last + 2)
        return Trajectory(self.to_world[part], self.times[part])

    def seen_from(self, times: np.ndarray, reference: float) -> np.ndarray:
        """(N, 4, 4) sensor at ``times`` (N,) -> sensor at ``reference``, seconds on the trajectory's clock.

        In float64: world coordinates of 100 km have a grain of 8 mm in float32.
        """
        return np.linalg.inv(self.at(np.array([reference]))[0]) @ self.at(times)

    def places_of(self, mount: np.ndarray, times: np.ndarray, reference: float) -> np.ndarray:
        """Where a point ``mount`` (3,) of the moving frame was at ``times`` (N,) -> (N, 3), seen from ``reference``.

        Poses are taken every millisecond and places lie on the lines between: 1e-6 m off at 8 m/s^2.
        """
        knots = np.linspace(times.min(), times.max(), 2 + int((times.max() - times.min()) / 1e-3))
        moved = self.seen_from(knots, reference)
        places = moved[:, :3, :3] @ mount + moved[:, :3, 3]
        return np.stack([np.interp(times, knots, column) for column in places.T], axis=1)
