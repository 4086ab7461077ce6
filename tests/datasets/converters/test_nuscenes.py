"""Info files by mmdetection3d's converter: content against the devkit, and clear errors."""

from __future__ import annotations

import io
import json
import pickle
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Optional

import numpy as np
import pytest
from mmdet3d.registry import METRICS
from pyquaternion import Quaternion

from projects.CLAP.clap.datasets.converters.conversion import progress
from projects.CLAP.clap.datasets.converters.nuscenes import TABLES, check_tables, write_nuscenes_infos
from projects.CLAP.clap.datasets.transforms import to_keyframe
from projects.CLAP.clap.errors import DatasetError
from tests.fixtures.sim_dataset import CONFIG, tiny_dataset, tiny_nuscenes
from tools.create_data import main


def _infos(split: str) -> dict:
    with open(tiny_dataset() / f'sim_infos_{split}.pkl', 'rb') as file:
        return pickle.load(file)


def _matrix(record: dict) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = Quaternion(record['rotation']).rotation_matrix, record['translation']
    return matrix


def test_both_splits_are_complete() -> None:
    tokens = [[item['token'] for item in _infos(split)['data_list']] for split in ('train', 'val')]
    assert [len(t) for t in tokens] == [CONFIG.frames, CONFIG.frames]
    assert set(tokens[0] + tokens[1]) == {s['token'] for s in tiny_nuscenes().sample}
    assert _infos('train')['metainfo']['info_version'] == '1.1'
    assert _infos('train')['metainfo']['semantic_classes']['flat.driveable_surface'] == 24
    path = _infos('train')['data_list'][0]['lidar_points']['semantic_path']
    assert (tiny_dataset() / 'lidarseg' / path).is_file()


def test_sweeps_are_listed_latest_first_and_relative_to_the_root() -> None:
    last = _infos('train')['data_list'][-1]
    sweeps = last['lidar_sweeps']
    assert len(sweeps) == 10
    times = [last['timestamp'], *[s['timestamp'] for s in sweeps]]
    np.testing.assert_allclose(np.diff(times), -0.05, atol=1e-6)
    for sweep in sweeps:
        path = sweep['lidar_points']['lidar_path']
        assert (tiny_dataset() / path).is_file() and path.split('/')[0] in ('sweeps', 'samples')


def _sensor_pose(record: dict) -> np.ndarray:
    nusc = tiny_nuscenes()
    return _matrix(nusc.get('ego_pose', record['ego_pose_token'])) @ _matrix(
        nusc.get('calibrated_sensor', record['calibrated_sensor_token'])
    )


def test_sweep_matrices_equal_the_devkit_s() -> None:
    nusc, item = tiny_nuscenes(), _infos('train')['data_list'][-1]
    now = _sensor_pose(nusc.get('sample_data', nusc.get('sample', item['token'])['data']['LIDAR_TOP']))
    for sweep in item['lidar_sweeps']:
        then = _sensor_pose(nusc.get('sample_data', sweep['sample_data_token']))
        np.testing.assert_allclose(sweep['lidar_points']['lidar2sensor'], np.linalg.inv(then) @ now, atol=2e-4)
    assert np.linalg.norm((np.linalg.inv(then) @ now)[:3, 3]) > 1, 'the car moves'


def test_sweep_matrices_of_a_turning_vehicle(tmp_path: Path) -> None:
    """The simulated vehicle of the tiny data set drives straight on; here its poses turn by 30 degrees a second."""
    root = tmp_path / 'turning'
    shutil.copytree(tiny_dataset() / 'v1.0-trainval', root / 'v1.0-trainval')
    for folder in ('samples', 'sweeps', 'maps', 'lidarseg'):
        (root / folder).symlink_to(tiny_dataset() / folder)
    table = root / 'v1.0-trainval' / 'ego_pose.json'
    poses = json.loads(table.read_text())
    for record in poses:
        yaw = np.radians(30) * (record['timestamp'] - poses[0]['timestamp']) / 1e6
        turned = Quaternion(axis=[0, 0, 1], radians=yaw) * Quaternion(record['rotation'])
        record['rotation'] = turned.elements.tolist()
    table.write_text(json.dumps(poses))
    train, _ = write_nuscenes_infos(root, tmp_path / 'out')
    item = pickle.loads(train.read_bytes())['data_list'][-1]
    by_token = {record['token']: record for record in poses}
    nusc = tiny_nuscenes()

    def pose(token: str) -> np.ndarray:
        record = nusc.get('sample_data', token)
        to_ego = _matrix(nusc.get('calibrated_sensor', record['calibrated_sensor_token']))
        return _matrix(by_token[record['ego_pose_token']]) @ to_ego

    now = pose(nusc.get('sample', item['token'])['data']['LIDAR_TOP'])
    place = np.array([[12.0, -7.0, 1.5]])
    for sweep in item['lidar_sweeps']:
        then = pose(sweep['sample_data_token'])
        seen = np.linalg.inv(then) @ now @ [*place[0], 1.0]
        np.testing.assert_allclose(to_keyframe(seen[None, :3], sweep['lidar_points']['lidar2sensor']), place, atol=1e-3)
    assert abs((np.linalg.inv(then) @ now)[0, 1]) > 0.2, 'the car turns'


