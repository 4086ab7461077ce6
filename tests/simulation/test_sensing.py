"""Ray casting, LiDAR and cameras against closed forms and against each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from projects.CLAP.simulation import render
from projects.CLAP.simulation.layout import KERB_HEIGHT, make_layout
from projects.CLAP.simulation.lidar import MAX_RANGE_M, RANGE_NOISE_M, beam_directions, take_sweep
from projects.CLAP.simulation.materials import MATERIAL_ID
from projects.CLAP.simulation.mesh import box, merge
from projects.CLAP.simulation.noise import stream, value_noise
from projects.CLAP.simulation.placement import ground
from projects.CLAP.simulation.raycast import BACKGROUND, StaticWorld, World
from projects.CLAP.simulation.scene import Scene, build_scene
from projects.CLAP.simulation.sensors import CAMERA_NAMES, make_rig, pose_matrix


@pytest.fixture(scope='module')
def scene() -> Scene:
    return build_scene(0, 'scene-0003', 2)


def _world(moving: bool) -> World:
    wall = box((10, -5, -5), (11, 5, 5), 'concrete', (0.5, 0.5, 0.5))
    crate = box((6, -1, -1), (7, 1, 1), 'paint', (0.5, 0.1, 0.1))
    static = StaticWorld(wall, np.full(len(wall.faces), BACKGROUND))
    return World(static, crate, np.full(len(crate.faces), 4)) if moving else World(static, None, None)


def test_cast_gives_the_nearer_of_still_and_moving() -> None:
    directions = np.array([[1.0, 0, 0], [0.9, np.sqrt(1 - 0.81), 0], [-1, 0, 0]])
    hits = _world(True).cast(np.zeros((3, 3)), directions)
    np.testing.assert_allclose(hits.range_m[:2], [6.0, 10 / 0.9], rtol=1e-6)
    assert list(_world(True).object[hits.face[:2]]) == [4, BACKGROUND] and hits.face[2] == -1
    assert np.isinf(hits.range_m[2])
    assert _world(False).cast(np.zeros((3, 3)), directions).range_m[0] == pytest.approx(10.0)


def test_beams_have_the_hdl32_fan() -> None:
    directions, ring = beam_directions(1090, 0.0)
    assert len(directions) == 1090 * 32
    elevation = np.degrees(np.arcsin(directions[:, 2]))
    assert elevation.min() == pytest.approx(-30.67) and elevation.max() == pytest.approx(10.67)
    assert elevation[ring == 0].max() == pytest.approx(-30.67), 'ring 0 looks lowest'
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1.0)
    assert directions[32 * 545] @ [0, 1, 0] > 0.8, 'half a turn after the start it looks forward (+y)'


def test_ground_returns_of_a_flat_road_lie_at_the_expected_range() -> None:
    layout = make_layout(stream(0, 'flat'))
    mesh = merge(ground(layout)[:1])
    world = World(StaticWorld(mesh, np.full(len(mesh.faces), BACKGROUND)), None, None)
    pose = pose_matrix(np.array([layout.roads[0].centre, layout.size[1] / 2, 1.84]), 0.3)
    sweep = take_sweep(world, layout, pose, 200, np.random.default_rng(0))
    points = sweep.points.astype(float)
    measured = np.linalg.norm(points[:, :3], axis=1)
    elevation = np.radians(np.linspace(-30.67, 10.67, 32))[points[:, 4].astype(int)]
    error = measured - 1.84 / np.sin(-elevation)
    assert abs(error.mean()) < 0.002 and error.std() == pytest.approx(RANGE_NOISE_M, rel=0.05)
    assert points[:, 4].max() < 23, 'beams above the horizon return nothing'
    near = take_sweep(world, layout, pose, 200, np.random.default_rng(0), max_range_m=20.0).points
    assert 19 < np.linalg.norm(near[:, :3], axis=1).max() < 20.2 < measured.max()
    assert measured.max() < MAX_RANGE_M + 0.2 and (points[:, 3] >= 0).all() and (points[:, 3] <= 255).all()


def test_ground_returns_in_a_scene_lie_on_road_or_pavement(scene: Scene) -> None:
    rig = make_rig(stream(0, 'rig'), 160)
    pose = pose_matrix(*scene.ego_pose(5)) @ rig.lidar_to_ego
    sweep = take_sweep(scene.world(5), scene.layout, pose, 300, np.random.default_rng(1))
    on_ground = (sweep.material == MATERIAL_ID['ground']) & (sweep.objects == BACKGROUND)
    points = sweep.points[on_ground, :3].astype(float) @ pose[:3, :3].T + pose[:3, 3]
    kerb = np.abs(scene.layout.inside_block(points[:, 0], points[:, 1])) < 0.2
    park = np.zeros(len(points), dtype=bool)  # low hills
    for block in scene.layout.blocks:
        if block.kind == 'park':
            low, high = np.array([block.x0, block.y0]), np.array([block.x1, block.y1])
            park |= ((points[:, :2] > low) & (points[:, :2] < high)).all(axis=1)
    level = points[~kerb & ~park]
    error = level[:, 2] - scene.layout.height(level[:, 0], level[:, 1])
    assert len(level) > 1500 and np.abs(error).max() < 5 * RANGE_NOISE_M
    assert {0.0, KERB_HEIGHT} == set(scene.layout.height(level[:, 0], level[:, 1]))


def test_retro_reflectors_are_brighter_than_rubber(scene: Scene) -> None:
    rig = make_rig(stream(0, 'rig'), 160)
    sweep = take_sweep(
        scene.world(0), scene.layout, pose_matrix(*scene.ego_pose(0)) @ rig.lidar_to_ego, 1090, np.random.default_rng(1)
    )
    mean = {
        name: sweep.points[sweep.material == MATERIAL_ID[name], 3].mean() for name in ('retro', 'concrete', 'rubber')
    }
    assert mean['retro'] > 1.5 * mean['concrete'] > 1.5 * mean['rubber']


def test_rig_headings_and_fields_of_view() -> None:
    rig = make_rig(stream(0, 'any'), 400)
    assert [c.name for c in rig.cameras] == list(CAMERA_NAMES)
    expected = {'CAM_FRONT': (0, 65), 'CAM_FRONT_LEFT': (55, 64), 'CAM_BACK': (180, 89), 'CAM_BACK_RIGHT': (-110, 65)}
    for camera in rig.cameras:
        axis = camera.to_ego[:3, 2]
        if camera.name in expected:
            heading, view = expected[camera.name]
            turn = np.degrees(np.arctan2(axis[1], axis[0])) - heading
            assert abs((turn + 180) % 360 - 180) < 2
            assert 2 * np.degrees(np.arctan(camera.width / 2 / camera.intrinsic[0, 0])) == pytest.approx(view, abs=2)
        assert camera.to_ego[:3, 1] @ [0, 0, -1] > 0.999, 'image rows run downwards'
        np.testing.assert_allclose(camera.to_ego[:3, :3].T @ camera.to_ego[:3, :3], np.eye(3), atol=1e-12)
    assert rig.lidar_to_ego[:3, 1] @ [1, 0, 0] > 0.999, 'the LiDAR\'s y axis looks forward'


def test_projection_inverts_the_pixel_rays() -> None:
    camera = make_rig(stream(1, 'any'), 400).cameras[2]
    pixels = np.random.default_rng(0).uniform(0, [400, 225], (50, 2))
    projected, depth = camera.project(camera.rays(pixels) * 17.0)
    np.testing.assert_allclose(projected, pixels, atol=1e-9)
    assert (depth > 0).all()


def test_lidar_and_camera_see_the_same_objects(scene: Scene) -> None:
    """A camera ray through the pixel of a LiDAR return ends there, unless something hides it from the camera."""
    rig, world = make_rig(stream(0, 'rig'), 400), scene.world(7)
    ego = pose_matrix(*scene.ego_pose(7))
    lidar = ego @ rig.lidar_to_ego
    sweep = take_sweep(world, scene.layout, lidar, 545, np.random.default_rng(2))
    points = sweep.points[:, :3].astype(float) @ lidar[:3, :3].T + lidar[:3, 3]
    solid = sweep.material != MATERIAL_ID['foliage']
    for camera in rig.cameras:
        to_world = ego @ camera.to_ego
        pixel, depth = camera.project((points - to_world[:3, 3]) @ to_world[:3, :3])
        use = solid & (depth > 1) & (pixel > 0).all(axis=1) & (pixel < [camera.width, camera.height]).all(axis=1)
        rays = camera.rays(pixel[use]) @ to_world[:3, :3].T
        hits = world.cast(np.broadcast_to(to_world[:3, 3], rays.shape), rays)
        distance = np.linalg.norm(points[use] - to_world[:3, 3], axis=1)
        agrees = np.abs(hits.range_m - distance) < 0.15 + 0.02 * distance
        same = world.object[np.maximum(hits.face, 0)] == sweep.objects[use]
        assert use.sum() > 200 and (agrees & same).mean() > 0.85, camera.name
        assert (same & agrees | (hits.range_m < distance)).mean() > 0.97, f'{camera.name} looks through something'


def test_images_show_sky_above_and_textured_ground_below(scene: Scene) -> None:
    rig, light = make_rig(stream(0, 'rig'), 160), render.make_light(stream(0, 'light'))
    camera, ego = rig.cameras[0], pose_matrix(*scene.ego_pose(0))
    image = render.render(scene.world(0), scene.layout, light, camera, ego @ camera.to_ego, np.random.default_rng(0))
    assert image.shape == (90, 160, 3) and image.dtype == np.uint8
    again = render.render(scene.world(0), scene.layout, light, camera, ego @ camera.to_ego, np.random.default_rng(0))
    assert (image == again).all()
    assert image[:5].mean() > image[-10:].mean(), 'sky is brighter than asphalt'
    assert image.astype(float).std() > 25


def test_shadow_falls_behind_a_wall() -> None:
    layout = make_layout(stream(0, 'shadow'))
    at = np.array([layout.roads[-1].centre, layout.size[1] / 2])
    wall = box((at[0], at[1] - 8, 0), (at[0] + 0.3, at[1] + 8, 4), 'concrete', (0.6, 0.6, 0.6))
    mesh = merge([*ground(layout)[:1], wall])
    world = World(StaticWorld(mesh, np.full(len(mesh.faces), BACKGROUND)), None, None)
    light = replace(
        render.make_light(stream(0, 'light')), sun=np.array([0.6, 0, 0.8]), sun_colour=np.ones(3), haze_m=1e9
    )
    camera = make_rig(stream(0, 'rig'), 160).cameras[0]
    down = np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, -1]]).T  # a camera that looks straight down
    for x, lit in ((-1.2, False), (-8.0, True)):
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = down, [at[0] + x, at[1], 3.0]
        centre = camera.intrinsic[:2, 2]
        radiance = render._radiance(world, layout, light, camera, pose, centre[None])[0].mean()
        assert (radiance > 0.045) == lit, (x, radiance)


def test_value_noise_is_smooth_and_uniform() -> None:
    x = np.linspace(-20, 20, 4001)
    noise = value_noise(x, 0.3 * x, 5)
    assert noise.min() >= 0 and noise.max() < 1 and abs(noise.mean() - 0.5) < 0.08
    assert np.abs(np.diff(noise)).max() < 0.05
