"""Generated bad data: every case loads, or ends in an error that names the cause; nothing hangs, nothing runs.

The numbers of cases are fixed (CASES below, 700 in all) and the draws are seeded, so that a failure can be repeated.
"""

from __future__ import annotations

import copy
import io
import json
import pickle
import random
from pathlib import Path
from typing import Any, Callable, List

import numpy as np
import pandas as pd
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from PIL import Image

from projects.CLAP.clap.datasets import CLAPDataset, DataError
from projects.CLAP.clap.datasets.converters.pandaset_reader import find_sequences
from projects.CLAP.clap.engine.config.check import check_config
from projects.CLAP.clap.errors import ConfigError
from projects.CLAP.clap.files.pickled_table import read_table
from tests.fixtures.driving_frames import PIPELINE, frame_info, make_points, write_dataset, write_infos
from tests.fixtures.tiny import tiny_model

CASES = dict(
    point_files=100,
    images=100,
    info_entries=120,
    info_bytes=60,
    calibrations=80,
    labels=60,
    tables=80,
    json=40,
    configs=60,
)
#: Values where something else is expected.
ODD: List[Any] = [
    None,
    '',
    'text',
    -1,
    0,
    10**12,
    1e308,
    float('nan'),
    float('inf'),
    [],
    {},
    [1],
    {'a': 1},
    b'\0',
    True,
    [[float('nan')] * 4] * 4,
    [[0.0] * 4] * 4,
    [[1e300] * 4] * 4,
    np.zeros((4, 4)),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    init_default_scope('mmdet3d')
    write_dataset(tmp_path, 3)
    return tmp_path


def dataset(folder: Path, **arguments) -> CLAPDataset:
    return CLAPDataset(
        **{**dict(data_root=str(folder), ann_file='infos.pkl', pipeline=PIPELINE, serialize_data=False), **arguments}
    )


def loads_or_says_why(load: Callable[[], Any], names: str, outcome: List[str], errors: tuple = (DataError,)) -> Any:
    """The result, or None after an error of ours whose message holds ``names`` (a file, or the frame)."""
    try:
        result = load()
    except errors as error:
        assert names in str(error), f'{type(error).__name__} does not name {names!r}: {error}'
        outcome.append('refused')
        return None
    outcome.append('loaded')
    return result


def assert_finite(sample: dict) -> None:
    for name, value in sample['inputs'].items():
        assert torch.isfinite(value.float()).all(), name
    for name in ('cam2img', 'lidar2img', 'cam2lidar', 'lidar_aug_matrix'):
        assert np.isfinite(np.asarray(sample['data_samples'].metainfo[name])).all(), name


def damage(content: bytes, rng: random.Random) -> bytes:
    """Cut, overwrite, insert, repeat, or replace by noise."""
    if not content:
        return b''
    kind, data = rng.randrange(6), bytearray(content)
    place = rng.randrange(len(data))
    if kind == 0:
        return bytes(data[:place])
    if kind == 1:
        for _ in range(rng.randint(1, 50)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        return bytes(data)
    if kind == 2:
        return bytes(data[:place]) + rng.randbytes(rng.randint(1, 40)) + bytes(data[place:])
    if kind == 3:
        return bytes(data) * 2
    if kind == 4:
        return rng.randbytes(rng.randint(0, 400))
    return bytes(data[:place]) + bytes(len(data) - place)


def test_point_files(folder: Path) -> None:
    rng, outcome = random.Random(1), []
    good = (folder / '1.bin').read_bytes()
    for case in range(CASES['point_files']):
        content = damage(good, rng)
        if case % 3 == 0:  # numbers that are wrong rather than bytes
            points = make_points(np.random.default_rng(case), 50)
            points[rng.randrange(50), rng.randrange(5)] = rng.choice(
                [np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-45, 1e20]
            )
            content = points.tobytes()
        (folder / '1.bin').write_bytes(content)
        sample = loads_or_says_why(
            lambda: dataset(folder, verify=rng.choice(['off', 'stat', 'full']))[1], '1.bin', outcome
        )
        if sample is not None:
            assert_finite(sample)
    assert {'loaded', 'refused'} == set(outcome) and len(outcome) == CASES['point_files']


def test_images(folder: Path) -> None:
    rng, outcome = random.Random(2), []
    path = folder / 'CAM_FRONT_1.png'
    png, jpeg = path.read_bytes(), io.BytesIO()
    Image.open(path).save(jpeg, 'JPEG')
    for case in range(CASES['images']):
        content = damage(rng.choice([jpeg.getvalue(), png]), rng)
        if case % 10 == 9:  # other sizes and modes
            odd = io.BytesIO()
            Image.new(rng.choice(['L', 'RGBA', '1', 'P', 'I;16']), (rng.randint(1, 300), rng.randint(1, 300))).save(
                odd, 'PNG'
            )
            content = odd.getvalue()
        path.write_bytes(content)
        sample = loads_or_says_why(lambda: dataset(folder, verify='off')[1], 'CAM_FRONT_1.png', outcome)
        if sample is not None:
            assert sample['inputs']['img'].shape == (2, 3, 64, 128)
    assert {'loaded', 'refused'} == set(outcome) and len(outcome) == CASES['images']


def mutate(node: Any, rng: random.Random) -> None:
    """Delete, replace or rename one entry somewhere in nested dicts and lists."""
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            return
        key = rng.choice(keys)
        if isinstance(node[key], (dict, list)) and node[key] and rng.random() < 0.7:
            node = node[key]
            continue
        change = rng.randrange(3)
        if change == 0:
            del node[key]
        elif change == 1 or not isinstance(node, dict):
            node[key] = copy.deepcopy(rng.choice(ODD))
        else:
            node[f'{key}_'] = node.pop(key)
        return


def test_entries_of_info_files(folder: Path) -> None:
    """An entry is named by its index, its token or the file; skipping leaves the others usable."""
    rng, outcome = random.Random(3), []
    for case in range(CASES['info_entries']):
        infos = [frame_info(index) for index in range(3)]
        for _ in range(rng.randint(1, 3)):
            mutate(infos[1], rng)
        if case % 20 == 19:
            infos[1] = rng.choice(ODD)
        write_infos(folder / 'infos.pkl', infos)
        loaded = loads_or_says_why(lambda: dataset(folder), 'infos.pkl', outcome)
        if loaded is not None:
            sample = loads_or_says_why(lambda loaded=loaded: loaded[1], '1', [])
            if sample is not None:
                assert_finite(sample)
        skipping = dataset(folder, on_broken_frame='skip')
        assert len(skipping) in (2, 3)
        for index in range(len(skipping)):
            assert_finite(skipping[index])
    assert {'loaded', 'refused'} == set(outcome)


class Hostile:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_bytes_of_info_files(folder: Path) -> None:
    rng, outcome = random.Random(4), []
    good = (folder / 'infos.pkl').read_bytes()
    for case in range(CASES['info_bytes']):
        content = damage(good, rng)
        if case % 6 == 5:
            content = pickle.dumps(dict(metainfo={}, data_list=[Hostile(folder / 'was_run')]))
        elif case % 6 == 4:
            content = pickle.dumps(rng.choice([*ODD, dict(metainfo=rng.choice(ODD), data_list=[1])]))
        (folder / 'infos.pkl').write_bytes(content)
        loads_or_says_why(lambda: dataset(folder), 'infos.pkl', outcome)
    assert 'refused' in outcome and not (folder / 'was_run').exists()


def test_calibrations(folder: Path) -> None:
    rng, outcome = random.Random(5), []
    for case in range(CASES['calibrations']):
        infos = [frame_info(index) for index in range(3)]
        camera = infos[1]['images']['CAM_LEFT']
        key = rng.choice(['cam2img', 'lidar2cam'])
        matrix = np.array(camera[key], dtype=np.float64)
        kind = case % 4
        if kind == 0:
            matrix[rng.randrange(len(matrix)), rng.randrange(len(matrix))] = rng.choice(
                [np.nan, np.inf, 1e39, -1e39, 1e200, 0.0, 1e-30]
            )
        elif kind == 1:
            matrix *= 10.0 ** rng.randint(-60, 60)
        elif kind == 2:
            matrix = np.random.default_rng(case).normal(size=rng.choice([(4, 4), (3, 3), (3, 4), (2, 2), (4,), (0,)]))
        else:
            matrix[rng.randrange(3)] = matrix[rng.randrange(3)]
        camera[key] = matrix.tolist()
        write_infos(folder / 'infos.pkl', infos)
        sample = loads_or_says_why(lambda: dataset(folder)[1], '1', outcome)
        if sample is not None:
            assert_finite(sample)
    assert {'loaded', 'refused'} == set(outcome)


def test_labels(folder: Path) -> None:
    """What a detector is given has a size and finite numbers, whatever the file holds; the rest is refused by name."""
    rng, outcome = random.Random(9), []
    for _ in range(CASES['labels']):
        infos = [frame_info(index) for index in range(3)]
        key = rng.choice(['bbox_3d', 'velocity', 'bbox_label_3d', 'bbox_label', 'num_lidar_pts', 'instances'])
        if key == 'instances':
            infos[1][key] = copy.deepcopy(rng.choice(ODD))
        elif key in ('bbox_3d', 'velocity') and rng.random() < 0.7:
            values = infos[1]['instances'][0][key]
            values[rng.randrange(len(values))] = rng.choice([0.0, -1.0, 1e-30, 1e39, np.nan, np.inf, -np.inf, 5.0])
        else:
            infos[1]['instances'][0][key] = copy.deepcopy(rng.choice(ODD))
        write_infos(folder / 'infos.pkl', infos)
        loaded = loads_or_says_why(lambda: dataset(folder, with_annotations=True), 'frame 1', outcome)
        if loaded is not None:
            found = loaded.get_data_info(1)['ann_info']
            boxes = found['gt_bboxes_3d'].tensor[found['gt_labels_3d'] >= 0]
            assert torch.isfinite(boxes).all() and (boxes[:, 3:6] > 0).all()
    assert {'loaded', 'refused'} == set(outcome)


def test_pandaset_tables(tmp_path: Path) -> None:
    rng, outcome = random.Random(6), []
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 6)), columns=list('xyzitd'))
    path = tmp_path / '00.pkl'
    table.to_pickle(path)
    good = path.read_bytes()
    for case in range(CASES['tables']):
        content = damage(good, rng)
        if case % 5 == 4:
            content = pickle.dumps(rng.choice([Hostile(tmp_path / 'was_run'), [1], dict(a=1), eval, Path]))
        path.write_bytes(content)
        result = loads_or_says_why(lambda: read_table(path), '00.pkl', outcome)
        assert result is None or isinstance(result, pd.DataFrame)
    assert 'refused' in outcome and not (tmp_path / 'was_run').exists()


