from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from projects.CLAP.clap.datasets.converters.trajectory import Trajectory

#: Turns left by 0.5 rad/s on a circle of 20 m about the city's point (1e5, 2e5).
RADIUS_M, RATE = 20.0, 0.5


def pose(time: float) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler('z', RATE * time).as_matrix()
    matrix[:3, 3] = [1e5 + RADIUS_M * np.sin(RATE * time), 2e5 - RADIUS_M * np.cos(RATE * time), 3.0]
    return matrix


def circle() -> Trajectory:
    times = np.arange(0, 1, 0.01)
    return Trajectory(np.stack([pose(time) for time in times]), times)


def test_goes_on_beyond_its_ends() -> None:
    poses = np.tile(np.eye(4), (3, 1, 1))
    poses[:, 0, 3] = [0.0, 1.0, 3.0]
    trajectory = Trajectory(poses, np.array([0.0, 0.1, 0.2]))
    np.testing.assert_allclose(trajectory.at(np.array([-0.05, 0.05, 0.15, 0.25]))[:, 0, 3], [-0.5, 0.5, 2.0, 4.0])


def test_a_part_answers_as_the_whole() -> None:
    times = np.array([0.401, 0.4655, 0.52])
    part = circle().near(0.4, 0.52)
    assert len(part.times) < 20
    np.testing.assert_allclose(part.at(times), circle().at(times), atol=1e-9)


def test_places_of_a_mounted_sensor_while_the_vehicle_turns() -> None:
    mount, times = np.array([1.3, 0.2, 1.6]), np.linspace(0.35, 0.45, 501)
    expected = [(np.linalg.inv(pose(0.35)) @ pose(time) @ np.append(mount, 1))[:3] for time in times]
    found = circle().places_of(mount, times, 0.35)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.linalg.norm(found[-1] - found[0]) > 0.9, 'the sensor moves'
