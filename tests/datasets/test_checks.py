from __future__ import annotations

import numpy as np
import pytest
import torch

from projects.CLAP.clap.datasets import CLAPDataset, DataError, check_dataset, check_frame
from projects.CLAP.clap.datasets import checks as checks_module
from projects.CLAP.clap.functional.voxelize import cylinder
from tests.fixtures.driving_frames import CAMERAS, read_infos, write_dataset, write_infos

RANGE = [-54, -54, -5, 54, 54, 3]
PIPELINE = [
    dict(type='CLAPLoadKeyframe'),
    dict(type='CLAPLoadMultiViewImages'),
    dict(type='CLAPImageAug3D', final_dim=(64, 128), resize_lim=(0.8, 0.9), rand_flip=True),
    dict(type='CLAPGlobalRotScaleTrans'),
    dict(type='CLAPPackInputs'),
]


@pytest.fixture
def dataset(tmp_path):
    write_dataset(tmp_path)
    return CLAPDataset(data_root=str(tmp_path), ann_file='infos.pkl', pipeline=PIPELINE)


def _change_calibration(tmp_path, change) -> CLAPDataset:
    infos = read_infos(write_dataset(tmp_path))
    for info in infos:
        for name in CAMERAS:
            change(name, info['images'][name])
    write_infos(tmp_path / 'infos.pkl', infos)
    return CLAPDataset(data_root=str(tmp_path), ann_file='infos.pkl', pipeline=PIPELINE)


def test_report(dataset):
    reports = check_dataset(dataset, num_frames=2, point_cloud_range=RANGE)
    assert len(reports) == 2
    assert reports[0].num_points == 400
    assert 0.6 < reports[0].in_range < 1
    assert set(reports[0].visible) == set(CAMERAS)
    assert all(0.02 < share < 0.4 for share in reports[0].visible.values())


def test_looking_does_not_change_what_training_draws(dataset):
    torch.manual_seed(0)
    np.random.seed(0)
    expected = torch.rand(3), np.random.rand(3)
    torch.manual_seed(0)
    np.random.seed(0)
    check_dataset(dataset)
    assert torch.equal(torch.rand(3), expected[0])
    assert np.array_equal(np.random.rand(3), expected[1])


@pytest.mark.parametrize(
    'key, damage, message',
    [
        ('points', lambda x: x[:0], 'points is empty'),
        ('keyframe_points', lambda x: x[:0], 'keyframe_points is empty'),
        ('points', lambda x: torch.cat([x, x[:2] * float('nan')]), 'NaN or Inf in 2 of 402 rows'),
        (
            'points',
            lambda x: x + torch.tensor([5e5, 4e6, 0, 0, 0]),
            'none of 400 points lies inside.*world coordinates',
        ),
        ('points', lambda x: x * torch.tensor([1e3, 1e3, 1e3, 1, 1]) + 1e3, 'another unit'),
        ('keyframe_origins', lambda x: x.expand(7, 3), r'keyframe_origins must be finite and of shape .* got .7, 3'),
    ],
)
def test_unusable_inputs_are_named(dataset, key, damage, message):
    sample = dataset[0]
    sample['inputs'][key] = damage(sample['inputs'][key])
    with pytest.raises(DataError, match=r'0\.bin.*' + message):
        check_frame(sample['inputs'], sample['data_samples'], RANGE)


def test_calibration_that_projects_nothing_is_named(tmp_path):
    def look_at_the_ground_from_below(name, camera):
        matrix = np.diag([1.0, -1.0, -1.0, 1.0])
        matrix[2, 3] = -500.0
        camera['lidar2cam'] = matrix.tolist()

    dataset = _change_calibration(tmp_path, look_at_the_ground_from_below)
    expected = r'0\.bin: no point projects into any of the cameras CAM_FRONT, CAM_LEFT.*lidar2img of'
    with pytest.raises(DataError, match=expected):
        check_dataset(dataset)


