"""Means over segments."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from projects.CLAP.clap.functional import mean_by_segment


def _rows(num, width, num_segments, seed=0):
    draws = torch.Generator().manual_seed(seed)
    features = torch.randn(num, width, dtype=torch.float64, generator=draws, requires_grad=True)
    return features, torch.randint(-1, num_segments, (num,), generator=draws)


def test_by_hand():
    means, present = mean_by_segment(
        torch.tensor([[1.0, 0.0], [0.0, 1.0], [5.0, 5.0], [2.0, 2.0]]), torch.tensor([2, 2, -1, 0]), 4
    )
    assert means.tolist() == [[2, 2], [0, 0], [0.5, 0.5], [0, 0]], 'a mean of unit rows is left as short as it is'
    assert present.tolist() == [True, False, True, False]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 60), st.integers(1, 5), st.integers(1, 12), st.integers(0, 1000))
def test_equals_a_loop_and_does_not_depend_on_the_order(num, width, num_segments, seed):
    features, segments = _rows(num, width, num_segments, seed)
    means, present = mean_by_segment(features, segments, num_segments)
    for number in range(num_segments):
        members = features[segments == number]
        assert bool(present[number]) == bool(len(members))
        expected = members.mean(0) if len(members) else torch.zeros(width, dtype=torch.float64)
        torch.testing.assert_close(means[number], expected)
    order = torch.randperm(num, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(mean_by_segment(features[order], segments[order], num_segments)[0], means)


def test_gradients():
    features, segments = _rows(9, 3, 4)
    assert torch.autograd.gradcheck(lambda rows: mean_by_segment(rows, segments, 4)[0], features)


def test_no_rows_are_still_connected():
    features, segments = _rows(0, 3, 4)
    mean_by_segment(features, segments, 4)[0].sum().backward()
    assert features.grad is not None


def test_wrong_numbers_are_refused():
    features, segments = _rows(9, 3, 4)
    with pytest.raises(ValueError, match='segments'):
        mean_by_segment(features, segments + 3, 4)
    with pytest.raises(ValueError, match='segments'):
        mean_by_segment(features, segments[:5], 4)
