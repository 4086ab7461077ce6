from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from mmdet3d.registry import TASK_UTILS

from projects.CLAP.clap.functional import project_points
from projects.CLAP.clap.pretrain.samplers import (
    CurvatureRaySampler,
    DepthRaySampler,
    SurfaceVariationRaySampler,
    UniformRaySampler,
)
from projects.CLAP.clap.pretrain.samplers.base import camera_rays, splat_weights, valid_pixels
from projects.CLAP.clap.structures import RayBundle
from tests.fixtures.scenes import AnalyticField, fan, front_camera, ground_and_sphere, sweep_of, wall

ALL = [UniformRaySampler, DepthRaySampler, CurvatureRaySampler, SurfaceVariationRaySampler]


def ball_and_ground() -> tuple:
    """1000 points on the ground at z = -2 and 200 on a sphere of radius 2 on it; which are on the sphere."""
    torch.manual_seed(1)
    ground = torch.rand(1000, 3) * torch.tensor([12.0, 12.0, 0]) + torch.tensor([5.0, -6.0, -2.0])
    ground = ground[(ground[:, :2] - torch.tensor([8.0, 0.0])).norm(dim=1) > 2.5]
    ball = torch.nn.functional.normalize(torch.randn(200, 3), dim=1) * 2 + torch.tensor([8.0, 0, 0])
    ball = ball[ball[:, 2] > -1.5]
    points = torch.cat([ground, ball])
    return points, torch.arange(len(points)) >= len(ground)


@pytest.mark.parametrize('cls', ALL)
def test_rays_start_at_the_sensor_and_reach_their_points(cls: type) -> None:
    points, _ = ball_and_ground()
    sweep = sweep_of(points, origin=(0.5, -0.2, 0.1))
    drawn = TASK_UTILS.build(dict(type=cls.__name__, num_lidar_rays=64, num_camera_rays=32))(
        AnalyticField(ground_and_sphere()), sweep, front_camera()
    )
    rays = drawn.lidar
    assert len(rays) == 64 and len(drawn.camera) == 32
    assert len(rays.source.unique()) == 64, 'drawn without replacement'
    torch.testing.assert_close(rays.origins + rays.targets[:, None] * rays.directions, points[rays.source])
    torch.testing.assert_close(drawn.camera.directions.norm(dim=1), torch.ones(32))


@pytest.mark.parametrize('cls', ALL)
def test_held_back_near_and_outside_points_are_never_drawn(cls: type) -> None:
    points = torch.cat([fan(100) * 8, fan(20) * 2.4, fan(20) * 50])
    heldout = torch.zeros(140, dtype=torch.bool)
    heldout[::2] = True
    drawn = cls(1000, 10)(AnalyticField(wall(10.0)), sweep_of(points, heldout=heldout), front_camera())
    source = drawn.lidar.source
    assert len(source) == 50
    assert not heldout[source].any()
    assert int(source.max()) < 100


@pytest.mark.parametrize('cls', ALL)
def test_returns_from_the_own_vehicle_are_no_candidates(cls: type) -> None:
    field = AnalyticField(wall(30.0))
    points = torch.tensor([[2.4, 0, 0], [2.6, 0, 0], [0, 6.0, 0], [0, 7.0, 0]])
    sweep = sweep_of(points)
    assert cls().candidates(field, sweep).tolist() == [1, 2, 3]
    assert cls(min_range_m=1.0).candidates(field, sweep).tolist() == [0, 1, 2, 3]
    sweep = replace(sweep, own=torch.tensor([False, False, True, False]))
    assert cls().candidates(field, sweep).tolist() == [1, 3]
    everywhere = torch.ones(4, dtype=torch.bool)
    assert cls().candidates(field, sweep, everywhere).tolist() == [1, 3], 'no held-back ray either'


