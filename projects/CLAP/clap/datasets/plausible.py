"""Are these bytes a LiDAR sweep, a camera image? For files of a possible size whose numbers are impossible.

Looked at while training, so each function costs about a millisecond. Their answer is what is wrong, with the likely
cause and the way out, or None.
"""

from __future__ import annotations

from math import gcd
from typing import Dict, Iterable, Optional, Sequence

import numpy as np

#: Modes of PIL that become 8-bit RGB as they look.
IMAGE_MODES = ('RGB', 'RGBA', 'L', 'LA', 'P', 'CMYK', 'YCbCr')
#: Numbers and rows that are looked at, spread over the file; clouds of fewer points say nothing.
_NUMBERS, _ROWS, _FEWEST = 3000, 2000, 100
_LAYOUT = 'a point file holds float32 rows of x, y, z (metres), intensity, ..., without a header'
_HEADERS = {
    b'\x93NUMPY': 'a .npy file (write it with points.astype(numpy.float32).tofile(path), not with numpy.save)',
    b'# .PCD': 'a PCD file',
    b'VERSION': 'a PCD file',
    b'ply': 'a PLY file',
    b'PK\x03\x04': 'a zip or .npz archive',
    b'\x1f\x8b': 'a gzip archive',
}
_OTHER_TYPES = {
    'float64': np.dtype(np.float64),
    'big-endian float32': np.dtype('>f4'),
    'int32': np.dtype(np.int32),
    'float16': np.dtype(np.float16),
    'int16': np.dtype(np.int16),
}


def header_problem(raw: bytes) -> Optional[str]:
    """Whether a point file begins like a file of another format."""
    return next((f'is {what}; {_LAYOUT}' for magic, what in _HEADERS.items() if raw.startswith(magic)), None)


def cloud_problem(points: np.ndarray, xyz: Sequence[int] = (0, 1, 2)) -> Optional[str]:
    """Whether rows are no points in metres around a LiDAR.

    Args:
        points: (N, F) float32 as the file has them.
        xyz: columns of x, y and z.
    """
    if len(points) < _FEWEST:
        return None
    problem = _numbers_problem(points.reshape(-1))
    if problem:
        rest = points[~missing(points[:, list(xyz)])]  # denormal numbers may stand for 0
        problem = None if len(rest) >= _FEWEST and not _numbers_problem(rest.reshape(-1)) else problem
    if problem:
        return _other_type(points, _OTHER_TYPES) or problem
    problem = _columns_problem(points)
    if problem:  # float64 numbers with few digits are float32 numbers twice as many
        return _other_type(points, ('float64',)) or problem
    return _rows_problem(points[_spread(len(points), _ROWS)][:, list(xyz)].astype(np.float64))


def missing(xyz: np.ndarray) -> np.ndarray:
    """(N,) bool: rows of (N, 3) that are (0, 0, 0), a direction without a return."""
    return (np.abs(xyz) < 1e-6).all(axis=1)


