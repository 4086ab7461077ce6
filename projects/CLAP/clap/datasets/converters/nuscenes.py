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
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Iterator

from ...errors import ConfigError

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


def write_nuscenes_infos(
    root: Path, out: Path, version: str = 'v1.0-trainval', prefix: str = 'nuscenes', max_sweeps: int = 10
) -> list[Path]:
    """Write ``<prefix>_infos_train.pkl`` and ``<prefix>_infos_val.pkl`` (info version 1.1).

    Args:
        root: dataset root that holds ``<version>/``, ``samples/``, ``sweeps/`` and ``maps/``.
        out: folder for the two files; nothing else is left there.
        version: ``v1.0-trainval`` or ``v1.0-mini``; test tables are not needed.
        max_sweeps: number of earlier sweeps listed per keyframe.

    Returns:
        The paths of the two files. Sweep paths inside are relative to ``root``.
    """
    root, out = Path(root), Path(out)
    check_tables(root, version)
    out.mkdir(parents=True, exist_ok=True)
    import mmengine
    from nuscenes.nuscenes import NuScenes
    from nuscenes.utils import splits

    converter, updater = _script('nuscenes_converter'), _script('update_infos_to_v2')
    nusc = NuScenes(version=version, dataroot=str(root), verbose=False)
    present = {s['name']: s['token'] for s in converter.get_available_scenes(nusc)}
    train_names, val_names = (
        (splits.train, splits.val) if version == 'v1.0-trainval' else (splits.mini_train, splits.mini_val)
    )
    train = {present[n] for n in train_names if n in present}
    val = {present[n] for n in val_names if n in present}
    with plain_progress():
        infos = dict(zip(('train', 'val'), converter._fill_trainval_infos(nusc, train, val, max_sweeps=max_sweeps)))
    updater.NuScenes = lambda **_: nusc
    work = Path(tempfile.mkdtemp(prefix='.infos-', dir=out))
    paths = []
    try:
        for split, items in infos.items():
            path = work / 'v1' / f'{prefix}_infos_{split}.pkl'
            path.parent.mkdir(exist_ok=True)
            mmengine.dump({'infos': items, 'metadata': {'version': version}}, str(path))
            # The script speaks of overwriting the original, which here is a temporary file; its progress bar stays.
            with plain_progress(), _image_size(_camera_size(nusc)), contextlib.redirect_stdout(io.StringIO()):
                updater.update_nuscenes_infos(pkl_path=str(path), out_dir=str(work))
            _make_relative(work / path.name, root)
            paths.append(Path(shutil.move(str(work / path.name), str(out / path.name))))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return paths


@contextlib.contextmanager
def plain_progress() -> Iterator[None]:
    """MMEngine's progress bars as a line for every tenth of the work, where they would fill a file with ``\\r``."""
    from mmengine.utils import ProgressBar, Timer

    if sys.stdout.isatty():
        yield
        return

    def update(bar: ProgressBar, num_tasks: int = 1) -> None:
        tenth = 10 * bar.completed // max(bar.task_num, 1)
        bar.completed += num_tasks
        if 10 * bar.completed // max(bar.task_num, 1) > tenth:
            bar.file.write(f'{bar.completed} of {bar.task_num}, {bar.timer.since_start():.0f} s\n')

    def start(bar: ProgressBar) -> None:
        bar.timer = Timer()

    kept = ProgressBar.start, ProgressBar.update
    ProgressBar.start, ProgressBar.update = start, update
    try:
        yield
    finally:
        ProgressBar.start, ProgressBar.update = kept


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


def _script(name: str) -> ModuleType:
    """Load one of mmdetection3d's converter scripts as a module that no import statement can see."""
    import mmdet3d

    path = Path(mmdet3d.__file__).parent / '.mim' / 'tools' / 'dataset_converters' / f'{name}.py'
    if not path.is_file():
        raise FileNotFoundError(f'{path} is missing: install the mmdet3d 1.4.0 wheel, which ships its converters there')
    spec = importlib.util.spec_from_file_location(f'_clap_mmdet3d_{name}', path)
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


@contextlib.contextmanager
def _image_size(size: tuple[int, int]) -> Iterator[None]:
    """Let mmdetection3d clip image boxes at the true image size; its converter assumes 1600 x 900."""
    from mmdet3d.datasets import convert_utils

    original = convert_utils.post_process_coords
    convert_utils.post_process_coords = functools.partial(original, imsize=size)
    try:
        yield
    finally:
        convert_utils.post_process_coords = original


def _make_relative(path: Path, root: Path) -> None:
    """Store sweep paths relative to the data root.

    The dataset class only uses the file's name and whether 'samples' occurs in the path, which goes wrong when a folder
    above the root has that word in its name.
    """
    import mmengine

    content = mmengine.load(str(path))
    for item in content['data_list']:
        for sweep in item.get('lidar_sweeps', []):  # absent at a scene's first keyframe
            parts = Path(sweep['lidar_points']['lidar_path']).parts[-3:]
            sweep['lidar_points']['lidar_path'] = str(Path(*parts))
    mmengine.dump(content, str(path))
