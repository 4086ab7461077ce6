"""Stratified edges and inverse-CDF up-sampling."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from projects.CLAP.clap.functional import inverse_cdf, merge_sorted, stratified


def _offset(rays, samples, seed=0):
    return torch.rand(rays, samples, generator=torch.Generator().manual_seed(seed))


def test_without_offsets_the_edges_are_even():
    edges = stratified(torch.tensor([1.0, 0.0]), torch.tensor([5.0, 2.0]), 5)
    torch.testing.assert_close(edges, torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0], [0.0, 0.5, 1.0, 1.5, 2.0]]))


def test_offsets_fill_every_stratum_evenly():
    edges = stratified(torch.zeros(4000), torch.full((4000,), 8.0), 9, _offset(4000, 9))
    lower = torch.tensor([0, 0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5])
    upper = torch.tensor([0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8])
    assert (edges >= lower).all() and (edges <= upper).all()
    torch.testing.assert_close(edges.mean(0), (lower + upper) / 2, atol=0.03, rtol=0)
    # Uniform over the whole segment: no range is preferred.
    counts = torch.histc(edges[:, 1:-1], bins=14, min=0.5, max=7.5)
    assert counts.min() > 0.9 * counts.mean() and counts.max() < 1.1 * counts.mean()


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 50), st.floats(0, 100), st.integers(2, 40), st.integers(0, 1000), st.booleans())
def test_edges_increase_and_stay_inside(near, length, samples, seed, jitter):
    near = torch.tensor([near])
    far = near + length
    edges = stratified(near, far, samples, _offset(1, samples, seed) if jitter else None)
    assert (edges.diff(dim=-1) >= 0).all()
    assert edges.min() >= near - 1e-4 and edges.max() <= far + 1e-4


def test_an_offset_of_one_half_is_the_middle():
    near, far, half = torch.zeros(3), torch.ones(3), torch.full((3, 8), 0.5)
    torch.testing.assert_close(stratified(near, far, 8, half)[:, 1:-1], stratified(near, far, 8)[:, 1:-1])
    edges, weights = stratified(near, far, 8), torch.rand(3, 7)
    assert torch.equal(inverse_cdf(edges, weights, 8, half), inverse_cdf(edges, weights, 8))


def test_new_ranges_follow_the_weights():
    edges = torch.tensor([[0.0, 1.0, 2.0, 4.0, 5.0]]).expand(2000, 5)
    weights = torch.tensor([[1.0, 0.0, 2.0, 1.0]]).expand(2000, 4)
    drawn = inverse_cdf(edges, weights, 16, _offset(2000, 16))
    share = torch.stack([((drawn >= a) & (drawn < b)).float().mean() for a, b in ((0, 1), (1, 2), (2, 4), (4, 5))])
    torch.testing.assert_close(share, torch.tensor([0.25, 0.0, 0.5, 0.25]), atol=0.005, rtol=0)
    within = drawn[(drawn >= 2) & (drawn < 4)]
    assert abs(within.mean() - 3) < 0.02  # even inside an interval


def test_quantile_middles_against_a_direct_inversion():
    edges = torch.tensor([[0.0, 1.0, 3.0, 4.0]], dtype=torch.float64)
    weights = torch.tensor([[1.0, 2.0, 1.0]], dtype=torch.float64)
    drawn = inverse_cdf(edges, weights, 4)
    # CDF: 0, .25, .75, 1 at 0, 1, 3, 4; quantiles .125, .375, .625, .875.
    torch.testing.assert_close(drawn, torch.tensor([[0.5, 1.5, 2.5, 3.5]], dtype=torch.float64))


def test_a_quantile_between_two_intervals_steps_over_the_empty_one():
    edges = torch.tensor([[0.0, 1.0, 2.0, 3.0]])
    # The first quantile, 1 of 4, is where interval 0 ends and interval 2 begins.
    drawn = inverse_cdf(edges, torch.tensor([[1.0, 0.0, 3.0]]), 2)
    torch.testing.assert_close(drawn, torch.tensor([[2.0, 2 + 2 / 3]]))
    # The smallest number there is: half of it rounds to 0, the very beginning of the CDF.
    assert inverse_cdf(edges, torch.tensor([[0.0, 1e-45, 0.0]]), 1).item() == 1.0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([0.0, 1e-30, 1e-6, 0.3, 1.0]), min_size=1, max_size=12),
    st.integers(1, 30),
    st.integers(0, 100),
)
def test_no_range_falls_into_an_interval_without_weight(weights, num, seed):
    weights = torch.tensor([weights])
    edges = torch.arange(weights.shape[1] + 1.0)[None] * 2 + 1
    drawn = inverse_cdf(edges, weights, num, _offset(1, num, seed))
    assert drawn.shape == (1, num) and torch.isfinite(drawn).all()
    assert (drawn.diff(dim=-1) >= 0).all()
    assert drawn.min() >= edges.min() and drawn.max() <= edges.max()
    if weights.sum() > 0:
        interval = ((drawn - 1) / 2).floor().long().clamp(max=weights.shape[1] - 1)
        on_edge = torch.isin(drawn, edges)
        assert (weights[0][interval[0]] > 0)[~on_edge[0]].all()


def test_a_ray_that_met_nothing_is_sampled_evenly():
    edges = torch.tensor([[0.0, 1.0, 2.0, 10.0]])
    for empty in (torch.zeros(1, 3), torch.full((1, 3), float('nan'))):
        torch.testing.assert_close(inverse_cdf(edges, empty, 5), torch.tensor([[1.0, 3.0, 5.0, 7.0, 9.0]]))


def test_positions_carry_no_gradient():
    near = torch.ones(2, requires_grad=True)
    assert not stratified(near, near + 5, 4).requires_grad
    weights = torch.rand(2, 3, requires_grad=True)
    assert not inverse_cdf(torch.arange(4.0).expand(2, 4), weights, 3).requires_grad


def test_merge_is_sorted_and_complete():
    a, b = torch.rand(4, 7), torch.rand(4, 3)
    merged, order = merge_sorted(a, b)
    assert merged.shape == (4, 10) and (merged.diff(dim=-1) >= 0).all()
    assert torch.equal(merged, torch.cat([a, b], dim=1).gather(1, order))
    assert torch.equal(order.sort(dim=1).values, torch.arange(10).expand(4, 10))


def test_no_rays():
    edges = stratified(torch.zeros(0), torch.zeros(0), 6)
    assert edges.shape == (0, 6)
    assert inverse_cdf(edges, torch.zeros(0, 5), 3).shape == (0, 3)


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match='num_samples'):
        stratified(torch.zeros(1), torch.ones(1), 1)
    with pytest.raises(ValueError, match='weights'):
        inverse_cdf(torch.zeros(2, 5), torch.zeros(2, 5), 3)
    with pytest.raises(ValueError, match='num_samples'):
        inverse_cdf(torch.zeros(2, 5), torch.zeros(2, 4), 0)
    with pytest.raises(ValueError, match='offset'):
        stratified(torch.zeros(2), torch.ones(2), 4, torch.rand(1, 4))
    with pytest.raises(ValueError, match='offset'):
        inverse_cdf(torch.zeros(2, 5), torch.zeros(2, 4), 3, torch.rand(2, 4))
