"""Sliced Wasserstein: closed forms, exact transport by scipy, gradients, properties."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from projects.CLAP.clap.functional import sliced_wasserstein


def _draw(seed=0):
    return torch.Generator().manual_seed(seed)


def _sets(rows=20, columns=5, seed=0):
    generator = _draw(seed)
    return [torch.randn(rows, columns, dtype=torch.float64, generator=generator) for _ in range(2)]


def test_a_shift_costs_its_length():
    a, _ = _sets()
    shift = torch.tensor([3.0, 0, 4, 0, 0], dtype=torch.float64)
    found = sliced_wasserstein(a, a + shift, 20_000, _draw())
    assert found.item() == pytest.approx(5 / 5**0.5, rel=0.02)


def test_in_one_dimension_it_is_exact_transport():
    a, b = _sets(columns=1)
    cost = (a - b.t()).square().numpy()
    rows, columns = linear_sum_assignment(cost)
    expected = np.sqrt(cost[rows, columns].mean())
    assert sliced_wasserstein(a, b, 3, _draw()).item() == pytest.approx(expected)


def test_equals_a_loop_over_directions():
    a, b = _sets()
    directions = torch.randn(5, 7, dtype=torch.float64, generator=_draw(2)).numpy()
    directions /= np.linalg.norm(directions, axis=0)
    squares = [(np.sort(a.numpy() @ d) - np.sort(b.numpy() @ d)) ** 2 for d in directions.T]
    assert sliced_wasserstein(a, b, 7, _draw(2)).item() == pytest.approx(np.sqrt(np.mean(squares)))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 30), st.integers(1, 6), st.integers(0, 1000))
def test_order_does_not_matter_and_equal_sets_are_no_distance_apart(rows, columns, seed):
    a, b = _sets(rows, columns, seed)
    shuffled = b[torch.randperm(rows, generator=_draw(seed))]
    found = sliced_wasserstein(a, b, 8, _draw(seed))
    torch.testing.assert_close(sliced_wasserstein(a, shuffled, 8, _draw(seed)), found)
    torch.testing.assert_close(sliced_wasserstein(b, a, 8, _draw(seed)), found)
    assert sliced_wasserstein(b, shuffled, 8, _draw(seed)) < 1e-12
    assert found <= (a - b).norm(dim=1).max()


def test_gradients():
    a, b = _sets(6, 3)
    assert torch.autograd.gradcheck(
        lambda x, y: sliced_wasserstein(x, y, 5, _draw()), [a.requires_grad_(), b.requires_grad_()]
    )
    same = a.detach().clone().requires_grad_()
    sliced_wasserstein(same, a.detach(), 5, _draw()).backward()
    assert torch.equal(same.grad, torch.zeros_like(same)), 'not NaN, where the root has no slope'


def test_no_vectors_give_a_connected_zero():
    none = torch.zeros(0, 5, requires_grad=True)
    loss = sliced_wasserstein(none, torch.zeros(0, 5), 4, _draw())
    loss.backward()
    assert loss == 0 and none.grad.shape == (0, 5)


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match='one shape'):
        sliced_wasserstein(torch.zeros(4, 5), torch.zeros(5, 5))
    with pytest.raises(ValueError, match='num_projections'):
        sliced_wasserstein(torch.zeros(4, 5), torch.zeros(4, 5), 0)