def test_pandaset_json(tmp_path: Path) -> None:
    rng, outcome = random.Random(7), []
    lidar, camera = tmp_path / '001' / 'lidar', tmp_path / '001' / 'camera' / 'front_camera'
    lidar.mkdir(parents=True)
    camera.mkdir(parents=True)
    pd.DataFrame(np.zeros((5, 6)), columns=list('xyzitd')).to_pickle(lidar / '00.pkl')
    Image.new('RGB', (16, 9)).save(camera / '00.jpg')
    pose = dict(position=dict(x=0, y=0, z=0), heading=dict(w=1, x=0, y=0, z=0))
    contents = {
        'poses.json': [pose, pose],
        'timestamps.json': [0.0, 0.1],
        'intrinsics.json': dict(fx=9, fy=9, cx=8, cy=4),
    }
    for _ in range(CASES['json']):
        for folder in (lidar, camera):
            for name, content in contents.items():
                (folder / name).write_text(json.dumps(content))
        name = rng.choice(list(contents))
        content = copy.deepcopy(contents[name])
        text = json.dumps(content)
        if rng.random() < 0.5:
            mutate(content, rng)
            text = json.dumps(content, default=str)
        else:
            text = damage(text.encode(), rng).decode('latin1')
        (camera / name).write_text(text, encoding='latin1', errors='replace')
        loads_or_says_why(lambda: find_sequences(tmp_path), 'front_camera', outcome)
    assert {'loaded', 'refused'} == set(outcome)


