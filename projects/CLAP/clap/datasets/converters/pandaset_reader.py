"""Reads PandaSet's native folder layout (one folder per sequence).

    SEQ/lidar/{poses,timestamps}.json            one entry per frame of the full recording (80), gaps included
    SEQ/lidar/FF.pkl.gz                          world x, y, z [m], i, t [s], d (0 Pandar64, 1 PandarGT)
    SEQ/camera/NAME/{poses,timestamps,intrinsics}.json, SEQ/camera/NAME/FF.jpg
    SEQ/annotations/cuboids/FF.pkl.gz            optional
    SEQ/annotations/semseg/FF.pkl.gz             optional: class of every point

Frame files may be missing (every fourth frame kept, say): the number in the file name is the index into the JSON lists.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np
import pandas as pd
from scipy.spatial.transform import Rotation

from ...errors import DataError, DatasetError
from ...files.pickled_table import read_table
from .trajectory import Trajectory

# The order of nuScenes' info files: front, front right, front left, back, back left, back right.
CAMERAS = ('front_camera', 'front_right_camera', 'front_left_camera', 'back_camera', 'left_camera', 'right_camera')
POINT_COLUMNS = ('x', 'y', 'z', 'i', 't', 'd')


@dataclass(frozen=True)
class Camera:
    """One camera of a sequence; ``cam2img`` (3,3) in pixels."""

    folder: Path
    cam2img: np.ndarray
    trajectory: Trajectory

    def image(self, frame: str) -> Path:
        return self.folder / f'{frame}.jpg'


@dataclass(frozen=True)
class Sequence:
    """One recording: the frames whose LiDAR file is there, and every sensor's poses."""

    folder: Path
    name: str
    frames: List[str]
    lidar: Trajectory
    cameras: Dict[str, Camera]

    def points(self, frame: str) -> pd.DataFrame:
        """The sweep of ``frame`` with the columns x, y, z (world), i, t, d."""
        path = _frame_file(self.folder / 'lidar', frame)
        table = read_table(path)
        missing = [column for column in POINT_COLUMNS if column not in table.columns]
        if missing:
            raise DataError(f'{path}: expected columns {", ".join(POINT_COLUMNS)}; {", ".join(missing)} missing')
        return table

    def cuboids(self, frame: str) -> pd.DataFrame | None:
        """Labelled boxes of ``frame``, or None when the sequence has none for it."""
        folder = self.folder / 'annotations' / 'cuboids'
        return read_table(_frame_file(folder, frame)) if _frame_file(folder, frame).exists() else None

    def semantics(self, frame: str, num_points: int) -> np.ndarray | None:
        """Class of every point of ``frame`` (N,) uint8, in the order of :meth:`points`; None without labels."""
        path = _frame_file(self.folder / 'annotations' / 'semseg', frame)
        if not path.exists():
            return None
        table = read_table(path)
        if 'class' not in table.columns or len(table) != num_points:
            raise DataError(
                f'{path}: expected a column "class" with {num_points} rows, one per point of the sweep; '
                f'found {len(table)} rows of {", ".join(map(str, table.columns))}'
            )
        return table['class'].to_numpy().astype(np.uint8)


def find_sequences(root: Path, damaged: Optional[Dict[str, str]] = None) -> List[Optional[Sequence]]:
    """Every sequence folder below ``root`` (or ``root`` itself), sorted by name.

    Args:
        root: folder of the sequences.
        damaged: gets name -> what is wrong of every sequence that cannot be read, whose place in the result is None;
            without it the first one is an error.
    """
    root = Path(root)
    if not root.is_dir():
        raise DatasetError(f'PandaSet root {root} is not a folder; give the folder of the sequences (001, 002, ...)')
    # One of the two is enough: a recording without LiDAR must be told, not passed over.
    folders = {path.parent.parent for path in root.rglob('lidar/poses.json')}
    folders |= {path.parent for path in root.rglob('camera') if path.is_dir()}
    if not folders:
        raise DatasetError(
            f'no PandaSet sequence below {root}: expected folders with lidar/poses.json, '
            'lidar/00.pkl.gz and camera/front_camera/00.jpg; check --root'
        )
    found: List[Optional[Sequence]] = []
    for folder in sorted(folders):
        try:
            found.append(_load_sequence(folder, root))
        except DataError as error:
            if damaged is None:
                raise
            damaged[_name(folder, root)] = str(error)
            found.append(None)
    return found


