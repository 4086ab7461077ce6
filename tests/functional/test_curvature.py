"""Eqs. 11 and 12: normals and curvature weights."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from projects.CLAP.clap.functional import curvature_weights, metres_to_cells, sdf_gradient, sdf_normals, trilinear


def _directions(num, seed=0):
    directions = torch.randn(num, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(directions, dim=-1)


def _sphere(points):
    return points.norm(dim=-1) - 1.5


def _torus(points):
    ring = points[:, :2].norm(dim=-1) - 4.0
    return torch.sqrt(ring.square() + points[:, 2].square()) - 1.0


def test_normals_of_a_sphere_point_outwards():
    directions = _directions(50)
    normals = sdf_normals(_sphere, 3 * directions)
    torch.testing.assert_close(normals, directions)
    assert not normals.requires_grad


def test_normals_are_unit_whatever_the_scale_of_the_field():
    for scale in (1e-3, 1.0, 1e3):
        normals = sdf_normals(lambda p, scale=scale: scale * _sphere(p), 2 * _directions(20))
        torch.testing.assert_close(normals.norm(dim=-1), torch.ones(20, dtype=torch.float64))


@pytest.mark.parametrize('radius', [0.5, 2.0, 30.0])
def test_sphere_has_sqrt2_over_r_in_every_direction(radius):
    weights = curvature_weights(_sphere, radius * _directions(200))
    torch.testing.assert_close(weights, torch.full((200,), math.sqrt(2) / radius, dtype=torch.float64))


def test_cylinder_has_one_over_r():
    points = torch.tensor([[3.0, 0.0, 1.0], [0.0, -0.5, 7.0]], dtype=torch.float64)
    weights = curvature_weights(lambda p: p[:, :2].norm(dim=-1) - 1, points)
    torch.testing.assert_close(weights, torch.tensor([1 / 3, 2.0], dtype=torch.float64))


def test_torus_against_its_principal_curvatures():
    # Outer and inner equator of a torus (R = 4, tube 1): 1 in the tube, 1/5 and -1/3 around the axis.
    points = torch.tensor([[5.0, 0.0, 0.0], [0.0, 3.0, 0.0]], dtype=torch.float64)
    expected = torch.tensor([math.hypot(1, 1 / 5), math.hypot(1, 1 / 3)], dtype=torch.float64)
    torch.testing.assert_close(curvature_weights(_torus, points), expected)


def test_literal_form_is_the_norm_of_j_transposed_ones():
    points = 2 * _directions(100)
    weights = curvature_weights(_sphere, points, mode='literal')
    # J = (I - d d^T) / r is symmetric, hence J^T 1 = (1 - d (d . 1)) / r.
    direction = points / 2
    ones = torch.ones_like(direction)
    expected = (ones - direction * direction.sum(-1, keepdim=True)).norm(dim=-1) / 2
    torch.testing.assert_close(weights, expected)
    assert weights.max() - weights.min() > 0.3  # it depends on the direction, which curvature does not
    diagonal = torch.full((1, 3), 1.0, dtype=torch.float64)
    assert curvature_weights(_sphere, diagonal, mode='literal').item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize('mode', ['jacobian', 'literal'])
def test_flat_fields_have_no_curvature(mode):
    points = torch.randn(10, 3)
    slope = torch.nn.Parameter(torch.tensor([1.0, 2.0, 3.0]))
    plane = curvature_weights(lambda p: p @ slope - 1, points, mode)
    constant = curvature_weights(lambda p: slope.sum().expand(len(p)), points, mode)
    zero = curvature_weights(lambda p: 0 * p.sum(-1), points, mode)
    unrelated = curvature_weights(lambda p: torch.zeros(len(p)), points, mode)
    for weights in (plane, constant, zero, unrelated):
        assert weights.shape == (10,) and weights.abs().max() == 0
    assert slope.grad is None


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.floats(-math.pi, math.pi), st.floats(-5, 5))
def test_rigid_motion_changes_nothing(seed, angle, shift):
    points = 3 * torch.randn(6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) + 0.1
    axis = torch.linalg.matrix_exp(
        angle * torch.tensor([[0.0, -0.6, 0.3], [0.6, 0.0, -0.5], [-0.3, 0.5, 0.0]]).double()
    )
    moved = points @ axis.t() + shift
    weights = curvature_weights(_torus, points)
    torch.testing.assert_close(
        curvature_weights(lambda p: _torus((p - shift) @ axis), moved), weights, rtol=1e-6, atol=1e-8
    )
    torch.testing.assert_close(curvature_weights(lambda p: -_torus(p), points), weights)


def test_jacobian_against_finite_differences_on_a_network():
    torch.manual_seed(3)
    net = torch.nn.Sequential(torch.nn.Linear(3, 16), torch.nn.Softplus(beta=5), torch.nn.Linear(16, 1)).double()
    field = lambda p: net(p).squeeze(-1)
    points = torch.randn(8, 3, dtype=torch.float64)
    step = 1e-5
    columns = [
        (sdf_normals(field, points + offset) - sdf_normals(field, points - offset)) / (2 * step)
        for offset in step * torch.eye(3, dtype=torch.float64)
    ]
    expected = torch.stack(columns, -1).flatten(1).norm(dim=-1)
    torch.testing.assert_close(curvature_weights(field, points), expected, rtol=1e-5, atol=1e-7)
    assert all(parameter.grad is None for parameter in net.parameters())


def test_works_for_a_caller_without_grad_and_leaves_no_graph():
    points = (2 * _directions(5)).requires_grad_()
    with torch.no_grad():
        inside = curvature_weights(_sphere, points)
    assert not inside.requires_grad and points.grad is None
    torch.testing.assert_close(inside, torch.full((5,), math.sqrt(2) / 2, dtype=torch.float64))


def test_singular_points_never_give_non_finite_weights():
    points = torch.zeros(3, 3)  # the centre of the sphere, where the direction is undefined
    for mode in ('jacobian', 'literal'):
        weights = curvature_weights(_sphere, points, mode)
        assert torch.isfinite(weights).all() and (weights >= 0).all()
    broken = curvature_weights(lambda p: p.norm(dim=-1) * float('nan'), torch.ones(2, 3))
    assert broken.eq(0).all()


def test_a_nearly_flat_field_is_held_by_the_floor():
    # |n| = 1e-9 |p|: without a floor its weights would be those of the unit field.
    tiny = lambda p: 0.5e-9 * p.square().sum(-1)
    points = _directions(5)
    assert curvature_weights(tiny, points).max() < 1e-4
    assert curvature_weights(lambda p: 0.5 * p.square().sum(-1), points).min() > 1


def test_through_a_feature_volume_without_touching_it():
    volume = torch.randn(4, 3, 6, 6, requires_grad=True)
    box_min, cell = torch.tensor([-3.0, -3.0, -1.5]), torch.tensor([1.0, 1.0, 1.0])
    field = lambda p: p[:, 2] + 0.3 * torch.tanh(trilinear(volume, metres_to_cells(p, box_min, cell))).sum(-1)
    weights = curvature_weights(field, torch.rand(50, 3) * 2 - 1)
    assert (weights > 0).any() and torch.isfinite(weights).all()
    assert volume.grad is None


def test_gradient_keeps_its_graph_on_request():
    scale = torch.nn.Parameter(torch.tensor(2.0, dtype=torch.float64))
    gradient = sdf_gradient(lambda p: scale * _sphere(p), 2 * _directions(4), create_graph=True)
    gradient.norm(dim=-1).mean().backward()
    assert scale.grad.item() == pytest.approx(1.0)
    assert not sdf_gradient(_sphere, 2 * _directions(4)).requires_grad


def test_no_points():
    assert curvature_weights(_sphere, torch.zeros(0, 3)).shape == (0,)
    assert sdf_normals(_sphere, torch.zeros(0, 3)).shape == (0, 3)


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match='jacobian'):
        curvature_weights(_sphere, torch.ones(2, 3), mode='gaussian')
    with pytest.raises(ValueError, match='sdf_fn'):
        sdf_normals(lambda p: p[:, :1], torch.ones(2, 3))
    with pytest.raises(ValueError, match='points'):
        curvature_weights(_sphere, torch.ones(2, 2))
