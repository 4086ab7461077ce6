"""What KITTI raw and KITTI odometry have in common: text files of numbers, scans of the HDL-64E, rectified cameras.

A scan is float32 x (forward), y (left), z (up) [m] and remission (0..1), origin at the LiDAR. Cameras are rectified:
``P`` (3, 4) projects from the rectified camera 0, axes x right, y down, z forward.
"""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Optional, Sequence, Tuple

import numpy as np

from ...errors import DataError
from .cameras import Camera

#: Duration of a turn [s].
SWEEP_S = 0.1
FULL_INTENSITY = 255.0
#: No LiDAR sees this far.
FARTHEST_M = 1000.0


def read_numbers(path: Path, columns: int) -> np.ndarray:
    """(rows, columns) float64 from a text file; ``DataError`` names what is wrong with it."""
    try:
        numbers = np.loadtxt(path, ndmin=2)
    except FileNotFoundError:
        raise DataError(f'{path} does not exist; it is part of the download, copy it there') from None
    except ValueError as error:
        raise DataError(f'{path}: expected lines of {columns} numbers ({error}); download it again') from None
    if numbers.shape[1] != columns or not len(numbers) or not np.isfinite(numbers).all():
        raise DataError(f'{path}: expected lines of {columns} finite numbers, got shape {numbers.shape}; copy it again')
    return numbers


class Calibration:
    """A file of lines ``NAME: numbers``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            lines = path.read_text().splitlines()
        except FileNotFoundError:
            raise DataError(
                f'{path} does not exist; the calibration is a download of its own, unpack it here'
            ) from None
        except UnicodeDecodeError:
            raise DataError(f'{path} is no text file; download it again') from None
        self.entries: Dict[str, str] = dict(line.split(':', 1) for line in lines if ':' in line)

    def matrix(self, name: str, rows: int, columns: int) -> np.ndarray:
        """Entry ``name`` in row-major order, float64."""
        if name not in self.entries:
            raise DataError(f'{self.path}: no entry {name}; it has {", ".join(self.entries) or "none"}')
        try:
            numbers = np.array(self.entries[name].split(), dtype=np.float64)
        except ValueError:
            numbers = np.zeros(0)
        if numbers.size != rows * columns or not np.isfinite(numbers).all():
            raise DataError(
                f'{self.path}: {name} must be {rows * columns} finite numbers, is "{self.entries[name][:60]}"'
            )
        return numbers.reshape(rows, columns)

    def rigid(self, rotation: str, translation: str) -> np.ndarray:
        """(4, 4) from a rotation and a translation of two entries."""
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = self.matrix(rotation, 3, 3), self.matrix(translation, 3, 1)[:, 0]
        return check_rigid(matrix, f'{self.path}: {rotation} and {translation}')


def check_rigid(poses: np.ndarray, name: str) -> np.ndarray:
    """The poses (..., 4, 4) themselves; ``DataError`` unless all turn and move without scaling."""
    rotation = poses[..., :3, :3]
    if np.abs(poses).max() > 1e7 or not np.allclose(rotation @ rotation.swapaxes(-1, -2), np.eye(3), atol=1e-3):
        raise DataError(f'{name}: expected rotations and translations in metres; download the file again')
    return poses


def rectified_camera(projection: np.ndarray, lidar2cam0: np.ndarray, size: Optional[Tuple[int, int]] = None) -> Camera:
    """P (3, 4) and LiDAR -> rectified camera 0 (4, 4) -> a camera whose ``pose`` is ``lidar2cam``.

    P = K [I | t], and t has three components: the camera stands a little before or behind camera 0 as well.
    """
    cam2img, shift = projection[:, :3], np.eye(4)
    shift[:3, 3] = np.linalg.solve(cam2img, projection[:, 3])
    return Camera(cam2img, shift @ lidar2cam0, size)


def read_scan(path: Path) -> np.ndarray:
    """(N, 4) float32 as the file has it."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f'{path} does not exist; download the scans of this recording') from None
    if not raw or len(raw) % 16:
        raise DataError(f'{path} has {len(raw)} bytes, no multiple of 16 (float32 x, y, z, remission); copy it again')
    scan = np.frombuffer(raw, dtype=np.float32).reshape(-1, 4)
    whole = scan[np.isfinite(scan).all(axis=1)]
    if (np.abs(whole[:, :3]) > FARTHEST_M).any() or (np.abs(whole[:, 3] - 0.5) > 0.501).any():
        raise DataError(
            f'{path}: expected coordinates of at most {FARTHEST_M:.0f} m and remissions from 0 to 1, got up to '
            f'{np.abs(whole[:, :3]).max():.3g} and {whole[:, 3].min():.3g} to {whole[:, 3].max():.3g}: damaged, or of '
            'another layout; copy it again'
        )
    return scan


def usable(scan: np.ndarray) -> np.ndarray:
    """(N,) bool: rows that are measurements, neither NaN nor at the sensor itself."""
    return np.isfinite(scan).all(axis=1) & (scan[:, :3] != 0).any(axis=1)


def point_features(scan: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Rows of a scan and seconds (N,) after the frame's time -> (N, 5) x, y, z, intensity 0..255, age [s]."""
    return np.column_stack([scan[:, :3], scan[:, 3] * FULL_INTENSITY, -times]).astype(np.float32)


def firing_times(points: np.ndarray, clockwise: bool = True) -> np.ndarray:
    """Seconds (N,) from the moment at which the LiDAR faces forward, -0.05..0.05.

    The turn begins and ends at the rear. That it goes clockwise seen from above is what odometry on these scans
    assumes; the owners do not state it.

    Args:
        points: (N, >=2) x forward, y left.
        clockwise: direction of the rotation.
    """
    turns = np.arctan2(points[:, 1], points[:, 0]) / (2 * np.pi)
    return (-turns if clockwise else turns) * SWEEP_S


def frame_numbers(folder: Path, digits: int) -> Sequence[str]:
    """Names of the scans in a folder, in order; ``DataError`` if it has none."""
    names = sorted(path.stem for path in folder.glob('*.bin') if path.stem.isdigit() and len(path.stem) == digits)
    if not names:
        raise DataError(f'{folder} holds no scan (expected {"0" * digits}.bin, ...); download the Velodyne data')
    return names
