"""The written dataset, seen through the official devkit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from nuscenes.nuscenes import NuScenes
from nuscenes.utils.data_classes import LidarPointCloud
from nuscenes.utils.geometry_utils import points_in_box, view_points
from PIL import Image

from projects.CLAP.clap.datasets.converters.nuscenes import TABLES
from projects.CLAP.simulation.scene import build_scene
from tests.fixtures.sim_dataset import CONFIG, tiny_dataset, tiny_nuscenes

TEN_CLASSES = (
    'car',
    'truck',
    'bus',
    'trailer',
    'construction_vehicle',
    'pedestrian',
    'motorcycle',
    'bicycle',
    'traffic_cone',
    'barrier',
)


@pytest.fixture(scope='module')
def nusc() -> NuScenes:
    return tiny_nuscenes()


def _chain(nusc: NuScenes, table: str, token: str) -> list[dict]:
    records = []
    while token:
        records.append(nusc.get(table, token))
        token = records[-1]['next']
    return records


def test_all_tables_are_there_and_tokens_are_unique(nusc: NuScenes) -> None:
    assert sorted(nusc.table_names) == sorted([*TABLES, 'lidarseg']) and len(TABLES) == 13
    for name in TABLES:
        records = json.loads((tiny_dataset() / 'v1.0-trainval' / f'{name}.json').read_text())
        assert records and len({r['token'] for r in records}) == len(records)


def test_times_and_chains(nusc: NuScenes) -> None:
    for scene in nusc.scene:
        samples = _chain(nusc, 'sample', scene['first_sample_token'])
        assert len(samples) == scene['nbr_samples'] == CONFIG.frames
        assert samples[-1]['token'] == scene['last_sample_token']
        np.testing.assert_array_equal(np.diff([s['timestamp'] for s in samples]), 500_000)
        sweeps = _chain(nusc, 'sample_data', samples[0]['data']['LIDAR_TOP'])
        assert len(sweeps) == 10 * (CONFIG.frames - 1) + 1 and sweeps[0]['prev'] == ''
        np.testing.assert_array_equal(np.diff([s['timestamp'] for s in sweeps]), 50_000)
        assert [s['is_key_frame'] for s in sweeps] == [i % 10 == 0 for i in range(len(sweeps))]
        for before, after in zip(sweeps, sweeps[1:]):
            assert after['prev'] == before['token']
        for record in sweeps:
            assert nusc.get('ego_pose', record['ego_pose_token'])['timestamp'] == record['timestamp']
            assert record['filename'].startswith('samples' if record['is_key_frame'] else 'sweeps')
        for camera in [c for c in samples[0]['data'] if c.startswith('CAM')]:
            images = _chain(nusc, 'sample_data', samples[0]['data'][camera])
            assert [r['sample_token'] for r in images] == [s['token'] for s in samples]
            assert all(r['timestamp'] == s['timestamp'] for r, s in zip(images, samples))


def test_files_exist_with_the_declared_sizes(nusc: NuScenes) -> None:
    for record in nusc.sample_data:
        path = Path(nusc.get_sample_data_path(record['token']))
        if record['fileformat'] == 'jpg':
            assert Image.open(path).size == (record['width'], record['height']) == (160, 90)
        else:
            assert path.stat().st_size % 20 == 0 and path.stat().st_size > 20 * 15_000


def test_points_are_finite_with_rings_and_intensities(nusc: NuScenes) -> None:
    record = nusc.get('sample_data', nusc.sample[0]['data']['LIDAR_TOP'])
    points = np.fromfile(nusc.get_sample_data_path(record['token']), dtype=np.float32).reshape(-1, 5)
    assert np.isfinite(points).all()
    assert set(np.unique(points[:, 4])) <= set(range(32)) and len(np.unique(points[:, 4])) == 32
    assert points[:, 3].min() >= 0 and points[:, 3].max() <= 255 and (points[:, 3] == np.round(points[:, 3])).all()


def test_num_lidar_pts_is_what_the_devkit_counts(nusc: NuScenes) -> None:
    counted = 0
    for sample in nusc.sample:
        path, boxes, _ = nusc.get_sample_data(sample['data']['LIDAR_TOP'])
        points = LidarPointCloud.from_file(path).points[:3]
        for box in boxes:
            annotation = nusc.get('sample_annotation', box.token)
            assert points_in_box(box, points).sum() == annotation['num_lidar_pts'], annotation['category_name']
            counted += annotation['num_lidar_pts'] > 0
    assert counted > 150


def test_annotation_chains_keep_their_instance(nusc: NuScenes) -> None:
    for instance in nusc.instance:
        chain = _chain(nusc, 'sample_annotation', instance['first_annotation_token'])
        assert len(chain) == instance['nbr_annotations'] and chain[-1]['token'] == instance['last_annotation_token']
        assert all(a['instance_token'] == instance['token'] for a in chain)
        assert len({tuple(a['size']) for a in chain}) == 1
        times = [nusc.get('sample', a['sample_token'])['timestamp'] for a in chain]
        assert (np.diff(times) == 500_000).all(), 'no gap within a track'


def test_devkit_velocity_is_the_simulated_one(nusc: NuScenes) -> None:
    """Central difference over a second, recomputed from the simulation's own trajectories, and its magnitude."""
    name = nusc.scene[0]['name']
    scene = build_scene(CONFIG.seed, name, CONFIG.frames)
    middle = nusc.get('sample', nusc.get('sample', nusc.scene[0]['first_sample_token'])['next'])
    expected = {}
    for actor in scene.actors:
        shift = actor.box(20)[0] - actor.box(0)[0]
        expected.setdefault(tuple(np.round(actor.size, 6)), []).append((np.linalg.norm(shift[:2]), actor.speed_at(10)))
    moving = 0
    for token in middle['anns']:
        annotation = nusc.get('sample_annotation', token)
        if not annotation['prev'] or not annotation['next']:
            continue
        speed = np.linalg.norm(nusc.box_velocity(token)[:2])
        width, length, height = annotation['size']
        candidates = expected[tuple(np.round([length, width, height], 6))]
        mean, now = min(candidates, key=lambda c: abs(c[0] - speed))
        assert speed == pytest.approx(mean, abs=1e-6)
        assert abs(speed - now) < 1.6, 'the mean over a second stays near the speed at its middle'
        attribute = [nusc.get('attribute', t)['name'] for t in annotation['attribute_tokens']]
        if attribute and attribute[0] in ('vehicle.moving', 'vehicle.parked'):
            assert (now > 0.3) == (attribute[0] == 'vehicle.moving')
        moving += speed > 1
    assert moving > 8


