"""Waymo's conversion, both versions, on a segment whose points, rays, images and boxes are known."""

from __future__ import annotations

import copy
import io
import pickle
from pathlib import Path
from typing import Any, Callable, List

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from projects.CLAP.clap.datasets.converters import waymo_tfrecord
from projects.CLAP.clap.datasets.converters.frame_files import count_points_in_boxes
from projects.CLAP.clap.datasets.converters.waymo import (
    SEMANTIC_CLASSES,
    camera_matrices,
    convert,
    lens,
    lidar_to_ego,
)
from projects.CLAP.clap.errors import DatasetError
from projects.CLAP.clap.files.wire_format import Message, read_records
from tests.fixtures import waymo_recording as recorded
from tests.fixtures.waymo_recording import Recording, write_component, write_parquet, write_tfrecord

TOP_AT = np.array([1.43, 0.0, 2.184])


def read(out: Path, split: str = 'train') -> dict:
    return pickle.loads((out / f'waymo_infos_{split}.pkl').read_bytes())


def floats(out: Path, info: dict, key: str, columns: int) -> np.ndarray:
    return np.fromfile(out / info['lidar_points'][key], dtype=np.float32).reshape(-1, columns)


@pytest.fixture(scope='module', params=['v2', 'v1'])
def converted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple:
    """Output folder and frames; the car is 15 km from the world's origin, as in the data."""
    folder = tmp_path_factory.mktemp(request.param)
    recording = Recording(start=15_000.0)
    (write_parquet if request.param == 'v2' else write_tfrecord)(folder / 'raw', recording=recording)
    convert(folder / 'raw', folder / 'out')
    return folder / 'out', read(folder / 'out')


def test_the_wall_lies_where_it_stands_for_every_lidar(converted: tuple) -> None:
    out, content = converted
    for index, info in enumerate(content['data_list']):
        points, origins = floats(out, info, 'lidar_path', 5), floats(out, info, 'origins_path', 3)
        from_top = np.abs(origins[:, 2]) < 1e-3
        assert len(points) - from_top.sum() == 16 and abs(from_top.sum() - 1392) < 30
        wall = 20 - 10 * (0.1 * index + 0.05) - 1.43
        np.testing.assert_allclose(points[:, 0], wall, atol=2e-3)  # float32 poses of pixels
        assert np.ptp(origins[from_top, 0]) == pytest.approx(1.67028 - 1.18972, abs=0.02)
        np.testing.assert_allclose(origins[~from_top], np.tile([4.07 - 1.43, 0, 0.689 - 2.184], (16, 1)), atol=1e-6)
        np.testing.assert_allclose(points[:, 3], np.tanh(0.5) * 255, rtol=1e-6)
        np.testing.assert_allclose(points[:, 4], np.tanh(0.1), rtol=1e-6)
        behind = floats(out, info, 'extra_lidar_path', 5)
        assert behind.shape == (1, 5) and wall + 0.9 < behind[0, 0] < wall + 1.0
        np.testing.assert_allclose(np.array(info['lidar_points']['lidar2ego'])[:3, 3], TOP_AT)


def test_each_image_has_the_pose_of_its_own_time(converted: tuple) -> None:
    for info in converted[1]['data_list']:
        camera = info['images']['FRONT']
        lidar2cam, lidar2ego = np.array(camera['lidar2cam']), np.array(info['lidar_points']['lidar2ego'])
        np.testing.assert_allclose(lidar2cam[:3, 3], [0, -0.084, -0.27], atol=1e-9)
        pixel = np.array(camera['cam2img']) @ (lidar2cam @ np.linalg.inv(lidar2ego) @ [11.5, 0, 2.1, 1])[:3]
        np.testing.assert_allclose(pixel, 9.8 * np.array([47.0, 33.0, 1.0]), atol=1e-6)
        assert camera['timestamp'] - info['timestamp'] == pytest.approx(0.07, abs=1e-6)
        assert (camera['width'], camera['height']) == recorded.SIZE
        with Image.open(converted[0] / camera['img_path']) as image:
            assert image.size == recorded.SIZE
            assert np.asarray(image)[32:34, 46:48].mean() > 150, 'the axis is not moved by the lens'


