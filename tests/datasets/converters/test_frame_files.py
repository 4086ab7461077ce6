"""What converters write of a frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from projects.CLAP.clap.datasets.converters.frame_files import count_points_in_boxes, earlier_sweeps, write_sweep
from projects.CLAP.clap.errors import DataError


def test_count_points_in_boxes_against_a_plain_loop():
    rng = np.random.default_rng(1)
    points = rng.uniform(-4, 4, size=(2000, 3))
    boxes = np.array([[0.5, -1, 0.2, 4.0, 2.0, 1.5, 0.7], [0, 0, 0, 1, 3, 2, -2.5]])
    expected = []
    for x, y, z, length, width, height, yaw in boxes:
        turn = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
        own = (points - [x, y, z]) @ turn
        expected.append((np.abs(own) <= np.array([length, width, height]) / 2).all(axis=1).sum())
    assert count_points_in_boxes(points, boxes).tolist() == expected


def test_a_sweep_has_its_origins_and_classes_in_the_same_order(tmp_path: Path) -> None:
    points, origins = np.arange(15.0).reshape(3, 5), np.arange(9.0).reshape(3, 3)
    keys = write_sweep(tmp_path, 'a/b.bin', points, origins, np.array([1, 255, 22]))
    assert keys == dict(
        num_pts_feats=5,
        lidar_path='a/b.bin',
        origins_path='a/b.origins.bin',
        semantic_path='a/b.semantic.bin',
    )
    np.testing.assert_array_equal(np.fromfile(tmp_path / 'a/b.bin', np.float32).reshape(-1, 5), points)
    np.testing.assert_array_equal(np.fromfile(tmp_path / 'a/b.origins.bin', np.float32).reshape(-1, 3), origins)
    assert np.fromfile(tmp_path / 'a/b.semantic.bin', np.uint8).tolist() == [1, 255, 22]
    assert not list(tmp_path.rglob('*.partial'))
    with pytest.raises(DataError, match='a/c.bin: the sweep has no point'):
        write_sweep(tmp_path, 'a/c.bin', points[:0])


def test_earlier_sweeps_end_where_the_recording_has_a_gap() -> None:
    def frame(time: float) -> dict:
        pose = np.eye(4)
        pose[0, 3] = 10 * time
        lidar = dict(lidar2ego=np.eye(4).tolist(), lidar_path=f'{time}.bin')
        return dict(token=str(time), timestamp=time, ego2global=pose.tolist(), lidar_points=lidar)

    sweeps = earlier_sweeps(frame(5.0), [frame(time) for time in (1.0, 4.4, 4.7)])
    assert [sweep['sample_data_token'] for sweep in sweeps] == ['4.7', '4.4']
    assert np.array(sweeps[0]['lidar_points']['lidar2sensor'])[0, 3] == pytest.approx(3.0)
    assert len(earlier_sweeps(frame(5.0), [frame(4.0 + i / 20) for i in range(19)], number=4)) == 4