def _name(folder: Path, root: Path) -> str:
    relative = folder.relative_to(root).as_posix()
    return folder.resolve().name if relative == '.' else relative.replace('/', '_')


def _load_sequence(folder: Path, root: Path) -> Sequence:
    files = [path for pattern in ('*.pkl.gz', '*.pkl') for path in (folder / 'lidar').glob(pattern)]
    frames = sorted({path.name.split('.')[0] for path in files}, key=_frame_number)
    if not frames:
        raise DatasetError(f'{folder}/lidar: no sweep files; expected 00.pkl.gz, 01.pkl.gz, ... (gaps are fine)')
    lidar = _read_trajectory(folder / 'lidar', frames)
    cameras = {
        name: _read_camera(folder / 'camera' / name, frames) for name in CAMERAS if (folder / 'camera' / name).is_dir()
    }
    if not cameras:
        raise DatasetError(f'{folder}/camera: no camera folder; expected one or more of {", ".join(CAMERAS)}')
    return Sequence(folder, _name(folder, root), frames, lidar, cameras)


def _read_camera(folder: Path, frames: List[str]) -> Camera:
    intrinsics = _read_json(folder / 'intrinsics.json')
    try:
        fx, fy, cx, cy = (float(intrinsics[key]) for key in ('fx', 'fy', 'cx', 'cy'))
    except (KeyError, TypeError, ValueError):
        raise DataError(f'{folder}/intrinsics.json: expected numbers fx, fy, cx, cy; found {intrinsics}') from None
    camera = Camera(folder, np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]), _read_trajectory(folder, frames))
    missing = [str(camera.image(frame)) for frame in frames if not camera.image(frame).is_file()]
    if missing:
        raise DatasetError.from_problems(
            f'images of {folder} for the sweeps that are there',
            [f'{path} does not exist' for path in missing],
            'Download the missing images, or remove the LiDAR files of those frames (gaps are fine).',
        )
    return camera


def _read_trajectory(folder: Path, frames: List[str]) -> Trajectory:
    poses, times = _read_json(folder / 'poses.json'), _read_json(folder / 'timestamps.json')
    last = _frame_number(frames[-1])
    if len(poses) != len(times) or len(poses) <= last:
        raise DataError(
            f'{folder}: frame {frames[-1]} needs at least {last + 1} entries in poses.json and as many in '
            f'timestamps.json; found {len(poses)} and {len(times)}'
        )
    try:
        return Trajectory(np.stack([_pose_matrix(pose) for pose in poses]), np.array(times, dtype=np.float64))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f'{folder}/poses.json: expected position x, y, z and heading w, x, y, z in every entry ({error!r})'
        ) from error


def _pose_matrix(pose: Dict[str, Dict[str, float]]) -> np.ndarray:
    heading, position = pose['heading'], pose['position']
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_quat([heading[key] for key in 'xyzw']).as_matrix()
    matrix[:3, 3] = [position[key] for key in 'xyz']
    return matrix


def _frame_number(frame: str) -> int:
    if not frame.isdigit():
        raise DataError(f'LiDAR file {frame}.pkl*: expected a frame number as name (00, 01, ...); move it elsewhere')
    return int(frame)


def _frame_file(folder: Path, frame: str) -> Path:
    plain = folder / f'{frame}.pkl'
    return plain if plain.exists() else folder / f'{frame}.pkl.gz'


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise DataError(f'{path}: the file does not exist; it is part of every PandaSet sequence') from None
    except ValueError as error:
        raise DataError(f'{path}: not valid JSON ({error}); download it again') from None
