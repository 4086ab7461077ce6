"""nuScenes info files, made by the converter that mmdetection3d ships.

The two converter scripts lie outside mmdetection3d's package (``mmdet3d/.mim/tools/dataset_converters``). They are
loaded from there as private modules, so that they neither need nor disturb a ``tools`` package on the search path,
and are handed an opened ``NuScenes``, because the second one would otherwise look for ``./data/nuscenes``.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import io
import json
import shutil
import tempfile
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Dict, Optional, Set

from ...errors import ConfigError
from .conversion import left_out, progress

VERSIONS = ('v1.0-trainval', 'v1.0-mini')
TABLES = (
    'category',
    'attribute',
    'visibility',
    'instance',
    'sensor',
    'calibrated_sensor',
    'ego_pose',
    'log',
    'scene',
    'sample',
    'sample_data',
    'sample_annotation',
    'map',
)
FULL_IMAGE = (1600, 900)
CAMERAS = ('CAM_FRONT', 'CAM_FRONT_RIGHT', 'CAM_FRONT_LEFT', 'CAM_BACK', 'CAM_BACK_LEFT', 'CAM_BACK_RIGHT')
POINT_BYTES = 20
SCRIPTS = '.mim/tools/dataset_converters'


def write_nuscenes_infos(
    root: Path,
    out: Path,
    version: str = 'v1.0-trainval',
    prefix: str = 'nuscenes',
    max_sweeps: int = 10,
    damaged: Optional[Dict[str, str]] = None,
) -> list[Path]:
    """Write ``<prefix>_infos_train.pkl`` and ``<prefix>_infos_val.pkl`` (info version 1.1).

    Scenes without LiDAR, as in a partial download, are left out, and told; a split that has no other gets no file.

    Args:
        root: dataset root that holds ``<version>/``, ``samples/``, ``sweeps/`` and ``maps/``.
        out: folder for the two files; nothing else is left there.
        version: ``v1.0-trainval`` or ``v1.0-mini``; test tables are not needed.
        max_sweeps: number of earlier sweeps listed per keyframe.
        damaged: gets name -> what is wrong of every scene that is left out; without it one is an error.

    Returns:
        The paths of the files. Sweep paths inside are relative to ``root``.
    """
    root, out = Path(root), Path(out)
    check_tables(root, version)
    out.mkdir(parents=True, exist_ok=True)
    import mmengine
    from nuscenes.nuscenes import NuScenes
    from nuscenes.utils import splits

    converter, updater = (_private(f'{SCRIPTS}/{name}') for name in ('nuscenes_converter', 'update_infos_to_v2'))
    told = {'track_iter_progress': lambda items: progress(items, len(items))}
    converter.mmengine = updater.mmengine = SimpleNamespace(**{**vars(mmengine), **told})
    nusc = NuScenes(version=version, dataroot=str(root), verbose=False)
    problems = {scene['name']: problem for scene in nusc.scene for problem in [scene_problem(nusc, scene)] if problem}
    left_out(problems, len(nusc.scene), 'stop' if damaged is None else 'skip')
    (damaged if damaged is not None else {}).update(problems)
    present = {scene['name']: scene['token'] for scene in nusc.scene if scene['name'] not in problems}
    train_names, val_names = (
        (splits.train, splits.val) if version == 'v1.0-trainval' else (splits.mini_train, splits.mini_val)
    )
    train = {present[n] for n in train_names if n in present}
    val = {present[n] for n in val_names if n in present}
    infos = dict(
        zip(
            ('train', 'val'),
            converter._fill_trainval_infos(_Part(nusc, train | val), train, val, max_sweeps=max_sweeps),
        )
    )
    boxes = _private('datasets/convert_utils')
    # Image boxes are clipped at the true image size, not at 1600 x 900.
    boxes.post_process_coords = functools.partial(boxes.post_process_coords, imsize=_camera_size(nusc))
    updater.get_nuscenes_2d_boxes, updater.NuScenes = boxes.get_nuscenes_2d_boxes, lambda **_: nusc
    work = Path(tempfile.mkdtemp(prefix='.infos-', dir=out))
    paths = []
    try:
        for split, items in infos.items():
            if not items:
                continue
            path = work / 'v1' / f'{prefix}_infos_{split}.pkl'
            path.parent.mkdir(exist_ok=True)
            mmengine.dump({'infos': items, 'metadata': {'version': version}}, str(path))
            # The script speaks of overwriting the original, which here is a temporary file.
            with contextlib.redirect_stdout(io.StringIO()):
                updater.update_nuscenes_infos(pkl_path=str(path), out_dir=str(work))
            _finish(work / path.name, nusc)
            paths.append(Path(shutil.move(str(work / path.name), str(out / path.name))))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return paths


class _Part:
    """The devkit's tables with the samples of some scenes alone, for a loop over all of them."""

    def __init__(self, nusc: Any, scenes: Set[str]) -> None:
        self._nusc, self.sample = nusc, [sample for sample in nusc.sample if sample['scene_token'] in scenes]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._nusc, name)


