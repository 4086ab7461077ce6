from __future__ import annotations

import numpy as np
import pytest
import torch
from mmdet3d.structures import LiDARInstance3DBoxes
from mmdet3d.structures.points import LiDARPoints

from projects.CLAP.clap.datasets.transforms import CLAPPackInputs
from tests.fixtures.driving_frames import make_points


def _results(count: int = 20) -> dict:
    cloud = make_points(np.random.default_rng(0), count)
    return dict(
        points=LiDARPoints(cloud, points_dim=5),
        keyframe_points=cloud[:, :3].astype(np.float64),
        keyframe_origins=np.zeros((1, 3)),
        img=[np.full((4, 6, 3), 9, np.uint8)] * 2,
        lidar_path='a.bin',
        cam_names=['l', 'r'],
        ori_shape=(8, 12),
        lidar2img=np.zeros((2, 4, 4), np.float32),
    )


def test_inputs_and_metainfo():
    packed = CLAPPackInputs().transform(_results())
    inputs, meta = packed['inputs'], packed['data_samples'].metainfo
    assert inputs['points'].shape == (20, 5)
    assert (inputs['img'].shape, inputs['img'].dtype) == ((2, 3, 4, 6), torch.uint8)
    assert (inputs['keyframe_points'].shape, inputs['keyframe_points'].dtype) == ((20, 3), torch.float32)
    assert inputs['keyframe_origins'].shape == (1, 3)
    np.testing.assert_array_equal(meta['lidar_aug_matrix'], np.eye(4))
    np.testing.assert_array_equal(np.stack(meta['img_aug_matrix']), np.tile(np.eye(4), (2, 1, 1)))
    assert (meta['cam_names'], meta['ori_shape'], meta['lidar_path']) == (['l', 'r'], (8, 12), 'a.bin')


def test_boxes_for_fine_tuning():
    keys = ('points', 'img', 'gt_bboxes_3d', 'gt_labels_3d')
    results = dict(_results(), gt_bboxes_3d=LiDARInstance3DBoxes(torch.zeros(2, 7)), gt_labels_3d=np.array([1, 2]))
    packed = CLAPPackInputs(keys=keys).transform(results)
    assert 'keyframe_points' not in packed['inputs']
    assert packed['data_samples'].gt_instances_3d.labels_3d.tolist() == [1, 2]


def test_empty_clouds_and_unequal_images_are_named():
    with pytest.raises(ValueError, match=r'a\.bin: no point left'):
        CLAPPackInputs().transform(_results(0))
    results = _results()
    results['points'].tensor[3, 1] = float('nan')
    with pytest.raises(ValueError, match=r"a\.bin or one of its earlier sweeps holds NaN.*verify='full'"):
        CLAPPackInputs().transform(results)
    results = _results()
    results['img'] = [np.zeros((4, 6, 3), np.uint8), np.zeros((4, 8, 3), np.uint8)]
    with pytest.raises(ValueError, match=r'a\.bin: images of different sizes.*CLAPImageAug3D'):
        CLAPPackInputs().transform(results)