def test_boxes_are_moved_to_the_lidar_and_hold_the_points_of_the_wall(converted: tuple) -> None:
    out, content = converted
    assert content['metainfo']['categories'] == dict(Vehicle=0, Pedestrian=1, Cyclist=2, Sign=3)
    for index, info in enumerate(content['data_list']):
        (box,) = info['instances']
        expected = [20 - 10 * (0.1 * index + 0.05) - 1.43, 0.5, 1.5 - 2.184, 0.8, 5.0, 2.0, 0.1]
        np.testing.assert_allclose(box['bbox_3d'], expected, atol=1e-6)
        assert (box['bbox_label_3d'], box['native_class'], box['track_id']) == (2, 'Cyclist', 'wall')
        assert (box['num_lidar_pts'], box['difficulty']) == (33, 2 * index)
        np.testing.assert_allclose(box['velocity'], [1.0, -2.0])
        points = floats(out, info, 'lidar_path', 5)
        inside = (np.abs(points[:, 1] - 0.5) < 2.5 / np.cos(0.1)) & (np.abs(points[:, 2] - 1.5 + 2.184) < 1.0)
        counted = count_points_in_boxes(points, np.array([box['bbox_3d']]))[0]
        assert counted == inside.sum() > 20


def test_classes_of_points_are_of_the_annotated_frame(converted: tuple) -> None:
    out, content = converted
    first, second = content['data_list']
    assert 'semantic_path' not in second['lidar_points']
    points, origins = floats(out, first, 'lidar_path', 5), floats(out, first, 'origins_path', 3)
    found = np.fromfile(out / first['lidar_points']['semantic_path'], dtype=np.uint8)
    names = np.array([*content['metainfo']['semantic_classes'], *[''] * 233, 'none'])[found]
    assert content['metainfo']['semantic_classes'] == dict(zip(SEMANTIC_CLASSES, range(22)))
    rays = points[:, :3] - origins
    lowest = np.rad2deg(np.arcsin(rays[:, 2] / np.linalg.norm(rays, axis=1))) < -17
    front = np.abs(origins[:, 2]) > 1e-3
    assert set(names[front | lowest]) == {'none'}, 'only TOP has classes, and 0 is none'
    rest = ~(front | lowest) & (np.abs(points[:, 1]) > 0.4)
    assert set(names[rest & (points[:, 1] > 0)]) == {'building'}
    assert set(names[rest & (points[:, 1] < 0)]) == {'sidewalk'}


def test_points_in_no_label_zones_are_kept_for_the_metric(converted: tuple) -> None:
    out, content = converted
    for info in content['data_list']:
        assert len(floats(out, info, 'no_label_path', 3)) == 2  # one pixel of each LiDAR


def test_a_standing_car_has_one_matrix_and_one_origin(tmp_path: Path) -> None:
    write_parquet(tmp_path / 'raw', recording=Recording(speed=0.0))
    convert(tmp_path / 'raw', tmp_path / 'out')
    first, second = read(tmp_path / 'out')['data_list']
    assert first['images']['FRONT']['lidar2cam'] == second['images']['FRONT']['lidar2cam']
    np.testing.assert_allclose(np.array(first['images']['FRONT']['lidar2cam'])[:3, 3], [0, -0.084, -0.07], atol=1e-9)
    origins = floats(tmp_path / 'out', first, 'origins_path', 3)
    np.testing.assert_allclose(origins[:1392], 0, atol=1e-7)


def test_both_versions_give_the_same_files(tmp_path: Path) -> None:
    write_parquet(tmp_path / 'v2')
    write_tfrecord(tmp_path / 'v1')
    contents = []
    for version in ('v1', 'v2'):
        convert(tmp_path / version, tmp_path / f'out_{version}')
        contents.append(read(tmp_path / f'out_{version}'))
    for name in ('*.bin', '*.jpg'):
        files = [sorted((tmp_path / f'out_{version}').rglob(name)) for version in ('v1', 'v2')]
        assert len(files[0]) == len(files[1]) > 0
        for one, other in zip(*files):
            assert one.name == other.name and one.read_bytes() == other.read_bytes(), one.name
    assert repr(contents[0]) == repr(contents[1])


def test_splits_are_those_of_the_folders(tmp_path: Path) -> None:
    for split, name in (('training', 'b'), ('training', 'a'), ('validation', 'c'), ('testing', 'd')):
        write_parquet(tmp_path / 'raw', name, Recording(frames=1), split)
    (tmp_path / 'raw/testing/camera_image/images_only.parquet').write_bytes(b'')
    figures = convert(tmp_path / 'raw', tmp_path / 'out')
    assert figures['frames'] == dict(train=2, val=1, test=1)
    assert [info['sequence'] for info in read(tmp_path / 'out')['data_list']] == ['a', 'b']
    figures = convert(tmp_path / 'raw', tmp_path / 'again', ['val'], jobs=2)
    assert figures['frames'] == dict(val=1) and not (tmp_path / 'again/waymo_infos_train.pkl').exists()


