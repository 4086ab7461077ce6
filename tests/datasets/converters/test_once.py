"""ONCE's conversion: a LiDAR whose x looks left, told and not turned."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Callable

import numpy as np
import pytest
from PIL import Image

from projects.CLAP.clap.datasets.converters.once import convert, pose_of, read_sweep
from projects.CLAP.clap.errors import DatasetError
from tests.fixtures.once_recording import CAR, START_MS, car, wall, write_sequence


def read(out: Path, split: str = 'train') -> dict:
    return pickle.loads((out / f'once_infos_{split}.pkl').read_bytes())


@pytest.fixture(scope='module')
def converted(tmp_path_factory: pytest.TempPathFactory) -> tuple:
    folder = tmp_path_factory.mktemp('once')
    write_sequence(folder)
    figures = convert(folder, folder)
    return folder, read(folder), figures


def test_nothing_is_turned_and_the_file_tells_the_axes(converted: tuple) -> None:
    folder, content, figures = converted
    assert content['metainfo']['lidar_axes'] == ('left', 'back', 'up')
    info = content['data_list'][0]
    points = read_sweep(folder / info['lidar_points']['lidar_path'])
    assert info['lidar_points']['num_pts_feats'] == 4 and 'origins_path' not in info['lidar_points']
    np.testing.assert_array_equal(points, np.concatenate([wall(), car()]))
    assert figures['intensity'] == [37.0, 90.0]
    assert info['lidar_points']['lidar_path'] == f'data/000076/lidar_roof/{START_MS}.bin', 'read where it is'


def test_a_point_ahead_falls_into_its_pixel(converted: tuple) -> None:
    camera = converted[1]['data_list'][0]['images']['cam01']
    seen = np.array(camera['lidar2cam']) @ [2.0, -20.5, 0.8, 1.0]
    np.testing.assert_allclose(seen[:3], [-2, -1, 20], atol=1e-9)
    pixel = np.array(camera['cam2img']) @ seen[:3]
    np.testing.assert_allclose(pixel[:2] / pixel[2], [860, 460], atol=1e-6)
    assert camera['img_path'] == f'data/000076/cam01/{START_MS}.jpg'


def test_boxes_poses_and_what_is_missing(converted: tuple) -> None:
    infos = converted[1]['data_list']
    assert [info['timestamp'] - START_MS / 1e3 for info in infos] == pytest.approx([0, 0.5, 3.5, 4.0])
    ahead_of, other = infos[0]['instances']
    np.testing.assert_allclose(ahead_of['bbox_3d'], CAR)
    assert (ahead_of['bbox_label_3d'], ahead_of['num_lidar_pts'], ahead_of['bbox_3d_isvalid']) == (0, 94, True)
    assert (other['bbox_label_3d'], other['native_class'], other['bbox_3d_isvalid']) == (-1, 'Tricycle', False)
    ahead = -np.array(infos[1]['ego2global'])[1, 3]  # y looks back
    assert ahead == 1.0 and [info['has_pose'] for info in infos] == [True, True, False, True]
    assert infos[2]['ego2global'] == np.eye(4).tolist()
    assert [info['labelled'] for info in infos] == [True, True, True, False] and infos[3]['instances'] == []
    assert pose_of(None) is None and pose_of([0.0, 0, 0, -1, 1, 2, 3])[:3, 3].tolist() == [1, 2, 3]


def test_points_are_counted_where_the_labels_do_not_say(tmp_path: Path) -> None:
    folder = write_sequence(tmp_path)
    path = folder / '000076.json'
    content = json.loads(path.read_text())
    for frame in content['frames'][:3]:
        del frame['annos']['num_points_in_gt']
        frame['annos']['name'] = frame['annos'].pop('names')
    path.write_text(json.dumps(content))
    convert(tmp_path, tmp_path / 'out')
    assert read(tmp_path / 'out')['data_list'][0]['instances'][0]['num_lidar_pts'] == len(car()) == 95
    assert Path(read(tmp_path / 'out')['data_list'][0]['lidar_points']['lidar_path']).is_absolute()


def test_distorted_images_are_straightened_and_the_matrix_is_theirs(tmp_path: Path) -> None:
    folder = write_sequence(tmp_path, distortion=[-0.3, 0.1, 0.0, 0.0, 0.0])
    image = Image.new('RGB', (1920, 1020))
    image.paste((255, 255, 255), (200, 200, 206, 206))
    image.save(folder / 'cam01' / f'{START_MS}.jpg', quality=95)
    convert(tmp_path, tmp_path / 'out')
    camera = read(tmp_path / 'out')['data_list'][0]['images']['cam01']
    with Image.open(tmp_path / 'out' / camera['img_path']) as straight:
        bright = np.argwhere(np.asarray(straight.convert('L')) > 100)
    v, u = bright.mean(axis=0) + 0.5
    # The direction of the pixel through the lens model, by a fixed point iteration.
    ray = goal = (np.array([203.0, 203.0]) - [960, 510]) / 1000
    for _ in range(50):
        r2 = (ray**2).sum()
        ray = goal / (1 - 0.3 * r2 + 0.1 * r2**2)
    expected = np.array(camera['cam2img']) @ [*ray, 1.0]
    np.testing.assert_allclose([u, v], expected[:2], atol=0.3)


def test_splits_share_sequences_and_only_those_that_are_there_are_converted(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    write_sequence(tmp_path, '000027', ('val',))
    write_sequence(tmp_path, '000100', ('raw_small', 'raw_medium'))
    with (tmp_path / 'ImageSets/raw_medium.txt').open('a') as file:
        file.write('000999\n')
    figures = convert(tmp_path, tmp_path / 'out')
    assert figures['frames'] == dict(val=4, raw_small=4, raw_medium=4) and figures['segments'] == 2
    assert '1 of 3 sequences' in capsys.readouterr().out
    assert set(convert(tmp_path, tmp_path / 'again', ['raw_small'])['frames']) == {'raw_small'}


def change(edit: Callable[[dict], object]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        path = folder / '000076.json'
        content = json.loads(path.read_text())
        edit(content)
        path.write_text(json.dumps(content))

    return damage


@pytest.mark.parametrize(
    'damage, message',
    [
        (lambda folder: (folder / '000076.json').unlink(), r'000076\.json does not exist'),
        (lambda folder: (folder / f'lidar_roof/{START_MS}.bin').unlink(), r'lidar_roof.*0\.bin does not exist'),
        (lambda folder: (folder / f'cam01/{START_MS}.jpg').unlink(), r'cam01.*0\.jpg does not exist'),
        (lambda folder: (folder / f'lidar_roof/{START_MS}.bin').write_bytes(b'12345'), r'0\.bin has 5 bytes'),
        (lambda folder: (folder / '000076.json').write_text('{"frames"'), r'000076\.json: not as expected'),
        (change(lambda content: content.pop('calib')), r"000076\.json: not as expected \(KeyError: 'calib'\)"),
        (change(lambda content: content['frames'][1]['annos']['names'].pop()), r'frame .*500: 1 names, 2 boxes'),
        (change(lambda content: content['calib']['cam01'].update(cam_to_velo=[[0.0] * 4] * 4)), r'Singular matrix'),
        (
            change(lambda content: content['frames'][0]['annos']['boxes_3d'][0].__setitem__(0, float('nan'))),
            r'NaN or Inf: 1',
        ),
    ],
)
def test_damage_is_named(tmp_path: Path, damage: Callable[[Path], None], message: str) -> None:
    write_sequence(tmp_path, '000080')
    damage(write_sequence(tmp_path))
    with pytest.raises(DatasetError, match=rf'(?s)1 of 2 segments.*{message}'):
        convert(tmp_path, tmp_path / 'out')
    assert list(convert(tmp_path, tmp_path / 'out', on_damaged='skip')['damaged']) == ['000076']


def test_a_wrong_root_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match='no sequence of ONCE'):
        convert(tmp_path, tmp_path)
