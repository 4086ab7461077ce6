"""Earlier sweeps land where the keyframe sees the same things, whether or not the vehicle turns."""

from __future__ import annotations

from pathlib import Path
from typing import List, Tuple

import numpy as np
import pytest
import torch
from mmdet3d.datasets.transforms import LoadPointsFromMultiSweeps
from mmdet3d.structures.points import LiDARPoints

from projects.CLAP.clap.datasets.transforms import CLAPLoadSweeps, to_keyframe
from projects.CLAP.clap.errors import ConfigError

SWEEP_S = 0.05
RNG = np.random.default_rng(0)
POLES = np.column_stack([RNG.uniform(-40, 40, (300, 2)), RNG.uniform(-2, 3, 300)])
POLES = POLES[np.linalg.norm(POLES[:, :2], axis=1) > 8]


def pose(seconds: float, speed: float, degrees: float) -> np.ndarray:
    """LiDAR -> world of a vehicle that drives a circle (or straight on) and is at the origin at time 0."""
    yaw = np.radians(degrees) * seconds
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]
    radius = speed / np.radians(degrees) if degrees else 0.0
    matrix[:2, 3] = [radius * np.sin(yaw), radius * (1 - np.cos(yaw))] if degrees else [speed * seconds, 0]
    return matrix


def seen_from(matrix: np.ndarray) -> np.ndarray:
    """(N, 5) float32: the poles in the frame of a LiDAR at ``matrix``."""
    world = np.column_stack([POLES, np.ones(len(POLES))])
    xyz = (world @ np.linalg.inv(matrix).T)[:, :3]
    return np.column_stack([xyz, np.full((len(xyz), 2), 7.0)]).astype(np.float32)


def frame(folder: Path, speed: float, degrees: float, sweeps: int = 9) -> dict:
    """A keyframe and its sweeps as the loaders get them."""
    infos: List[dict] = []
    for index in range(1, sweeps + 1):
        then = pose(-SWEEP_S * index, speed, degrees)
        path = folder / f'{index}.bin'
        seen_from(then).tofile(path)
        lidar2sensor = (np.linalg.inv(then) @ pose(0, speed, degrees)).tolist()
        points = dict(lidar_path=str(path), lidar2sensor=lidar2sensor)
        infos.append(dict(timestamp=100 - SWEEP_S * index, lidar_points=points))
    points = LiDARPoints(torch.from_numpy(seen_from(np.eye(4))), points_dim=5)
    points.tensor[:, 4] = 0
    return dict(points=points, timestamp=100.0, lidar_sweeps=infos)


def off(results: dict, sweep: int) -> float:
    """Largest distance (m) of a sweep's poles from the keyframe's."""
    clouds = results['points'].tensor.reshape(-1, len(POLES), 5)
    return float((clouds[sweep] - clouds[0])[:, :3].norm(dim=1).max())


@pytest.mark.parametrize('drive, upstream_off', [((8, 20), 0.56), ((10, 30), 1.06), ((10, 0), 0.0)])
def test_poles_stay_where_they_are_and_upstream_s_do_not(
    tmp_path: Path, drive: Tuple[float, float], upstream_off: float
) -> None:
    ours = CLAPLoadSweeps(9, test_mode=True).transform(frame(tmp_path, *drive))
    assert max(off(ours, sweep) for sweep in range(1, 10)) < 1e-4
    theirs = LoadPointsFromMultiSweeps(9, use_dim=[0, 1, 2, 3, 4], test_mode=True).transform(frame(tmp_path, *drive))
    assert abs(off(theirs, 9) - upstream_off) < 0.01
    if not upstream_off:
        torch.testing.assert_close(ours['points'].tensor, theirs['points'].tensor, atol=1e-5, rtol=0)


def test_ages_and_choice(tmp_path: Path) -> None:
    ages = CLAPLoadSweeps(3, test_mode=True).transform(frame(tmp_path, 8, 20))['points'].tensor[:, 4]
    torch.testing.assert_close(ages[:: len(POLES)], torch.tensor([0, 0.05, 0.1, 0.15]))
    torch.manual_seed(3)
    drawn = [CLAPLoadSweeps(3).transform(frame(tmp_path, 8, 20))['points'].tensor[:, 4] for _ in range(8)]
    chosen = [tuple(ages[:: len(POLES)][1:].mul(20).round().int().tolist()) for ages in drawn]
    assert all(len(set(c)) == 3 and set(c) <= set(range(1, 10)) for c in chosen) and len(set(chosen)) > 4
    assert len(CLAPLoadSweeps(0).transform(frame(tmp_path, 8, 20))['points']) == len(POLES)
    assert len(CLAPLoadSweeps(20).transform(frame(tmp_path, 8, 20))['points']) == 10 * len(POLES)


