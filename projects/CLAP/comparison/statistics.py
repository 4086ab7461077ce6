"""Means, spreads and paired tests over seeds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Mapping, Optional

import numpy as np
from scipy import stats

BySeed = Mapping[int, float]


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation (n - 1) over seeds; the latter is None for fewer than two."""

    count: int
    mean: Optional[float]
    std: Optional[float]


@dataclass(frozen=True)
class Difference:
    """Mean difference over the seeds that both have, with the 95 % interval and two-sided p of the paired t-test.

    All but ``count`` and ``mean`` are None for fewer than two seeds, and ``p`` where every difference is the same, for
    then there is no spread to test against.
    """

    count: int
    mean: Optional[float]
    low: Optional[float] = None
    high: Optional[float] = None
    p: Optional[float] = None


def spread(values: BySeed) -> Spread:
    """Mean and standard deviation of the values of all seeds."""
    numbers = np.array(list(values.values()), dtype=np.float64)
    if not len(numbers):
        return Spread(0, None, None)
    return Spread(len(numbers), float(numbers.mean()), float(numbers.std(ddof=1)) if len(numbers) > 1 else None)


def paired(values: BySeed, baseline: BySeed) -> Difference:
    """``values - baseline`` by seed."""
    seeds = sorted(set(values) & set(baseline))
    if not seeds:
        return Difference(0, None)
    mine, theirs = (np.array([given[seed] for seed in seeds], dtype=np.float64) for given in (values, baseline))
    differences = mine - theirs
    mean = float(differences.mean())
    if len(seeds) < 2:
        return Difference(1, mean)
    if np.ptp(differences) <= 1e-9 * max(np.abs(mine).max(), np.abs(theirs).max()):  # the same but for rounding
        return Difference(len(seeds), mean, mean, mean)
    test = stats.ttest_rel(mine, theirs)
    interval = test.confidence_interval(0.95)
    p = float(test.pvalue)
    return Difference(len(seeds), mean, float(interval.low), float(interval.high), p if math.isfinite(p) else None)
