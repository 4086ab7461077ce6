"""Range images to points and origins, against figures of the official code and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from projects.CLAP.clap.datasets.converters.waymo_frame import (
    LaserCalibration,
    Pixels,
    column_azimuths,
    pixels_of,
    points_in_vehicle,
    row_inclinations,
)
from tests.fixtures.waymo_recording import BEAMS, MIDDLE_S, TOP, TOP_SHAPE, Recording, pose

LASER = LaserCalibration(TOP, BEAMS, (BEAMS[0], BEAMS[-1]))


def test_six_pixels_of_the_official_code() -> None:
    image = np.arange(-12.0, 12.0).reshape(3, 2, 4)
    laser = LaserCalibration(np.eye(4), np.array([-np.pi / 2, 0, np.pi / 2]), (0.0, 0.0))
    poses = np.tile([np.pi / 2, np.pi / 2, np.pi / 2, 1, 2, 3], (3, 2, 1))
    rows, columns = (each.reshape(-1) for each in np.indices((3, 2)))
    every = Pixels((3, 2), rows, columns, image.reshape(-1, 4))
    points, _ = points_in_vehicle(every, laser, poses, np.eye(4))
    expected = [(-11, 2, 3), (-7, 2, 3), (1, -2, 3), (1, 2, 3), (-3, 2, 3), (-7, 2, 3)]
    np.testing.assert_allclose(points, expected, atol=1e-12)
    valid, _ = points_in_vehicle(pixels_of(image), laser, poses, np.eye(4))
    np.testing.assert_allclose(valid, expected[-2:], atol=1e-12)


def test_beams_without_a_list_are_even_and_the_highest_comes_first() -> None:
    laser = LaserCalibration(np.eye(4), None, (-1.0, 1.0))
    np.testing.assert_allclose(row_inclinations(laser, 4), [0.75, 0.25, -0.25, -0.75])
    np.testing.assert_array_equal(row_inclinations(LASER, 8), BEAMS[::-1])


def test_columns_run_clockwise_from_the_back_whatever_the_mounting() -> None:
    azimuth = column_azimuths(LASER, 360) + np.deg2rad(148)  # vehicle axes
    np.testing.assert_allclose(azimuth, np.pi - (np.arange(360) + 0.5) * 2 * np.pi / 360)


@pytest.mark.parametrize('speed', [0.0, 10.0])
def test_a_wall_is_flat_and_rays_start_where_the_sensor_was(speed: float) -> None:
    recording = Recording(speed=speed)
    image = recording.range_image(0, top=True).astype(np.float64)
    poses = np.zeros((*TOP_SHAPE, 6))
    poses[..., 3] = recording.x(0, recording.column_times())
    sensor = recording.x(0, recording.column_times()) + 1.43
    azimuth = np.pi - (np.arange(360) + 0.5) * 2 * np.pi / 360
    hit = image[..., 0] > 0
    exact = (20 - sensor) / (np.cos(azimuth) * np.cos(BEAMS[::-1])[:, None])
    image[..., 0] = np.where(hit, exact, -1)
    pixels, frame_pose = pixels_of(image), pose(recording.x(0, MIDDLE_S))
    points, origins = points_in_vehicle(pixels, LASER, poses, frame_pose)
    assert len(points) == 1392 and (pixels.columns.min(), pixels.columns.max()) == (93, 266)
    np.testing.assert_allclose(points[:, 0] + speed * MIDDLE_S, 20.0, atol=1e-12)
    np.testing.assert_allclose(origins[:, 1:], np.tile([0, 2.184], (1392, 1)), atol=1e-12)
    ahead = {column: origins[pixels.columns == column, 0] for column in (93, 266)}
    expected = {93: 1.18972, 266: 1.67028} if speed else {93: 1.43, 266: 1.43}
    for column, value in expected.items():
        np.testing.assert_allclose(ahead[column], value, atol=5e-6)


def test_pixel_poses_turn_about_all_axes() -> None:
    """A point and its origin, each through the matrix written out."""
    roll, pitch, yaw = 0.1, -0.2, 0.7
    cr, sr, cp, sp, cy, sy = (f(a) for a in (roll, pitch, yaw) for f in (np.cos, np.sin))
    turn = np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )
    frame = pose(3.0, -2.0, 0.5, yaw=0.6)
    pixels = Pixels((8, 360), np.array([2]), np.array([100]), np.array([[12.0, 0, 0, 0]]))
    poses = np.tile([roll, pitch, yaw, 5.0, 6.0, 7.0], (*TOP_SHAPE, 1))
    still = points_in_vehicle(pixels, LASER, None, frame)
    for own, moved in zip(still, points_in_vehicle(pixels, LASER, poses, frame)):
        world = turn @ own[0] + [5.0, 6.0, 7.0]
        np.testing.assert_allclose(moved[0], (np.linalg.inv(frame) @ [*world, 1])[:3], atol=1e-12)
