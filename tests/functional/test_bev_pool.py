"""Pooling without frustum features equals pooling with them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from projects.CLAP.clap.functional.bev_pool import bev_pool, grid_cells
from tests.fixtures.golden import golden


def materialised(features, depth, cells, num_cells):
    """The sum written out: every (pixel, bin) vector, added to its cell one after another."""
    volume = features.unsqueeze(1) * depth.unsqueeze(2)
    keep = cells >= 0
    out = features.new_zeros(num_cells, features.shape[1])
    return out.index_put((cells[keep],), volume[keep], accumulate=True)


@given(pixels=st.integers(1, 20), bins=st.integers(1, 6), cells=st.integers(1, 12), seed=st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_equals_the_materialised_sum_in_value_and_gradient(pixels, bins, cells, seed):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(pixels, 5, generator=generator, dtype=torch.float64).requires_grad_()
    depth = torch.rand(pixels, bins, generator=generator, dtype=torch.float64).requires_grad_()
    target = torch.randint(-1, cells, (pixels, bins), generator=generator)
    out, expected = bev_pool(features, depth, target, cells), materialised(features, depth, target, cells)
    torch.testing.assert_close(out, expected)
    upstream = torch.randn(expected.shape, generator=generator, dtype=torch.float64)
    for got, reference in zip(
        torch.autograd.grad((out * upstream).sum(), [features, depth]),
        torch.autograd.grad((expected * upstream).sum(), [features, depth]),
    ):
        torch.testing.assert_close(got, reference)


def test_gradient_against_finite_differences():
    cells = torch.tensor([[0, 2, -1], [2, 2, 1]])
    features = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    depth = torch.rand(2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda f, d: bev_pool(f, d, cells, 4), (features, depth))


def test_all_outside_is_zero_and_differentiable():
    features, depth = torch.randn(3, 2, requires_grad=True), torch.rand(3, 4, requires_grad=True)
    out = bev_pool(features, depth, torch.full((3, 4), -1), 6)
    assert out.shape == (6, 2) and out.abs().max() == 0
    out.sum().backward()
    assert features.grad.abs().max() == 0 and depth.grad.abs().max() == 0


def test_runs_in_single_precision_under_autocast():
    features, depth = torch.randn(4, 3).bfloat16(), torch.rand(4, 2)
    cells = torch.randint(0, 3, (4, 2))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        out = bev_pool(features, depth, cells, 3)
    assert out.dtype == torch.float32
    torch.testing.assert_close(out, materialised(features.float(), depth, cells, 3))


def test_shapes_are_checked():
    with pytest.raises(ValueError, match='expected features'):
        bev_pool(torch.zeros(3, 2), torch.zeros(4, 5), torch.zeros(4, 5, dtype=torch.long), 1)


@pytest.mark.parametrize(
    'x,cell',
    [
        (-54.31, -1),
        (-54.29, 0),
        (-54.0, 0),
        (-53.71, 0),
        (-53.69, 1),
        (53.99, 359),
        (54.01, -1),
        (float('nan'), -1),
        (float('inf'), -1),
    ],
)
def test_binning_truncates_toward_zero(x, cell):
    """A point up to one cell below the lower bound falls into cell 0."""
    lower, size = torch.tensor([-54.0, -54.0, -10.0]), torch.tensor([0.3, 0.3, 20.0])
    point = torch.tensor([x, -54.0, 0.0])
    expected = -1 if cell < 0 else cell * 360
    assert grid_cells(point, lower, size, (360, 360, 1)).item() == expected


@pytest.mark.usefixtures('place')
def test_golden_pooling_at_the_edges_of_the_grid():
    """Ten points with features 1 to 10, some outside."""
    entry = golden()['bev_pool_truncation']
    lower, size, grid = torch.tensor([-4.8, -4.8, -10.0]), torch.tensor([0.3, 0.3, 20.0]), (32, 32, 1)
    cells = grid_cells(torch.tensor(entry['points']), lower, size, grid)
    bev = bev_pool(torch.arange(1.0, 11.0)[:, None], torch.ones(10, 1), cells[:, None], 32 * 32).view(32, 32)
    assert [[x, y, float(bev[x, y])] for x, y in bev.nonzero().tolist()] == entry['cells']


def test_cells_are_ordered_z_x_y():
    points = torch.tensor([[2.5, 1.5, 1.5]])
    cell = grid_cells(points, torch.zeros(3), torch.ones(3), (4, 3, 2))
    assert cell.item() == (1 * 4 + 2) * 3 + 1