def test_one_blind_camera_is_legal_and_warned_about_once(tmp_path, monkeypatch):
    monkeypatch.setattr(checks_module, '_warned_cameras', set())

    def blind(name, camera):
        if name == 'CAM_LEFT':
            matrix = np.array(camera['lidar2cam'])
            matrix[2, 3] = -500.0
            camera['lidar2cam'] = matrix.tolist()

    dataset = _change_calibration(tmp_path, blind)
    with pytest.warns(UserWarning, match='camera CAM_LEFT sees no LiDAR point') as caught:
        reports = check_dataset(dataset, num_frames=3)
    assert len(caught) == 1
    assert [report.visible['CAM_LEFT'] for report in reports] == [0.0] * 3


VOXELS = dict(voxel_size=[0.5, 0.5, 8], point_cloud_range=RANGE)


def test_voxels_that_the_limit_cuts_off_are_told_or_refused(dataset):
    sample = dataset[0]

    def report(most):
        return check_frame(sample['inputs'], sample['data_samples'], RANGE, dict(VOXELS, max_voxels=most))

    points = sample['inputs']['points'][:, :3].numpy()
    points = points[(points[:, 2] >= -5) & (points[:, 2] < 3)]
    occupied = len(np.unique(np.floor(points[:, :2] / 0.5), axis=0))
    assert not [remark for remark in report(occupied).remarks if 'max_voxels' in remark]
    (remark,) = [remark for remark in report(int(0.9 * occupied)).remarks if 'max_voxels' in remark]
    assert 'cuts off 10%' in remark and 'raise its' in remark
    with pytest.raises(DataError, match=r'0\.bin: model\.voxelize_cfg\.max_voxels cuts off 60%'):
        report(int(0.4 * occupied))


def test_a_grid_of_other_axes_is_measured_in_its_own(dataset):
    """Distance, angle and height: what lies beside and behind is in range, too."""
    sample = dataset[0]
    limits = [0, -np.pi, -5, 80, np.pi, 3]
    cloud = sample['inputs']['points']
    place = cylinder(cloud).numpy()
    place = place[(place[:, 0] < 80) & (place[:, 2] >= -5) & (place[:, 2] < 3)]
    occupied = len(np.unique(np.floor((place[:, :2] + [0, np.pi]) / [8, np.pi / 8]), axis=0))
    cfg = dict(voxel_size=[8, np.pi / 8, 8], point_cloud_range=limits, max_voxels=occupied)
    report = check_frame(sample['inputs'], sample['data_samples'], limits, cfg, cylinder)
    assert report.in_range > 0.6 and not [remark for remark in report.remarks if 'max_voxels' in remark]
    assert check_frame(sample['inputs'], sample['data_samples'], limits).in_range < 0.3


@pytest.mark.parametrize(
    'scale, cause',
    [(1e-1, 'of 400 points lie more than 5 m away'), (1e-2, 'kilometres or scaled, float64'), (1e2, 'millimetres')],
)
def test_the_keyframe_is_measured_before_the_range_filter(dataset, scale, cause):
    sample = dataset[0]
    sample['inputs']['keyframe_points'] = sample['inputs']['keyframe_points'] * scale
    with pytest.raises(DataError, match=r'0\.bin.*' + cause):
        check_frame(sample['inputs'], sample['data_samples'], RANGE)
    if scale == 0.1:  # a range that says so
        check_frame(
            sample['inputs'],
            sample['data_samples'],
            [-15, -15, -5, 15, 15, 5],
        )


@pytest.mark.parametrize(
    'column, change, remark',
    [
        (3, lambda v: v / 255, 'intensities lie in 0..1'),
        (3, lambda v: v * 100, 'intensities reach'),
        (2, lambda v: v * 100, 'z has to be up'),
    ],
)
def test_what_is_legal_and_most_often_a_mistake_is_remarked(dataset, column, change, remark):
    sample = dataset[0]
    quiet = check_frame(sample['inputs'], sample['data_samples'], RANGE)
    assert not quiet.remarks
    sample['inputs']['points'][:, column] = change(sample['inputs']['points'][:, column])
    if column == 2:
        sample['inputs']['keyframe_points'] = sample['inputs']['points'][:, :3]
    tall = [-54, -54, -500, 54, 54, 500]
    (found,) = check_frame(sample['inputs'], sample['data_samples'], tall).remarks
    assert remark in found