def test_camera_matrices_equal_the_devkit_s() -> None:
    nusc, item = tiny_nuscenes(), _infos('val')['data_list'][1]
    sample = nusc.get('sample', item['token'])
    lidar = _sensor_pose(nusc.get('sample_data', sample['data']['LIDAR_TOP']))
    assert len(item['images']) == 6
    for channel, image in item['images'].items():
        record = nusc.get('sample_data', sample['data'][channel])
        np.testing.assert_allclose(image['lidar2cam'], np.linalg.inv(_sensor_pose(record)) @ lidar, atol=2e-4)
        calibration = nusc.get('calibrated_sensor', record['calibrated_sensor_token'])
        np.testing.assert_allclose(image['cam2img'], calibration['camera_intrinsic'])
        assert (tiny_dataset() / 'samples' / channel / image['img_path']).is_file()


def test_instances_carry_all_ten_classes_with_points_and_velocity() -> None:
    instances = [i for split in ('train', 'val') for item in _infos(split)['data_list'] for i in item['instances']]
    assert {i['bbox_label_3d'] for i in instances} == set(range(10))
    assert all(len(i['bbox_3d']) == 7 for i in instances)
    assert any(np.linalg.norm(i['velocity']) > 3 for i in instances)


def test_image_boxes_are_clipped_at_the_true_image_size() -> None:
    boxes = [b['bbox'] for item in _infos('train')['data_list'] for cam in item['cam_instances'].values() for b in cam]
    boxes = np.array(boxes)
    assert len(boxes) > 20
    assert boxes.min() >= 0 and boxes[:, [0, 2]].max() <= 160 and boxes[:, [1, 3]].max() <= 90


def test_only_the_two_files_are_written_and_the_root_stays_clean(tmp_path: Path) -> None:
    before = sorted(p.name for p in tiny_dataset().iterdir())
    paths = write_nuscenes_infos(tiny_dataset(), tmp_path / 'out', prefix='mine', max_sweeps=3)
    assert [p.name for p in paths] == ['mine_infos_train.pkl', 'mine_infos_val.pkl']
    assert sorted(p.name for p in (tmp_path / 'out').iterdir()) == sorted(p.name for p in paths)
    assert sorted(p.name for p in tiny_dataset().iterdir()) == before
    with open(paths[0], 'rb') as file:
        assert max(len(i.get('lidar_sweeps', [])) for i in pickle.load(file)['data_list']) == 3


def test_missing_tables_are_named(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(['nuscenes', '--root', str(tmp_path), '--out', str(tmp_path / 'o')]) == 2
    message = capsys.readouterr().err
    assert str(tmp_path / 'v1.0-trainval') in message and 'sample_data.json' in message and 'nuscenes.org' in message
    assert not (tmp_path / 'o').exists()


def test_a_missing_map_mask_is_named(tmp_path: Path) -> None:
    (tmp_path / 'v1.0-mini').mkdir()
    for table in TABLES:
        (tmp_path / 'v1.0-mini' / f'{table}.json').write_text('[]')
    (tmp_path / 'v1.0-mini' / 'map.json').write_text(json.dumps([{'filename': 'maps/a.png'}]))
    with pytest.raises(FileNotFoundError, match='maps/a.png is missing'):
        check_tables(tmp_path, 'v1.0-mini')


def test_unknown_versions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='v1.0-mini'):
        check_tables(tmp_path, 'v1.0-test')


