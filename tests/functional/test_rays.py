"""Rays and the box they cross."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from projects.CLAP.clap.functional import intersect_box, ray_points, rays_to_points

BOX = torch.tensor([-2.0, -2.0, -1.0]), torch.tensor([2.0, 2.0, 1.0])


def _hit(origin, direction):
    near, far, hit = intersect_box(torch.tensor([origin]), torch.tensor([direction]), *BOX)
    return near.item(), far.item(), hit.item()


@pytest.mark.parametrize(
    'origin, direction, expected',
    [
        ([0.0, 0.0, 0.0], [1.0, 0.0, 0.0], (0.0, 2.0, True)),  # inside
        ([-5.0, 0.0, 0.0], [1.0, 0.0, 0.0], (3.0, 7.0, True)),  # outside, towards the box
        ([5.0, 0.0, 0.0], [1.0, 0.0, 0.0], (0.0, 0.0, False)),  # outside, the box behind it
        ([-5.0, 3.0, 0.0], [1.0, 0.0, 0.0], (0.0, 0.0, False)),  # parallel, beside the box
        ([-5.0, 2.0, 0.0], [1.0, 0.0, 0.0], (3.0, 7.0, True)),  # gliding in a face
        ([-2.0, 0.0, 0.0], [1.0, 0.0, 0.0], (0.0, 4.0, True)),  # on a face, inwards
        ([2.0, 0.0, 0.0], [1.0, 0.0, 0.0], (0.0, 0.0, False)),  # on a face, outwards
        ([-2.0, -2.0, -1.0], [0.0, 0.0, 1.0], (0.0, 2.0, True)),  # along an edge: 0 * inf without care
        ([-2.0, 0.0, 0.0], [0.0, -0.0, -1.0], (0.0, 1.0, True)),  # negative zero
        ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], (0.0, 0.0, False)),  # no direction at all
        ([-5.0, 0.0, 0.0], [1.0, 1e-45, 0.0], (3.0, 7.0, True)),  # denormal direction component
    ],
)
def test_closed_form(origin, direction, expected):
    assert _hit(origin, direction) == pytest.approx(expected)


coordinate = st.floats(-6, 6, allow_nan=False, width=32)


@settings(max_examples=200, deadline=None)
@given(st.tuples(*[coordinate] * 3), st.tuples(*[st.one_of(st.just(0.0), st.floats(-1, 1, width=32))] * 3))
def test_the_segment_is_the_part_inside(origin, direction):
    length = math.sqrt(sum(value * value for value in direction))
    if length < 1e-3:
        return
    origins = torch.tensor([origin], dtype=torch.float64)
    directions = torch.tensor([direction], dtype=torch.float64) / length
    box_min, box_max = (corner.double() for corner in BOX)
    near, far, hit = intersect_box(origins, directions, box_min, box_max)
    assert torch.isfinite(near).all() and torch.isfinite(far).all()
    assert 0 <= near <= far
    dense = torch.linspace(0, 20, 4001, dtype=torch.float64)[None]
    points = ray_points(origins, directions, dense)[0]
    inside = ((points >= box_min) & (points <= box_max)).all(-1)
    claimed = hit & (dense[0] >= near) & (dense[0] <= far)
    border = ((dense[0] - near).abs() < 1e-9) | ((dense[0] - far).abs() < 1e-9)
    graze = ((points - box_min).abs() < 1e-9).any(-1) | ((points - box_max).abs() < 1e-9).any(-1)
    assert (inside == claimed)[~border & ~graze].all()


def test_non_finite_rays_miss():
    origins = torch.tensor([[float('nan'), 0, 0], [0.0, 0.0, 0.0]])
    directions = torch.tensor([[1.0, 0.0, 0.0], [float('nan'), 0, 1.0]])
    near, far, hit = intersect_box(origins, directions, *BOX)
    assert not hit.any() and near.eq(0).all() and far.eq(0).all()


def test_gradients_of_parallel_rays_are_finite():
    origins = torch.tensor([[-2.0, -2.0, 0.0], [0.0, 5.0, 0.0]], requires_grad=True)
    directions = torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]], requires_grad=True)
    near, far, _ = intersect_box(origins, directions, *BOX)
    (near + far).sum().backward()
    assert torch.isfinite(origins.grad).all() and torch.isfinite(directions.grad).all()


def test_no_rays():
    near, far, hit = intersect_box(torch.zeros(0, 3), torch.zeros(0, 3), *BOX)
    assert near.shape == far.shape == hit.shape == (0,)


def test_rays_lead_back_to_their_points():
    points = torch.randn(50, 3, dtype=torch.float64) * 20
    origins = torch.tensor([[1.0, -2.0, 0.5]], dtype=torch.float64)
    directions, range_m = rays_to_points(origins, points)
    torch.testing.assert_close(directions.norm(dim=-1), torch.ones(50, dtype=torch.float64))
    torch.testing.assert_close(ray_points(origins.expand(50, 3), directions, range_m[:, None])[:, 0], points)
    direction, distance = rays_to_points(origins, origins)
    assert direction.eq(0).all() and distance.eq(0).all()


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match='origins'):
        intersect_box(torch.zeros(3), torch.zeros(3), *BOX)
    with pytest.raises(ValueError, match='directions'):
        intersect_box(torch.zeros(2, 3), torch.zeros(1, 3), *BOX)
