"""Are the files there, and can they be what the info file says? Thousands of files, so threads do the asking."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from PIL import Image

from ..errors import DatasetError
from .plausible import cloud_problem, image_problem, mode_problem

MAX_AGE_S, MAX_SPEED_M_S = 2.0, 100.0
_THREADS = 16
_CHUNK = 512
_CLASS_BYTES = 1


class ExpectedFile(NamedTuple):
    """A file that a frame refers to.

    ``row_bytes``: bytes per point of a point file, None for an image; ``may_be_empty``: no points is legal;
    ``beside``: path and bytes per point of a file that has as many points.
    """

    path: str
    key: str
    row_bytes: Optional[int]
    may_be_empty: bool = False
    beside: Optional[Tuple[str, int]] = None


def expected_files(info: dict, use_camera: bool, use_lidar: bool, sweeps: Optional[int] = None) -> List[ExpectedFile]:
    """Every file a parsed frame refers to; of its earlier sweeps the first ``sweeps``, or all."""
    files = []
    if use_lidar:
        files += _lidar_files(info['lidar_points'], 'lidar_points', info['lidar_points']['num_pts_feats'])
        row_bytes = 4 * info['lidar_points']['num_pts_feats']  # mmdet3d leaves it None in the sweeps
        files += [
            ExpectedFile(sweep['lidar_points']['lidar_path'], f'lidar_sweeps[{index}]', row_bytes)
            for index, sweep in enumerate(info.get('lidar_sweeps', [])[:sweeps])
        ]
    if use_camera:
        files += [ExpectedFile(camera['img_path'], f'images.{name}', None) for name, camera in info['images'].items()]
    return files


def _lidar_files(lidar: dict, key: str, features: int) -> List[ExpectedFile]:
    points = (lidar['lidar_path'], 4 * features)
    files = [ExpectedFile(points[0], f'{key}.lidar_path', points[1])]
    for name, row_bytes in (('origins_path', 12), ('semantic_path', _CLASS_BYTES)):
        if name in lidar:
            files.append(ExpectedFile(lidar[name], f'{key}.{name}', row_bytes, beside=points))
    if 'extra_lidar_path' in lidar:
        files.append(ExpectedFile(lidar['extra_lidar_path'], f'{key}.extra_lidar_path', 4 * features, True))
    return files


def mirrored_file(folder: Path, image: str) -> Path:
    """Where ``folder`` has the PNG that belongs to an image: as the image lies below the folder that ``folder`` is in,
    else by its whole path."""
    folder, place = Path(os.path.abspath(folder)), Path(os.path.abspath(image))
    root = folder.parent if folder.parent in place.parents else Path(place.anchor)
    return folder / f'{place.relative_to(root)}.png'


def check_mirrored(folder: Path, frames: Sequence[dict], what: str, advice: str) -> None:
    """``DatasetError`` with ``advice`` if ``folder`` lacks the :func:`mirrored_file` of an image of the frames."""
    images = dict.fromkeys(camera['img_path'] for frame in frames for camera in frame.get('images', {}).values())
    problems = file_problems(ExpectedFile(str(mirrored_file(folder, image)), what, None) for image in images)
    if problems:
        raise DatasetError.from_problems(f'{what} in {folder} of {len(images)} images', problems, advice)


def reading_problems(frame: dict, steps: Sequence[Any], where: str, sweeps: Optional[int]) -> List[str]:
    """Where a raw frame and the pipeline's loaders contradict each other, or sweeps are of an impossible time or place.

    Args:
        frame: as the info file has it.
        steps: transforms of the pipeline; those that load points have ``load_dim``.
        where: name of the frame.
        sweeps: how many of its sweeps are looked at, from the first; None is all.
    """
    features = frame['lidar_points']['num_pts_feats']
    problems = [
        f'{where}: lidar_points.num_pts_feats is {features}, but {type(step).__name__} of the pipeline reads '
        f'load_dim={step.load_dim} numbers per point: correct the wrong one (use_dim names the columns to take)'
        for step in steps
        if getattr(step, 'load_dim', features) != features
    ]
    read = (frame.get('lidar_sweeps') or [])[:sweeps]
    return problems + [
        f'{where}: lidar_sweeps[{number}] {problem}'
        for number, problem in enumerate(_sweep_problem(sweep, frame['timestamp']) for sweep in read)
        if problem
    ]


def _sweep_problem(sweep: dict, frame_s: float) -> Optional[str]:
    age = frame_s - sweep['timestamp']
    if not 0 <= age <= MAX_AGE_S:
        unit = 'microseconds' if abs(age) > 1e4 else 'milliseconds' if abs(age) > 20 else ''
        cause = f'time stamps in {unit}? They are seconds' if unit else 'a sweep is of the two seconds before its frame'
        return f'is {age:g} s older than its frame (expected 0 to {MAX_AGE_S:g} s): {cause}; correct or leave it out'
    matrix = np.asarray(sweep['lidar_points']['lidar2sensor'], dtype=np.float64)
    if np.abs(matrix[:3, :3] @ matrix[:3, :3].T - np.eye(3)).max() > 0.02:
        return 'has a lidar2sensor that is no rotation and translation; write inv(sweep to world) @ (frame to world)'
    distance = float(np.linalg.norm(matrix[:3, 3]))
    if distance > MAX_SPEED_M_S * age + 2:
        return (
            f'has a lidar2sensor that moves the LiDAR by {distance:.0f} m in {age:.2f} s: millimetres, or a pose in '
            'the world instead of inv(sweep to world) @ (frame to world)?'
        )
    return None


def file_problems(files: Iterable[ExpectedFile], open_files: bool = False) -> List[str]:
    """One line per unusable file, in the given order; a file that several frames share is looked at once.

    Args:
        files: what to look at.
        open_files: also decode every image and look for NaN and Inf in every point file (slow).
    """
    unique: Dict[str, ExpectedFile] = {}
    for file in files:
        unique.setdefault(file.path, file)
    todo = list(unique.values())
    chunks = [todo[start : start + _CHUNK] for start in range(0, len(todo), _CHUNK)]

    def look(chunk: List[ExpectedFile]) -> List[str]:
        lines = [_stat_problem(file) or (_content_problem(file) if open_files else None) for file in chunk]
        return [line for line in lines if line is not None]

    with ThreadPoolExecutor(_THREADS) as pool:
        return [line for lines in pool.map(look, chunks) for line in lines]


def files_advice(problems: Sequence[str]) -> str:
    """The ways out of the problems of :func:`file_problems`, for the kinds that are among them."""
    convert = 'or convert the data again (tools/create_data.py).'
    ways = {
        'does not exist': f'Correct data_root, data_prefix, ann_file (CLAP_DATA_ROOT), copy what is missing, {convert}',
        'is empty': f'Copy empty, truncated and damaged files again, {convert}',
        'truncated copy': f'Copy empty, truncated and damaged files again, {convert}',
        'cannot be decoded': f'Copy empty, truncated and damaged files again, {convert}',
        ' rows for the ': f'Files of one frame do not belong together: copy all of them, {convert}',
    }
    found = dict.fromkeys(way for sign, way in ways.items() if any(sign in problem for problem in problems))
    return ' '.join([*found, "(verify='off' switches this check off.)"])


def _stat_problem(file: ExpectedFile) -> Optional[str]:
    try:
        size = os.stat(file.path).st_size
    except OSError:
        return f'{file.path} ({file.key}) does not exist or cannot be reached'
    if size == 0 and not file.may_be_empty:
        return f'{file.path} ({file.key}) is empty'
    if file.row_bytes and size % file.row_bytes:
        return (
            f'{file.path} ({file.key}) has {size} bytes, not a multiple of {file.row_bytes} '
            f'({file.row_bytes // 4} float32 per point): truncated copy, or num_pts_feats is wrong'
        )
    return _length_problem(file, size)


def _length_problem(file: ExpectedFile, size: int) -> Optional[str]:
    if file.beside is None or file.row_bytes is None:
        return None
    other, row_bytes = file.beside
    try:
        points = os.stat(other).st_size // row_bytes
    except OSError:
        return None  # said of that file itself
    if size == file.row_bytes * points:
        return None
    return f'{file.path} ({file.key}) has {size // file.row_bytes} rows for the {points} points of {other}'


def _content_problem(file: ExpectedFile) -> Optional[str]:
    try:
        if file.row_bytes is None:
            with Image.open(file.path) as image:
                problem = mode_problem(image.mode) or image_problem(np.asarray(image.convert('RGB')))
            return f'{file.path} ({file.key}) {problem}' if problem else None
        if file.row_bytes != _CLASS_BYTES:
            rows = np.fromfile(file.path, dtype=np.float32).reshape(-1, file.row_bytes // 4)
            problem = None if file.key.endswith('origins_path') else cloud_problem(rows)
            bad = np.count_nonzero(~np.isfinite(rows))
            if problem or bad:
                return f'{file.path} ({file.key}) {problem or f"holds {bad} numbers that are NaN or Inf"}'
    except (OSError, SyntaxError, ValueError) as error:
        return f'{file.path} ({file.key}) cannot be decoded: {error}'
    return None