def test_a_mini_release_uses_the_mini_splits(tmp_path: Path) -> None:
    """The same tables under the name v1.0-mini, with a scene renamed to one of the mini val split."""
    for item in tiny_dataset().iterdir():
        if item.is_dir() and item.name != 'v1.0-trainval':
            (tmp_path / item.name).symlink_to(item)
    shutil.copytree(tiny_dataset() / 'v1.0-trainval', tmp_path / 'v1.0-mini')
    (tmp_path / 'v1.0-mini' / 'lidarseg.json').unlink()  # as in a release without nuScenes-lidarseg
    table = tmp_path / 'v1.0-mini' / 'scene.json'
    scenes = json.loads(table.read_text())
    scenes[0]['name'], scenes[1]['name'] = 'scene-0061', 'scene-0103'
    table.write_text(json.dumps(scenes))
    paths = write_nuscenes_infos(tmp_path, tmp_path / 'o', 'v1.0-mini')
    for path, scene in zip(paths, scenes):
        with open(path, 'rb') as file:
            items = pickle.load(file)['data_list']
        assert len(items) == CONFIG.frames and items[0]['token'] == scene['first_sample_token']


def without_lidar(root: Path, scene: int, content: Optional[bytes]) -> str:
    """The tiny data set, in which the last keyframe's LiDAR file of a scene is missing or another; the scene's name."""
    (root / 'samples').mkdir(parents=True)
    shutil.copytree(tiny_dataset() / 'samples' / 'LIDAR_TOP', root / 'samples' / 'LIDAR_TOP')
    for item in [*(tiny_dataset() / 'samples').glob('CAM*'), *tiny_dataset().iterdir()]:
        if item.name not in ('samples', 'LIDAR_TOP'):
            (root / item.relative_to(tiny_dataset())).symlink_to(item)
    record = tiny_nuscenes().scene[scene]
    token = tiny_nuscenes().get('sample', record['last_sample_token'])['data']['LIDAR_TOP']
    path = root / tiny_nuscenes().get('sample_data', token)['filename']
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    return record['name']


@pytest.mark.parametrize('content,told', [(None, 'is missing or empty'), (b'1234', 'has 4 bytes, no whole number')])
def test_a_scene_without_lidar_is_left_out_and_told(
    content: Optional[bytes], told: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    name = without_lidar(tmp_path / 'root', 0, content)
    command = ['nuscenes', '--root', str(tmp_path / 'root'), '--out', str(tmp_path / 'o')]
    assert main(command) == 0
    printed = capsys.readouterr()
    figures = json.loads(printed.out.splitlines()[-1])
    assert [Path(path).name for path in figures['infos']] == ['nuscenes_infos_val.pkl']
    assert list(figures['damaged']) == [name] and '1 of 2 recordings are left out' in printed.err
    frames = pickle.loads((tmp_path / 'o/nuscenes_infos_val.pkl').read_bytes())['data_list']
    assert [frame['token'] for frame in frames] == [frame['token'] for frame in _infos('val')['data_list']]
    assert main([*command, '--on-damaged', 'stop']) == 2
    assert f'{name}: ' in (said := capsys.readouterr().err) and told in said


def test_the_metric_knows_of_the_missing_scene_before_a_run(tmp_path: Path) -> None:
    """A split without frames has none to score; one with a scene too few is no whole split."""
    dataset = SimpleNamespace(
        metainfo=dict(version='v1.0-trainval', classes=['car']),
        ann_file=str(tiny_dataset() / 'sim_infos_val.pkl'),
        tokens=[frame['token'] for frame in _infos('val')['data_list']],
    )
    dataset.tokens_of_file = dataset.tokens
    metric = METRICS.build(dict(type='CLAPNuScenesMetric', data_root=str(tiny_dataset()), ann_file=dataset.ann_file))
    metric.check(dataset, None)
    dataset.tokens_of_file = dataset.tokens = dataset.tokens[:2]
    with pytest.raises(DatasetError, match=r'tables have 3 frames, .* has 2 \(1 missing, 0 of another split\)'):
        metric.check(dataset, None)


def test_progress_in_a_pipe_is_lines() -> None:
    out = io.StringIO()
    assert list(progress(range(25), 25, out)) == list(range(25)) and list(progress([], 0, out)) == []
    text = out.getvalue()
    assert '\r' not in text and '25 of 25' in text and len(text.splitlines()) == 10