@pytest.mark.parametrize('cls', ALL)
def test_the_generator_decides_the_draw(cls: type) -> None:
    points, _ = ball_and_ground()
    field, sweep, views = AnalyticField(ground_and_sphere()), sweep_of(points), front_camera()
    draws = [cls(50, 20)(field, sweep, views, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4)]
    assert torch.equal(draws[0].lidar.source, draws[1].lidar.source)
    assert torch.equal(draws[0].camera.source, draws[1].camera.source)
    assert not torch.equal(draws[0].lidar.source, draws[2].lidar.source)
    assert not torch.equal(draws[0].camera.source, draws[2].camera.source)


def test_curvature_prefers_the_sphere() -> None:
    """The ground is flat (weight 0), the sphere is not: every LiDAR ray that is not drawn uniformly lands on it."""
    points, on_ball = ball_and_ground()
    field, sweep, views = AnalyticField(ground_and_sphere()), sweep_of(points), front_camera(64, 96, 48.0)
    shares = {}
    curvature = CurvatureRaySampler(100, 400, uniform_share=0.0, importance=0.0)
    for sampler in (UniformRaySampler(100, 400), curvature):
        cls = type(sampler)
        drawn = sampler(field, sweep, views, torch.Generator().manual_seed(0))
        shares[cls] = on_ball[drawn.lidar.source].float().mean()
        row, column = drawn.camera.source[:, 1], drawn.camera.source[:, 2]
        shares[cls, 'pixel'] = ((row - 32).abs().lt(20) & (column - 48).abs().lt(20)).float().mean()
    assert shares[CurvatureRaySampler] > 0.99
    assert shares[UniformRaySampler] < 0.4
    assert shares[CurvatureRaySampler, 'pixel'] > shares[UniformRaySampler, 'pixel'] + 0.2


def test_a_share_of_the_rays_is_uniform_and_pixels_are_not() -> None:
    points, on_ball = ball_and_ground()
    field, sweep, views = AnalyticField(ground_and_sphere()), sweep_of(points), front_camera(64, 96, 48.0)
    share, cameras = {}, {}
    for uniform in (0.0, 0.4, 1.0):
        draws = [
            CurvatureRaySampler(100, 400, uniform_share=uniform, importance=0.0)(
                field, sweep, views, torch.Generator().manual_seed(seed)
            )
            for seed in range(10)
        ]
        share[uniform] = float(torch.stack([on_ball[one.lidar.source].float().mean() for one in draws]).mean())
        cameras[uniform] = torch.stack([one.camera.source[:, 1:].float().std(0) for one in draws]).mean(0)
    assert share[0.0] > 0.99 and abs(share[1.0] - float(on_ball.float().mean())) < 0.05
    assert abs(share[0.4] - (0.6 * share[0.0] + 0.4 * share[1.0])) < 0.06
    torch.testing.assert_close(cameras[0.0], cameras[1.0], rtol=0.1, atol=0)
    with pytest.raises(ValueError, match='uniform_share must lie between 0 and 1, got 1.5'):
        CurvatureRaySampler(uniform_share=1.5)


def test_rays_may_weigh_the_inverse_of_their_chance() -> None:
    points, on_ball = ball_and_ground()
    field, sweep, views = AnalyticField(ground_and_sphere()), sweep_of(points), front_camera(64, 96, 48.0)

    def drawn(**options) -> RayBundle:
        return CurvatureRaySampler(100, 0, **options)(field, sweep, views, torch.Generator().manual_seed(0)).lidar

    plain = dict(uniform_share=0.3, importance=0.0)
    assert drawn(**plain).weights is None and drawn(uniform_share=0.0, importance=0.0).weights is None
    rays = drawn(uniform_share=0.3, importance=1.0)
    assert torch.equal(rays.source, drawn(**plain).source)
    ball = on_ball[rays.source]
    assert 0 < int(ball.sum()) < 100 and rays.weights[~ball].min() > rays.weights[ball].max()
    # The weights of all rays add up to the number of points that they stand for.
    assert abs(float(rays.weights.sum()) / len(points) - 1) < 0.25
    torch.testing.assert_close(drawn(uniform_share=0.3, importance=0.5).weights, rays.weights.sqrt())
    assert torch.equal(rays[:7].weights, rays.weights[:7])
    with pytest.raises(ValueError, match='importance must not be negative and needs uniform_share > 0'):
        CurvatureRaySampler(uniform_share=0.0)