def test_points_inside_boxes_fall_inside_the_boxes_of_the_image(nusc: NuScenes) -> None:
    """LiDAR points in a box, taken through both poses to a camera, lie within the hull of its projected corners."""
    checked = 0
    sample = nusc.sample[1]
    for channel in [c for c in sample['data'] if c.startswith('CAM')]:
        record = nusc.get('sample_data', sample['data'][channel])
        calibration = nusc.get('calibrated_sensor', record['calibrated_sensor_token'])
        cloud = _cloud_in_camera(nusc, sample, record, calibration)
        _, boxes, intrinsic = nusc.get_sample_data(record['token'])
        for box in boxes:
            inside = cloud[:, points_in_box(box, cloud)]
            if inside.shape[1] < 5 or box.corners()[2].min() < 0.5:
                continue
            corners = view_points(box.corners(), intrinsic, True)[:2]
            pixels = view_points(inside, intrinsic, True)[:2]
            assert (pixels >= corners.min(axis=1, keepdims=True) - 1e-6).all()
            assert (pixels <= corners.max(axis=1, keepdims=True) + 1e-6).all()
            checked += 1
    assert checked > 5


def _cloud_in_camera(nusc: NuScenes, sample: dict, record: dict, calibration: dict) -> np.ndarray:
    from pyquaternion import Quaternion

    lidar = nusc.get('sample_data', sample['data']['LIDAR_TOP'])
    mount = nusc.get('calibrated_sensor', lidar['calibrated_sensor_token'])
    cloud = LidarPointCloud.from_file(nusc.get_sample_data_path(lidar['token'])).points[:3].astype(float)
    for pose in (mount, nusc.get('ego_pose', lidar['ego_pose_token'])):
        cloud = Quaternion(pose['rotation']).rotation_matrix @ cloud + np.array(pose['translation'])[:, None]
    for pose in (nusc.get('ego_pose', record['ego_pose_token']), calibration):
        cloud = Quaternion(pose['rotation']).rotation_matrix.T @ (cloud - np.array(pose['translation'])[:, None])
    return cloud


