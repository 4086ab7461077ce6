"""Rays of earlier sweeps as targets (``CLAPLoadSweeps(target_sweeps=...)``), seen from where the vehicle was then."""

from __future__ import annotations

import copy
from typing import List

import numpy as np
import pytest
import torch

from projects.CLAP.clap.structures import KeyframeSweep
from tests.datasets.transforms.test_sweeps import pose
from tests.fixtures.tiny import batch, build, losses_of

SWEEPS = 3
NO_CAMERAS = dict.fromkeys(('img_backbone', 'img_neck', 'view_transform', 'fusion_layer', 'prototype_head'))


def drive(index: int) -> np.ndarray:
    """LiDAR -> keyframe's LiDAR of a sweep 0.5 s times ``index`` ago, at 6 m/s and 30 degrees/s."""
    return pose(-0.5 * index, 6, 30)


def wall_from(motion: np.ndarray, num: int) -> np.ndarray:
    """(num, 3) float32 of a wall 12 m before the keyframe's sensor, in the frame of a sensor at ``motion``."""
    rng = np.random.default_rng(0)
    wall = np.column_stack([np.full(num, 12.0), rng.uniform(-10, 10, num), rng.uniform(-2, 2, num), np.ones(num)])
    return (wall @ np.linalg.inv(motion).T)[:, :3].astype(np.float32)


def with_sweeps(data: dict, lengths: tuple = (500, 400, 300)) -> dict:
    """The batch with sweeps before every keyframe."""
    clouds = [wall_from(drive(index), num) for index, num in enumerate(lengths, 1)]
    motions = [drive(index) for index in range(1, len(lengths) + 1)]
    size = len(data['data_samples'])
    data = copy.deepcopy(data)
    data['inputs'].update(
        sweep_points=[torch.from_numpy(np.concatenate([np.zeros((0, 3), np.float32), *clouds]))] * size,
        sweep_lengths=[torch.tensor(lengths, dtype=torch.int64)] * size,
        sweep_to_keyframe=[torch.from_numpy(np.reshape(motions, (-1, 4, 4)).astype(np.float32))] * size,
    )
    return data


def targets_of(model: torch.nn.Module, data: dict) -> List[KeyframeSweep]:
    ready = model.data_preprocessor(data, training=True)
    metas = [sample.metainfo for sample in ready['data_samples']]
    return model.with_earlier(model.sweeps(ready['inputs'], metas), ready['inputs'], metas)


def test_the_wall_stays_and_the_rays_start_where_the_sensor_was() -> None:
    data = with_sweeps(batch(1))
    aug = np.eye(4)
    aug[:2, :2] = 1.1 * np.array([[0.8, -0.6], [0.6, 0.8]])
    aug[2, 2], aug[:3, 3] = 1.1, [0.5, -0.3, 0.1]
    data['data_samples'][0].set_metainfo(dict(lidar_aug_matrix=aug))
    (sweep,) = targets_of(build(**NO_CAMERAS), data)
    keyframe = len(data['inputs']['keyframe_points'][0])
    undo = torch.from_numpy(np.linalg.inv(aug)).float()
    points, origins = (part @ undo[:3, :3].T + undo[:3, 3] for part in (sweep.points, sweep.origins))
    assert len(points) == keyframe + 1200
    torch.testing.assert_close(points[keyframe:, 0], torch.full((1200,), 12.0), atol=1e-4, rtol=0)
    assert origins[:keyframe].abs().max() < 1e-5
    for index, part in enumerate(origins[keyframe:].split((500, 400, 300)), 1):
        expected = torch.from_numpy(drive(index)[:3, 3]).float().expand(len(part), 3)
        torch.testing.assert_close(part, expected, atol=1e-5, rtol=0)
    assert expected[0, :2].abs().min() > 2, 'the vehicle has moved and turned'


def test_held_back_places_and_the_own_vehicle_are_those_of_each_sweep() -> None:
    model = build(**NO_CAMERAS, ego_box=[8.0, -3.0, -5.0, 30.0, 3.0, 3.0])  # far ahead, so that the wall tells
    data = with_sweeps(batch(1))
    (sweep,) = targets_of(model, data)
    parts = [data['inputs']['keyframe_points'][0], *data['inputs']['sweep_points'][0].split((500, 400, 300))]
    assert torch.equal(sweep.heldout, torch.cat([model.heldout(part) for part in parts])), 'a keyframe, then sweeps'
    assert torch.equal(sweep.own, torch.cat([model.own_vehicle(part) for part in parts]))
    first = slice(-1200, -700)
    assert sweep.own[first].any() and not torch.equal(sweep.own[first], model.own_vehicle(sweep.points[first]))


@pytest.mark.parametrize('sampler', ['Uniform', 'Depth', 'Curvature', 'SurfaceVariation'])
def test_every_sampler_draws_from_them_by_the_rules_of_a_keyframe(sampler: str) -> None:
    model = build(ray_sampler=dict(type=f'{sampler}RaySampler', num_lidar_rays=4000, num_camera_rays=8))
    data = with_sweeps(batch(1))
    near = torch.tensor([[1.0, 0.5, 0.0]]) + 0.01 * torch.rand(300, 3)  # on the vehicle, of the oldest sweep
    data['inputs']['sweep_points'][0] = torch.cat([data['inputs']['sweep_points'][0][:900], near])
    drawn = []
    draw = model.sample_rays
    model.sample_rays = lambda *args: drawn.append((args[1][0], draw(*args))) or drawn[-1][1]
    assert torch.isfinite(sum(value for name, value in losses_of(model, data).items() if 'loss' in name))
    (sweep, (lidar, camera, _)) = drawn[0]
    source = lidar[0].source
    keyframe = len(sweep.points) - 1200
    assert ((source >= keyframe) & (source < keyframe + 900)).sum() > 100
    assert not sweep.heldout[source].any() and not (source >= keyframe + 900).any()
    ends = lidar[0].origins + lidar[0].targets[:, None] * lidar[0].directions
    torch.testing.assert_close(ends, sweep.points[source], atol=1e-4, rtol=1e-5)


def test_no_sweeps_change_no_bit_and_evaluation_takes_none() -> None:
    model = build()
    losses = losses_of(model, batch(2))
    empty = losses_of(build(), with_sweeps(batch(2), ()))
    assert all(torch.equal(value, empty[name]) for name, value in losses.items())
    assert not torch.equal(losses_of(build(), with_sweeps(batch(2)))['loss_range'], losses['loss_range'])
    model.eval()
    rendered = []
    for data in (batch(1), with_sweeps(batch(1))):
        rendered += model(**model.data_preprocessor(data, training=False), mode='predict')
    first, second = (sample.rendered for sample in rendered)
    assert all(torch.equal(first[name], second[name]) for name in first)
