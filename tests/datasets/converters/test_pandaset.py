from __future__ import annotations

import json
import pickle
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from mmdet3d.structures import LiDARInstance3DBoxes

from projects.CLAP.clap.datasets import CLAPDataset
from projects.CLAP.clap.datasets.converters.pandaset import convert
from projects.CLAP.clap.datasets.converters.pandaset_boxes import CLASS_OF_LABEL, CLASSES
from projects.CLAP.clap.datasets.converters.pandaset_reader import find_sequences
from projects.CLAP.clap.errors import DataError
from projects.CLAP.clap.files.pickled_table import read_table
from tests.fixtures import pandaset_recording as recording
from tools.create_data import main


@pytest.fixture
def converted(tmp_path):
    root = tmp_path / 'out' / 'raw'
    recording.write_recording(root / '007')
    files = convert(root, tmp_path / 'out')
    return tmp_path / 'out', {path.stem: pickle.loads(path.read_bytes()) for path in files}


def test_writes_the_info_files_and_the_split(converted):
    _, content = converted
    tokens = {name: [info['token'] for info in part['data_list']] for name, part in content.items()}
    assert tokens == {
        'pandaset_infos_train': ['007_00', '007_02', '007_03'],
        'pandaset_infos_val': ['007_07'],
        'pandaset_infos_all': ['007_00', '007_02', '007_03', '007_07'],
    }
    assert content['pandaset_infos_all']['metainfo']['info_version'] == '1.1'
    assert content['pandaset_infos_all']['metainfo']['semantic_classes']['Other Static Object'] == 42


def test_points_and_origins_reproduce_the_ranges_that_were_measured(converted):
    """Origin + range * direction is how the recording was made; the distance must come back for every point."""
    out, content = converted
    rng = np.random.default_rng(0)
    for info, frame in zip(content['pandaset_infos_all']['data_list'], (0, 2, 3, 7)):
        table = recording.make_sweep(frame, rng)
        table = table[table['d'] == 0]
        points, origins = _read(out, info)
        assert points.shape == (300, 5)
        np.testing.assert_allclose(np.linalg.norm(points[:, :3] - origins, axis=1), table['range'], atol=2e-3)
        np.testing.assert_allclose(points[:, 3], table['i'])
        np.testing.assert_allclose(points[:, 4], recording.START_S + 0.1 * frame - table['t'], atol=1e-6)
        # the LiDAR frame's origin is where the sensor was at the end of the sweep, 0.8 m behind at its start
        assert np.linalg.norm(origins[-1]) < 0.05
        assert 0.7 < np.linalg.norm(origins[0]) < 0.9
        assert origins[0, 1] < -0.7, 'the vehicle drives along +y, so the sensor was behind its later position'


def test_points_lie_where_they_were_in_the_world(converted):
    out, content = converted
    info = content['pandaset_infos_all']['data_list'][2]
    points, _ = _read(out, info)
    to_world = np.array(info['ego2global']) @ np.array(info['lidar_points']['lidar2ego'])
    rng = np.random.default_rng(0)
    tables = [recording.make_sweep(frame, rng) for frame in (0, 2, 3)]
    expected = tables[2][tables[2]['d'] == 0][['x', 'y', 'z']].to_numpy()
    np.testing.assert_allclose(points[:, :3] @ to_world[:3, :3].T + to_world[:3, 3], expected, atol=1e-4)


def test_cameras(converted):
    out, content = converted
    info = content['pandaset_infos_all']['data_list'][1]
    camera = info['images']['front_camera']
    assert camera['img_path'] == 'raw/007/camera/front_camera/02.jpg'
    assert (camera['height'], camera['width']) == (108, 192)
    np.testing.assert_allclose(camera['cam2img'], [[200, 0, 97], [0, 210, 55], [0, 0, 1]])
    time = recording.START_S + 0.2
    world = np.append(recording.camera_pose(time - 0.05) @ [0.5, -0.3, 7.0, 1.0], 1.0)[:4]
    to_world = np.array(info['ego2global']) @ np.array(info['lidar_points']['lidar2ego'])
    lidar = np.linalg.inv(to_world) @ world
    np.testing.assert_allclose(np.array(camera['lidar2cam']) @ lidar, [0.5, -0.3, 7.0, 1.0], atol=1e-6)


