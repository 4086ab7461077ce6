"""Eqs. 8 and 9: transmittance, weights, rendered values."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from projects.CLAP.clap.functional import accumulate, midpoints, neus_alpha, render_weights, stratified, transmittance

opacities = st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0])), min_size=1, max_size=20)


def _render_wall(at_starts, inv_s=20.0, wall_m=20.0):
    """Mean range at which rays with randomly placed 0.4 m intervals see a wall head-on."""
    near = 1.0 + 0.4 * torch.rand(4000, dtype=torch.float64)
    edges = near[:, None] + 0.4 * torch.arange(96, dtype=torch.float64)
    weights = render_weights(neus_alpha(wall_m - edges, torch.tensor(inv_s, dtype=torch.float64)))
    return accumulate(weights, edges[:, :-1] if at_starts else midpoints(edges))


@pytest.mark.parametrize('inv_s', [20.0, 200.0, 5000.0])
def test_a_wall_is_seen_where_it_is(inv_s):
    assert _render_wall(False, inv_s).mean().item() == pytest.approx(20.0, abs=0.02)


def test_interval_starts_would_be_half_a_bin_off():
    assert _render_wall(True).mean().item() == pytest.approx(19.8, abs=0.02)


def test_a_wall_in_the_middle_of_a_sharp_interval_is_exact():
    edges = 1.0 + 0.4 * torch.arange(96.0)
    wall = midpoints(edges)[47].item()
    weights = render_weights(neus_alpha(wall - edges, torch.tensor(1000.0)))
    assert accumulate(weights, midpoints(edges)).item() == pytest.approx(wall, abs=1e-4)


def test_transmittance_closed_form():
    torch.testing.assert_close(transmittance(torch.tensor([0.5, 0.5, 1.0, 0.3])), torch.tensor([1.0, 0.5, 0.25, 0.0]))


@settings(max_examples=60, deadline=None)
@given(opacities)
def test_transmittance_equals_the_product_term_by_term(alpha):
    got = transmittance(torch.tensor(alpha, dtype=torch.float64))
    product = 1.0
    for n, value in enumerate(alpha):
        assert got[n].item() == pytest.approx(product, abs=1e-12)
        product *= 1 - value


@settings(max_examples=60, deadline=None)
@given(opacities)
def test_weights_are_a_share_of_one(alpha):
    alpha = torch.tensor(alpha, dtype=torch.float64)
    weights = render_weights(alpha)
    assert (weights >= 0).all() and weights.sum() <= 1 + 1e-12
    torch.testing.assert_close(1 - weights.sum(), (1 - alpha).prod())


@settings(max_examples=40, deadline=None)
@given(opacities)
def test_gradients_are_exact_with_full_opacity(alpha):
    alpha = torch.tensor(alpha, dtype=torch.float64, requires_grad=True)
    scale = torch.linspace(1, 2, alpha.numel(), dtype=torch.float64)
    (got,) = torch.autograd.grad((transmittance(alpha) * scale).sum(), alpha)
    # d t_n / d alpha_k = -prod_{i<n, i!=k} (1 - alpha_i)
    expected = torch.zeros_like(alpha)
    for n in range(alpha.numel()):
        for k in range(n):
            others = [1 - alpha[i].item() for i in range(n) if i != k]
            expected[k] -= scale[n] * torch.tensor(others, dtype=torch.float64).prod()
    torch.testing.assert_close(got, expected)


def test_gradcheck():
    alpha = torch.rand(3, 7, dtype=torch.float64)
    alpha[0, 2] = 1
    assert torch.autograd.gradcheck(render_weights, alpha.requires_grad_())


def test_accumulate_is_not_normalised():
    weights = torch.tensor([[0.2, 0.3]])
    torch.testing.assert_close(accumulate(weights, torch.tensor([[10.0, 20.0]])), torch.tensor([8.0]))
    colours = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]])
    torch.testing.assert_close(accumulate(weights, colours), torch.tensor([[0.2, 0.3, 0.3]]))


def test_values_of_the_edges_are_refused():
    with pytest.raises(ValueError, match='intervals'):
        accumulate(torch.zeros(4, 9), torch.zeros(4, 10))


def test_splitting_an_interval_barely_moves_the_range():
    near, far = torch.tensor([1.0]), torch.tensor([41.0])
    ranges = []
    for samples in (201, 401):
        edges = stratified(near, far, samples)
        weights = render_weights(neus_alpha(23.4 - edges, torch.tensor(20.0)))
        ranges.append(accumulate(weights, midpoints(edges)).item())
    assert ranges[0] == pytest.approx(ranges[1], abs=0.02)


def test_the_nearer_of_two_walls_hides_the_other():
    edges = 1.0 + 0.1 * torch.arange(400.0)
    sdf = torch.minimum((edges - 10).abs() - 0.5, (edges - 25).abs() - 0.5)
    rendered = accumulate(render_weights(neus_alpha(sdf, torch.tensor(50.0))), midpoints(edges))
    assert rendered.item() == pytest.approx(9.5, abs=0.02)


def test_empty():
    assert transmittance(torch.zeros(0, 5)).shape == (0, 5)
    assert accumulate(torch.zeros(0, 5), torch.zeros(0, 5, 3)).shape == (0, 3)
