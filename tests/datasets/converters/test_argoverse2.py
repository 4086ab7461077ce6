"""Argoverse 2 on a made-up log in its native layout, and on two real sweeps."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from pyarrow import feather

from projects.CLAP.clap.datasets.converters.argoverse2 import convert, read_log
from projects.CLAP.clap.datasets.converters.frame_files import count_points_in_boxes
from projects.CLAP.clap.errors import DatasetError
from tests.fixtures import argoverse2_log as made


def infos(out: Path, split: str = 'val') -> list:
    return pickle.loads((out / f'argoverse2_infos_{split}.pkl').read_bytes())['data_list']


def read(out: Path, info: dict) -> tuple:
    lidar = info['lidar_points']
    points = np.fromfile(out / lidar['lidar_path'], np.float32).reshape(-1, 5)
    return points, np.fromfile(out / lidar['origins_path'], np.float32).reshape(-1, 3)


@pytest.fixture(scope='module')
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp('argoverse2')
    made.write_log(out / 'raw')
    convert(out / 'raw', out)
    return out


def test_each_point_has_the_place_of_its_own_lidar_at_its_own_time(converted: Path) -> None:
    """The wall stays at x = 30 for every offset; the LiDARs drive on, the lower one hangs 12 cm below."""
    frames = infos(converted)
    assert len(frames) == 3
    for frame in frames:
        points, origins = read(converted, frame)
        np.testing.assert_allclose(points[:, :3], made.POINTS - made.UP, atol=1e-6)
        np.testing.assert_allclose(points[:, 3], np.arange(8) * 30)
        np.testing.assert_allclose(points[:, 4], -made.OFFSETS_NS / 1e9)
        expected = np.where(made.LASERS[:, None] < 32, made.UP, made.DOWN) - made.UP
        expected[:, 0] += made.SPEED_M_S * made.OFFSETS_NS / 1e9
        np.testing.assert_allclose(origins, expected, atol=1e-6)
    assert origins[5, 0] + made.UP[0] == pytest.approx(1.85), '50 ms after the sweep began'


def test_the_image_is_seen_from_where_the_vehicle_was_when_it_was_taken(converted: Path) -> None:
    camera = infos(converted)[1]['images']['ring_front_center']
    lidar2cam = np.array(camera['lidar2cam'])
    np.testing.assert_allclose(lidar2cam[:3, :3], [[0, -1, 0], [0, 0, -1], [1, 0, 0]], atol=1e-9)
    np.testing.assert_allclose(lidar2cam[:3, 3], [0, -0.24, -0.45], atol=1e-6)
    assert (camera['width'], camera['height']) == (120, 160)
    assert (converted / camera['img_path']).name == f'{made.START_NS + made.SWEEP_NS + made.CAMERA_NS}.jpg'


def test_boxes_keep_their_points_their_class_and_move(converted: Path) -> None:
    for frame in infos(converted):
        points, _ = read(converted, frame)
        boxes = {box['native_class']: box for box in frame['instances']}
        assert {name: box['bbox_label_3d'] for name, box in boxes.items()} == dict(
            BOX_TRUCK=0, BICYCLE=-1, WHEELED_RIDER=2
        )
        box = boxes['BOX_TRUCK']
        np.testing.assert_allclose(box['bbox_3d'][:6], [30.15, 0, -0.89, 4, 3.5, 2], atol=1e-9)
        assert abs(box['bbox_3d'][6]) == pytest.approx(np.pi)
        assert box['num_lidar_pts'] == 7 == count_points_in_boxes(points, np.array([box['bbox_3d']]))[0]
        np.testing.assert_allclose(box['velocity'], [made.SPEED_M_S, 0], atol=1e-6)


def test_poses_in_the_city(converted: Path) -> None:
    frames = infos(converted)
    np.testing.assert_allclose(np.array(frames[2]['ego2global'])[:3, 3], [5002, 7, 60], atol=1e-6)
    sweep = frames[2]['lidar_sweeps'][0]['lidar_points']
    np.testing.assert_allclose(np.array(sweep['lidar2sensor'])[:3, 3], [1, 0, 0], atol=1e-6)


def test_the_lidar_data_set_has_neither_images_nor_boxes(tmp_path: Path) -> None:
    made.write_log(tmp_path, split='train', images=False, boxes=False)
    assert convert(tmp_path, tmp_path / 'out')['frames'] == dict(train=3)
    assert all(frame['images'] == {} and frame['instances'] == [] for frame in infos(tmp_path / 'out', 'train'))


def test_sweeps_without_a_near_image_are_left_out(tmp_path: Path) -> None:
    log = made.write_log(tmp_path)
    (log / f'sensors/cameras/ring_front_center/{made.START_NS + made.CAMERA_NS}.jpg').unlink()
    assert convert(tmp_path, tmp_path / 'out')['frames'] == dict(val=2)
    assert infos(tmp_path / 'out')[0]['token'].endswith(str(made.START_NS + made.SWEEP_NS))


def drop_column(path: Path, name: str) -> None:
    made.write_table(path, feather.read_table(path).to_pandas().drop(columns=name))


def keep_rows(path: Path, count: int) -> None:
    made.write_table(path, feather.read_table(path).to_pandas()[:count])


def change(path: Path, **columns: object) -> None:
    made.write_table(path, feather.read_table(path).to_pandas().assign(**columns))


SWEEP = f'sensors/lidar/{made.START_NS}.feather'
DAMAGE = {
    'truncated sweep': (lambda f: (f / SWEEP).write_bytes((f / SWEEP).read_bytes()[:200]), r'\.feather cannot be read'),
    'noise': (lambda f: (f / SWEEP).write_bytes(b'noise' * 30), r'\.feather cannot be read'),
    'empty sweep': (lambda f: (f / SWEEP).write_bytes(b''), r'\.feather cannot be read'),
    'column': (lambda f: drop_column(f / SWEEP, 'offset_ns'), r'no column offset_ns'),
    'no poses': (lambda f: (f / 'city_SE3_egovehicle.feather').unlink(), r'SE3_egovehicle\.feather does not exist'),
    'zero quaternion': (lambda f: change(f / 'city_SE3_egovehicle.feather', qw=0.0), r'quaternions must have length 1'),
    'no pose': (lambda f: keep_rows(f / 'city_SE3_egovehicle.feather', 0), r'has 0 poses'),
    'no point': (lambda f: keep_rows(f / SWEEP, 0), r'must have finite points'),
    'no column of boxes': (lambda f: drop_column(f / 'annotations.feather', 'category'), r'no column category'),
    'NaN box': (lambda f: change(f / 'annotations.feather', length_m=np.nan), r'annotations\.feather holds NaN'),
    'no intrinsics': (lambda f: (f / 'calibration/intrinsics.feather').unlink(), r'intrinsics\.feather does not exist'),
    'one camera less': (
        lambda f: keep_rows(f / 'calibration/intrinsics.feather', 0), r'no calibration of ring_front_center'
    ),
    'another camera': (
        lambda f: change(f / 'calibration/intrinsics.feather', width_px=160, height_px=120), r'120 x 160 .*another'
    ),
    'no lidars': (
        lambda f: change(f / 'calibration/egovehicle_SE3_sensor.feather', sensor_name='x'), r'no down_lidar and no up'
    ),
    'named file': (lambda f: (f / SWEEP).rename(f / 'sensors/lidar/first.feather'), r'named by their nanoseconds'),
}  # fmt: skip


@pytest.mark.parametrize('damage, message', DAMAGE.values(), ids=DAMAGE)
def test_damage_is_named(tmp_path: Path, damage, message: str) -> None:
    damage(made.write_log(tmp_path))
    with pytest.raises(DatasetError, match=message):
        convert(tmp_path, tmp_path / 'out')


def test_a_wrong_root_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match='holds no log of test .*folder of the splits'):
        convert(tmp_path, tmp_path / 'out', ['test'])


@pytest.fixture(scope='module')
def real(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple:
    out = tmp_path_factory.mktemp('real')
    convert(real_data / 'argoverse2', out)
    return out, infos(out), next((real_data / 'argoverse2' / 'val').iterdir())


def test_real_boxes_hold_the_points_that_argoverse_counted(real: tuple) -> None:
    out, frames, _ = real
    for frame in frames:
        boxes = np.array([box['bbox_3d'] for box in frame['instances']])
        counted = [box['num_lidar_pts'] for box in frame['instances']]
        assert len(boxes) == 81 and count_points_in_boxes(read(out, frame)[0], boxes).tolist() == counted
        speeds = np.linalg.norm([box['velocity'] for box in frame['instances']], axis=1)
        assert 10 < speeds.max() < 12 and np.median(speeds) < 0.5


def test_real_elevations_are_sharp_about_the_right_lidar_at_the_right_time(real: tuple) -> None:
    """A laser keeps its elevation in its own LiDAR's frame; moved by one origin for all it spreads ten times as far."""
    out, frames, folder = real
    log = read_log(folder, ())
    for frame in frames:
        points, origins = read(out, frame)
        stamp = int(frame['token'].split('/')[-1])
        table = feather.read_table(folder / 'sensors' / 'lidar' / f'{stamp}.feather').to_pandas()
        laser, time = table['laser_number'].to_numpy(), float(log.seconds(stamp))
        assert np.ptp(origins[laser < 32][:, 2]) < 0.01 and np.median(origins[laser >= 32][:, 2]) < -0.11
        turned = log.trajectory.near(time, time + 0.11).seen_from(time - points[:, 4], time)[:, :3, :3]

        right, one_origin = (
            spread(np.einsum('nji,nj->ni', turned, rays), laser, log.sensors)
            for rays in (points[:, :3] - origins, points[:, :3])
        )
        assert right < 0.01 and one_origin > 5 * right, (right, one_origin)


def spread(rays: np.ndarray, laser: np.ndarray, sensors: dict) -> float:
    """Median over lasers of the distance between quartiles of the elevation [degrees], points at 5 to 16 m."""
    near = (np.linalg.norm(rays, axis=1) > 5) & (np.linalg.norm(rays, axis=1) < 16)
    found = []
    for number in range(64):
        own = rays[near & (laser == number)] @ sensors['up_lidar' if number < 32 else 'down_lidar'][:3, :3]
        if len(own) > 200:
            elevation = np.degrees(np.arctan2(own[:, 2], np.hypot(own[:, 0], own[:, 1])))
            found.append(np.subtract(*np.percentile(elevation, [75, 25])))
    return float(np.median(found))