def scene_problem(nusc: Any, scene: dict) -> Optional[str]:
    """Why a scene cannot be converted: a keyframe whose LiDAR file is not there, empty or cut off; None if it can."""
    token = scene['first_sample_token']
    while token:
        sample = nusc.get('sample', token)
        missing = [sensor for sensor in ('LIDAR_TOP', *CAMERAS) if sensor not in sample['data']]
        if missing:
            return f'{scene["name"]}: a keyframe has no entry of {", ".join(missing)} in the tables'
        path = Path(nusc.get_sample_data_path(sample['data']['LIDAR_TOP']))
        size = path.stat().st_size if path.is_file() else 0
        if size == 0 or size % POINT_BYTES:
            state = f'has {size} bytes, no whole number of points' if size else 'is missing or empty'
            return f'{scene["name"]}: {path} {state}'
        token = sample['next']
    return None


def check_tables(root: Path, version: str) -> None:
    """Raise an error that names what is missing below ``root`` before anything slow begins."""
    if version not in VERSIONS:
        raise ConfigError(f'--version must be one of {", ".join(VERSIONS)}, got {version!r}')
    folder = root / version
    missing = [f'{t}.json' for t in TABLES if not (folder / f'{t}.json').is_file()]
    if missing:
        raise FileNotFoundError(
            f'{folder} lacks {", ".join(missing)}: download the metadata archive of {version} from '
            'nuscenes.org (Full dataset or Mini) and unpack it below --root'
        )
    for record in json.loads((folder / 'map.json').read_text()):
        if not (root / record['filename']).is_file():
            raise FileNotFoundError(
                f'{root / record["filename"]} is missing: the maps/ folder with its PNG masks is '
                f'part of the metadata archive of {version} from nuscenes.org'
            )
    if not (root / 'samples').is_dir():
        raise FileNotFoundError(f'{root / "samples"} is missing: unpack the sensor archives of {version} below --root')


def _private(name: str) -> ModuleType:
    """A file of mmdetection3d as a module of our own, which no import statement can see and which may be changed."""
    import mmdet3d

    path = Path(mmdet3d.__file__).parent / f'{name}.py'
    if not path.is_file():
        raise FileNotFoundError(f'{path} is missing: install the mmdet3d 1.4.0 wheel, which ships its converters there')
    spec = importlib.util.spec_from_file_location(f'_clap_mmdet3d_{path.stem}', path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _camera_size(nusc) -> tuple[int, int]:
    """Width and height of the camera images."""
    for record in nusc.sample_data:
        if record['sensor_modality'] == 'camera':
            return int(record['width']), int(record['height'])
    return FULL_IMAGE


def _finish(path: Path, nusc) -> None:
    """Store sweep paths relative to the data root, and the files of the points' classes where nuScenes-lidarseg is.

    The dataset class only uses the file's name and whether 'samples' occurs in the path, which goes wrong when a folder
    above the root has that word in its name.
    """
    import mmengine

    content = mmengine.load(str(path))
    lidarseg = {record['sample_data_token']: record['filename'] for record in getattr(nusc, 'lidarseg', ())}
    if lidarseg:
        content['metainfo']['semantic_classes'] = dict(nusc.lidarseg_name2idx_mapping)
    for item in content['data_list']:
        for sweep in item.get('lidar_sweeps', []):  # absent at a scene's first keyframe
            parts = Path(sweep['lidar_points']['lidar_path']).parts[-3:]
            sweep['lidar_points']['lidar_path'] = str(Path(*parts))
        token = nusc.get('sample', item['token'])['data']['LIDAR_TOP']
        if token in lidarseg:
            item['lidar_points']['semantic_path'] = str(Path(*Path(lidarseg[token]).parts[-2:]))
    mmengine.dump(content, str(path))
