"""Eq. 10 and the optional terms."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from projects.CLAP.clap.functional import (
    eikonal_loss,
    free_space_loss,
    near_surface_loss,
    orthogonal_loss,
    rendering_loss,
)

finite = st.floats(-50, 50, allow_nan=False)


def _tensors(num_lidar, num_pixels):
    return (
        torch.rand(num_lidar) * 40,
        torch.rand(num_lidar) * 40,
        torch.randn(num_lidar),
        torch.rand(num_pixels, 3),
        torch.rand(num_pixels, 3),
    )


def test_by_hand():
    losses = rendering_loss(
        torch.tensor([10.0, 20.0]),
        torch.tensor([12.0, 19.0]),
        torch.tensor([-0.2, 0.6]),
        torch.tensor([[0.5, 0.5, 0.5]]),
        torch.tensor([[0.2, 0.5, 0.8]]),
    )
    assert losses['loss_range'].item() == pytest.approx(1.5)
    assert losses['loss_surface'].item() == pytest.approx(0.05 * 0.4)
    assert losses['loss_rgb'].item() == pytest.approx(0.05 * 0.2)


def test_weighted_rays_are_rays_that_come_more_often():
    """A ray of weight 3 is the same ray three times, in every term that has rays."""
    generator = torch.Generator().manual_seed(0)
    weights, again = torch.tensor([1.0, 3.0, 2.0]), torch.tensor([0, 1, 1, 1, 2, 2])
    pred, true, surface = torch.rand(3, 3, generator=generator) * 9
    sdf, edges = torch.randn(3, 8, generator=generator), torch.rand(3, 8, generator=generator) * 9
    none = torch.zeros(0, 3)
    one = rendering_loss(pred, true, surface, none, none, ray_weights=weights)
    many = rendering_loss(pred[again], true[again], surface[again], none, none)
    for name, value in many.items():
        torch.testing.assert_close(one[name], value)
    for term in (free_space_loss, near_surface_loss):
        torch.testing.assert_close(
            term(sdf, edges, true, 2.0, weights), term(sdf[again], edges[again], true[again], 2.0)
        )
        alike = term(sdf, edges, true, 2.0, torch.full((3,), 0.7))
        torch.testing.assert_close(alike, term(sdf, edges, true, 2.0))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.floats(0, 2), st.floats(0, 2))
def test_the_sum_is_equation_10(num_lidar, num_pixels, w_sur, w_c):
    pred, true, sdf, rgb, rgb_true = _tensors(num_lidar, num_pixels)
    losses = rendering_loss(pred, true, sdf, rgb, rgb_true, w_sur, w_c)
    expected = sum(abs(true[i] - pred[i]) + w_sur * abs(sdf[i]) for i in range(num_lidar)) / num_lidar
    expected += (
        w_c / (3 * num_pixels) * sum(abs(rgb_true[i, j] - rgb[i, j]) for i in range(num_pixels) for j in range(3))
    )
    torch.testing.assert_close(sum(losses.values()), expected)


@pytest.mark.parametrize('num_lidar, num_pixels', [(0, 4), (4, 0), (0, 0)])
def test_empty_inputs_give_a_connected_zero(num_lidar, num_pixels):
    tensors = [tensor.requires_grad_() for tensor in _tensors(num_lidar, num_pixels)]
    losses = rendering_loss(*tensors)
    if num_lidar == 0:
        assert losses['loss_range'].item() == 0 and losses['loss_surface'].item() == 0
    if num_pixels == 0:
        assert losses['loss_rgb'].item() == 0
    sum(losses.values()).backward()
    assert all(tensor.grad is not None and torch.isfinite(tensor.grad).all() for tensor in tensors)


def test_shapes_that_would_broadcast_are_refused():
    pred, true, sdf, rgb, rgb_true = _tensors(4, 5)
    with pytest.raises(ValueError, match='range_pred'):
        rendering_loss(pred[:, None], true, sdf, rgb, rgb_true)
    with pytest.raises(ValueError, match='one shape'):
        rendering_loss(pred, true[:, None], sdf, rgb, rgb_true)
    with pytest.raises(ValueError, match='one shape'):
        rendering_loss(pred, true, sdf[:3], rgb, rgb_true)
    with pytest.raises(ValueError, match='rgb_pred'):
        rendering_loss(pred, true, sdf, rgb[:, :1], rgb_true)


def test_eikonal_is_zero_for_a_distance_and_finite_for_a_constant():
    directions = torch.nn.functional.normalize(torch.randn(20, 3), dim=-1)
    assert eikonal_loss(directions).item() == pytest.approx(0, abs=1e-12)
    assert eikonal_loss(3 * directions).item() == pytest.approx(4, rel=1e-5)
    flat = torch.zeros(5, 3, requires_grad=True)
    eikonal_loss(flat).backward()
    assert torch.isfinite(flat.grad).all()
    assert eikonal_loss(torch.zeros(0, 3)).item() == 0


def test_free_space_by_hand():
    edges = torch.tensor([[1.0, 5.0, 9.0, 9.9, 11.0]])
    target = torch.tensor([10.0])
    # Samples at 1, 5 and 9 m are more than 0.5 m in front; of them 5 m (0.2) and 9 m (-0.1) claim a near surface.
    sdf = torch.tensor([[9.0, 0.2, -0.1, -7.0, -7.0]])
    loss = free_space_loss(sdf, edges, target, truncation=0.5)
    assert loss.item() == pytest.approx((0.3 + 0.6) / 3)
    assert free_space_loss(target[:, None] - edges, edges, target, 0.5).item() == 0


def test_near_surface_by_hand():
    edges = torch.tensor([[8.0, 9.8, 10.1, 13.0]])
    sdf = torch.tensor([[5.0, 0.3, -0.3, 5.0]])
    loss = near_surface_loss(sdf, edges, torch.tensor([10.0]), truncation=0.5)
    assert loss.item() == pytest.approx((0.1 + 0.2) / 2, rel=1e-5)


@pytest.mark.parametrize('term', [free_space_loss, near_surface_loss])
def test_nothing_in_reach_gives_a_connected_zero(term):
    for rays in (0, 2):
        sdf = torch.zeros(rays, 3, requires_grad=True)
        # Free space needs samples in front of the target, near surface samples around it: these are far behind.
        loss = term(sdf, torch.full((rays, 3), 50.0), torch.full((rays,), 10.0), 0.5)
        loss.backward()
        assert loss.item() == 0 and sdf.grad is not None


@settings(max_examples=30, deadline=None)
@given(st.lists(finite, min_size=4, max_size=4), st.floats(0.1, 3))
def test_optional_terms_are_never_negative(sdf, truncation):
    sdf, edges = torch.tensor([sdf]), torch.tensor([[1.0, 4.0, 7.0, 10.0]])
    for term in (free_space_loss, near_surface_loss):
        assert term(sdf, edges, torch.tensor([8.0]), truncation) >= 0


@pytest.mark.parametrize('term', [free_space_loss, near_surface_loss])
def test_optional_terms_refuse_wrong_arguments(term):
    with pytest.raises(ValueError, match='truncation'):
        term(torch.zeros(1, 2), torch.zeros(1, 2), torch.zeros(1), 0.0)
    with pytest.raises(ValueError, match='target_range'):
        term(torch.zeros(2, 2), torch.zeros(2, 2), torch.zeros(2, 1), 0.5)


def test_orthogonality_by_hand_whatever_the_number_of_points():
    shared = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    specific = torch.tensor([[1.0, 2.0], [3.0, 0.0]])  # F^T G = G
    assert float(orthogonal_loss(shared, specific)) == pytest.approx(14 / 4)
    thrice = orthogonal_loss(shared.repeat(3, 1), specific.repeat(3, 1))
    assert float(thrice) == pytest.approx(14 / 4), 'as printed it would be nine times as large'
    assert float(orthogonal_loss(shared, torch.tensor([[0.0, 0.0], [0.0, 0.0]]))) == 0
    nothing = orthogonal_loss(shared[:0].requires_grad_(), specific[:0])
    assert float(nothing.detach()) == 0 and nothing.requires_grad
    with pytest.raises(ValueError, match='one shape'):
        orthogonal_loss(shared, specific[:1])


def test_orthogonality_equals_the_table_of_channels_and_its_gradient():
    shared, specific = (torch.randn(7, 3, dtype=torch.float64).requires_grad_() for _ in range(2))
    expected = sum(
        (shared[:, i] * specific[:, j]).sum() ** 2 / 49 for i in range(3) for j in range(3)
    )  # fmt: skip
    torch.testing.assert_close(orthogonal_loss(shared, specific), expected)
    assert torch.autograd.gradcheck(orthogonal_loss, (shared, specific))
