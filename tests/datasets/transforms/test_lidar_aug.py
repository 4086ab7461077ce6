from __future__ import annotations

import numpy as np
import pytest
import torch
from mmdet3d.structures import LiDARInstance3DBoxes
from mmdet3d.structures.points import LiDARPoints

from projects.CLAP.clap.datasets.transforms import CLAPGlobalRotScaleTrans, CLAPRandomFlip3D, lidar_aug
from tests.fixtures.golden import cloud, golden


def _results(with_boxes: bool = True) -> dict:
    points = torch.randn(50, 5) * 10
    results = dict(points=LiDARPoints(points.clone(), points_dim=5), original=points)
    if with_boxes:
        boxes = torch.tensor(
            [[2.0, 10.0, -1.0, 4.0, 2.0, 1.6, 0.3, 1.0, 0.5], [-5.0, 3.0, 0.0, 1.0, 0.6, 1.8, -2.0, 0.0, -2.0]]
        )
        results['gt_bboxes_3d'] = LiDARInstance3DBoxes(boxes, box_dim=9, origin=(0.5, 0.5, 0.5))
        results['original_boxes'] = results['gt_bboxes_3d'].clone()
    return results


def _apply(matrix: np.ndarray, xyz: torch.Tensor) -> torch.Tensor:
    matrix = torch.from_numpy(matrix)
    return xyz.double() @ matrix[:3, :3].T + matrix[:3, 3]


def _sorted_rows(corners: torch.Tensor) -> np.ndarray:
    rows = corners.reshape(-1, 3).double().numpy()
    return rows[np.lexsort(rows.round(3).T)]


@pytest.mark.parametrize('seed', range(8))
def test_matrix_moves_points_and_boxes_alike(seed):
    """After a random chain: matrix @ original = augmented, for points, for box corners and for velocities."""
    torch.manual_seed(seed)
    results = _results()
    for step in (
        CLAPRandomFlip3D(),
        CLAPGlobalRotScaleTrans((-3, 3), (0.8, 1.2), (1.0, 2.0, 0.5)),
        CLAPRandomFlip3D(),
        CLAPGlobalRotScaleTrans((-0.7, 0.7), (0.9, 1.1), (0.5, 0.5, 0.5)),
    ):
        results = step.transform(results)
    matrix = results['lidar_aug_matrix']
    torch.testing.assert_close(
        results['points'].tensor[:, :3].double(), _apply(matrix, results['original'][:, :3]), atol=2e-5, rtol=0
    )
    torch.testing.assert_close(results['points'].tensor[:, 3:], results['original'][:, 3:])
    boxes, before = results['gt_bboxes_3d'], results['original_boxes']
    for index in range(len(boxes)):
        np.testing.assert_allclose(
            _sorted_rows(boxes.corners[index]), _sorted_rows(_apply(matrix, before.corners[index])), atol=1e-4
        )
    moved = _apply(matrix, torch.cat([before.tensor[:, 7:9], torch.zeros(2, 1)], 1)) - torch.from_numpy(matrix[:3, 3])
    torch.testing.assert_close(boxes.tensor[:, 7:9].double(), moved[:, :2], atol=1e-4, rtol=0)


def test_golden_chain(monkeypatch):
    """With numpy's draws in BEVFusion's order: rotation, scale, translation, then horizontal and vertical flip.

    BEVFusion's other records of them (`flow`, `pcd_*`) are not kept by this project.
    """
    entry = golden()['lidar_aug']
    scene, flips = np.random.RandomState(0), np.random.RandomState(entry['flip_seed'])
    monkeypatch.setattr(lidar_aug, 'uniform', lambda limits: scene.uniform(*limits))
    monkeypatch.setattr(lidar_aug, 'normal', lambda std: torch.from_numpy(scene.normal(scale=std, size=3)))
    monkeypatch.setattr(lidar_aug, 'coin', lambda probability: bool(flips.choice([0, 1])))
    boxes = torch.tensor(golden()['targets']['gt0']['boxes'])
    results = dict(points=LiDARPoints(cloud('aug', 6), points_dim=5), gt_bboxes_3d=LiDARInstance3DBoxes(boxes, 9))
    results = CLAPGlobalRotScaleTrans((-0.78539816, 0.78539816), (0.9, 1.1), (0.5, 0.5, 0.5)).transform(results)
    np.testing.assert_allclose(results['lidar_aug_matrix'], entry['matrix_after_rts'], rtol=1e-5, atol=1e-6)
    results = CLAPRandomFlip3D(0.5, 0.5).transform(results)
    np.testing.assert_allclose(results['lidar_aug_matrix'], entry['matrix_after_flip'], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(results['points'].tensor, entry['points'], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(results['gt_bboxes_3d'].tensor, entry['boxes'], rtol=1e-5, atol=1e-5)


def test_order_is_rotation_translation_scale():
    results = _results(with_boxes=False)
    step = CLAPGlobalRotScaleTrans((np.pi / 2, np.pi / 2), (2.0, 2.0), (0.0, 0.0, 0.0))
    matrix = step.transform(results)['lidar_aug_matrix']
    np.testing.assert_allclose(matrix, [[0, -2, 0, 0], [2, 0, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1]], atol=1e-12)
    shifts = []
    for scale in (1.0, 2.0):
        step = CLAPGlobalRotScaleTrans((0, 0), (scale, scale), (1.0, 1.0, 1.0))
        results = _results(with_boxes=False)
        torch.manual_seed(3)
        shifts.append(step.transform(results)['lidar_aug_matrix'][:3, 3])
    np.testing.assert_allclose(shifts[1], 2 * shifts[0])


def test_flips_by_name():
    horizontal = CLAPRandomFlip3D(1.0, 0.0).transform(_results())['lidar_aug_matrix']
    vertical = CLAPRandomFlip3D(0.0, 1.0).transform(_results())['lidar_aug_matrix']
    np.testing.assert_allclose(horizontal, np.diag([1, -1, 1, 1]))
    np.testing.assert_allclose(vertical, np.diag([-1, 1, 1, 1]))
    flipped = CLAPRandomFlip3D(1.0, 1.0).transform(_results())
    assert torch.equal(flipped['points'].tensor, flipped['original'] * torch.tensor([-1.0, -1, 1, 1, 1]))
    assert 'lidar_aug_matrix' not in CLAPRandomFlip3D(0.0, 0.0).transform(_results())


@pytest.mark.parametrize(
    'make',
    [
        lambda: CLAPGlobalRotScaleTrans(rot_range=(1, -1)),
        lambda: CLAPGlobalRotScaleTrans(scale_ratio_range=(0, 1)),
        lambda: CLAPGlobalRotScaleTrans(translation_std=(1, 1)),
        lambda: CLAPRandomFlip3D(1.5),
    ],
)
def test_wrong_arguments(make):
    with pytest.raises(ValueError, match='must be'):
        make()
