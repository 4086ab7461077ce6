"""Files of a possible size and entries of the right kind whose numbers are impossible: refused with the cause named."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any, Callable, Dict, Tuple

import numpy as np
import pytest
from PIL import Image

from projects.CLAP.clap.datasets import CLAPDataset, DataError
from tests.fixtures.driving_frames import PIPELINE, frame_info, write_dataset, write_infos


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_dataset(tmp_path, 3)
    return tmp_path


def dataset(folder: Path, **arguments: Any) -> CLAPDataset:
    return CLAPDataset(**{**dict(data_root=str(folder), ann_file='infos.pkl', pipeline=PIPELINE), **arguments})


def street_of(columns: int = 5, number: int = 3000) -> np.ndarray:
    """(number, columns) float32 like a sweep: a road, walls, an intensity and a ring."""
    rng = np.random.default_rng(0)
    distance, angle = rng.gamma(2.0, 8.0, number) + 2, rng.uniform(0, 2 * np.pi, number)
    z = np.where(rng.random(number) < 0.6, rng.normal(-1.8, 0.05, number), rng.uniform(-1.5, 4, number))
    more = [rng.gamma(1.0, 20.0, number).clip(0, 255), rng.integers(0, 32, number), rng.uniform(0, 0.1, number)]
    return np.column_stack([distance * np.cos(angle), distance * np.sin(angle), z, *more])[:, :columns].astype(
        np.float32
    )


def _some_rows(value: float) -> np.ndarray:
    points = street_of()
    points[np.random.default_rng(1).random(len(points)) < 0.3, :3] = value
    return points


#: What is written into a point file, with bytes of a possible size, and what the message has to name.
IMPOSSIBLE_POINTS: Dict[str, Tuple[Callable[[], np.ndarray], str]] = {
    'float64': (lambda: street_of().astype(np.float64), 'float64 numbers, 5 a point'),
    'float64, all digits': (lambda: street_of() + np.full((1, 5), np.pi * 1e-9), 'float64 numbers, 5 a point'),
    'float64 with few digits': (lambda: np.round(street_of().astype(np.float64) * 8) / 8, 'float64 numbers'),
    'float64, four columns': (lambda: street_of(4, 5000).astype(np.float64), 'float64 numbers, 4 a point'),
    'float16': (lambda: street_of(5, 4000).astype(np.float16), 'float16 numbers'),
    'big-endian': (lambda: street_of().astype('>f4'), 'big-endian float32'),
    'int32 millimetres': (lambda: (street_of() * 1000).astype(np.int32), 'int32 numbers'),
    'int16 centimetres': (lambda: (street_of(5, 4000) * 100).astype(np.int16), 'int16 numbers'),
    'four columns': (lambda: street_of(4, 5000), 'has 4 numbers per point and not 5'),
    'six columns': (lambda: street_of(6, 5000), 'has 6 numbers per point and not 5'),
    'three columns': (lambda: street_of(3, 5000), 'has 3 numbers per point and not 5'),
    'zeros for missing returns': (lambda: _some_rows(0.0), 'x = y = z = 0 in 3'),
    'denormals for missing returns': (lambda: _some_rows(1e-42), 'x = y = z = 0 in 3'),
    '-1 for missing returns': (lambda: _some_rows(-1.0), 'the same x, y, z in 3'),
    'nothing but zeros': (lambda: street_of() * 0, 'x = y = z = 0 in 100%'),
    'millimetres': (lambda: street_of() * np.float32([1e3, 1e3, 1e3, 1, 1]), 'millimetres or centimetres'),
    'kilometres': (lambda: street_of() * np.float32([1e-3, 1e-3, 1e-3, 1, 1]), 'kilometres'),
    'the world': (lambda: street_of() + np.float32([6e5, 4e6, 0, 0, 0]), 'world coordinates'),
    'noise': (lambda: np.random.default_rng(0).integers(0, 256, 40000).astype(np.uint8), 'no float32'),
}


@pytest.mark.parametrize('name', list(IMPOSSIBLE_POINTS))
def test_bytes_of_a_possible_size_that_are_no_points(folder: Path, name: str) -> None:
    make, cause = IMPOSSIBLE_POINTS[name]
    (folder / '1.bin').write_bytes(make().tobytes())
    with pytest.raises(DataError, match='1.bin.*' + re.escape(cause)):
        dataset(folder)[1]
    with pytest.raises(DataError, match='1.bin.*' + re.escape(cause)):
        dataset(folder, verify='full')
    (folder / '1.bin').write_bytes(street_of().tobytes())
    assert len(dataset(folder, verify='full')[1]['inputs']['keyframe_points']) == 3000


def test_point_files_of_other_formats(folder: Path) -> None:
    for content, what in (
        (io.BytesIO(), '.npy file'),
        (b'# .PCD v0.7\n' + b' ' * 88, 'PCD file'),
        (b'ply\n' * 25, 'PLY'),
    ):
        if isinstance(content, io.BytesIO):
            np.save(content, street_of())
            content = content.getvalue()
        (folder / '1.bin').write_bytes(content)
        with pytest.raises(DataError, match=f'1.bin is an? {what}'):
            dataset(folder, verify='off')[1]


def test_missing_returns_can_be_left_out(folder: Path) -> None:
    points = _some_rows(0.0)
    points[:5, 0] = np.nan
    points.tofile(folder / '1.bin')
    lidar = dict(lidar_path='1.bin', lidar2sensor=np.eye(4).tolist())
    write_infos(
        folder / 'infos.pkl',
        [dict(frame_info(1), lidar_sweeps=[dict(timestamp=100.4, lidar_points=lidar)])],
    )
    steps = [dict(type='CLAPLoadKeyframe', nonfinite='drop'), dict(type='CLAPLoadSweeps', nonfinite='drop')]
    inputs = dataset(folder, pipeline=[*steps, *PIPELINE[1:]])[0]['inputs']
    assert 1900 < len(inputs['keyframe_points']) < 2200
    assert (inputs['keyframe_points'] != 0).any(dim=1).all() and (inputs['points'][:, 4] > 0).sum() > 1000


#: Images that decode, and what the message has to name.
IMPOSSIBLE_IMAGES: Dict[str, Tuple[Callable[[], Image.Image], str]] = {
    'all white': (lambda: Image.new('RGB', (160, 90), 'white'), 'is white everywhere'),
    'all black': (lambda: Image.new('L', (160, 90)), 'is black everywhere'),
    'nearly black': (lambda: Image.effect_noise((160, 90), 9).point(lambda v: v // 100), 'is black everywhere'),
    'one colour': (lambda: Image.new('RGB', (160, 90), (10, 120, 40)), 'is one colour'),
    '16 bits': (lambda: Image.fromarray(np.arange(14400, dtype=np.uint16).reshape(90, 160) * 4), '16 bits (mode I;16)'),
    '32 bits': (
        lambda: Image.fromarray(np.arange(14400, dtype=np.int32).reshape(90, 160)),
        'more than 8 bits (mode I)',
    ),
    'float': (lambda: Image.fromarray(np.random.default_rng(0).random((90, 160), dtype=np.float32)), 'float image'),
    'a mask': (lambda: Image.effect_noise((160, 90), 90).convert('1'), 'a mask of one bit'),
}


@pytest.mark.parametrize('name', list(IMPOSSIBLE_IMAGES))
def test_images_that_show_nothing(folder: Path, name: str) -> None:
    make, cause = IMPOSSIBLE_IMAGES[name]
    path = folder / 'CAM_FRONT_1.png'
    image = make()
    image.save(path, 'TIFF' if image.mode in ('F', 'I') else 'PNG')
    for load in (lambda: dataset(folder, verify='off')[1], lambda: dataset(folder, verify='full')):
        with pytest.raises(DataError, match='CAM_FRONT_1.png.*' + re.escape(cause)):
            load()


def _with_sweep(time: float = 100.4, matrix: Any = None, **points: Any) -> dict:
    lidar = dict(lidar_path='0.bin', lidar2sensor=(np.eye(4) if matrix is None else matrix).tolist())
    info = dict(frame_info(1), lidar_sweeps=[dict(timestamp=time, lidar_points=lidar)])
    info['lidar_points'].update(points)
    return info


MILLIMETRES, SCALED = np.eye(4), np.eye(4)
MILLIMETRES[0, 3], SCALED[:3, :3] = 500.0, 2 * np.eye(3)
#: Entries whose numbers cannot be, and what the message has to name.
IMPOSSIBLE_ENTRIES: Dict[str, Tuple[Callable[[], dict], str]] = {
    'microseconds': (lambda: dict(_with_sweep(100.45e6), timestamp=100.5e6), 'microseconds'),
    'sweep in microseconds': (lambda: _with_sweep(100.45e6), 'microseconds'),
    'milliseconds': (lambda: dict(_with_sweep(100.45e3), timestamp=100.5e3), 'milliseconds'),
    'a later sweep': (lambda: _with_sweep(100.6), 'expected 0 to 2 s'),
    'an old sweep': (lambda: _with_sweep(97.0), 'expected 0 to 2 s'),
    'four columns': (lambda: _with_sweep(num_pts_feats=4), 'num_pts_feats is 4, but CLAPLoadKeyframe .* load_dim=5'),
    'a step of 500 m': (lambda: _with_sweep(matrix=MILLIMETRES), 'moves the LiDAR by 500 m in 0.10 s: millimetres'),
    'a scale': (lambda: _with_sweep(matrix=SCALED), 'no rotation and translation'),
}


@pytest.mark.parametrize('name', list(IMPOSSIBLE_ENTRIES))
def test_entries_that_contradict_themselves(folder: Path, name: str) -> None:
    make, cause = IMPOSSIBLE_ENTRIES[name]
    write_infos(folder / 'infos.pkl', [frame_info(0), make()])
    steps = [PIPELINE[0], dict(type='CLAPLoadSweeps'), *PIPELINE[1:]]
    with pytest.raises(DataError, match=f'frame 1.*{cause}'):
        dataset(folder, pipeline=steps)
    if 'columns' not in name:
        dataset(folder)  # sweeps that nothing reads may be anything
        assert len(dataset(folder, pipeline=steps, on_broken_frame='skip')) == 1
