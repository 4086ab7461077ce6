"""Paired statistics against a case computed by hand and against scipy."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from projects.CLAP.comparison.results import estimate, paired

A = {0: 12.0, 1: 15.0, 2: 11.0, 3: 14.0, 4: 13.0}
B = {0: 10.0, 1: 12.0, 2: 10.0, 3: 11.0, 4: 12.0}


def test_by_hand() -> None:
    """Differences 2, 3, 1, 3, 1: mean 2, variance 1, t = 2 / sqrt(1 / 5), 4 degrees of freedom."""
    found = paired(A, B)
    assert found.count == 5 and found.mean == pytest.approx(2.0)
    t = 2.0 * math.sqrt(5.0)
    assert found.p == pytest.approx(2 * stats.t.sf(t, 4)) and found.p == pytest.approx(0.011056, rel=1e-4)
    half = 2.776445 / math.sqrt(5.0)  # t of 97.5 % with 4 degrees of freedom, from a table
    assert (found.low, found.high) == (pytest.approx(2 - half, abs=1e-5), pytest.approx(2 + half, abs=1e-5))


def test_seeds_are_matched_not_positions() -> None:
    shuffled = {seed: A[seed] for seed in (3, 0, 4, 2, 1)}
    assert paired(shuffled, B) == paired(A, B)
    assert paired({**A, 7: 100.0}, B) == paired(A, B), 'a seed that only one has does not count'
    assert paired(A, B) != paired({seed: A[(seed + 1) % 5] for seed in A}, B)


def test_too_few_seeds_have_no_test() -> None:
    one = paired({0: 3.0}, {0: 1.0})
    assert (one.count, one.mean, one.p, one.low) == (1, 2.0, None, None)
    assert paired({0: 1.0}, {1: 1.0}).mean is None
    same = paired({0: 3.0, 1: 4.0}, {0: 1.0, 1: 2.0})
    assert same.mean == 2.0 and same.p is None, 'no spread to test against'
    rounded = paired({0: 14.0, 1: 15.0, 2: 100 * 0.17}, {0: 10.0, 1: 11.0, 2: 100 * 0.13})
    assert rounded.mean == pytest.approx(4.0) and rounded.p is None, 'rounding is no spread'


def test_spread() -> None:
    found = estimate(A)
    assert (found.count, found.mean) == (5, 13.0) and found.std == pytest.approx(math.sqrt(2.5))
    assert estimate({3: 1.5}).std is None and estimate({}).mean is None
