from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from projects.CLAP.clap.functional import rank_correlation


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(3, 300), st.sampled_from([2, 7, 10**6]))
def test_equals_scipy_with_and_without_ties(seed: int, num: int, values: int) -> None:
    rng = np.random.default_rng(seed)
    first = rng.integers(0, values, num)
    second = rng.integers(0, values, num) + first // 2
    found = rank_correlation(torch.from_numpy(first).float(), torch.from_numpy(second).double())
    if len(set(first)) > 1 and len(set(second)) > 1:
        assert float(found) == pytest.approx(spearmanr(first, second)[0], abs=1e-9)
    else:
        assert float(found) == 0


def test_only_the_order_counts() -> None:
    first, second = torch.rand(2, 500, generator=torch.Generator().manual_seed(0))
    found = rank_correlation(first, second)
    assert torch.equal(found, rank_correlation(first**5, second.log()))
    assert float(rank_correlation(first, first**3)) == pytest.approx(1) == -float(rank_correlation(first, -first))


def test_nothing_to_order() -> None:
    some = torch.arange(5.0)
    assert rank_correlation(torch.ones(5), some) == 0 == rank_correlation(some[:0], some[:0])
    with pytest.raises(ValueError, match='second: expected shape'):
        rank_correlation(some, some[:4])
