"""Surface variation of raw clouds, secant curvature and volume smoothing."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import uniform_filter
from scipy.spatial import cKDTree

from projects.CLAP.clap.functional import (
    channel_last_table,
    curvature_weights,
    nearest_neighbours,
    sdf_normals,
    secant_curvature,
    smooth_volume,
    surface_variation,
)


def sphere_cap(radius: float, num: int = 4000) -> torch.Tensor:
    return radius * torch.nn.functional.normalize(torch.randn(num, 3, dtype=torch.float64), dim=1)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([1, 5, 700, 3000]), st.sampled_from([0.01, 1.0, 40.0]))
def test_neighbours_equal_those_of_a_tree(seed: int, num: int, spread: float) -> None:
    points = torch.randn(num, 3, generator=torch.Generator().manual_seed(seed)) * spread
    points[: num // 3] = points[: num // 3] * 0.01 + 50  # a dense clump far away
    found = nearest_neighbours(points, 6)
    assert found.shape == (num, min(6, num))
    distance = (points[found] - points[:, None]).norm(dim=-1)
    expected, _ = cKDTree(points.numpy()).query(points.numpy(), found.shape[1])
    torch.testing.assert_close(distance.double(), torch.from_numpy(expected).reshape(num, -1), atol=1e-4, rtol=1e-4)


def test_surface_variation_of_known_shapes() -> None:
    line = torch.arange(9.0)
    plane = torch.cartesian_prod(line, line, torch.zeros(1)) + 100
    cube = torch.cartesian_prod(line, line, line)
    everything = lambda points: torch.arange(len(points))[None]
    assert surface_variation(plane, everything(plane)).item() == pytest.approx(0, abs=1e-7)
    assert surface_variation(cube, everything(cube)).item() == pytest.approx(1 / 3)
    # Spread of 1 : 4 : 9 along the axes.
    ellipsoid = torch.cat([torch.diag(torch.tensor([1.0, 2.0, 3.0])), -torch.diag(torch.tensor([1.0, 2.0, 3.0]))])
    assert surface_variation(ellipsoid, everything(ellipsoid)).item() == pytest.approx(1 / 14)
    same = torch.ones(5, 3)
    assert surface_variation(same, everything(same)).item() == 0


@pytest.mark.parametrize('radius', [2.0, 5.0])
@pytest.mark.parametrize('cell', [0.3, 1.0, 50.0])
def test_secant_curvature_of_a_sphere_is_sqrt2_over_r_at_any_scale(radius: float, cell: float) -> None:
    points = sphere_cap(radius) + torch.tensor([30.0, -20.0, 1.0])
    normals = (points - torch.tensor([30.0, -20.0, 1.0])) / radius
    weights = secant_curvature(normals, points, cell)
    torch.testing.assert_close(weights, torch.full_like(weights, math.sqrt(2) / radius), rtol=1e-6, atol=0)


def test_secant_curvature_of_a_plane_is_zero_and_of_a_cylinder_about_one_over_r() -> None:
    flat = torch.rand(500, 3) * torch.tensor([20.0, 20.0, 0])
    assert secant_curvature(torch.tensor([0, 0, 1.0]).expand(500, 3), flat, 1.0).max() == 0
    angle, height = torch.rand(40000) * 2 * math.pi, torch.rand(40000) * 20
    normals = torch.stack([angle.cos(), angle.sin(), torch.zeros_like(angle)], dim=1)
    points = 4 * normals + torch.stack([torch.zeros_like(angle)] * 2 + [height], dim=1)
    weights = secant_curvature(normals, points, 0.4)[(height > 2) & (height < 18)]
    assert weights.median().item() == pytest.approx(1 / 4, rel=0.1)


def test_secant_sees_the_shape_where_the_tangent_sees_the_ripple() -> None:
    """A ground plane with a ripple of 3 mm every 20 cm, and a sphere: Eq. 12 prefers the ripple."""
    ripple = lambda p: p[:, 2] - 0.003 * torch.sin(10 * math.pi * p[:, 0])
    ground = torch.rand(2000, 3) * torch.tensor([10.0, 10.0, 0])
    ball = sphere_cap(1.5, 2000).float() + 30
    field = lambda p: torch.where(p[:, 0] > 20, (p - 30).norm(dim=1) - 1.5, ripple(p))
    points = torch.cat([ground, ball])
    tangent = curvature_weights(field, points)
    secant = secant_curvature(sdf_normals(field, points), points, 1.0)
    assert tangent[:2000].median() > tangent[2000:].median()
    assert 5 * secant[:2000].median() < secant[2000:].median()


def test_secant_is_finite_whatever_comes() -> None:
    points = torch.tensor([[0.0, 0, 0], [0, 0, 0], [100, 0, 0], [1e4, 1e4, -1e4]])
    normals = torch.tensor([[0.0, 0, 1], [1, 0, 0], [float('nan'), 0, 0], [0, 0, 0]])
    assert secant_curvature(normals, points, 0.5).eq(0).all(), 'coinciding and lonely points have no curvature'
    assert len(secant_curvature(normals[:0], points[:0], 0.5)) == 0
    with pytest.raises(ValueError, match='cell_m'):
        secant_curvature(normals, points, 0.0)


@pytest.mark.parametrize('passes', [0, 1, 3])
def test_smoothing_equals_a_box_filter_and_keeps_constants(passes: int) -> None:
    volume = torch.randn(2, 6, 9, 8)
    table = smooth_volume(channel_last_table(volume), (6, 9, 8), passes)
    expected = volume.double().numpy()
    for _ in range(passes):
        expected = uniform_filter(expected, size=(1, 3, 3, 3), mode='constant')
    inner = slice(passes, -passes or None)
    found = table.t().reshape(2, 6, 9, 8)[:, inner, inner, inner]
    torch.testing.assert_close(found.double(), torch.from_numpy(expected)[:, inner, inner, inner], atol=1e-6, rtol=0)
    constant = torch.full((6 * 9 * 8, 1), 3.0)
    torch.testing.assert_close(smooth_volume(constant, (6, 9, 8), passes), constant)