def test_intensities_of_sweeps_alone_are_scaled(tmp_path: Path) -> None:
    """Those of the keyframe its own loader has scaled."""
    points = CLAPLoadSweeps(2, intensity_scale=10.0).transform(frame(tmp_path, 8, 20, sweeps=2))['points'].tensor
    intensities = points[:, 3].reshape(3, -1)
    assert (intensities[0] == 7).all() and (intensities[1:] == 70).all()


@pytest.mark.parametrize('none', [dict(), dict(lidar_sweeps=[])])
def test_a_frame_without_sweeps(tmp_path: Path, none: dict) -> None:
    results = frame(tmp_path, 8, 20)
    del results['lidar_sweeps']
    close = results['points'].tensor[:1].clone()
    close[:, :2] = torch.tensor([0.9, -0.5])
    results['points'].tensor = torch.cat([results['points'].tensor, close])
    results.update(none)
    number = len(POLES) + 1
    padded = CLAPLoadSweeps(2, pad_empty_sweeps=True, remove_close=True).transform(dict(results))['points']
    assert len(padded) == number + 2 * (number - 1), 'copies lose the close point, the keyframe keeps it'
    assert len(CLAPLoadSweeps(2).transform(dict(results))['points']) == number


def test_the_sensor_of_a_sweep_is_where_the_origin_goes() -> None:
    then, now = pose(-0.5, 8, 20), pose(0, 8, 20)
    place = to_keyframe(np.zeros((1, 3)), np.linalg.inv(then) @ now)
    np.testing.assert_allclose(place[0], (np.linalg.inv(now) @ then)[:3, 3], atol=1e-5)


def test_targets_are_whole_sweeps_in_their_own_frames(tmp_path: Path) -> None:
    """The nearest in time, whatever the order of the list; what the encoders see does not change."""
    results = frame(tmp_path, 10, 30)
    results['lidar_sweeps'].reverse()
    torch.manual_seed(3)
    plain = CLAPLoadSweeps(4, remove_close=True).transform(dict(results))
    torch.manual_seed(3)
    targets = CLAPLoadSweeps(4, remove_close=True, target_sweeps=3).transform(dict(results))
    assert torch.equal(plain['points'].tensor, targets['points'].tensor) and 'sweep_points' not in plain
    assert targets['sweep_lengths'].tolist() == [len(POLES)] * 3
    files = [seen_from(pose(-SWEEP_S * index, 10, 30))[:, :3] for index in (1, 2, 3)]
    np.testing.assert_array_equal(targets['sweep_points'], np.concatenate(files))
    for index, (points, motion) in enumerate(zip(files, targets['sweep_to_keyframe']), 1):
        np.testing.assert_allclose(points @ motion[:3, :3].T + motion[:3, 3], POLES, atol=1e-4)
        np.testing.assert_allclose(motion[:3, 3], pose(-SWEEP_S * index, 10, 30)[:3, 3], atol=1e-5)


@pytest.mark.parametrize('none', [dict(), dict(lidar_sweeps=[])])
def test_a_frame_without_sweeps_has_no_target_of_them(tmp_path: Path, none: dict) -> None:
    """Not even its own keyframe's points, which pad what the encoders see: held-back ones would come back."""
    results = frame(tmp_path, 8, 20)
    del results['lidar_sweeps']
    found = CLAPLoadSweeps(2, pad_empty_sweeps=True, target_sweeps=2).transform({**results, **none})
    shapes = [found[key].shape for key in ('sweep_points', 'sweep_lengths', 'sweep_to_keyframe')]
    assert shapes == [(0, 3), (0,), (0, 4, 4)] and len(found['points']) == 3 * len(POLES)


def test_arguments_are_checked() -> None:
    with pytest.raises(ConfigError, match='sweeps_num must be'):
        CLAPLoadSweeps(-1)
    for number in (-1, 2.5, '3'):
        with pytest.raises(ConfigError, match='target_sweeps must be a whole number of at least 0'):
            CLAPLoadSweeps(target_sweeps=number)
    with pytest.raises(ConfigError, match='use_dim must name'):
        CLAPLoadSweeps(load_dim=4)
