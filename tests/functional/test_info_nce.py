"""Contrast of matching rows, on one rank and on two."""

import math

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from hypothesis import given, settings
from hypothesis import strategies as st

from projects.CLAP.clap.functional import info_nce


def _pairs(rows, width=5, seed=0):
    draws = torch.Generator().manual_seed(seed)
    return [torch.randn(rows, width, dtype=torch.float64, generator=draws, requires_grad=True) for _ in range(2)]


def test_of_orthogonal_pairs():
    """Every query has one key at 1 and the others at 0; lengths do not matter."""
    eye = torch.eye(6, dtype=torch.float64)
    expected = -math.log(math.exp(1 / 0.07) / (math.exp(1 / 0.07) + 5))
    torch.testing.assert_close(info_nce(3 * eye, 0.2 * eye, 0.07).item(), expected)
    torch.testing.assert_close(info_nce(eye, eye.roll(1, 0), 1.0).item(), math.log(math.e + 5))


def test_of_keys_that_are_all_alike_it_is_the_logarithm_of_their_number():
    queries, _ = _pairs(9)
    torch.testing.assert_close(info_nce(queries, torch.ones_like(queries)).item(), math.log(9))


def test_equals_the_sum_written_out():
    queries, keys = _pairs(7)
    total = 0.0
    for i in range(7):
        cosines = [float(queries[i].detach() @ k / queries[i].norm() / k.norm()) / 0.3 for k in keys.detach()]
        total -= cosines[i] - math.log(sum(map(math.exp, cosines)))
    torch.testing.assert_close(info_nce(queries, keys, 0.3).item(), total / 7)


def test_gradients():
    assert torch.autograd.gradcheck(lambda q, k: info_nce(q, k, 0.5), _pairs(4))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 30), st.integers(0, 1000), st.floats(0.05, 2))
def test_the_order_of_pairs_does_not_matter_and_better_keys_cost_less(rows, seed, temperature):
    queries, keys = _pairs(rows, seed=seed)
    order = torch.randperm(rows, generator=torch.Generator().manual_seed(seed))
    loss = info_nce(queries, keys, temperature)
    torch.testing.assert_close(info_nce(queries[order], keys[order], temperature), loss)
    assert 0 <= info_nce(queries, queries, temperature) <= loss + 1e-12


def test_one_direction_only():
    queries, keys = _pairs(6)
    assert abs(info_nce(queries, keys) - info_nce(keys, queries)) > 1e-3


def test_no_pair_gives_a_connected_zero_and_a_zero_row_no_nan():
    queries, keys = _pairs(0)
    loss = info_nce(queries, keys)
    loss.backward()
    assert loss == 0 and queries.grad is not None and keys.grad is not None
    queries, keys = (torch.zeros(3, 4, requires_grad=True) for _ in range(2))
    info_nce(queries, keys).backward()
    assert torch.isfinite(queries.grad).all() and torch.isfinite(keys.grad).all()


def test_half_precision_is_computed_in_single():
    queries, keys = (x.detach().float() for x in _pairs(50, 64))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        loss = info_nce(queries, keys)
    assert loss.dtype == torch.float32 and torch.equal(loss, info_nce(queries, keys))
    assert info_nce(queries.bfloat16(), keys.bfloat16()).dtype == torch.float32


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match='one shape'):
        info_nce(torch.zeros(2, 3), torch.zeros(3, 3))
    with pytest.raises(ValueError, match='temperature'):
        info_nce(torch.zeros(2, 3), torch.zeros(2, 3), 0.0)


def _loss(weight, queries, keys):
    """One weight for both sides, as of a shared head."""
    return info_nce(queries @ weight, keys @ weight, 0.3)


def _weight():
    return _pairs(5, 5, seed=99)[0]


def _rank(rank, folder, splits):
    torch.set_num_threads(1)
    dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    results = []
    for number, split in enumerate(splits):
        queries, keys = (rows.detach().split(split)[rank] for rows in _pairs(sum(split), seed=number))
        weight = _weight()
        loss = _loss(weight, queries, keys)
        loss.backward()
        results.append((loss.detach(), weight.grad))
    torch.save(results, f'{folder}/{rank}.pt')
    dist.barrier()
    dist.destroy_process_group()


def test_ranks_equal_one_rank(tmp_path):
    """Even, uneven, empty shares: the means over ranks of losses and gradients are those of one process."""
    splits = [[6, 6], [2, 9], [0, 5], [5, 0], [0, 0]]
    mp.start_processes(_rank, args=(str(tmp_path), splits), nprocs=2, start_method='forkserver')
    ranks = [torch.load(tmp_path / f'{rank}.pt') for rank in range(2)]
    for number, split in enumerate(splits):
        weight = _weight()
        loss = _loss(weight, *(rows.detach() for rows in _pairs(sum(split), seed=number)))
        loss.backward()
        losses, gradients = zip(*(rank[number] for rank in ranks))
        torch.testing.assert_close(sum(losses) / 2, loss.detach())
        torch.testing.assert_close(sum(gradients) / 2, weight.grad)
