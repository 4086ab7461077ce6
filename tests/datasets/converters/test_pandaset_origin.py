"""The optical centre: found again in made-up cones, and on the real recording."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from projects.CLAP.clap.datasets.converters.pandaset import convert
from projects.CLAP.clap.datasets.converters.pandaset_origin import (
    LINE_WIDTH_DEG,
    OPTICAL_CENTRE_M,
    elevation_sharpness,
    estimate_optical_centre,
    points_in_moving_frame,
)
from projects.CLAP.clap.datasets.converters.pandaset_reader import find_sequences
from projects.CLAP.clap.files.pickled_table import read_table


def _cones(apex: np.ndarray, tilt: float) -> np.ndarray:
    """40 cones of one apex whose axis leans by ``tilt`` about x, cut by the road, by walls and by cars."""
    rng = np.random.default_rng(0)
    elevation = np.radians(np.repeat(np.concatenate([np.linspace(-20, -6, 15), np.linspace(-5.5, 10, 25)]), 500))
    azimuth = rng.uniform(0, 2 * np.pi, len(elevation))
    flat = np.cos(elevation)
    rays = np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation)], axis=1)
    cos, sin = np.cos(tilt), np.sin(tilt)
    rays = rays @ np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]]).T
    distance = 8 + 6 * np.sin(3 * azimuth) ** 2 + rng.choice([0, 12, 25], len(azimuth))
    road = np.where(rays[:, 2] < 0, -apex[2] / np.minimum(rays[:, 2], -1e-6), np.inf)
    return apex + np.minimum(distance, road)[:, None] * rays


def test_finds_the_apex_of_made_up_cones():
    apex = np.array([0.1, 0.7, 1.8])
    estimate = estimate_optical_centre(_cones(apex, 0.01), start=np.array([0.0, 0.3, 1.6]))
    np.testing.assert_allclose(estimate.centre, apex, atol=0.03)
    assert estimate.sharpness > 3


@pytest.fixture(scope='module')
def pandaset(real_data, tmp_path_factory):
    out = tmp_path_factory.mktemp('pandaset')
    path = convert(real_data / 'pandaset', out)[2]
    return out, pickle.loads(path.read_bytes())['data_list']


def _read(out, info):
    lidar = info['lidar_points']
    points, origins = (
        np.fromfile(out / 'lidar' / lidar[key], dtype=np.float32).reshape(-1, columns)
        for key, columns in (('lidar_path', 5), ('origins_path', 3))
    )
    return points[:, :3].astype(float), origins.astype(float)


def test_real_optical_centre_is_where_the_converter_says(real_data):
    sequence = find_sequences(real_data / 'pandaset')[0]
    table = sequence.points('00')
    table = table[table['d'] == 0]
    points = points_in_moving_frame(table[['x', 'y', 'z']].to_numpy(), table['t'].to_numpy(), sequence.lidar)
    estimate = estimate_optical_centre(points)
    np.testing.assert_allclose(estimate.centre, OPTICAL_CENTRE_M, atol=0.01)
    assert estimate.sharpness > 2.5
    at_the_pose = elevation_sharpness(points, np.zeros(3), estimate.tilt, LINE_WIDTH_DEG)
    assert at_the_pose < 1.3, 'the pose itself is not the LiDAR'


def test_moving_origins_keep_the_cones_of_a_moving_vehicle_sharp(pandaset, real_data):
    """Frame 52, 4.7 m/s: rays from the origins that were written form cones, rays from one fixed origin do not."""
    out, infos = pandaset
    points, origins = _read(out, infos[-1])
    assert 0.44 < np.linalg.norm(origins[0] - origins[-1]) < 0.5
    # the vehicle also pitches during the sweep: elevations count in the sensor's orientation at each point's time
    sequence = find_sequences(real_data / 'pandaset')[0]
    table = sequence.points('52')
    rotation = sequence.lidar.at(table[table['d'] == 0]['t'].to_numpy())[:, :3, :3]
    reference = sequence.lidar.to_world[52][:3, :3]

    def sharpness(rays: np.ndarray) -> float:
        turned = np.einsum('nji,nj->ni', rotation, rays @ reference.T)[np.linalg.norm(rays, axis=1) < 80]
        return elevation_sharpness(turned, np.zeros(3), np.array([-0.0005, -0.0157]), LINE_WIDTH_DEG)

    moving, fixed, middle = sharpness(points - origins), sharpness(points), sharpness(points - origins.mean(0))
    assert moving > 1.3 * max(fixed, middle), (moving, fixed, middle)


def test_real_calibration_projects_the_known_shares(pandaset):
    """Share of all points of frame 00 (both LiDARs) that fall into each image."""
    out, infos = pandaset
    lidar = infos[0]['lidar_points']
    points = np.concatenate(
        [
            np.fromfile(out / 'lidar' / lidar[key], dtype=np.float32).reshape(-1, 5)
            for key in ('lidar_path', 'extra_lidar_path')
        ]
    )
    expected = dict(
        front_camera=0.41,
        front_left_camera=0.24,
        front_right_camera=0.26,
        left_camera=0.16,
        right_camera=0.16,
        back_camera=0.15,
    )
    for name, share in expected.items():
        camera = infos[0]['images'][name]
        lidar2cam = np.array(camera['lidar2cam'])
        seen = points[:, :3] @ lidar2cam[:3, :3].T + lidar2cam[:3, 3]
        uv = seen @ np.array(camera['cam2img']).T
        uv, depth = uv[:, :2] / uv[:, 2:], seen[:, 2]
        inside = (depth > 0) & (uv >= 0).all(axis=1) & (uv < [camera['width'], camera['height']]).all(axis=1)
        assert abs(inside.mean() - share) < 0.01, (name, inside.mean())


def test_real_boxes_hold_the_points_that_are_labelled_as_objects(pandaset, real_data):
    """Boxes and point labels were made independently; 95 % agreement needs centre, size, yaw and frame to be right."""
    out, infos = pandaset
    points, _ = _read(out, infos[0])
    sequence = find_sequences(real_data / 'pandaset')[0]
    classes = read_table(sequence.folder / 'annotations/semseg/00.pkl.gz')['class'].to_numpy()[: len(points)]
    is_object = np.isin(classes, [13, 14, 15, 17, 18, 19, 26, 30, 31, 37])
    in_box = np.zeros(len(points), dtype=bool)
    for instance in infos[0]['instances']:
        x, y, z, length, width, height, yaw = instance['bbox_3d']
        turn = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
        in_box |= (np.abs((points - [x, y, z]) @ turn) <= np.array([length, width, height]) / 2 + 0.05).all(axis=1)
    assert in_box[is_object].mean() > 0.98
    assert is_object[in_box].mean() > 0.93