def test_curvature_weight_is_that_of_the_sphere() -> None:
    points, on_ball = ball_and_ground()
    sampler = CurvatureRaySampler(mode='jacobian', power=1.0)
    weights = sampler.point_weights(AnalyticField(ground_and_sphere()), sweep_of(points), on_ball.nonzero().squeeze(-1))
    torch.testing.assert_close(weights, torch.full_like(weights, 2**0.5 / 2.0), rtol=1e-3, atol=1e-4)


def test_depth_sampler_takes_pixels_with_depth_first_then_the_grid() -> None:
    # One point in the middle of every second pixel of the central rows.
    views = front_camera()
    rows, columns = torch.meshgrid(torch.arange(14, 18), torch.arange(10, 38, 2), indexing='ij')
    pixels = torch.stack([rows.flatten(), columns.flatten()], dim=1)
    points = camera_rays(views, pixels[None]).directions * 9
    few = DepthRaySampler(0, 40)(AnalyticField(wall(30.0)), sweep_of(points), views, torch.Generator().manual_seed(0))
    drawn = {(int(r), int(c)) for _, r, c in few.camera.source}
    assert len(drawn) == 40 and drawn <= {(int(r), int(c)) for r, c in pixels}
    many = DepthRaySampler(0, 100)(AnalyticField(wall(30.0)), sweep_of(points), views, torch.Generator().manual_seed(0))
    drawn = {(int(r), int(c)) for _, r, c in many.camera.source}
    assert {(int(r), int(c)) for r, c in pixels} <= drawn and len(drawn) == 100
    assert all(r >= int(0.4 * 32) for r, _ in drawn), 'the filling grid leaves the upper 40 % out'


def test_depth_sampler_leaves_the_ego_vehicle_out() -> None:
    points = torch.cat([fan(50) * 2.8, fan(50) * 6])  # beyond min_range_m, within min_radius_m
    drawn = DepthRaySampler(1000, 5)(AnalyticField(wall(30.0)), sweep_of(points), front_camera())
    assert int(drawn.lidar.source.min()) >= 50 and len(drawn.lidar) == 50


@pytest.mark.parametrize('cls', ALL)
def test_a_camera_without_points_falls_back_to_uniform_and_is_counted(cls: type) -> None:
    behind = fan(50) * -8
    drawn = cls(10, 30)(AnalyticField(wall(30.0)), sweep_of(behind), front_camera())
    assert drawn.stats['uniform_cameras'] == 1
    assert len(drawn.camera) == 30


@pytest.mark.parametrize('cls', ALL)
def test_an_empty_cloud_gives_no_lidar_rays_and_no_error(cls: type) -> None:
    drawn = cls(10, 5)(AnalyticField(wall(30.0)), sweep_of(torch.zeros(0, 3)), front_camera())
    assert len(drawn.lidar) == 0 and len(drawn.camera) == 5


def test_lidar_only() -> None:
    drawn = UniformRaySampler(10, 5)(AnalyticField(wall(30.0)), sweep_of(fan(30) * 7), None)
    assert len(drawn.lidar) == 10 and len(drawn.camera) == 0


def test_camera_rays_look_back_at_their_pixels_and_carry_their_colour() -> None:
    views = front_camera()
    pixels = torch.tensor([[0, 0], [15, 23], [31, 47]])
    rays = camera_rays(views, pixels[None])
    projected = project_points(
        rays.origins + 5 * rays.directions, views.lidar2img, views.img_aug, views.lidar_aug, (32, 48)
    )
    torch.testing.assert_close(projected.uv[0], pixels.flip(1) + 0.5, atol=1e-3, rtol=0)
    torch.testing.assert_close(rays.targets, torch.stack([views.rgb[0, :, r, c] for r, c in pixels]))