def test_the_car_drives_on_the_map(nusc: NuScenes) -> None:
    for record in nusc.map:
        logs = set(record['log_tokens'])
        for scene in nusc.scene:
            if scene['log_token'] not in logs:
                continue
            poses = np.array(
                [
                    nusc.get('ego_pose', d['ego_pose_token'])['translation']
                    for d in nusc.sample_data
                    if nusc.get('sample', d['sample_token'])['scene_token'] == scene['token']
                ]
            )
            assert record['mask'].is_on_mask(poses[:, 0], poses[:, 1]).all()
            assert not record['mask'].is_on_mask(np.array([2.0]), np.array([2.0])).any()


def test_visibility_levels_vary(nusc: NuScenes) -> None:
    levels = [a['visibility_token'] for a in nusc.sample_annotation]
    assert {'1', '4'} <= set(levels) <= {'1', '2', '3', '4'}


def test_official_evaluation_of_the_ground_truth_is_perfect(nusc: NuScenes, tmp_path: Path) -> None:
    """Ground truth written as predictions: the devkit's detection score is 1, so nothing in the tables misleads it."""
    from nuscenes.eval.common.loaders import load_gt
    from nuscenes.eval.detection.config import config_factory
    from nuscenes.eval.detection.data_classes import DetectionBox
    from nuscenes.eval.detection.evaluate import NuScenesEval

    truth = load_gt(nusc, 'val', DetectionBox)
    keys = ('sample_token', 'translation', 'size', 'rotation', 'velocity', 'detection_name', 'attribute_name')
    results = {}
    for token in truth.sample_tokens:
        results[token] = [
            {**{k: v for k, v in box.serialize().items() if k in keys}, 'detection_score': 1.0}
            for box in truth[token]
            if box.num_pts > 0
        ]  # the rest is no target
        for item in results[token]:
            item['velocity'] = [float(v) for v in np.nan_to_num(item['velocity'])]
    meta = dict.fromkeys(('use_camera', 'use_radar', 'use_map', 'use_external'), False)
    path = tmp_path / 'results.json'
    path.write_text(json.dumps({'meta': {**meta, 'use_lidar': True}, 'results': results}, default=np.ndarray.tolist))
    metrics = NuScenesEval(nusc, config_factory('detection_cvpr_2019'), str(path), 'val', str(tmp_path), verbose=False)
    summary = metrics.evaluate()[0].serialize()
    assert set(summary['mean_dist_aps']) == set(TEN_CLASSES)
    assert min(summary['mean_dist_aps'].values()) > 0.99, summary['mean_dist_aps']
    assert summary['mean_ap'] > 0.99 and summary['nd_score'] > 0.99


def test_the_devkit_reads_the_classes_of_points(nusc: NuScenes) -> None:
    """nuScenes-lidarseg's own layout, numbers and categories; points in an actor's box carry its category."""
    assert nusc.lidarseg_idx2name_mapping[24] == 'flat.driveable_surface' and len(nusc.lidarseg) == 2 * CONFIG.frames
    counts, inside, right = dict.fromkeys(range(32), 0), 0, 0
    for record in nusc.lidarseg:
        data = nusc.get('sample_data', record['sample_data_token'])
        points = LidarPointCloud.from_file(nusc.get_sample_data_path(data['token'])).points
        classes = np.fromfile(Path(nusc.dataroot) / record['filename'], dtype=np.uint8)
        assert len(classes) == points.shape[1]
        for number, count in zip(*np.unique(classes, return_counts=True)):
            counts[number] += count
        _, boxes, _ = nusc.get_sample_data(data['token'])
        for box in boxes:
            own = classes[points_in_box(box, points[:3])]
            pair = {'vehicle.truck', 'vehicle.trailer'}  # their boxes overlap
            names = pair if box.name in pair else {box.name}
            right += np.isin(own, [nusc.lidarseg_name2idx_mapping[name] for name in names]).sum()
            inside += len(own)
    assert inside > 300 and right > 0.9 * inside, 'the rest is the ground below'
    seen = {nusc.lidarseg_idx2name_mapping[number] for number, count in counts.items() if count}
    flat = {'flat.driveable_surface', 'flat.sidewalk', 'flat.terrain', 'static.manmade', 'static.vegetation'}
    assert flat | {'vehicle.car', 'human.pedestrian.adult'} <= seen
