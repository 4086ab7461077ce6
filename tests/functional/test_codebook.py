from __future__ import annotations

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from hypothesis import given, settings
from hypothesis import strategies as st

from projects.CLAP.clap.functional import (
    class_means,
    codebook,
    commitment_loss,
    ema_update,
    nearest_codeword,
    orthogonal_loss,
    quantize,
    vmf_loss,
)


def rows(num: int, dims: int = 4, seed: int = 0) -> torch.Tensor:
    return torch.randn(num, dims, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_the_nearest_codeword_is_taken_and_gradients_pass_it_by() -> None:
    codewords = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 3.0]])
    features = torch.tensor([[0.4, 0.3], [0.6, -0.2], [0.1, 1.6]], requires_grad=True)
    index, found = quantize(features, codewords)
    assert index.tolist() == [0, 1, 2], 'a longer codeword may be nearer than one of a greater product'
    torch.testing.assert_close(found, codewords[index])
    (found * torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])).sum().backward()
    assert features.grad.tolist() == [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]


@given(st.integers(0, 40), st.integers(1, 12), st.integers(0, 10))
@settings(max_examples=30, deadline=None)
def test_the_nearest_equals_the_table_of_distances_however_it_is_cut(num: int, codes: int, seed: int) -> None:
    features, codewords = rows(num, seed=seed), 2 * rows(codes, seed=seed + 1)
    expected = torch.cdist(features, codewords).argmin(1)
    before, codebook.ROWS = codebook.ROWS, 7
    try:
        assert torch.equal(nearest_codeword(features, codewords), expected)
    finally:
        codebook.ROWS = before


def test_averages_by_hand() -> None:
    """The printed equation divides by the number of features that chose the codeword, which is 0 for the second."""
    codewords = torch.tensor([[0.0, 0.0], [5.0, 5.0]], dtype=torch.float64)
    counts, sums = torch.zeros(2, dtype=torch.float64), torch.zeros(2, 2, dtype=torch.float64)
    features = torch.tensor([[1.0, 0.0], [3.0, 2.0]], dtype=torch.float64)
    none = torch.zeros(2, dtype=torch.int64)
    moved, counts, sums = ema_update(codewords, counts, sums, features, none, 0.9)
    torch.testing.assert_close(moved[0], torch.tensor([2.0, 1.0], dtype=torch.float64), rtol=1e-3, atol=0)
    assert moved[1].tolist() == [5.0, 5.0], 'nobody chose it'
    torch.testing.assert_close(counts, torch.tensor([0.2, 0.0], dtype=torch.float64))
    moved, counts, sums = ema_update(moved, counts, sums, features[:1], none[:1], 0.9)
    # 0.9 * (0.4, 0.2) + 0.1 * (1, 0) over 0.9 * 0.2 + 0.1
    expected = torch.tensor([0.46, 0.18], dtype=torch.float64) / 0.28
    torch.testing.assert_close(moved[0], expected, rtol=1e-3, atol=0)


def test_codewords_settle_at_the_means_of_their_features() -> None:
    """Features of both modalities in one call, thrice as many of the one: the codeword is the mean of all."""
    state = (rows(3), torch.zeros(3, dtype=torch.float64), torch.zeros(3, 4, dtype=torch.float64))
    features, index = rows(40, seed=5), torch.arange(40) % 2
    for _ in range(200):
        state = ema_update(*state, features, index, 0.9)
    expected = torch.stack([features[index == code].mean(0) for code in range(2)])
    torch.testing.assert_close(state[0][:2], expected, rtol=1e-4, atol=1e-6)
    assert torch.equal(state[0][2], rows(3)[2])
    untouched = ema_update(*state, features[:0], index[:0], 0.9)
    assert torch.equal(untouched[0], state[0]) and torch.isfinite(untouched[0]).all()


def test_the_point_chooses_the_codeword_of_both() -> None:
    codewords = torch.tensor([[0.0, 0.0], [4.0, 0.0]])
    pixel, point = torch.tensor([[3.5, 1.0]]), torch.tensor([[1.0, 0.0]])
    # the pixel is nearer to the second, the point to the first: 3.5^2 + 1 + 1
    assert float(commitment_loss(pixel, point, codewords)) == pytest.approx(14.25)
    assert float(commitment_loss(point, pixel, codewords)) == pytest.approx(0.25 + 1 + 9)


