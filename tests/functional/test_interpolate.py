"""Eq. 5: trilinear look-up."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from projects.CLAP.clap.functional import channel_last_table, metres_to_cells, trilinear, trilinear_from_table


def trilinear_once(volume, coords):
    """As the field looks up: fused, differentiable once."""
    return trilinear_from_table(channel_last_table(volume), volume.shape[1:], coords)


BOTH = pytest.mark.parametrize('look_up', [trilinear, trilinear_once])


def _volume(dtype=torch.float64, shape=(3, 4, 5, 6)):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(1))


def _coords(num, dtype=torch.float64, low=-2.5, high=8.0):
    return torch.empty(num, 3, dtype=dtype).uniform_(low, high, generator=torch.Generator().manual_seed(2))


@BOTH
def test_integers_are_cell_centres_and_axes_are_x_y_z(look_up):
    volume = torch.zeros(1, 4, 5, 6)
    volume[0, 1, 2, 3] = 7.0
    assert look_up(volume, torch.tensor([[3.0, 2.0, 1.0]])).item() == 7.0
    assert look_up(volume, torch.tensor([[1.0, 2.0, 3.0]])).item() == 0.0


@BOTH
def test_affine_field_is_reproduced_exactly(look_up):
    z, y, x = torch.meshgrid(torch.arange(4.0), torch.arange(5.0), torch.arange(6.0), indexing='ij')
    volume = (2 * x - 3 * y + 0.5 * z + 1)[None].double()
    inside = _coords(200, low=0, high=3)
    expected = 2 * inside[:, 0] - 3 * inside[:, 1] + 0.5 * inside[:, 2] + 1
    torch.testing.assert_close(look_up(volume, inside)[:, 0], expected)


@BOTH
def test_equals_scipy_and_grid_sample_with_zeros_outside(look_up):
    volume, coords = _volume(), _coords(500)
    got = look_up(volume, coords)
    reference = np.stack(
        [
            map_coordinates(channel.numpy(), coords.numpy().T[::-1], order=1, mode='grid-constant', cval=0.0)
            for channel in volume
        ],
        axis=1,
    )
    np.testing.assert_allclose(got.numpy(), reference, atol=1e-12)
    normalised = (coords + 0.5) / torch.tensor([6.0, 5.0, 4.0]) * 2 - 1
    sampled = F.grid_sample(volume[None], normalised.view(1, 1, 1, -1, 3), align_corners=False, padding_mode='zeros')
    torch.testing.assert_close(got, sampled[0, :, 0, 0].t())


def test_float32_values_are_those_of_the_eight_corners_to_the_last_bit():
    volume, coords = _volume(torch.float32), _coords(500, torch.float32)
    table, lower = channel_last_table(volume), coords.floor()
    weights, values = [], []
    for step in ((x, y, z) for z in (0, 1) for y in (0, 1) for x in (0, 1)):
        corner = lower + torch.tensor(step)
        inside = ((corner >= 0) & (corner < torch.tensor([6, 5, 4]))).all(-1)
        share = torch.where(torch.tensor(step).bool(), coords - lower, 1 - (coords - lower))
        weights.append(torch.where(inside, share[:, 0] * share[:, 1] * share[:, 2], torch.zeros(500)))
        x, y, z = torch.where(inside[:, None], corner, torch.zeros(500, 3)).long().unbind(-1)
        values.append(table[(z * 5 + y) * 6 + x])
    expected = (torch.stack(weights, 1)[..., None] * torch.stack(values, 1)).sum(1)
    assert torch.equal(trilinear(volume, coords), expected)


@BOTH
def test_far_outside_is_exactly_zero_and_harmless(look_up):
    coords = torch.tensor([[1e30, 0, 0], [0, -1e30, 0], [float('inf'), 1, 1], [-1, 0, 0], [6, 0, 0], [0, 0, 4.0]])
    assert look_up(_volume(torch.float32), coords).abs().max() == 0


@BOTH
def test_no_points(look_up):
    volume = _volume().requires_grad_()
    features = look_up(volume, torch.zeros(0, 3, dtype=torch.float64))
    assert features.shape == (0, 3)
    features.sum().backward()
    assert volume.grad.eq(0).all()


def test_first_and_second_derivatives():
    volume = _volume(shape=(2, 3, 3, 4)).requires_grad_()
    coords = torch.tensor(
        [[0.3, 1.4, 0.7], [-0.4, 0.6, 2.3], [2.6, 1.9, 1.2], [9.0, 9.0, 9.0]], dtype=torch.float64, requires_grad=True
    )
    assert torch.autograd.gradcheck(trilinear, (volume, coords))
    assert torch.autograd.gradgradcheck(trilinear, (volume, coords))


def test_training_form_has_the_same_first_derivatives():
    grads = {}
    for look_up in (trilinear, trilinear_once):
        volume, coords = _volume().requires_grad_(), _coords(300).requires_grad_()
        (look_up(volume, coords) * torch.arange(3.0)).sin().sum().backward()
        grads[look_up] = volume.grad, coords.grad
    torch.testing.assert_close(grads[trilinear_once], grads[trilinear])
    assert grads[trilinear][0].abs().sum() > 0


def test_one_table_serves_many_queries():
    volume = _volume().requires_grad_()
    table = channel_last_table(volume)
    coords = _coords(40)
    parts = [trilinear_from_table(table, volume.shape[1:], part) for part in coords.split(7)]
    torch.testing.assert_close(torch.cat(parts), trilinear(volume, coords))
    torch.cat(parts).square().sum().backward()
    shared, volume.grad = volume.grad, None
    trilinear(volume, coords).square().sum().backward()
    torch.testing.assert_close(shared, volume.grad)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-3, 9, allow_nan=False), min_size=3, max_size=3))
def test_values_stay_between_the_extremes(position):
    volume = _volume()
    value = trilinear(volume, torch.tensor([position], dtype=torch.float64))
    assert volume.min().clamp(max=0) - 1e-12 <= value.min() and value.max() <= volume.max() + 1e-12


def test_the_half_cell():
    box_min, cell = torch.tensor([-54.0, -54.0, -5.0]), torch.tensor([0.6, 0.6, 0.5])
    first_centre = box_min + cell / 2
    torch.testing.assert_close(
        metres_to_cells(torch.stack([box_min, first_centre]), box_min, cell),
        torch.tensor([[-0.5] * 3, [0.0] * 3]),
        atol=1e-5,
        rtol=0,
    )


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match='volume'):
        trilinear(torch.zeros(1, 2, 3, 4, 5), torch.zeros(1, 3))
    with pytest.raises(ValueError, match='coords'):
        trilinear(torch.zeros(2, 3, 4, 5), torch.zeros(1, 2))
    with pytest.raises(ValueError, match='table'):
        trilinear_from_table(torch.zeros(8, 2), (2, 2, 3), torch.zeros(1, 3))
