"""The truth test: whatever the augmentation, a point and its picture stay together."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch
from mmdet3d.structures.points import LiDARPoints

from projects.CLAP.clap.datasets.transforms import (
    CLAPGlobalRotScaleTrans,
    CLAPImageAug3D,
    CLAPPackInputs,
    CLAPRandomFlip3D,
)
from projects.CLAP.clap.functional.projection import project_points
from tests.fixtures.driving_frames import camera_info

SIZE = (180, 320)
DOT = 6


def _scene() -> dict:
    """One camera; every point has a disc of its own colour in the image, centred where it projects."""
    camera = camera_info('', (0.2, 1.0, -0.1), SIZE)
    cam2img, lidar2cam = np.eye(4), np.array(camera['lidar2cam'])
    cam2img[:3, :3] = camera['cam2img']
    grid = np.stack(np.meshgrid(np.arange(18, 310, 26), np.arange(18, 170, 26)), -1).reshape(-1, 2) + 0.37
    depth = np.random.default_rng(0).uniform(4, 40, len(grid))
    seen = np.column_stack([grid, np.ones(len(grid))]) @ np.linalg.inv(cam2img[:3, :3]).T * depth[:, None]
    points = (np.column_stack([seen, np.ones(len(seen))]) @ np.linalg.inv(lidar2cam).T)[:, :3]
    colours = np.array([[255 * c for c in colorsys.hsv_to_rgb(i * 0.618 % 1, 1.0, 1.0)] for i in range(len(grid))])
    rows, columns = np.mgrid[0 : SIZE[0], 0 : SIZE[1]] + 0.5
    image = np.zeros((*SIZE, 3), np.uint8)
    for (u, v), colour in zip(grid, colours):
        image[(columns - u) ** 2 + (rows - v) ** 2 < DOT**2] = colour
    cloud = np.column_stack([points, np.zeros((len(points), 2))]).astype(np.float32)
    return dict(
        img=[image],
        cam_names=['cam'],
        points=LiDARPoints(cloud.copy(), points_dim=5),
        colours=colours,
        keyframe_points=cloud[:, :3].copy(),
        keyframe_origins=np.zeros((1, 3), np.float32),
        lidar2img=(cam2img @ lidar2cam)[None].astype(np.float32),
    )


@pytest.mark.parametrize('seed', range(16))
def test_augmented_points_project_onto_their_own_colour(seed):
    torch.manual_seed(seed)
    results = _scene()
    colours = results['colours']
    for step in (
        CLAPImageAug3D((128, 224), (0.65, 0.9), (0.0, 0.1), (-5.4, 5.4), rand_flip=True),
        CLAPRandomFlip3D(),
        CLAPGlobalRotScaleTrans((-0.8, 0.8), (0.9, 1.1), (0.5, 0.5, 0.2)),
        CLAPRandomFlip3D(),
        CLAPPackInputs(),
    ):
        results = step.transform(results)
    inputs, meta = results['inputs'], results['data_samples'].metainfo
    lidar_aug = torch.from_numpy(meta['lidar_aug_matrix'])
    moved = inputs['keyframe_points'] @ lidar_aug[:3, :3].T + lidar_aug[:3, 3]
    torch.testing.assert_close(moved, inputs['points'][:, :3], atol=2e-4, rtol=0)

    projected = project_points(
        inputs['points'][:, :3],
        torch.from_numpy(meta['lidar2img']),
        torch.from_numpy(np.stack(meta['img_aug_matrix'])),
        lidar_aug,
        inputs['img'].shape[-2:],
    )
    visible = projected.visible[0]
    assert visible.sum() > 15
    column, row = projected.uv[0][visible].long().unbind(-1)
    found = inputs['img'][0, :, row, column].T.float()
    error = (found - torch.as_tensor(colours, dtype=torch.float32)[visible]).abs().amax(1)
    assert error.max() < 40, error


def test_the_test_can_fail():
    """The same check with a transposed matrix, a sign error or half a dot's shift finds colours that do not fit."""
    results = CLAPPackInputs().transform(_scene())
    inputs, meta = results['inputs'], results['data_samples'].metainfo
    wrong = torch.from_numpy(np.stack(meta['img_aug_matrix']))
    wrong[:, 0, 3] += 2 * DOT
    projected = project_points(
        inputs['points'][:, :3],
        torch.from_numpy(meta['lidar2img']),
        wrong,
        torch.from_numpy(meta['lidar_aug_matrix']),
        SIZE,
    )
    column, row = projected.uv[0][projected.visible[0]].long().unbind(-1)
    assert inputs['img'][0, :, row, column].float().amax(0).min() == 0
