"""Figures of answers to occupancy queries, against closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from projects.CLAP.clap.pretrain.occupancy_figures import mean_map, query_figures


def shares(told: torch.Tensor, without_map: torch.Tensor, full: torch.Tensor, near: torch.Tensor) -> dict:
    return {name: a / max(b, 1) for name, (a, b) in query_figures(told, without_map, full, near).items()}


@pytest.mark.parametrize('num_full', [3, 5, 9])
def test_the_prior_is_the_share_of_the_queries_that_are_answered(num_full: int) -> None:
    """Whoever tells every query the share of full ones is exactly as good as the prior, and balanced by chance."""
    full, share = torch.arange(10) < num_full, num_full / 10
    told = torch.full((10,), math.log(share / (1 - share)))
    figures = shares(told, torch.zeros(10), full, full)
    entropy = -share * math.log(share) - (1 - share) * math.log(1 - share)
    assert figures['cross_entropy'] == pytest.approx(entropy) == figures['cross_entropy_of_prior']
    assert figures['cross_entropy_without_map'] == pytest.approx(math.log(2))
    assert figures['accuracy_of_prior'] == max(share, 1 - share)


def test_each_query_is_judged_by_its_truth() -> None:
    full, near = torch.tensor([True, True, False, False]), torch.tensor([True, False, True, False])
    figures = shares(torch.tensor([3.0, -3.0, -3.0, -3.0]), torch.zeros(4), full, near)
    assert (figures['accuracy'], figures['near_accuracy'], figures['balanced_accuracy']) == (0.75, 1.0, 0.75)
    assert figures['cross_entropy'] == pytest.approx((3 * math.log1p(math.exp(-3)) + math.log1p(math.exp(3))) / 4)


@pytest.mark.parametrize('full', [True, False])
def test_queries_of_one_kind_and_none_give_numbers(full: bool) -> None:
    figures = shares(torch.ones(3), torch.ones(3), torch.full((3,), full), torch.zeros(3).bool())
    assert all(math.isfinite(value) for value in figures.values()) and 'balanced_accuracy' not in figures
    assert figures['cross_entropy_of_prior'] == pytest.approx(0, abs=1e-5)
    nothing = query_figures(*[torch.zeros(0)] * 2, *[torch.zeros(0).bool()] * 2)
    assert {count for _, count in nothing.values()} == {0.0} and all(total == 0 for total, _ in nothing.values())


def test_a_mean_map_is_the_same_everywhere() -> None:
    bev = torch.randn(2, 3, 4, 5)
    flat = mean_map(bev)
    assert flat.shape == bev.shape and torch.equal(flat, flat[..., :1, :1].expand_as(bev))
    torch.testing.assert_close(flat.mean((-2, -1)), bev.mean((-2, -1)))
