"""KITTI odometry with SemanticKITTI's labels, on a made-up sequence in its native layout."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from projects.CLAP.clap.datasets.converters.kitti import firing_times
from projects.CLAP.clap.datasets.converters.semantickitti import SPLITS, convert
from projects.CLAP.clap.datasets.converters.semantickitti_classes import CLASSES
from projects.CLAP.clap.errors import DatasetError
from tests.fixtures import kitti_recordings as kitti


def infos(out: Path, split: str = 'val') -> list:
    return pickle.loads((out / f'semantickitti_infos_{split}.pkl').read_bytes())['data_list']


def read(out: Path, lidar: dict, key: str, columns: int, dtype: type = np.float32) -> np.ndarray:
    return np.fromfile(out / lidar[key], dtype=dtype).reshape(-1, columns)


@pytest.fixture(scope='module')
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp('semantickitti')
    kitti.write_sequence(out / 'dataset')
    convert(out / 'dataset', out)
    return out


def test_each_point_has_the_place_of_the_moving_sensor(converted: Path) -> None:
    """Straight ahead at 10 m/s, clockwise from the rear; every frame of the sequence, the first and the last too."""
    places, scan = kitti.places_and_scan(moving=True)
    for info in infos(converted):
        points = read(converted, info['lidar_points'], 'lidar_path', 5)
        np.testing.assert_allclose(points[:, :3], scan[:, :3])
        np.testing.assert_allclose(points[:, 3], scan[:, 3] * 255, rtol=1e-6)
        np.testing.assert_allclose(points[:, 4], -places[:, 0] / kitti.SPEED_M_S, atol=1e-4)
        np.testing.assert_allclose(read(converted, info['lidar_points'], 'origins_path', 3), places, atol=1e-3)
    assert places[:, 0].min() < -0.49 and places[:, 0].max() > 0.49


def test_the_direction_of_rotation_is_a_parameter() -> None:
    left = np.array([[0.0, 5.0, 0.0]])
    assert firing_times(left) == pytest.approx(-0.025) and firing_times(left, clockwise=False) == pytest.approx(0.025)


def test_labels_keep_to_their_points(converted: Path) -> None:
    expected = np.resize(list(kitti.CLASS_OF_RAW.values()), 408)
    for info in infos(converted):
        np.testing.assert_array_equal(
            read(converted, info['lidar_points'], 'semantic_path', 1, np.uint8)[:, 0], expected
        )
    assert len(CLASSES) == 19 and set(expected) == {*range(19), 255}


def test_pixels_are_those_of_the_projection_matrix(converted: Path) -> None:
    camera = infos(converted)[0]['images']['image_2']
    point = np.array([20.0, 3.0, 1.0, 1.0])
    seen = np.array(camera['lidar2cam']) @ point
    np.testing.assert_allclose(seen[:3], [-2.94257, -1.08077, 19.733], atol=1e-5)
    pixel = np.array(camera['cam2img']) @ seen[:3]
    np.testing.assert_allclose(pixel[:2] / pixel[2], [495.6165, 141.6612], atol=1e-4)
    direct = kitti.P2 @ kitti.square(kitti.TR) @ point
    np.testing.assert_allclose(pixel[:2] / pixel[2], direct[:2] / direct[2], atol=1e-9)
    assert (camera['width'], camera['height']) == kitti.SIZE
    assert (converted / camera['img_path']).is_file()


def test_poses_times_and_sweeps(converted: Path) -> None:
    frames = infos(converted)
    assert [frame['token'] for frame in frames] == ['08_000000', '08_000001', '08_000002', '08_000004']
    np.testing.assert_allclose([frame['timestamp'] for frame in frames], [0, 0.1, 0.2, 0.4])
    for frame, metres in zip(frames, (0, 1, 2, 4)):
        np.testing.assert_allclose(frame['ego2global'], square_at(metres), atol=1e-9)
    sweep = frames[3]['lidar_sweeps'][0]['lidar_points']
    np.testing.assert_allclose(sweep['lidar2sensor'], square_at(2), atol=1e-9)
    assert sweep['lidar_path'] == 'lidar/08/000002.bin'


def square_at(metres: float) -> np.ndarray:
    matrix = np.eye(4)
    matrix[0, 3] = metres
    return matrix


def test_official_splits_and_sequences_without_labels(tmp_path: Path) -> None:
    for name, labels in (('00', True), ('11', False)):
        kitti.write_sequence(tmp_path, name, frames=(0, 1), labels=labels)
    (tmp_path / 'sequences' / '00' / 'poses.txt').rename(tmp_path / '00.txt')
    (tmp_path / 'poses').mkdir()
    (tmp_path / '00.txt').rename(tmp_path / 'poses' / '00.txt')  # KITTI's own place
    figures = convert(tmp_path, tmp_path / 'out')
    assert figures['frames'] == dict(train=2, test=2)
    assert 'semantic_path' in infos(tmp_path / 'out', 'train')[0]['lidar_points']
    content = pickle.loads((tmp_path / 'out' / 'semantickitti_infos_train.pkl').read_bytes())
    assert content['metainfo']['semantic_classes']['traffic-sign'] == 18
    assert 'semantic_path' not in infos(tmp_path / 'out', 'test')[0]['lidar_points']
    assert convert(tmp_path, tmp_path / 'out')['converted'] == 0, 'nothing is read twice'
    assert [len(SPLITS[split]) for split in ('train', 'val', 'test')] == [10, 1, 11]


DAMAGE = {
    'scan': (lambda f: (f / 'velodyne/000001.bin').write_bytes(b'1234567'), r'000001\.bin has 7 bytes'),
    'labels of another scan': (lambda f: (f / 'labels/000002.label').write_bytes(bytes(8)), r'000002\.label has 8 byt'),
    'no labels': (lambda f: (f / 'labels/000004.label').unlink(), r'000004\.label does not exist'),
    'unknown class': (lambda f: np.full(410, 77, '<u4').tofile(f / 'labels/000000.label'), r'raw id 77 is none of'),
    'no poses': (lambda f: (f / 'poses.txt').unlink(), r'poses\.txt.* where a ray starts'),
    'few poses': (lambda f: (f / 'poses.txt').write_text('1 ' * 12), r'1 poses .* a scan 4'),
    'bad poses': (lambda f: (f / 'poses.txt').write_text('1 2 nan'), r'poses\.txt: expected lines of 12'),
    'times': (lambda f: (f / 'times.txt').write_text('0\n0\n0\n0\n0\n'), r'times\.txt.*do not rise'),
    'no calibration': (lambda f: (f / 'calib.txt').unlink(), r'calib\.txt does not exist'),
    'calibration': (lambda f: kitti.write_lines(f / 'calib.txt', P2=kitti.P2), r'calib\.txt: no entry Tr'),
    'another camera': (lambda f: _halve_principal_point(f / 'calib.txt'), r'the calibration of another camera'),
    'image': (lambda f: (f / 'image_2/000001.png').unlink(), r'000001\.png does not exist'),
    'no image': (lambda f: (f / 'image_2/000001.png').write_bytes(b'\x89PNG'), r'000001\.png is no image'),
}  # fmt: skip


def _halve_principal_point(path: Path) -> None:
    other = kitti.P2.copy()
    other[:2, 2] = 1400, 420
    kitti.write_lines(path, P2=other, Tr=kitti.TR)


@pytest.mark.parametrize('damage, message', DAMAGE.values(), ids=DAMAGE)
def test_damage_is_named_and_the_rest_converted_as_the_user_chose(tmp_path: Path, damage, message) -> None:
    for name in ('07', '08'):
        kitti.write_sequence(tmp_path, name)
    damage(tmp_path / 'sequences' / '08')
    with pytest.raises(DatasetError, match=message):
        convert(tmp_path, tmp_path / 'out')
    assert not list((tmp_path / 'out').glob('*.pkl'))
    figures = convert(tmp_path, tmp_path / 'out', on_damaged='skip')
    assert list(figures['damaged']) == ['08'] and figures['frames'] == dict(train=4) and figures['converted'] == 0


def test_a_wrong_root_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match='holds no sequence of val .*called dataset'):
        convert(tmp_path, tmp_path / 'out', splits=['val'])