def test_padding_of_an_augmented_image_is_no_target() -> None:
    views = front_camera()
    shift = torch.eye(4)[None].clone()
    shift[:, 0, 3] = 12.0  # the image content moves 12 px to the right: padding on the left
    views = type(views)(**{**views.__dict__, 'img_aug': shift})
    valid = valid_pixels(views)
    assert not valid[0, :, :12].any() and valid[0, :, 12:].all()
    drawn = UniformRaySampler(0, 500)(AnalyticField(wall(30.0)), sweep_of(fan(30) * 7), views)
    assert int(drawn.camera.source[:, 2].min()) >= 12


def test_splat_keeps_the_largest_weight_of_a_pixel() -> None:
    views = front_camera()
    ray = camera_rays(views, torch.tensor([[[10, 20]]]))
    points = torch.cat([ray.directions * 5, ray.directions * 9, -ray.directions * 5])
    projected = project_points(points, views.lidar2img, views.img_aug, views.lidar_aug, (32, 48))
    maps = splat_weights(torch.tensor([1.0, 3.0, 7.0]), projected, 32, 48)
    assert maps[0, 10, 20] == 3.0 and maps.sum() == 3.0, 'the point behind the camera must not count'


@pytest.mark.parametrize(
    'options,name',
    [
        (dict(mode='gauss'), 'mode'),
        (dict(blur_kernel_px=4), 'blur_kernel_px'),
        (dict(num_lidar_rays=-1), 'num_lidar_rays'),
        (dict(blur_sigma_px=0.0), 'blur_sigma_px'),
    ],
)
def test_wrong_options_are_named(options: dict, name: str) -> None:
    with pytest.raises(ValueError, match=name):
        CurvatureRaySampler(**options)


def test_a_wrong_grid_is_named() -> None:
    with pytest.raises(ValueError, match='grid_px'):
        DepthRaySampler(grid_px=0)


def test_rank_correlation_tells_a_field_from_one_that_is_worse_than_chance() -> None:
    """Curvature on the ball is good; ripples on the flat ground and a flat ball are worse than drawing at random."""
    torch.manual_seed(0)
    points, on_ball = ball_and_ground()
    points = points + torch.where(on_ball, 0.1, 0.003)[:, None] * torch.randn(len(points), 3)  # the scan is noisy
    sweep, sampler = sweep_of(points), CurvatureRaySampler(mode='jacobian')
    true = lambda p: torch.where(p[:, 2] > -1.9, (p - torch.tensor([8.0, 0, 0])).norm(dim=1) - 2, p[:, 2] + 2)
    rippled = lambda p: torch.where(p[:, 2] > -1.9, p[:, 2], p[:, 2] - 0.01 * torch.sin(9 * p[:, 0]) + 2)
    good, bad = (float(sampler.rank_correlation(AnalyticField(field), sweep)) for field in (true, rippled))
    assert good > 0.4 and bad < -0.4
    assert float(sampler.rank_correlation(AnalyticField(true), sweep_of(points[:15]))) == 0, 'too few to say'
    state = torch.get_rng_state()
    assert float(sampler.rank_correlation(AnalyticField(true), sweep)) == good
    assert torch.equal(torch.get_rng_state(), state), 'it draws nothing'
    # What is held back is not looked at.
    held = torch.zeros(len(points) + 500, dtype=torch.bool)
    held[len(points) :] = True
    more = torch.cat([points, torch.rand(500, 3) + torch.tensor([10.0, 0, 0])])
    assert float(sampler.rank_correlation(AnalyticField(true), sweep_of(more, heldout=held))) == good
