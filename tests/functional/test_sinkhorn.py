"""Balanced codes, on one rank and on two."""

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from projects.CLAP.clap.functional import sinkhorn, transport_plan


def _scores(rows, columns, seed=0, scale=1.0):
    return scale * torch.randn(rows, columns, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def _plain(scores, epsilon, num_iters):
    """The textbook iteration, without logarithms."""
    codes = torch.exp(scores / epsilon)
    for _ in range(num_iters):
        codes = codes / codes.sum(0, keepdim=True) / codes.shape[1]
        codes = codes / codes.sum(1, keepdim=True)
    return codes


@pytest.mark.parametrize('num_iters', [1, 3, 10])
def test_equals_the_textbook_iteration(num_iters):
    scores = _scores(30, 7)
    torch.testing.assert_close(sinkhorn(scores, 0.5, num_iters), _plain(scores, 0.5, num_iters))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 12), st.floats(0.02, 2), st.integers(1, 5), st.integers(0, 1000))
def test_rows_sum_to_one(rows, columns, epsilon, num_iters, seed):
    codes = sinkhorn(_scores(rows, columns, seed).clamp(-1, 1), epsilon, num_iters)
    assert (codes >= 0).all()
    torch.testing.assert_close(codes.sum(1), torch.ones(rows, dtype=torch.float64))


def test_columns_come_close_to_an_even_share():
    scores = _scores(2000, 16, scale=0.2)
    scores[:, 0] += 0.3  # one prototype is nearest to almost everything
    share = 2000 / 16
    uneven = torch.softmax(scores / 0.05, 1).sum(0)
    even = sinkhorn(scores).sum(0)
    assert uneven.max() > 4 * share
    assert (even - share).abs().max() < 0.3 * share
    torch.testing.assert_close(sinkhorn(scores, num_iters=200).sum(0), torch.full((16,), share).double())


def test_the_nearest_prototype_wins():
    scores = torch.eye(6) * 2 - 1
    assert torch.equal(sinkhorn(scores).argmax(1), torch.arange(6))


def test_small_epsilon_gives_the_optimal_assignment():
    scores = _scores(8, 8, seed=4)
    codes = sinkhorn(scores, epsilon=0.005, num_iters=500)
    _, expected = linear_sum_assignment(-scores.numpy())
    assert codes.argmax(1).tolist() == expected.tolist()
    assert codes.max(1).values.min() > 0.9


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float32])
def test_finite_for_extreme_scores(dtype):
    scores = (torch.randint(0, 3, (50, 9)) - 1).to(dtype) * 1000
    codes = sinkhorn(scores)
    assert codes.dtype == torch.float32 and torch.isfinite(codes).all()
    torch.testing.assert_close(codes.sum(1), torch.ones(50))


def test_codes_are_targets():
    scores = torch.randn(4, 3, requires_grad=True)
    assert not sinkhorn(scores).requires_grad
    assert scores.grad is None


@pytest.mark.parametrize('epsilon', [0.5, 0.05])
def test_a_plan_solves_the_entropic_transport(epsilon):
    """Both marginals, and the form diag(u) exp(-cost / epsilon) diag(v): of such plans there is only one."""
    cost = _scores(14, 5).square()
    plan = transport_plan(cost, epsilon, 2000)
    torch.testing.assert_close(plan.sum(1), torch.full((14,), 1 / 14, dtype=torch.float64))
    torch.testing.assert_close(plan.sum(0), torch.full((5,), 1 / 5, dtype=torch.float64))
    scaled = plan.log() + cost / epsilon
    rank_one = scaled[:, :1] + scaled[:1] - scaled[:1, :1]
    torch.testing.assert_close(scaled, rank_one)


def test_a_plan_is_cheap_not_dear():
    cost = 4 * _scores(8, 8, seed=4).abs()  # over epsilon of 1e-3 it passes 4000
    plan = transport_plan(cost, 1e-3, 3000)
    rows, columns = linear_sum_assignment(cost.numpy())
    assert plan.argmax(1).tolist() == columns.tolist()
    assert (plan * cost).sum().item() == pytest.approx(cost.numpy()[rows, columns].mean(), rel=1e-3)
    assert torch.isfinite(transport_plan(1000 * cost)).all() and not transport_plan(cost.requires_grad_()).requires_grad
    assert transport_plan(torch.zeros(0, 5)).shape == (0, 5)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 12), st.floats(1e-3, 2), st.integers(1, 5), st.integers(0, 1000))
def test_rows_of_a_plan_hold_after_any_number_of_rounds(rows, columns, epsilon, num_iters, seed):
    cost = _scores(rows, columns, seed).square()
    plan = transport_plan(cost, epsilon, num_iters)
    torch.testing.assert_close(plan.sum(1), torch.full((rows,), 1 / rows, dtype=torch.float64))
    torch.testing.assert_close(rows * plan, sinkhorn(-cost, epsilon, num_iters))


def test_no_rows():
    assert sinkhorn(torch.zeros(0, 5)).shape == (0, 5)


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match='scores'):
        sinkhorn(torch.zeros(2, 3, 4))
    with pytest.raises(ValueError, match='epsilon'):
        sinkhorn(torch.zeros(2, 3), epsilon=0.0)
    with pytest.raises(ValueError, match='num_iters'):
        sinkhorn(torch.zeros(2, 3), num_iters=0)
    with pytest.raises(ValueError, match='cost'):
        transport_plan(torch.zeros(3))


def _rank(rank, folder, splits):
    torch.set_num_threads(1)
    dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=len(splits[0]))
    codes = []
    for number, split in enumerate(splits):
        scale = 1000.0 if number == 0 else 0.3
        scores = _scores(sum(split), 6, seed=number, scale=scale).split(split)[rank]
        codes.append(sinkhorn(scores))
    torch.save(codes, f'{folder}/{rank}.pt')
    dist.barrier()
    dist.destroy_process_group()


def test_ranks_equal_one_rank(tmp_path):
    """Even, uneven and empty shares of the rows; extreme scores."""
    splits = [[10, 10], [3, 21], [0, 8], [8, 0], [0, 0]]
    mp.start_processes(_rank, args=(str(tmp_path), splits), nprocs=2, start_method='forkserver')
    ranks = [torch.load(tmp_path / f'{rank}.pt') for rank in range(2)]
    for number, split in enumerate(splits):
        expected = sinkhorn(_scores(sum(split), 6, seed=number, scale=1000.0 if number == 0 else 0.3))
        shares = [codes[number] for codes in ranks]
        assert [len(share) for share in shares] == split
        torch.testing.assert_close(torch.cat(shares), expected)
