"""Reads an mmdet3d info file and checks everything in it that needs no other file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List, Optional, Sequence

import numpy as np
from mmengine.fileio import load

from ..errors import DatasetError
from ..files.unpickle import load_info_pickle

MIN_DETERMINANT = 1e-8
#: How each kind of data set is made, by the first word of its info file's name; ``{folder}`` is the data set's.
MAKE = {
    'sim': 'python tools/create_data.py sim --out {folder} --scenes 4 --frames 12',
    'pandaset': 'python tools/create_data.py pandaset --root /path/to/pandaset --out {folder}',
    'nuscenes': 'python tools/create_data.py nuscenes --root {folder} --out {folder}',
    **{
        name: f'python tools/create_data.py {name} --root /path/to/{name} --out {{folder}}'
        for name in ('waymo', 'once', 'semantickitti', 'kitti_raw', 'argoverse2')
    },
}


def remake(ann_file: str, data_root: Optional[str] = None) -> str:
    """What to type to make an info file."""
    folder = Path(data_root or Path(ann_file).parent)
    for kind in (Path(ann_file).name.split('_infos')[0], folder.name):
        if kind in MAKE:
            return f'make it: {MAKE[kind].format(folder=folder)}'
    return 'make it with the converter of these data (tools/create_data.py, docs/datasets/your_own.md)'


def read_info_file(ann_file: str, data_root: Optional[str]) -> dict:
    """The content {metainfo, data_list} of ``ann_file``; ``DatasetError`` for a missing, foreign or old-format file."""
    if data_root and not Path(data_root).is_dir():
        raise DatasetError(
            f'data_root {data_root} is not a folder (seen from {Path.cwd()}); set data_root or the '
            'environment variable CLAP_DATA_ROOT to where the data lie, or '
            f'{remake(ann_file, data_root)}'
        )
    if not Path(ann_file).is_file():
        present = sorted(path.name for path in Path(ann_file).parent.glob('*.pkl'))
        raise DatasetError(
            f'info file {ann_file} does not exist ({Path(ann_file).parent} holds '
            f'{", ".join(present[:5]) or "no .pkl file"}); correct ann_file, or '
            f'{remake(ann_file, data_root)}'
        )
    try:
        content = load_info_pickle(ann_file) if Path(ann_file).suffix in ('.pkl', '.pickle') else load(ann_file)
    except Exception as error:  # a damaged pickle can raise anything
        raise DatasetError(
            f'info file {ann_file} cannot be read ({type(error).__name__}: {error}); truncated copy? '
            f'Copy it again or {remake(ann_file, data_root)}'
        ) from error
    _check_format(content, ann_file)
    return content


def _check_format(content: Any, ann_file: str) -> None:
    if isinstance(content, list) or (isinstance(content, dict) and 'infos' in content):
        raise DatasetError(
            f'info file {ann_file} has the old format of mmdet3d before 1.1 ({_describe(content)}); '
            f'expected {{metainfo, data_list}} of version 1.x. Please {remake(ann_file)}'
        )
    if not isinstance(content, dict) or not {'metainfo', 'data_list'} <= set(content):
        raise DatasetError(
            f'info file {ann_file}: expected an mmdet3d info file with metainfo and data_list, found '
            f'{_describe(content)}; correct ann_file, or {remake(ann_file)}'
        )
    if not isinstance(content['metainfo'], dict) or not isinstance(content['data_list'], (list, tuple)):
        raise DatasetError(
            f'info file {ann_file}: expected metainfo to be a dict and data_list a list, found '
            f'{_describe(content["metainfo"])} and {_describe(content["data_list"])}; '
            f'{remake(ann_file)}'
        )
    version = str(content['metainfo'].get('info_version', '1.0'))
    if not version.startswith('1.'):
        raise DatasetError(
            f'info file {ann_file} has info_version {version}; this program reads 1.x. Please {remake(ann_file)}'
        )
    if not content['data_list']:
        raise DatasetError(f'info file {ann_file} holds no frame; {remake(ann_file)}')


def _describe(content: Any) -> str:
    if isinstance(content, dict):
        return f'a dict with keys {", ".join(sorted(map(str, content))[:6])}'
    return f'a {type(content).__name__}'


def check_cameras_exist(raw: dict, cameras: Sequence[str], ann_file: str) -> None:
    """``DatasetError`` when a camera that was asked for is not in the frame."""
    missing = [name for name in cameras if name not in raw.get('images', {})]
    if missing:
        raise DatasetError(
            f'{ann_file}: no camera named {", ".join(missing)}; the file has '
            f'{", ".join(raw.get("images", {})) or "none"}. Correct `cameras` of the data set'
        )


def frame_name(raw: dict, index: int) -> str:
    """What messages call a frame."""
    return f'frame {index} ({raw.get("token", raw.get("sample_idx", "no token"))})'


def frame_problems(raw: dict, index: int, use_camera: bool, use_lidar: bool, sweeps: Optional[int] = None) -> List[str]:
    """What is wrong with the keys and matrices of one frame (empty when all is well).

    Args:
        raw: as in the info file.
        index: its place there.
        use_camera, use_lidar: what of it is used.
        sweeps: how many of its earlier sweeps are used, from the first; None is all.
    """
    if _all_well(raw, use_camera, use_lidar, sweeps):
        return []
    where = frame_name(raw, index)
    problems = []
    if use_lidar:
        lidar = raw.get('lidar_points', {})
        problems += [
            f'{where}: key lidar_points.{key} is missing' for key in ('lidar_path', 'num_pts_feats') if key not in lidar
        ]
        for number, sweep in enumerate(raw.get('lidar_sweeps', [])[:sweeps]):
            name, points = f'{where}: lidar_sweeps[{number}].lidar_points', sweep.get('lidar_points', {})
            problems += [] if 'lidar_path' in points else [f'{name}.lidar_path is missing']
            problems += _matrix_problems(points.get('lidar2sensor'), f'{name}.lidar2sensor', ((4, 4),))
    if use_camera:
        if not raw.get('images'):
            problems.append(f'{where}: key images is missing or empty')
        for name, camera in raw.get('images', {}).items():
            if 'img_path' not in camera:
                problems.append(f'{where}: images.{name}.img_path is missing')
            problems += _matrix_problems(camera.get('lidar2cam'), f'{where}: images.{name}.lidar2cam', ((4, 4),))
            problems += _matrix_problems(
                camera.get('cam2img'), f'{where}: images.{name}.cam2img', ((3, 3), (3, 4), (4, 4))
            )
    return problems


def _all_well(raw: dict, use_camera: bool, use_lidar: bool, used_sweeps: Optional[int]) -> bool:
    """Quick look at all matrices of a frame at once; False asks for the slow one that finds names for what is wrong."""
    stacks = []
    try:
        if use_lidar:
            raw['lidar_points']['lidar_path'], raw['lidar_points']['num_pts_feats']
            sweeps = [sweep['lidar_points'] for sweep in raw.get('lidar_sweeps', [])[:used_sweeps]]
            [sweep['lidar_path'] for sweep in sweeps]
            stacks.append([sweep['lidar2sensor'] for sweep in sweeps])
        if use_camera:
            [camera['img_path'] for camera in raw['images'].values()]
            stacks += [[camera[key] for camera in raw['images'].values()] for key in ('lidar2cam', 'cam2img')]
        arrays = [np.array(stack, dtype=np.float64) for stack in stacks if stack]
    except (KeyError, TypeError, ValueError):
        return False
    shapes = [array.shape[1:] for array in arrays]
    if (use_camera and not raw['images']) or any(shape != (4, 4) for shape in shapes[:-1]):
        return False
    if shapes and shapes[-1] not in (((3, 3), (3, 4), (4, 4)) if use_camera else ((4, 4),)):
        return False
    return all(
        np.isfinite(array).all() and (np.abs(np.linalg.det(array[:, :3, :3])) >= MIN_DETERMINANT).all()
        for array in arrays
    )


def _matrix_problems(matrix: Any, name: str, shapes: Sequence[tuple]) -> List[str]:
    if matrix is None:
        return [f'{name} is missing']
    try:
        values = np.asarray(matrix, dtype=np.float64)
    except (TypeError, ValueError):
        return [f'{name} is not a matrix of numbers']
    if values.shape not in shapes:
        return [f'{name} has shape {values.shape}, expected {" or ".join(map(str, shapes))}']
    if not np.isfinite(values).all():
        return [f'{name} holds NaN or Inf']
    if abs(np.linalg.det(values[:3, :3])) < MIN_DETERMINANT:
        return [f'{name} is singular: its 3x3 part has no inverse']
    return []