def test_without_labels_frames_have_no_instances(tmp_path: Path) -> None:
    folder = write_parquet(tmp_path / 'raw')
    for tag in ('lidar_box', 'lidar_segmentation'):
        (folder / tag / 'seg.parquet').unlink()
        (folder / tag).rmdir()
    convert(tmp_path / 'raw', tmp_path / 'out')
    assert all(info['instances'] == [] for info in read(tmp_path / 'out')['data_list'])


def test_early_files_have_names_for_numbers_and_float32(tmp_path: Path) -> None:
    folder = write_parquet(tmp_path / 'raw')
    convert(tmp_path / 'raw', tmp_path / 'new')
    for tag in ('camera_image', 'camera_calibration'):
        path = folder / tag / 'seg.parquet'
        table = pq.read_table(path)
        place = table.schema.get_field_index('key.camera_name')
        pq.write_table(table.set_column(place, 'key.camera_name', [['FRONT'] * len(table)]), path)
    convert(tmp_path / 'raw', tmp_path / 'early')
    assert repr(read(tmp_path / 'new')) == repr(read(tmp_path / 'early'))


def rewrite(tag: str, change: Callable[[List[dict]], Any]) -> Callable[[Path], None]:
    """Damage that changes the rows of a component."""

    def damage(folder: Path) -> None:
        name, rows = recorded.components(Recording())[tag]
        rows = copy.deepcopy(rows)
        change(rows)
        write_component(folder / tag / 'seg.parquet', name, 'seg', rows)

    return damage


def truncate(tag: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        path = folder / tag / 'seg.parquet'
        path.write_bytes(path.read_bytes()[:-100])

    return damage


def other_segment(folder: Path) -> None:
    name, rows = recorded.components(Recording())['camera_calibration']
    write_component(folder / 'camera_calibration/seg.parquet', name, 'another', rows)


@pytest.mark.parametrize(
    'damage, message',
    [
        (
            lambda folder: (folder / 'lidar_pose/seg.parquet').unlink(),
            r'lidar_pose.seg\.parquet does not exist: component',
        ),
        (lambda folder: (folder / 'lidar_box/seg.parquet').unlink(), r'lidar_box.seg\.parquet does not exist'),
        (truncate('lidar'), r'lidar.seg\.parquet: truncated or no Parquet file'),
        (truncate('camera_image'), r'camera_image.seg\.parquet: truncated or no Parquet file'),
        (
            rewrite('vehicle_pose', lambda rows: rows.pop()),
            r'segment seg, frame 1550000000100000: no row of vehicle_pose',
        ),
        (rewrite('lidar_pose', lambda rows: rows.pop(0)), r'frame 1550000000000000: no row of pose 1'),
        (rewrite('camera_image', lambda rows: rows.pop(0)), r'frame 1550000000000000: no row of image 1'),
        (
            rewrite('camera_calibration', lambda rows: rows[0].update({'key.camera_name': 3})),
            r'image of number 1 has no calibration',
        ),
        (rewrite('camera_calibration', lambda rows: rows[0].update(width=200)), r'the calibration of another camera'),
        (
            rewrite('camera_image', lambda rows: rows[0].update(image=b'no JPEG')),
            r'0_FRONT\.jpg: the image cannot be decoded',
        ),
        (rewrite('vehicle_pose', lambda rows: [row.pop('world_from_vehicle.transform') for row in rows]), r'no column'),
        (other_segment, r'camera_calibration.seg\.parquet holds a row of segment another'),
        (
            rewrite('lidar_box', lambda rows: rows[0].update({'box.size.x': float('nan')})),
            r'object wall: its box holds NaN',
        ),
    ],
)
def test_damage_is_named_and_the_rest_converted_if_wanted(tmp_path: Path, damage: Callable, message: str) -> None:
    write_parquet(tmp_path / 'raw', 'sound', Recording(frames=1))
    damage(write_parquet(tmp_path / 'raw'))
    with pytest.raises(DatasetError, match=rf'(?s)1 of 2 segments; no info file written.*{message}'):
        convert(tmp_path / 'raw', tmp_path / 'out')
    assert not list((tmp_path / 'out').glob('*.pkl'))
    figures = convert(tmp_path / 'raw', tmp_path / 'out', on_damaged='skip')
    assert list(figures['damaged']) == ['seg'] and len(read(tmp_path / 'out')['data_list']) == 1


def test_a_truncated_record_file_is_named(tmp_path: Path) -> None:
    path = write_tfrecord(tmp_path / 'raw')
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DatasetError, match=r'labels\.tfrecord: truncated'):
        convert(tmp_path / 'raw', tmp_path / 'out')
    path.write_bytes(path.read_bytes()[:5])
    with pytest.raises(DatasetError, match=r'labels\.tfrecord: truncated'):
        convert(tmp_path / 'raw', tmp_path / 'out')


