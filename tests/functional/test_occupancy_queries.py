"""Occupancy queries on LiDAR rays, pairs within a radius, and their loss, on one rank and on two."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from torch.utils._python_dispatch import TorchDispatchMode

from projects.CLAP.clap.functional import also_queries, occupancy_loss, radius_pairs


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def cloud(num, seed=0, scale=20.0):
    return scale * torch.randn(num, 3, dtype=torch.float64, generator=generator(seed))


def cells(num, size):
    """(num * num, 2) centres."""
    edge = torch.arange(num) * size
    return torch.stack(torch.meshgrid(edge, edge, indexing='ij'), -1).view(-1, 2)


class Largest(TorchDispatchMode):
    """Entries of the largest tensor that was made."""

    entries = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        self.entries = max(
            [self.entries, *(part.numel() for part in (made if isinstance(made, (tuple, list)) else (made,)))]
        )
        return made


def test_a_wall_is_full_behind_and_empty_before():
    """Rays of a sensor at the origin meet the plane x = 10."""
    wall = torch.cat([torch.full((200, 1), 10.0), cloud(200)[:, 1:].float()], dim=1)
    queries = also_queries(wall, torch.zeros(1, 3), 3000, delta_m=0.1, generator=generator())
    depth = queries.points[:, 0]
    assert (depth[queries.occupied] >= 10).all() and (depth[~queries.occupied] <= 10).all()
    assert queries.occupied.sum() == 1000 and queries.near.sum() == 2000
    # on its own ray, within delta of its own hit
    hit = wall[queries.source]
    gap = torch.linalg.vector_norm(hit - queries.points, dim=1)
    assert gap[queries.near].max() <= 0.1 + 1e-5 and gap[queries.near].mean() == pytest.approx(0.05, abs=3e-3)
    torch.testing.assert_close(torch.cross(hit, queries.points, dim=1), torch.zeros_like(hit), atol=1e-3, rtol=0)
    far = queries.points[~queries.near].norm(dim=1) / hit[~queries.near].norm(dim=1)
    assert far.min() < 0.01 and far.max() > 0.99 and far.mean() == pytest.approx(0.5, abs=0.03)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 40), st.integers(0, 50), st.floats(0.01, 5), st.integers(0, 1000))
def test_kinds_signs_and_places(num, asked, delta, seed):
    """Behind means farther from the sensor, before nearer but not behind the sensor; thirds rounded to the first."""
    points, origins = cloud(num, seed), cloud(num, seed + 1, 1.0)
    queries = also_queries(points, origins, asked, delta, generator(seed))
    count = asked if num else 0
    kinds = [(queries.occupied & queries.near).sum(), (~queries.occupied & queries.near).sum(), (~queries.near).sum()]
    assert [int(kind) for kind in kinds] == [len(range(kind, count, 3)) for kind in range(3)]
    assert not (queries.occupied & ~queries.near).any()
    sensor, reach = origins[queries.source], (points - origins).norm(dim=1)[queries.source]
    along = ((queries.points - sensor) * (points[queries.source] - sensor)).sum(1) / reach
    assert (along[~queries.occupied] <= reach[~queries.occupied] + 1e-9).all()
    assert (along[queries.occupied] >= reach[queries.occupied] - 1e-9).all()
    assert (along >= -1e-9).all() and (along <= reach + delta + 1e-9).all()


def test_every_ray_is_drawn_alike_and_a_seed_draws_the_same():
    points = cloud(10)
    queries = also_queries(points, torch.zeros(1, 3).double(), 20000, generator=generator())
    share = torch.bincount(queries.source, minlength=10) / 20000
    torch.testing.assert_close(share, torch.full((10,), 0.1), atol=0.01, rtol=0)
    again, other = (also_queries(points, torch.zeros(1, 3).double(), 20000, generator=generator(s)) for s in (0, 1))
    assert torch.equal(queries.points, again.points) and not torch.equal(queries.points, other.points)


def test_a_point_at_the_sensor_stays_finite():
    queries = also_queries(torch.zeros(1, 3), torch.zeros(1, 3), 9, generator=generator())
    assert torch.isfinite(queries.points).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60), st.floats(0.05, 30), st.booleans(), st.integers(0, 1000))
def test_pairs_equal_those_of_a_tree(num_queries, num_supports, radius, plane, seed):
    queries, supports = cloud(num_queries, seed, 5.0), cloud(num_supports, seed + 1, 5.0)
    query, support = radius_pairs(queries, supports, radius, plane)
    axes = 2 if plane else 3
    expected = []
    if num_queries and num_supports:
        found = cKDTree(supports[:, :axes].numpy()).query_ball_point(queries[:, :axes].numpy(), radius)
        expected = [(q, s) for q, near in enumerate(found) for s in sorted(near)]
    assert list(zip(query.tolist(), support.tolist())) == expected


def test_cells_at_exactly_the_radius_are_pairs():
    """Cells of 0.5 m, a query on the centre of one: 13 lie within two cells, 4 of them at two cells."""
    centres = cells(19, 0.5) - 4.5
    query = torch.tensor([[0.0, 0.0, 7.0]])
    assert len(radius_pairs(query, centres, 1.0, plane=True)[0]) == 13
    assert len(radius_pairs(query, centres, 0.999, plane=True)[0]) == 9


def test_pairs_of_a_whole_map_make_no_table():
    """8192 queries on 180 x 180 cells: the table alone would take 265 M entries, the pairs are 71 000."""
    queries = torch.rand(8192, 3, generator=generator()) * 108
    with Largest() as seen:
        query, _ = radius_pairs(queries, cells(180, 0.6), 1.0, plane=True)
    assert len(query) == pytest.approx(8192 * np.pi / 0.36, rel=0.03)
    assert len(query) <= seen.entries <= 3 * len(query)


def test_loss_by_hand_and_against_the_printed_formula():
    assert float(occupancy_loss(torch.zeros(5), torch.tensor([True] * 5))) == pytest.approx(np.log(2))
    logits = torch.randn(30, dtype=torch.float64, generator=generator())
    occupied = logits.roll(1) > 0
    chance = torch.sigmoid(logits)
    printed = -torch.where(occupied, chance.log(), (1 - chance).log())
    torch.testing.assert_close(occupancy_loss(logits, occupied), printed.mean())
    weights = torch.rand(30, dtype=torch.float64, generator=generator())
    torch.testing.assert_close(occupancy_loss(logits, occupied, weights), (weights * printed).sum() / weights.sum())


def test_gradient_and_extremes():
    logits = torch.randn(6, dtype=torch.float64, generator=generator(), requires_grad=True)
    occupied, weights = torch.arange(6) % 2 == 0, torch.rand(6, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: occupancy_loss(x, occupied), logits)
    assert torch.autograd.gradcheck(lambda x: occupancy_loss(x, occupied, weights), logits)
    assert torch.isfinite(occupancy_loss(torch.tensor([1e4, -1e4]), torch.tensor([False, True])))


def test_no_queries_give_a_connected_zero():
    logits = torch.randn(4, requires_grad=True)
    loss = occupancy_loss(logits[:0], torch.zeros(0, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0 and torch.equal(logits.grad, torch.zeros(4))


def test_wrong_arguments_are_refused():
    points = torch.zeros(4, 3)
    for arguments in ((points[0], points), (points, points[:2]), (points, points, -1), (points, points, 5, 0.0)):
        with pytest.raises(ValueError, match='expected'):
            also_queries(*arguments)
    for arguments in ((points[:, :2], points, 1.0), (points, points[:, :1], 1.0, True), (points, points, 0.0)):
        with pytest.raises(ValueError, match='expected'):
            radius_pairs(*arguments)
    with pytest.raises(ValueError, match='one shape'):
        occupancy_loss(torch.zeros(3), torch.zeros(2, dtype=torch.bool))


SPLITS = ((5, 5), (2, 9), (0, 4), (0, 0))


def items(split):
    logits = torch.randn(sum(split), dtype=torch.float64, generator=generator(len(split)))
    return logits, logits.roll(1) > 0, logits.abs()


def _rank(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    results = []
    for split in SPLITS:
        for weighted in (False, True):
            logits, occupied, weights = (values.split(split)[rank] for values in items(split))
            logits = logits.clone().requires_grad_()
            loss = occupancy_loss(logits, occupied, weights if weighted else None)
            loss.backward()
            results.append((loss.detach(), logits.grad))
    torch.save(results, f'{folder}/{rank}.pt')
    dist.barrier()
    dist.destroy_process_group()


def test_ranks_equal_one_rank(tmp_path):
    """The mean of the ranks' losses and gradients is what one rank has, whoever holds how many queries."""
    mp.start_processes(_rank, args=(str(tmp_path),), nprocs=2, start_method='forkserver')
    ranks = [torch.load(tmp_path / f'{rank}.pt') for rank in range(2)]
    for index, (split, weighted) in enumerate((split, weighted) for split in SPLITS for weighted in (False, True)):
        logits, occupied, weights = items(split)
        logits.requires_grad_()
        loss = occupancy_loss(logits, occupied, weights if weighted else None)
        loss.backward()
        losses, gradients = zip(*(rank[index] for rank in ranks))
        torch.testing.assert_close((losses[0] + losses[1]) / 2, loss.detach())
        torch.testing.assert_close(torch.cat(gradients) / 2, logits.grad)
