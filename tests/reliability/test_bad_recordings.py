"""Damaged recordings in native layouts: a converter reads on, or names the file that is at fault; nothing else."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Callable, Dict, List

import numpy as np
import pytest

from projects.CLAP.clap.datasets.converters import argoverse2, kitti_raw, once, semantickitti, waymo
from projects.CLAP.clap.datasets.converters.conversion import Segment
from projects.CLAP.clap.errors import DataError
from tests.fixtures import argoverse2_log, kitti_recordings, once_recording, waymo_recording
from tests.reliability.test_bad_data import damage

#: Cases of each kind of recording.
CASES = 80


def write_semantickitti(root: Path) -> Callable[[Path], List[dict]]:
    kitti_recordings.write_sequence(root, frames=(0, 1))
    return lambda out: semantickitti.convert_sequence(root, out, ('image_2',), Segment('08', ('val',)))


def write_kitti_raw(root: Path) -> Callable[[Path], List[dict]]:
    drive = kitti_recordings.write_drive(root, frames=(0, 1)).name
    return lambda out: kitti_raw.convert_drive(root, out, ('image_02',), Segment(drive, ('train',)))


def write_argoverse2(root: Path) -> Callable[[Path], List[dict]]:
    log = argoverse2_log.write_log(root, sweeps=2)
    for folder in (log / 'sensors' / 'cameras').iterdir():
        if folder.name != 'ring_front_center':
            shutil.rmtree(folder)
    segment = Segment(f'val/{log.name}', ('val',))
    return lambda out: argoverse2.convert_log(root, out, ('ring_front_center',), segment)


def write_waymo(root: Path) -> Callable[[Path], List[dict]]:
    waymo_recording.write_parquet(root)
    return lambda out: waymo.convert_segment(root, out, Segment('seg', ('train',)))


def write_waymo_v1(root: Path) -> Callable[[Path], List[dict]]:
    waymo_recording.write_tfrecord(root)
    return lambda out: waymo.convert_segment(root, out, Segment('seg', ('train',)))


def write_once(root: Path) -> Callable[[Path], List[dict]]:
    once_recording.write_sequence(root, distortion=(-0.1, 0.02, 0.0, 0.0, 0.0), size=(192, 102))
    return lambda out: once.convert_segment(root, out, Segment('000076', ('train',)))


RECORDINGS: Dict[str, Callable] = dict(
    semantickitti=write_semantickitti,
    kitti_raw=write_kitti_raw,
    argoverse2=write_argoverse2,
    waymo=write_waymo,
    waymo_v1=write_waymo_v1,
    once=write_once,
)


def odd_numbers(text: str, rng: random.Random) -> str:
    """One number of a text file replaced."""
    words = text.split(' ')
    words[rng.randrange(len(words))] = rng.choice(['nan', 'inf', '1e300', '-1e39', '0', '', 'text', '1e-300'])
    return ' '.join(words)


@pytest.mark.parametrize('kind', RECORDINGS)
def test_damage_is_named_or_harmless(kind: str, tmp_path: Path) -> None:
    rng, outcome = random.Random(kind), []
    convert = RECORDINGS[kind](tmp_path / 'raw')
    files = sorted(path for path in (tmp_path / 'raw').rglob('*') if path.is_file())
    for case in range(CASES):
        path = rng.choice(files)
        good = path.read_bytes()
        if case % 8 == 0:
            path.unlink()
        elif path.suffix == '.txt' and case % 2:
            path.write_text(odd_numbers(good.decode(), rng))
        else:
            path.write_bytes(damage(good, rng))
        try:
            frames = convert(tmp_path / 'out')
        except DataError as error:
            assert path.stem in str(error) or path.parent.name in str(error), (path, error)
            outcome.append('refused')
        else:
            outcome.append('converted')
            for frame in frames:
                assert_finite(tmp_path / 'out', frame)
        path.write_bytes(good)
    assert 10 < outcome.count('refused') < CASES - 5, outcome


def assert_finite(out: Path, frame: dict) -> None:
    """What is written can be trained on: points, origins, matrices. Native points are the loader's to check."""
    for key in ('lidar_path', 'origins_path'):
        if not Path(frame['lidar_points'].get(key, '/')).is_absolute():
            assert np.isfinite(np.fromfile(out / frame['lidar_points'][key], np.float32)).all(), key
    for matrix in (frame['ego2global'], *(view['lidar2cam'] for view in frame['images'].values())):
        assert np.isfinite(np.array(matrix)).all()
    for box in frame['instances']:
        assert np.isfinite(box['bbox_3d']).all()
