"""What converters write of a frame: point files, paths, earlier sweeps, points per box."""

from __future__ import annotations

import os
from pathlib import Path
from typing import List, Optional

import numpy as np
import torch

from ...errors import DataError
from ...files.atomic_file import write_atomic
from ...functional import inside_box

IGNORED_CLASS = 255


def write_sweep(
    out: Path,
    name: str,
    points: np.ndarray,
    origins: Optional[np.ndarray] = None,
    semantics: Optional[np.ndarray] = None,
) -> dict:
    """Writes the files of a sweep below ``out``; returns the keys of ``lidar_points`` that name them.

    Args:
        out: folder that the paths are relative to.
        name: of the point file, ``folder/frame.bin``; the others stand beside it.
        points: (N, F) x, y, z [m], LiDAR frame, and further numbers; written as float32.
        origins: (N, 3) where the sensor was when it measured each point, LiDAR frame; None writes none.
        semantics: (N,) class of each point below 255, or 255 to ignore it; None writes none.
    """
    if not len(points):
        raise DataError(f'{name}: the sweep has no point; download its file again or leave the frame out')
    keys = dict(num_pts_feats=points.shape[1], lidar_path=name)
    write_atomic(out / name, np.ascontiguousarray(points, dtype=np.float32).tobytes())
    for key, ending, values, dtype in (
        ('origins_path', '.origins.bin', origins, np.float32),
        ('semantic_path', '.semantic.bin', semantics, np.uint8),
    ):
        if values is not None:
            assert len(values) == len(points), f'{key} of {name}: {len(values)} rows for {len(points)} points'
            keys[key] = name[: -len('.bin')] + ending
            write_atomic(out / keys[key], np.ascontiguousarray(values, dtype=dtype).tobytes())
    return keys


def stored_path(path: Path, root: Path, out: Path) -> str:
    """Relative to OUT when the recordings lie below OUT (the folder may then be moved as a whole), else absolute."""
    if out.resolve() in (root.resolve(), *root.resolve().parents):
        return os.path.relpath(path.resolve(), out.resolve())
    return str(path.resolve())


def earlier_sweeps(info: dict, earlier: List[dict], number: int = 10, max_age_s: float = 1.0) -> List[dict]:
    """``lidar_sweeps``: up to ``number`` earlier frames of the last ``max_age_s``, newest first.

    Both read ``timestamp`` [s], ``ego2global`` and ``lidar_points.lidar2ego``; ``earlier`` is in the order of time.
    """
    key_to_world = np.array(info['ego2global']) @ np.array(info['lidar_points']['lidar2ego'])
    sweeps = []
    for other in reversed(earlier[-number:]):
        if info['timestamp'] - other['timestamp'] > max_age_s:
            break
        other_to_world = np.array(other['ego2global']) @ np.array(other['lidar_points']['lidar2ego'])
        lidar_points = dict(other['lidar_points'], lidar2sensor=(np.linalg.inv(other_to_world) @ key_to_world).tolist())
        sweeps.append(
            dict(
                timestamp=other['timestamp'],
                ego2global=other['ego2global'],
                lidar_points=lidar_points,
                sample_data_token=other['token'],
            )
        )
    return sweeps


def count_points_in_boxes(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Points (N, >=3) inside each box (M, 7) = centre of gravity, l, w, h, yaw -> (M,) int."""
    counts = np.zeros(len(boxes), dtype=np.int64)
    for index, box in enumerate(boxes):
        reach = 0.5 * np.hypot(box[3], box[4])
        near = points[(np.abs(points[:, 0] - box[0]) <= reach) & (np.abs(points[:, 1] - box[1]) <= reach)]
        counts[index] = inside_box(torch.from_numpy(near), torch.from_numpy(box)).sum()
    return counts


def box_instance(
    box: np.ndarray, class_index: int, native_class: str, num_points: int, velocity: np.ndarray, track_id: str
) -> dict:
    """One entry of ``instances``.

    Args:
        box: (7,) x, y, z of the centre of gravity, length, width, height [m], yaw [rad], LiDAR frame.
        class_index: -1 is ignored by the detector.
        native_class: what the data set calls it.
        num_points: LiDAR points in the box.
        velocity: (2,) vx, vy [m/s], LiDAR frame; NaN where unknown.
        track_id: the same for the same object in other frames.
    """
    return dict(
        bbox_3d=np.asarray(box, dtype=np.float64).tolist(),
        bbox_label=class_index,
        bbox_label_3d=class_index,
        bbox_3d_isvalid=bool(num_points > 0),
        num_lidar_pts=int(num_points),
        num_radar_pts=0,
        velocity=np.asarray(velocity, dtype=np.float64).tolist(),
        track_id=track_id,
        native_class=native_class,
    )