def _other_type(points: np.ndarray, names: Iterable[str]) -> Optional[str]:
    """The type whose numbers the bytes are, if rows of them are points."""
    raw = np.ascontiguousarray(points, dtype=np.float32).tobytes()
    for name in names:
        numbers = np.frombuffer(raw[: len(raw) // 8 * 8], dtype=_OTHER_TYPES[name])
        if _numbers_problem(numbers, 1e-4, 1e7):
            continue
        for columns in (points.shape[1], 4, 5, 6, 3, 7, 8):
            rows = numbers[: len(numbers) // columns * columns].reshape(-1, columns)
            if len(rows) >= _FEWEST and _numbers_of_columns(rows) == columns:
                return (
                    f'holds {name} numbers, {columns} a point, that are read as float32: write float32 in metres '
                    '(numpy: points.astype(numpy.float32)), and make the info file again'
                )
    return None


def _numbers_problem(numbers: np.ndarray, least: float = 1e-10, most: float = 1e12) -> Optional[str]:
    """Whether a sensor could not have written these numbers, be they finite."""
    with np.errstate(invalid='ignore'):  # other types' bytes are any number
        size = np.abs(numbers[_spread(len(numbers), _NUMBERS)].astype(np.float64))
    size = size[np.isfinite(size)]
    strange = 1 - ((size == 0) | ((size > least) & (size < most))).mean() if len(size) else 0.0
    if strange <= 0.02:
        return None
    return f'has numbers below {least} or above {most} ({strange:.0%} of them): no float32, or a header; {_LAYOUT}'


def _spread(length: int, number: int) -> np.ndarray:
    """About ``number`` places, evenly; the step has no factor in common with a number of columns."""
    step = max(length // number, 1)
    while gcd(step, 2 * 3 * 5 * 7 * 11) > 1:
        step += 1
    return np.arange(0, length, step)


def _columns_problem(points: np.ndarray) -> Optional[str]:
    given, best = points.shape[1], _numbers_of_columns(points)
    if best in (0, given):
        return None
    use = [0, 1, 2, 3, min(best - 1, 4)] if best > 3 else 'x, y, z and an intensity'
    return (
        f'has {best} numbers per point and not {given}: set num_pts_feats={best} in the info file and load_dim={best}, '
        f'use_dim={use} in the pipeline'
    )


def _numbers_of_columns(points: np.ndarray) -> int:
    """How many columns the numbers of ``points`` (N, F) have, 0 if that cannot be told.

    Columns differ in what they hold, and under no other number of columns as much as under the right one (or a
    multiple of it).
    """
    given, numbers = points.shape[1], points.reshape(-1)
    places = _spread(len(numbers), _NUMBERS)
    rank = numbers[places].argsort(kind='stable').argsort(kind='stable') / len(places) - 0.5
    features = (rank, np.abs(rank) - 0.25)

    def differ(columns: int) -> float:
        """Share of the variance that lies between columns, less what chance makes of it."""
        column = places % columns
        count = np.maximum(np.bincount(column, minlength=columns), 1)
        between = sum((np.bincount(column, feature, columns) ** 2 / count).sum() for feature in features)
        return float(between / sum((feature**2).sum() for feature in features)) - columns / len(places)

    found: Dict[int, float] = {columns: differ(columns) for columns in {*range(2, 13), given}}
    top = max(found.values())
    if top < 0.03:
        return 0
    best = min(columns for columns, value in found.items() if value > 0.9 * top)
    # Beside the right number, only chance is in the way of an equal share.
    return given if found[given] > 0.75 * top and given % best else best


def _rows_problem(xyz: np.ndarray) -> Optional[str]:
    """Whether many rows are no returns, or none is at a possible range; (M, 3) metres."""
    xyz = xyz[np.isfinite(xyz).all(axis=1)]
    if len(xyz) < _FEWEST:
        return None
    zero = missing(xyz).mean()
    if zero > 0.01:
        return (
            f'has x = y = z = 0 in {zero:.0%} of its rows: directions without a return. Leave them out when '
            "converting, or load with nonfinite='drop'"
        )
    same = np.unique(np.sort(xyz @ [1.0, np.pi, np.e]), return_counts=True)[1].max() / len(xyz)
    if same > 0.05:
        return (
            f'has the same x, y, z in {same:.0%} of its rows: a stand-in for directions without a return? Leave them '
            'out when converting'
        )
    distance = np.linalg.norm(xyz, axis=1)
    middle, most = np.quantile(distance, [0.5, 0.99])
    if middle > 500:
        return (
            f'has points {middle:.0f} m from the LiDAR (median): millimetres or centimetres, or world coordinates? '
            'Write metres in the LiDAR frame'
        )
    if most < 1.0:
        return (
            f'has all points within {most:.2g} m of the LiDAR: kilometres, scaled coordinates, or numbers of another '
            'type? Write float32 metres'
        )
    return None


def image_problem(pixels: np.ndarray) -> Optional[str]:
    """Whether an image shows nothing; (H, W, 3) uint8."""
    seen = pixels[:: max(len(pixels) // 64, 1), :: max(pixels.shape[1] // 64, 1)].reshape(-1, 3)
    if len(seen) < _FEWEST:
        return None
    ordered = np.sort(seen.astype(np.int16), axis=0)
    cut = len(ordered) // 200
    low, high = ordered[cut], ordered[-1 - cut]
    if (high - low).max() > 2:
        return None
    what = 'black' if high.max() < 6 else 'white' if low.min() > 249 else f'one colour, {low.tolist()}'
    return (
        f'is {what} everywhere: a lens cap, a failed exposure, or 16-bit, float or 12-bit values that were written as '
        "8-bit. Convert the images again (scaled to 0..255), leave the frame out, or set on_broken_frame='skip'"
    )


def mode_problem(mode: str) -> Optional[str]:
    """Whether an image of this PIL mode becomes another picture as 8-bit RGB."""
    if mode in IMAGE_MODES:
        return None
    kinds = {'F': 'a float image', '1': 'a mask of one bit', 'I': 'an image of more than 8 bits'}
    what = kinds.get(mode, 'an image of 16 bits' if mode.startswith('I') else 'no RGB or grey image')
    return (
        f'is {what} (mode {mode}), which as 8-bit RGB would be white or black: expected '
        f'{", ".join(IMAGE_MODES)}. Scale it to 0..255 and write 8 bits'
    )