def test_image_paths_are_absolute_when_the_recording_lies_elsewhere(tmp_path):
    recording.write_recording(tmp_path / 'raw' / '007', frames=(0,))
    path = convert(tmp_path / 'raw', tmp_path / 'out')[2]
    info = pickle.loads(path.read_bytes())['data_list'][0]
    assert info['images']['front_camera']['img_path'] == str(tmp_path / 'raw/007/camera/front_camera/00.jpg')


def test_boxes_follow_mmdet3d(converted):
    """A car whose length points east: its corners, as mmdet3d computes them, must span 4.5 m east and 2 m north."""
    _, content = converted
    info = content['pandaset_infos_all']['data_list'][2]
    labels = [(box['native_class'], box['bbox_label_3d']) for box in info['instances']]
    assert labels == [('Car', 0), ('Animals - Bird', -1)]
    box = info['instances'][0]
    corners = LiDARInstance3DBoxes(torch.tensor([box['bbox_3d']]), origin=(0.5, 0.5, 0.5)).corners[0].numpy()
    to_world = np.array(info['ego2global']) @ np.array(info['lidar_points']['lidar2ego'])
    world = corners @ to_world[:3, :3].T + to_world[:3, 3]
    np.testing.assert_allclose(world.min(0), [10.9 - 2.25, 11.0, 0.2], atol=1e-4)
    np.testing.assert_allclose(world.max(0), [10.9 + 2.25, 13.0, 1.8], atol=1e-4)
    heading = to_world[:2, :2] @ [np.cos(box['bbox_3d'][6]), np.sin(box['bbox_3d'][6])]
    np.testing.assert_allclose(heading, [1.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(to_world[:2, :2] @ box['velocity'], [3.0, 0.0], atol=1e-6)


def test_classes_are_those_of_the_dataset():
    assert tuple(CLASSES) == CLAPDataset.METAINFO['classes']
    assert set(CLASS_OF_LABEL.values()) == set(CLASSES)


def test_earlier_sweeps_carry_the_point_to_the_same_place(converted):
    _, content = converted
    infos = content['pandaset_infos_all']['data_list']
    assert [sweep['sample_data_token'] for sweep in infos[3]['lidar_sweeps']] == ['007_03', '007_02', '007_00']
    sweep = infos[3]['lidar_sweeps'][0]
    key_to_world = np.array(infos[3]['ego2global']) @ np.array(infos[3]['lidar_points']['lidar2ego'])
    other_to_world = np.array(infos[2]['ego2global']) @ np.array(infos[2]['lidar_points']['lidar2ego'])
    point = np.array([1.0, 2.0, 3.0, 1.0])
    np.testing.assert_allclose(
        np.array(sweep['lidar_points']['lidar2sensor']) @ point,
        np.linalg.inv(other_to_world) @ key_to_world @ point,
        atol=1e-9,
    )


def test_five_sequences_are_split_whole(tmp_path):
    for number in range(6):
        recording.write_recording(tmp_path / 'raw' / f'{number:03d}', frames=(0, 1), cuboids=False)
    files = convert(tmp_path / 'raw', tmp_path / 'out')
    content = [pickle.loads(path.read_bytes())['data_list'] for path in files]
    assert {info['sequence'] for info in content[1]} == {'004'}
    assert {info['sequence'] for info in content[0]} == {'000', '001', '002', '003', '005'}
    assert content[0][0]['instances'] == []


def test_points_that_are_not_finite_are_left_out_and_plain_pickles_are_read(tmp_path):
    folder = recording.write_recording(tmp_path / 'raw' / '007', frames=(1,))
    table = recording.make_sweep(1, np.random.default_rng(0)).drop(columns='range')
    table.loc[5, 'x'] = np.nan
    table.loc[8, 't'] = np.inf
    (folder / 'lidar' / '01.pkl.gz').unlink()
    recording.write_table(folder / 'lidar' / '01.pkl', table)
    info = pickle.loads(convert(tmp_path / 'raw', tmp_path / 'out')[2].read_bytes())['data_list'][0]
    points, origins = _read(tmp_path / 'out', info)
    assert len(points) == len(origins) == 298
    assert np.isfinite(points).all()


@pytest.mark.parametrize(
    'damage, message',
    [
        (lambda folder: (folder / 'camera/front_camera/02.jpg').unlink(), r'02\.jpg does not exist'),
        (lambda folder: (folder / 'camera/front_camera/intrinsics.json').write_text('{}'), r'expected numbers fx, fy'),
        (lambda folder: (folder / 'lidar/timestamps.json').unlink(), r'timestamps\.json: the file does not exist'),
        (lambda folder: (folder / 'lidar/poses.json').write_text('[{'), r'not valid JSON'),
        (lambda folder: (folder / 'lidar/poses.json').write_text(json.dumps([1])), r'at least 8 entries'),
        (lambda folder: (folder / 'lidar/02.pkl.gz').write_bytes(b'\x1f\x8b'), r'02\.pkl\.gz.*truncated'),
    ],
    ids=['image', 'intrinsics', 'timestamps', 'json', 'too few poses', 'truncated sweep'],
)
def test_damage_is_named(tmp_path, damage, message):
    folder = recording.write_recording(tmp_path / 'raw' / '007')
    damage(folder)
    with pytest.raises(ValueError, match=message):
        convert(tmp_path / 'raw', tmp_path / 'out')


def test_the_others_are_converted_and_stay_in_their_splits(tmp_path, capsys):
    for number in range(5):
        recording.write_recording(tmp_path / 'raw' / f'{number:03d}', frames=(0, 1), cuboids=False)
    shutil.rmtree(tmp_path / 'raw/001/lidar')
    (tmp_path / 'raw/002/lidar/01.pkl.gz').write_bytes(b'\x1f\x8b')
    assert main(['pandaset', '--root', str(tmp_path / 'raw'), '--out', str(tmp_path / 'out')]) == 0
    printed = capsys.readouterr()
    assert list(json.loads(printed.out.splitlines()[-1])['damaged']) == ['001', '002']
    assert '2 of 5 recordings are left out' in printed.err and '01.pkl.gz' in printed.err
    for split, names in (('train', {'000', '003'}), ('val', {'004'})):
        content = pickle.loads((tmp_path / f'out/pandaset_infos_{split}.pkl').read_bytes())
        assert {info['sequence'] for info in content['data_list']} == names
    stop = ['--on-damaged', 'stop']
    assert main(['pandaset', '--root', str(tmp_path / 'raw'), '--out', str(tmp_path / 'other'), *stop]) == 2
    assert '001/lidar: no sweep files' in capsys.readouterr().err


def test_a_wrong_root_is_named(tmp_path):
    with pytest.raises(ValueError, match='is not a folder'):
        find_sequences(tmp_path / 'nowhere')
    with pytest.raises(ValueError, match='no PandaSet sequence below'):
        find_sequences(tmp_path)


def _read(out, info):
    lidar = info['lidar_points']
    points = np.fromfile(out / 'lidar' / lidar['lidar_path'], dtype=np.float32).reshape(-1, 5)
    return points, np.fromfile(out / 'lidar' / lidar['origins_path'], dtype=np.float32).reshape(-1, 3)


def test_classes_of_points_stay_with_their_points(tmp_path):
    """Semantic classes are written for the spinning LiDAR's finite points, in their order, and only when asked for."""
    folder = tmp_path / 'raw' / '007'
    recording.write_recording(folder, frames=(0,))
    table = read_table(folder / 'lidar' / '00.pkl.gz')
    labels = pd.DataFrame({'class': (np.arange(len(table)) * 7 % 43).astype(np.int64)}, index=table.index)
    recording.write_table(folder / 'annotations' / 'semseg' / '00.pkl.gz', labels)
    path = convert(tmp_path / 'raw', tmp_path / 'out')[2]
    lidar = pickle.loads(path.read_bytes())['data_list'][0]['lidar_points']
    found = np.fromfile(tmp_path / 'out' / 'lidar' / lidar['semantic_path'], dtype=np.uint8)
    keep = (table['d'] == 0) & np.isfinite(table[['x', 'y', 'z', 'i', 't']]).all(axis=1)
    np.testing.assert_array_equal(found, labels['class'][keep].to_numpy())
    options = dict(
        data_root=str(tmp_path / 'out'), ann_file=path.name, data_prefix=dict(pts='lidar', sweeps='', img='')
    )
    assert 'semantic_path' not in CLAPDataset(**options).get_data_info(0)['lidar_points']
    labelled = CLAPDataset(**options, with_annotations=True, test_mode=True).get_data_info(0)
    assert labelled['lidar_points']['semantic_path'].endswith('lidar/007_00.semantic.bin')
    recording.write_table(folder / 'annotations' / 'semseg' / '00.pkl.gz', labels[:-1])
    with pytest.raises(DataError, match='semseg'):
        convert(tmp_path / 'raw', tmp_path / 'again')
