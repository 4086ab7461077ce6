"""Masking of points in blocks, of voxels by range, of images in patches."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from projects.CLAP.clap.functional import drop_in_bands, mask_image_patches, mask_point_blocks, range_bands

GRID = dict(box_min=(-54.0, -54.0, -5.0), voxel_size=(0.075, 0.075, 0.2), block=(8, 8, 8))


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


def _blocks(points):
    """Block of every point, computed one by one."""
    edge = [size * count for size, count in zip(GRID['voxel_size'], GRID['block'])]
    return [
        tuple(math.floor((point[axis] - GRID['box_min'][axis]) / edge[axis] + 1e-9) for axis in range(3))
        for point in points.double().tolist()
    ]


def _points(num, seed=0):
    # On a lattice inside the blocks: no point lies on a border, where float32 and float64 may disagree.
    edge = torch.tensor([0.6, 0.6, 1.6])
    cell = torch.randint(0, 12, (num, 3), generator=_generator(seed))
    inside = 0.1 + 0.8 * torch.rand(num, 3, generator=_generator(seed + 1))
    return torch.cat([torch.tensor(GRID['box_min']) + (cell + inside) * edge, torch.ones(num, 2)], dim=1)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 300), st.floats(0, 1), st.integers(0, 1000))
def test_drops_exactly_the_share_of_the_non_empty_blocks(num, ratio, seed):
    points = _points(num, seed)
    keep = mask_point_blocks(points, **GRID, ratio=ratio, generator=_generator(seed))
    fate = {}
    for block, kept in zip(_blocks(points), keep.tolist()):
        assert fate.setdefault(block, kept) == kept, 'a block is masked as a whole'
    assert sum(not kept for kept in fate.values()) == round(ratio * len(fate))


def test_all_none_and_no_points():
    points = _points(50)
    assert not mask_point_blocks(points, **GRID, ratio=1.0).any()
    assert mask_point_blocks(points, **GRID, ratio=0.0).all()
    assert mask_point_blocks(points[:0], **GRID, ratio=0.9).shape == (0,)


def test_points_below_the_box_have_blocks_of_their_own():
    # Truncation toward zero would join the blocks on both sides of the lower corner.
    points = torch.tensor([[-54.01, 0.0, 0.0], [-53.99, 0.0, 0.0]])
    kept = [mask_point_blocks(points, **GRID, ratio=0.5, generator=_generator(seed)).sum().item() for seed in range(5)]
    assert kept == [1] * 5


def test_one_seed_one_mask():
    points = _points(400)
    draw = lambda seed: mask_point_blocks(points, **GRID, ratio=0.5, generator=_generator(seed))
    assert torch.equal(draw(1), draw(1)) and not torch.equal(draw(1), draw(2))


def test_every_block_is_dropped_equally_often():
    points = torch.tensor([[0.6 * i - 53.9, -53.9, -4.9] for i in range(10)])
    generator = _generator()
    dropped = sum((~mask_point_blocks(points, **GRID, ratio=0.3, generator=generator)).float() for _ in range(2000))
    torch.testing.assert_close(dropped / 2000, torch.full((10,), 0.3), atol=0.05, rtol=0)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 17), st.floats(0, 1), st.integers(0, 100))
def test_patches(height, width, patch, ratio, seed):
    imgs = torch.ones(2, 3, 3, height, width)
    masked, dropped = mask_image_patches(imgs, patch, ratio, _generator(seed))
    rows, columns = math.ceil(height / patch), math.ceil(width / patch)
    assert dropped.shape == (2, 3, rows, columns)
    assert (dropped.flatten(2).sum(-1) == round(ratio * rows * columns)).all()
    for row in range(rows):
        for column in range(columns):
            piece = masked[..., row * patch : (row + 1) * patch, column * patch : (column + 1) * patch]
            expected = (~dropped[..., row, column]).float()[..., None, None, None]
            assert torch.equal(piece, expected.expand_as(piece))
    assert imgs.eq(1).all(), 'the input is left alone'


def test_images_are_masked_differently_and_reproducibly():
    imgs = torch.ones(1, 6, 3, 64, 64)
    _, dropped = mask_image_patches(imgs, 8, 0.5, _generator(1))
    assert len({tuple(camera.flatten().tolist()) for camera in dropped[0]}) == 6
    assert torch.equal(dropped, mask_image_patches(imgs, 8, 0.5, _generator(1))[1])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 80), max_size=60))
def test_bands_are_metric_ranges(ranges):
    expected = [0.9 if r < 30 else 0.7 if r < 50 else 0.5 for r in ranges]
    assert range_bands(torch.tensor(ranges, dtype=torch.float64)).tolist() == expected


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 1000))
def test_every_band_loses_exactly_its_share(near, middle, far, seed):
    ranges = torch.tensor([10.0] * near + [40.0] * middle + [60.0] * far)
    ranges = ranges[torch.randperm(len(ranges), generator=_generator(seed))]
    dropped = drop_in_bands(range_bands(ranges), _generator(seed))
    for place, ratio, count in ((10, 0.9, near), (40, 0.7, middle), (60, 0.5, far)):
        assert int(dropped[ranges == place].sum()) == round(ratio * count)
    assert torch.equal(dropped, drop_in_bands(range_bands(ranges), _generator(seed)))


def test_every_voxel_of_a_band_is_dropped_equally_often():
    ratios = range_bands(torch.tensor([5.0] * 10 + [70.0] * 10))
    generator = _generator()
    often = sum(drop_in_bands(ratios, generator).float() for _ in range(2000)) / 2000
    torch.testing.assert_close(often, ratios.float(), atol=0.05, rtol=0)


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match='edges'):
        range_bands(torch.zeros(3), (30.0,), (0.9,))
    with pytest.raises(ValueError, match='edges'):
        range_bands(torch.zeros(3), (50.0, 30.0))
    with pytest.raises(ValueError, match='ratio'):
        drop_in_bands(torch.full((3,), 1.5))
    with pytest.raises(ValueError, match='ratio'):
        mask_point_blocks(_points(3), **GRID, ratio=1.5)
    with pytest.raises(ValueError, match='points'):
        mask_point_blocks(torch.zeros(3, 2), **GRID, ratio=0.5)
    with pytest.raises(ValueError, match='ratio'):
        mask_image_patches(torch.zeros(3, 4, 4), 2, -0.1)
    with pytest.raises(ValueError, match='patch'):
        mask_image_patches(torch.zeros(3, 4, 4), 0, 0.1)
    with pytest.raises(ValueError, match='imgs'):
        mask_image_patches(torch.zeros(4, 4), 2, 0.1)