def test_a_record_without_range_images_is_named(real_data: Path, tmp_path: Path) -> None:
    folder = tmp_path / 'raw/training'
    folder.mkdir(parents=True)
    (folder / 'segment-a_with_camera_labels.tfrecord').symlink_to(real_data / 'waymo_v1/one_frame.tfrecord')
    with pytest.raises(
        DatasetError, match=r'record 0: .*calibrations of \[1, 2, 3, 4, 5\].* poses of 0 pixels of laser 1'
    ):
        convert(tmp_path / 'raw', tmp_path / 'out')


def test_a_folder_without_segments_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match='no segment of Waymo'):
        convert(tmp_path, tmp_path / 'out')


def test_poses_of_a_real_segment(real_data: Path) -> None:
    from projects.CLAP.clap.datasets.converters.waymo_parquet import TIME, Component

    (path,) = (real_data / 'waymo_v2/vehicle_pose').glob('*.parquet')
    column = 'world_from_vehicle.transform'
    rows = list(Component(real_data / 'waymo_v2', 'vehicle_pose', path.stem, [TIME], [column]))
    poses = np.array([row[column] for row in sorted(rows, key=lambda row: row[TIME])]).reshape(-1, 4, 4)
    times = np.array(sorted(row[TIME] for row in rows))
    assert len(poses) == 199 and np.allclose(np.diff(times), 1e5, atol=2e3)
    np.testing.assert_allclose(
        poses[:, :3, :3] @ poses[:, :3, :3].transpose(0, 2, 1), np.tile(np.eye(3), (199, 1, 1)), atol=1e-5
    )


def test_images_and_calibrations_of_a_real_frame(real_data: Path) -> None:
    """Five cameras around, poses in step with their times, and images that the calibrations fit."""
    path = real_data / 'waymo_v1/one_frame.tfrecord'
    (record,) = read_records(path)
    frame = Message(record, str(path))
    context = frame.message(1)
    cameras = {each.integer(1): waymo_tfrecord._camera_calibration(each) for each in context.messages(2)}
    lasers = {each.integer(1): waymo_tfrecord._laser_calibration(each) for each in context.messages(3)}
    images = {each.integer(1): waymo_tfrecord._image(each) for each in frame.messages(4)}
    assert sorted(cameras) == sorted(images) == sorted(lasers) == [1, 2, 3, 4, 5]
    lidar2ego, pose = lidar_to_ego(lasers[1]), frame.message(3).numbers(1).reshape(4, 4)
    np.testing.assert_allclose(lidar2ego[:3, 3], [1.43, 0, 2.184])
    start = frame.integer(2) / 1e6
    assert [round(1000 * (images[k].timestamp - start)) for k in (4, 2, 1, 3, 5)] == [22, 42, 52, 62, 72]
    for number, (yaw, height) in {1: (0, 1280), 2: (45, 1280), 3: (-45, 1280), 4: (90, 886), 5: (-90, 886)}.items():
        matrices = camera_matrices(images[number], cameras[number], pose, lidar2ego)
        lidar2cam = np.array(matrices['lidar2cam'])
        looks = lidar2cam[2, :3]
        assert np.rad2deg(np.arctan2(looks[1], looks[0])) == pytest.approx(yaw, abs=1.5)
        assert lidar2cam[1, 2] == pytest.approx(-1.0, abs=0.01), 'upright'
        assert np.linalg.norm(np.linalg.inv(lidar2cam)[:3, 3]) < 0.3
        assert (matrices['width'], matrices['height']) == (1920, height)
        straighten = lens(cameras[number])
        jpeg = straighten(images[number].jpeg, 'real')
        with Image.open(io.BytesIO(jpeg)) as image, Image.open(io.BytesIO(images[number].jpeg)) as before:
            assert image.size == before.size == (1920, height)
            new, old = (np.asarray(each.convert('L'), dtype=float) for each in (image, before))
        middle = np.s_[height // 2 - 60 : height // 2 + 60, 900:1020]
        assert np.abs(new[middle] - old[middle]).mean() < 8 < np.abs(new[:, :300] - old[:, :300]).mean() + 8
        assert (new[:2].mean() > 5) and (new[:, :2].mean() > 5), 'no black rim'
    labels = [waymo_tfrecord._label(each) for each in frame.messages(6)]
    assert len(labels) == 75 and {label.type for label in labels} <= {1, 2, 3, 4}
    assert sum(label.num_points > 0 for label in labels) > 70
