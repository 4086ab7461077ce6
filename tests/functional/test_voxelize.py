"""Voxelisation against a loop over the points."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from projects.CLAP.clap.functional import grid_size, voxelize
from tests.fixtures.golden import check, cloud, golden

SIZE = (0.075, 0.075, 0.2)
RANGE = (-54.0, -54.0, -5.0, 54.0, 54.0, 3.0)


def _sequential(points, voxel_size, point_cloud_range, max_points, max_voxels):
    """The definition, point by point, in numpy float32."""
    points = points.numpy()
    low = np.float32(point_cloud_range[:3])
    grid = [round((point_cloud_range[a + 3] - point_cloud_range[a]) / voxel_size[a]) for a in range(3)]
    members = {}
    for point in points:
        position = np.floor((point[:3] - low) / np.float32(voxel_size))
        if not all(0 <= value < count for value, count in zip(position, grid)):
            continue
        voxel = tuple(int(value) for value in position)
        if voxel not in members:
            if len(members) >= max_voxels:
                continue
            members[voxel] = []
        if len(members[voxel]) < max_points:
            members[voxel].append(point)
    means = []
    for inside in members.values():
        total = inside[0].copy()
        for point in inside[1:]:
            total += point
        means.append(total / np.float32(len(inside)))
    coords = np.array(list(members), dtype=np.int32).reshape(-1, 3)
    return np.array(means, dtype=np.float32).reshape(-1, points.shape[1]), coords


def _assert_identical(points, *args):
    features, coords = voxelize(points, *args)
    expected_features, expected_coords = _sequential(points, *args)
    assert coords.dtype == torch.int32
    np.testing.assert_array_equal(coords.numpy(), expected_coords)
    assert features.numpy().tobytes() == expected_features.tobytes()


@pytest.mark.parametrize('max_points, max_voxels', [(10, 120000), (3, 500), (1, 50)])
def test_bit_identical_to_the_loop(max_points, max_voxels):
    generator = torch.Generator().manual_seed(1)
    near = torch.randn(4000, 5, generator=generator) * torch.tensor([0.4, 0.4, 0.4, 1, 1])
    far = torch.randn(2000, 5, generator=generator) * torch.tensor([40.0, 40.0, 3, 1, 1])
    points = torch.cat([near, far])[torch.randperm(6000, generator=generator)]
    _assert_identical(points, SIZE, RANGE, max_points, max_voxels)


def test_bit_identical_on_voxel_borders():
    # Multiples of the voxel size: reciprocal multiplication instead of division moves some of them.
    steps = torch.arange(-720, 721)
    points = torch.stack([steps * 0.075, -steps * 0.075, steps % 40 * 0.2 - 5, steps, steps], dim=1).float()
    _assert_identical(points, SIZE, RANGE, 10, 120000)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 80), st.integers(1, 4), st.integers(1, 30), st.integers(0, 1000))
def test_bit_identical_for_any_size(num, max_points, max_voxels, seed):
    points = torch.randn(num, 4, generator=torch.Generator().manual_seed(seed)) * 3
    _assert_identical(points, (1.0, 1.5, 2.0), (-3.0, -3.0, -4.0, 3.0, 3.0, 4.0), max_points, max_voxels)


@pytest.mark.usefixtures('place')
def test_golden_voxels():
    """The entry's number of points kept (`points_per_voxel_sum`) shows in the means only."""
    entry = golden()['voxelize']
    features, coords = voxelize(cloud('pc', 2000), (0.6, 0.6, 0.4), (-4.8, -4.8, -5.0, 4.8, 4.8, 3.0), 3, 500)
    assert len(coords) == entry['num_voxels'] and coords[:5].tolist() == entry['first_coords_xyz']
    check(coords, entry['coords'], relative=1e-5)
    check(features, entry['mean'])


def test_numbering_caps_and_axis_order():
    points = torch.tensor(
        [[5.5, 0.5, 0.5, 1.0], [0.5, 5.5, 0.5, 2.0], [5.6, 0.5, 0.5, 4.0], [0.5, 0.5, 2.5, 8.0], [5.7, 0.5, 0.5, 100.0]]
    )
    features, coords = voxelize(points, (1, 1, 1), (0, 0, 0, 8, 8, 4), 2, 2)
    assert coords.tolist() == [[5, 0, 0], [0, 5, 0]]  # first come, first numbered; the third voxel is past the cap
    assert features[:, 3].tolist() == [2.5, 2.0]  # the fifth point is the third of its voxel


def test_non_finite_and_outside_points_are_dropped():
    points = torch.tensor(
        [[float('nan'), 0, 0], [float('inf'), 0, 0], [1e30, 0, 0], [54.0, 0, 0], [-54.0, 0, 0], [-54.01, 0, 0]]
    )
    features, coords = voxelize(points, SIZE, RANGE, 10, 100)
    assert coords.tolist() == [[0, 720, 25]]
    assert features.tolist() == [[-54.0, 0.0, 0.0]]


def test_same_result_every_time():
    points = torch.randn(3000, 5)
    first, again = (voxelize(points, (0.5, 0.5, 0.5), (-3, -3, -3, 3, 3, 3), 5, 1000) for _ in range(2))
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])


def test_grid_size_of_the_paper():
    assert grid_size(SIZE, RANGE) == (1440, 1440, 40)


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match='points'):
        voxelize(torch.zeros(3, 2), SIZE, RANGE, 10, 100)
    with pytest.raises(ValueError, match='max_points'):
        voxelize(torch.zeros(3, 3), SIZE, RANGE, 0, 100)
    with pytest.raises(ValueError, match='point_cloud_range'):
        voxelize(torch.zeros(3, 3), SIZE, RANGE[:4], 10, 100)
    with pytest.raises(ValueError, match='at least one voxel'):
        voxelize(torch.zeros(3, 3), SIZE, (0, 0, 0, -1, 1, 1), 10, 100)