def test_configurations() -> None:
    """A key that nothing reads is refused with its name, wherever it stands."""
    rng = random.Random(8)
    for _ in range(CASES['configs']):
        model = tiny_model()
        nodes = [(name, node) for name, node in model.items() if isinstance(node, dict) and 'type' in node]
        name, node = rng.choice(nodes)
        key = rng.choice([key for key in node if key != 'type'] or ['missing'])
        typo = key + rng.choice(['s', '_', 'x']) if rng.random() < 0.5 else ''.join(rng.sample('abcdefghijkl', 8))
        node[typo] = node.pop(key, rng.choice(ODD))
        with pytest.raises(ConfigError) as caught:
            check_config(Config(dict(model=model)))
        assert typo in str(caught.value) and name in str(caught.value)


def test_there_are_enough_cases() -> None:
    assert sum(CASES.values()) >= 500


def test_skipping_replaces_and_counts(folder: Path) -> None:
    (folder / '1.bin').write_bytes(b'123')
    with pytest.raises(DataError, match='1.bin'):
        dataset(folder, verify='off')[1]
    frames = dataset(folder, verify='off', on_broken_frame='skip')
    sample = frames[1]
    assert sample['data_samples'].metainfo['token'] == 'token2'
    assert ['1.bin' in reason for reason in sample['data_samples'].metainfo['skipped_frames']] == [True]
    assert 'skipped_frames' not in frames[0]['data_samples'].metainfo
    for name in ('0.bin', '2.bin'):
        (folder / name).write_bytes(b'')
    with pytest.raises(DataError, match='3 frames in a row'):
        frames[0]
    with pytest.raises(ValueError, match="'stop' or 'skip'"):
        dataset(folder, on_broken_frame='ignore')
