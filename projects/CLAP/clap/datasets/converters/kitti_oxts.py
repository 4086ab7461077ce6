"""KITTI raw's GPS and inertial packets -> poses of the IMU."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from ...errors import DataError
from .kitti import read_numbers

EARTH_RADIUS_M = 6378137.0
#: Largest latitude, longitude [deg], altitude [m], roll, pitch and yaw [rad].
LARGEST = (89, 360, 1e4, 7, 7, 7)
#: Largest latitude, longitude [deg], altitude [m], roll, pitch and yaw [rad].
LARGEST = (89, 360, 1e4, 7, 7, 7)
NUMBERS = 30  # of a packet: latitude, longitude [deg], altitude [m], roll, pitch, yaw [rad], ...


def read_poses(folder: Path, names: Sequence[str]) -> np.ndarray:
    """(F, 4, 4) IMU (x forward, y left, z up) -> world (x east, y north, z up) with its origin at the first packet.

    Latitude and longitude go to the plane by the Mercator projection with the scale of the first latitude.

    Args:
        folder: ``oxts/data``.
        names: frames, in order.
    """
    packets = np.concatenate([read_numbers(folder / f'{name}.txt', NUMBERS) for name in names])
    beyond = (np.abs(packets[:, :6]) > LARGEST).any(axis=1)
    if beyond.any():
        path = folder / f'{names[int(beyond.argmax())]}.txt'
        raise DataError(f'{path}: no place on Earth, or angles that are not radians; download the drive again')
    latitude, longitude = np.radians(packets[:, 0]), np.radians(packets[:, 1])
    radius = np.cos(latitude[0]) * EARTH_RADIUS_M
    north = np.log(np.tan(np.pi / 4 + latitude / 2))
    places = np.column_stack([radius * longitude, radius * north, packets[:, 2]])
    poses = np.tile(np.eye(4), (len(packets), 1, 1))
    poses[:, :3, :3] = Rotation.from_euler('ZYX', packets[:, [5, 4, 3]]).as_matrix()
    poses[:, :3, 3] = places - places[0]
    return poses
