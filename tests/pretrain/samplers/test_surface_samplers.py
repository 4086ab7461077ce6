"""Curvature sampling on a rippled field, and sampling by the raw cloud's surface variation."""

from __future__ import annotations

import pytest
import torch
from mmdet3d.registry import TASK_UTILS

from projects.CLAP.clap.functional import nearest_neighbours, sdf_normals, secant_curvature, surface_variation
from projects.CLAP.clap.modules import SDFField
from projects.CLAP.clap.pretrain.samplers import CurvatureRaySampler, SurfaceVariationRaySampler
from tests.fixtures.scenes import BOX, AnalyticField, fan, front_camera, ground_and_sphere, sweep_of, wall
from tests.pretrain.samplers.test_samplers import ball_and_ground


def test_surface_variation_finds_the_ball_without_a_field() -> None:
    points, on_ball = ball_and_ground()
    sampler = TASK_UTILS.build(dict(type='SurfaceVariationRaySampler', num_lidar_rays=100, num_camera_rays=10))
    drawn = sampler(AnalyticField(wall(30.0)), sweep_of(points), front_camera(), torch.Generator().manual_seed(0))
    assert on_ball[drawn.lidar.source].float().mean() > 2.5 * on_ball.float().mean()
    assert len(drawn.lidar.source.unique()) == 100 and len(drawn.camera) == 10


def test_the_fast_neighbours_of_the_cpu_are_those_of_the_tensor_form() -> None:
    points, _ = ball_and_ground()
    sampler = SurfaceVariationRaySampler(num_neighbours=8)
    weights = sampler.point_weights(AnalyticField(wall(30.0)), sweep_of(points), torch.arange(len(points)))
    expected = surface_variation(points, nearest_neighbours(points, 8))
    torch.testing.assert_close(weights, expected.clamp(min=float(1e-6 * expected.mean())))


@pytest.mark.parametrize('count', [0, 1, 16, 17])
def test_surface_variation_of_a_handful_of_points(count: int) -> None:
    drawn = SurfaceVariationRaySampler(100, 5)(AnalyticField(wall(30.0)), sweep_of(fan(count) * 7), front_camera())
    assert len(drawn.lidar) == count and len(drawn.camera) == 5


def test_secant_mode_prefers_the_ball_and_power_is_an_exponent() -> None:
    points, on_ball = ball_and_ground()
    field, sweep = AnalyticField(ground_and_sphere()), sweep_of(points)
    once, squared = (
        CurvatureRaySampler(mode='secant', scale_m=0.5, power=power).point_weights(
            field, sweep, torch.arange(len(points))
        )
        for power in (1.0, 2.0)
    )
    assert once[on_ball].sum() > 0.9 * once.sum() and on_ball.float().mean() < 0.25
    expected = secant_curvature(sdf_normals(field.sdf, points), points, 0.5)
    torch.testing.assert_close(once[on_ball], expected[on_ball])
    torch.testing.assert_close(squared[on_ball], expected[on_ball] ** 2)


@pytest.mark.parametrize('mode', ['jacobian', 'literal', 'secant'])
def test_smoothing_calms_the_field_and_leaves_it_as_it_was(mode: str) -> None:
    torch.manual_seed(0)
    field = SDFField(4, BOX, hidden_channels=8).bind(torch.randn(4, 8, 20, 20)).detach()
    before = field.table.clone()
    sweep = sweep_of(fan(300) * torch.linspace(3, 15, 300)[:, None])
    rough, smooth = (
        CurvatureRaySampler(mode=mode, smoothing=passes).point_weights(field, sweep, torch.arange(300))
        for passes in (0, 3)
    )
    assert smooth.median() < rough.median()
    assert torch.equal(field.table, before)


def test_smoothing_names_a_field_without_a_volume() -> None:
    with pytest.raises(TypeError, match='smoothing=0'):
        CurvatureRaySampler(smoothing=1).point_weights(AnalyticField(wall(9.0)), sweep_of(fan(9) * 7), torch.arange(9))


@pytest.mark.parametrize('options', [dict(scale_m=0.0), dict(smoothing=-1), dict(power=0.0)])
def test_wrong_options_are_named(options: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        CurvatureRaySampler(**options)


def test_too_few_neighbours_are_refused() -> None:
    with pytest.raises(ValueError, match='num_neighbours'):
        SurfaceVariationRaySampler(num_neighbours=3)
