"""KITTI raw on a made-up drive in its native layout, and on six real frames."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from projects.CLAP.clap.datasets.converters.kitti_raw import VALIDATION_DRIVE, convert
from projects.CLAP.clap.errors import DatasetError
from tests.fixtures import kitti_recordings as kitti


def infos(out: Path, split: str = 'train') -> list:
    return pickle.loads((out / f'kitti_raw_infos_{split}.pkl').read_bytes())['data_list']


@pytest.fixture(scope='module')
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp('kitti_raw')
    kitti.write_drive(out / 'raw', frames=(0, 1, 2))
    convert(out / 'raw', out)
    return out


def test_points_are_those_of_the_file_and_rays_start_at_the_sensor(converted: Path) -> None:
    _, scan = kitti.places_and_scan(moving=False)
    for info in infos(converted):
        points = np.fromfile(converted / info['lidar_points']['lidar_path'], np.float32).reshape(-1, 5)
        np.testing.assert_allclose(points[:, :4], scan * [1, 1, 1, 255], rtol=1e-6)
        assert np.abs(points[:, 4]).max() < 0.05
        assert 'origins_path' not in info['lidar_points']


def test_pixels_are_those_of_projection_and_rectification(converted: Path) -> None:
    camera = infos(converted)[0]['images']['image_02']
    rectify = np.eye(4)
    rectify[:3, :3] = kitti.R_RECT
    point = np.array([20.0, 3.0, 1.0, 1.0])
    direct = kitti.P2 @ rectify @ kitti.square(kitti.TR) @ point
    pixel = np.array(camera['cam2img']) @ (np.array(camera['lidar2cam']) @ point)[:3]
    np.testing.assert_allclose(pixel[:2] / pixel[2], direct[:2] / direct[2], atol=1e-9)
    unrectified = kitti.P2 @ kitti.square(kitti.TR) @ point
    assert np.abs(direct[:2] / direct[2] - unrectified[:2] / unrectified[2]).max() > 10


def test_motion_comes_from_the_gps_packets(converted: Path) -> None:
    frames = infos(converted)
    np.testing.assert_allclose(frames[1]['ego2global'], moved(0.73032), atol=1e-5)
    np.testing.assert_allclose(np.array(frames[0]['lidar_points']['lidar2ego'])[:3, 3], -kitti.IMU_TO_VELO)
    sweep = frames[2]['lidar_sweeps'][0]['lidar_points']
    np.testing.assert_allclose(sweep['lidar2sensor'], moved(0.73032), atol=1e-5)
    np.testing.assert_allclose(np.diff([frame['timestamp'] for frame in frames]), 0.1, atol=1e-6)


def moved(metres: float) -> np.ndarray:
    matrix = np.eye(4)
    matrix[0, 3] = metres
    return matrix


def test_boxes_stand_on_their_bottom_and_keep_the_name_of_their_class(converted: Path) -> None:
    frames = infos(converted)
    assert [len(frame['instances']) for frame in frames] == [0, 2, 2]
    van, tram = frames[1]['instances']
    np.testing.assert_allclose(van['bbox_3d'], [12, 2, -0.95, 4, 2, 1.5, 0.25])
    assert (van['bbox_label_3d'], van['native_class']) == (0, 'Van')
    assert (tram['bbox_label_3d'], tram['native_class']) == (-1, 'Tram')
    np.testing.assert_allclose(van['velocity'], [7.3032, 0], atol=1e-3)


def test_without_motion_and_times_a_drive_still_converts(tmp_path: Path) -> None:
    folder = kitti.write_drive(tmp_path / 'raw', motion=False)
    (folder / 'velodyne_points' / 'timestamps.txt').unlink()
    convert(tmp_path / 'raw', tmp_path / 'out')
    frames = infos(tmp_path / 'out')
    np.testing.assert_allclose([frame['timestamp'] for frame in frames], [0, 0.1, 0.2])
    assert not any(frame['lidar_sweeps'] for frame in frames)
    assert np.isnan(frames[1]['instances'][0]['velocity']).all()


def test_the_validation_drive_is_that_of_semantickitti(tmp_path: Path) -> None:
    day, other = tmp_path / kitti.DATE, tmp_path / '2011_09_30'
    kitti.write_drive(tmp_path)
    assert convert(tmp_path, tmp_path / 'one')['frames'] == dict(train=3, val=3), 'a single drive is in both'
    kitti.write_drive(tmp_path / 'again')
    (tmp_path / 'again' / kitti.DATE).rename(other)
    (other / kitti.DRIVE).rename(other / VALIDATION_DRIVE)
    (day / kitti.DRIVE).rename(day / '2011_09_26_drive_0117_sync')
    figures = convert(tmp_path, tmp_path / 'two', jobs=2)
    assert figures['frames'] == dict(train=3, val=3)
    assert {frame['sequence'] for frame in infos(tmp_path / 'two', 'val')} == {VALIDATION_DRIVE}
    assert convert(tmp_path, tmp_path / 'only', ['train'])['frames'] == dict(train=3)


DAMAGE = {
    'scan': (lambda f: (f / 'velodyne_points/data/0000000001.bin').write_bytes(b''), r'0000000001\.bin has 0 bytes'),
    'no scan': (lambda f: [p.unlink() for p in f.glob('velodyne_points/data/*')], r'data holds no scan'),
    'calibration': (lambda f: (f.parent / 'calib_velo_to_cam.txt').write_text('R: 1 2'), r'to_cam\.txt: R must be 9'),
    'other day': (lambda f: (f / 'image_02/data/0000000000.png').write_bytes(_image(1224, 370)), r'1224 x 370 .*day'),
    'times': (lambda f: (f / 'velodyne_points/timestamps.txt').write_text('a\nb\nc\n'), r'a date and a time'),
    'few times': (lambda f: (f / 'velodyne_points/timestamps.txt').write_text('\n'), r'has 1 lines, the scans reach'),
    'blank time': (lambda f: (f / 'velodyne_points/timestamps.txt').write_text('\n\n\n'), r'no time for scan 00000'),
    'packet': (lambda f: (f / 'oxts/data/0000000002.txt').unlink(), r'0000000002\.txt does not exist'),
    'short packet': (lambda f: (f / 'oxts/data/0000000002.txt').write_text('1 2 3'), r'expected lines of 30'),
    'tracklets': (lambda f: (f / 'tracklet_labels.xml').write_text('<a><tracklets><it'), r'no readable tracklets'),
    'half a tracklet': (
        lambda f: (f / 'tracklet_labels.xml').write_text('<a><tracklets><item/></tracklets></a>'), r'an item has no l'
    ),
}  # fmt: skip


def _image(width: int, height: int) -> bytes:
    content = io.BytesIO()
    Image.new('RGB', (width, height)).save(content, 'PNG')
    return content.getvalue()


@pytest.mark.parametrize('damage, message', DAMAGE.values(), ids=DAMAGE)
def test_damage_is_named(tmp_path: Path, damage, message: str) -> None:
    damage(kitti.write_drive(tmp_path))
    with pytest.raises(DatasetError, match=message):
        convert(tmp_path, tmp_path / 'out')


def test_a_wrong_root_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match='holds no drive .*above those of the days'):
        convert(tmp_path, tmp_path / 'out')


def test_real_frames_have_the_known_camera_and_share_of_points(real_data: Path, tmp_path: Path) -> None:
    convert(real_data / 'kitti_raw', tmp_path)
    frames = infos(tmp_path)
    assert len(frames) == 6 and infos(tmp_path, 'val') == frames
    for frame in frames:
        points = np.fromfile(tmp_path / frame['lidar_points']['lidar_path'], np.float32).reshape(-1, 5)
        assert 110_000 < len(points) < 115_000 and points[:, 3].max() == pytest.approx(0.99 * 255, abs=0.1)
        camera = frame['images']['image_02']
        lidar2cam = np.array(camera['lidar2cam'])
        place = -lidar2cam[:3, :3].T @ lidar2cam[:3, 3]
        np.testing.assert_allclose(place, [0.270, 0.058, -0.072], atol=2e-3)
        seen = points[:, :3] @ lidar2cam[:3, :3].T + lidar2cam[:3, 3]
        pixels = seen @ np.array(camera['cam2img']).T
        pixels = pixels[:, :2] / pixels[:, 2:]
        inside = (seen[:, 2] > 0) & (pixels >= 0).all(axis=1) & (pixels < [1242, 375]).all(axis=1)
        assert 0.12 < inside.mean() < 0.18
