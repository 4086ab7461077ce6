"""SemanticKITTI's raw labels -> its nineteen classes, counted from 0."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Tuple

import numpy as np

from ...errors import DataError
from .frame_files import IGNORED_CLASS

#: Class -> raw ids; moving objects (252 to 259) count as what they are.
RAW_IDS: Dict[str, Tuple[int, ...]] = {
    'car': (10, 252),
    'bicycle': (11,),
    'motorcycle': (15,),
    'truck': (18, 258),
    'other-vehicle': (13, 16, 20, 256, 257, 259),
    'person': (30, 254),
    'bicyclist': (31, 253),
    'motorcyclist': (32, 255),
    'road': (40, 60),
    'parking': (44,),
    'sidewalk': (48,),
    'other-ground': (49,),
    'building': (50,),
    'fence': (51,),
    'vegetation': (70,),
    'trunk': (71,),
    'terrain': (72,),
    'pole': (80,),
    'traffic-sign': (81,),
}
CLASSES = tuple(RAW_IDS)
#: unlabeled, outlier, other-structure, other-object
IGNORED_RAW_IDS = (0, 1, 52, 99)
_UNKNOWN = 254


def _table() -> np.ndarray:
    table = np.full(2**16, _UNKNOWN, dtype=np.uint8)
    table[list(IGNORED_RAW_IDS)] = IGNORED_CLASS
    for index, raw_ids in enumerate(RAW_IDS.values()):
        table[list(raw_ids)] = index
    return table


_CLASS_OF_RAW = _table()


def read_classes(path: Path, num_points: int) -> np.ndarray:
    """(N,) uint8 class of each point, 255 to ignore it, from a ``.label`` file.

    A label is uint32: class in the low 16 bits, instance in the high ones.

    Raises:
        DataError: no such file, another number of labels than points, a raw id that SemanticKITTI does not have.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f'{path} does not exist, but its folder has labels; unpack all of SemanticKITTI') from None
    if len(raw) != 4 * num_points:
        raise DataError(
            f'{path} has {len(raw)} bytes, its scan {num_points} points (4 bytes each): labels of another scan, or '
            'a truncated copy'
        )
    ids = np.frombuffer(raw, dtype='<u4') & 0xFFFF
    classes = _CLASS_OF_RAW[ids]
    if (classes == _UNKNOWN).any():
        raise DataError(f'{path}: raw id {ids[classes == _UNKNOWN][0]} is none of SemanticKITTI; copy the file again')
    return classes
