"""Means, spreads and paired tests over seeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Optional

import numpy as np
from scipy import stats

BySeed = Mapping[int, float]


@dataclass(frozen=True)
class Estimate:
    """Mean over seeds, standard deviation (n - 1), 95 % interval of the mean and two-sided p of the t-test against 0.

    ``mean`` is None without a seed, the others for fewer than two. ``p`` is also None where every value is the same,
    for then there is no spread to test against.
    """

    count: int
    mean: Optional[float] = None
    std: Optional[float] = None
    low: Optional[float] = None
    high: Optional[float] = None
    p: Optional[float] = None


def estimate(values: BySeed) -> Estimate:
    """Of the values of all seeds."""
    numbers = np.array(list(values.values()), dtype=np.float64)
    if len(numbers) < 2:
        return Estimate(len(numbers), *map(float, numbers))
    mean, std = float(numbers.mean()), float(numbers.std(ddof=1))
    if np.ptp(numbers) < 1e-9:  # the same but for rounding
        return Estimate(len(numbers), mean, std, mean, mean)
    test = stats.ttest_1samp(numbers, 0.0)
    interval = test.confidence_interval(0.95)
    return Estimate(len(numbers), mean, std, float(interval.low), float(interval.high), float(test.pvalue))


def paired(values: BySeed, baseline: BySeed) -> Estimate:
    """``values - baseline`` by seed, over the seeds that both have: the paired t-test."""
    return estimate({seed: value - baseline[seed] for seed, value in values.items() if seed in baseline})