def test_commitment_equals_a_loop_and_its_gradient() -> None:
    flat, deep, codewords = rows(9).requires_grad_(), rows(9, seed=1).requires_grad_(), rows(5, seed=2)
    total = 0.0
    for a, b in zip(flat, deep):
        code = min(codewords, key=lambda c: float((b - c).detach().norm()))
        total = total + ((a - code) ** 2).sum() + ((b - code) ** 2).sum()
    torch.testing.assert_close(commitment_loss(flat, deep, codewords), total / 9)
    assert torch.autograd.gradcheck(lambda a, b: commitment_loss(a, b, codewords), (flat, deep))
    nothing = commitment_loss(flat[:0], deep[:0], codewords)
    assert float(nothing.detach()) == 0 and nothing.requires_grad


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match='codewords: expected shape'):
        quantize(rows(3), rows(2, dims=5))
    with pytest.raises(ValueError, match='decay'):
        ema_update(rows(2), torch.zeros(2), rows(2), rows(1), torch.zeros(1, dtype=torch.int64), 1.0)
    with pytest.raises(ValueError, match='one shape'):
        commitment_loss(rows(2), rows(3), rows(2))


# ---------------------------------------------------------------- what ranks share, with the other losses of CMCR


def _everything(flat: torch.Tensor, deep: torch.Tensor, labels: torch.Tensor, ranks: int) -> dict:
    """Losses with their gradients as DDP averages them, and averages over time."""
    codewords, directions = rows(6, seed=3), torch.nn.functional.normalize(rows(3, seed=4), dim=1)
    losses = dict(
        commitment=commitment_loss(flat, deep, codewords),
        orthogonal=orthogonal_loss(flat, deep),
        vmf=vmf_loss(deep, labels, directions, torch.tensor([1.0, 5.0, 20.0], dtype=torch.float64)),
    )
    grads = {name: [g / ranks for g in torch.autograd.grad(v, (flat, deep))] for name, v in losses.items()
             if name != 'vmf'}  # fmt: skip
    grads['vmf'] = [grad / ranks for grad in torch.autograd.grad(losses['vmf'], [deep])]
    both = torch.cat([flat, deep]).detach()
    state = (codewords, torch.ones(6, dtype=torch.float64), codewords.clone())
    state = ema_update(*state, both, nearest_codeword(both, codewords), 0.7)
    means = class_means(0.3 * rows(3, seed=6), deep.detach(), labels, 0.2)
    return dict(losses={k: float(v.detach()) for k, v in losses.items()}, grads=grads, state=[*state, means])


def _inputs(num: int) -> tuple:
    labels = torch.arange(num) % 4 - 1
    return rows(num, seed=7), rows(num, seed=8), labels


def _rank(rank: int, folder: str, splits: list) -> None:
    torch.set_num_threads(1)
    dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    found = []
    for split in splits:
        flat, deep, labels = (part.split(split)[rank] for part in _inputs(sum(split)))
        found.append(_everything(flat.clone().requires_grad_(), deep.clone().requires_grad_(), labels, 2))
    torch.save(found, f'{folder}/{rank}.pt')
    dist.barrier()
    dist.destroy_process_group()


def test_ranks_equal_one(tmp_path) -> None:
    """Even, uneven and empty shares of the pairs."""
    splits = [[8, 8], [3, 10], [0, 9]]
    mp.start_processes(_rank, args=(str(tmp_path), splits), nprocs=2, start_method='forkserver')
    ranks = [torch.load(tmp_path / f'{rank}.pt') for rank in range(2)]
    for case, split in enumerate(splits):
        flat, deep, labels = _inputs(sum(split))
        one = _everything(flat.requires_grad_(), deep.requires_grad_(), labels, 1)
        many = [rank[case] for rank in ranks]
        for name, value in one['losses'].items():
            mean = sum(rank['losses'][name] for rank in many) / 2
            assert mean == pytest.approx(value, rel=1e-9), name
            for whole, *parts in zip(one['grads'][name], *(rank['grads'][name] for rank in many)):
                torch.testing.assert_close(torch.cat(parts), whole)
        for rank in many:
            for found, expected in zip(rank['state'], one['state']):
                torch.testing.assert_close(found, expected)
