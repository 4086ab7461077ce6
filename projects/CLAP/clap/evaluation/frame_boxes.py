"""Predicted or labelled boxes of many frames, as metrics of whole splits take them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Dict, Sequence, Tuple

import numpy as np

from ..errors import DataError


@dataclass(frozen=True)
class FrameBoxes:
    """A row per box.

    Attributes:
        frame: (N,) number of the frame.
        box: (N, 7) x, y, z of the centre, length, width, height [m], yaw counter-clockwise from x [rad].
        type: (N,) the metric's number or name of the class.
        score: (N,) of predictions, 0..1.
        level: (N,) Waymo's difficulty of labelled boxes: 1, 2, or 0 where it follows from the number of points.
        num_points: (N,) LiDAR points in labelled boxes.
        in_no_label_zone: (N,) bool: a prediction where nothing has been labelled.
    """

    frame: np.ndarray
    box: np.ndarray
    type: np.ndarray
    score: np.ndarray
    level: np.ndarray
    num_points: np.ndarray
    in_no_label_zone: np.ndarray

    def __getitem__(self, rows: np.ndarray) -> FrameBoxes:
        return FrameBoxes(*(getattr(self, field.name)[rows] for field in fields(self)))

    @property
    def range_m(self) -> np.ndarray:
        """(N,) distance of the centres from the origin."""
        return np.linalg.norm(self.box[:, :3], axis=1)


def frame_boxes(
    frame: np.ndarray, box: np.ndarray, type: np.ndarray, name: str = 'boxes', **columns: np.ndarray
) -> FrameBoxes:
    """Boxes with the columns that are given; the others are 0. ``DataError`` names a column that does not fit."""
    size = len(frame)
    table = dict(frame=np.asarray(frame), box=np.asarray(box, dtype=np.float64), type=np.asarray(type))
    for field in fields(FrameBoxes)[3:]:
        table[field.name] = np.asarray(columns.get(field.name, np.zeros(size)))
    table['in_no_label_zone'] = table['in_no_label_zone'].astype(bool)
    for key, column in table.items():
        if column.shape != ((size, 7) if key == 'box' else (size,)):
            raise DataError(
                f'{name}_{key}: expected {size} rows{" of 7 numbers" if key == "box" else ""}, as {name}_frame has; '
                f'found shape {column.shape}'
            )
        if column.dtype.kind in 'fc' and not np.isfinite(column).all():
            raise DataError(f'{name}_{key} holds NaN or Inf; leave these boxes out')
    return FrameBoxes(**table)


def read_boxes(path: Path, types: Sequence, required: Sequence[str] = ()) -> Tuple[FrameBoxes, FrameBoxes]:
    """Predictions and labelled boxes of a NumPy archive.

    Args:
        path: holds ``prediction_COLUMN`` and ``truth_COLUMN``.
        types: values that the columns ``type`` may have.
        required: arrays that must be there besides frame, box, type of both and ``prediction_score``.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays: Dict[str, np.ndarray] = dict(archive)
    except FileNotFoundError:
        raise DataError(f'{path} does not exist; give a NumPy archive (np.savez)') from None
    except Exception as error:  # a damaged archive can raise anything
        raise DataError(f'{path} is no NumPy archive of plain arrays ({error}); write it with np.savez') from error
    needed = [f'{side}_{key}' for side in ('prediction', 'truth') for key in ('frame', 'box', 'type')]
    missing = [key for key in (*needed, 'prediction_score', *required) if key not in arrays]
    if missing:
        raise DataError(f'{path}: no array {", ".join(missing)}; the file has {", ".join(sorted(arrays))}')
    sides = []
    for side in ('prediction', 'truth'):
        own = {key[len(side) + 1 :]: value for key, value in arrays.items() if key.startswith(f'{side}_')}
        unknown = set(own['type'].tolist()) - set(types)
        if unknown:
            raise DataError(f'{path}: {side}_type has {sorted(unknown)}; expected {", ".join(map(str, types))}')
        sides.append(frame_boxes(name=side, **own))
    return sides[0], sides[1]
