"""Splatting: closed forms, a loop over all pixels and points, gradients, properties."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from projects.CLAP.clap.functional import splat

SIZE = (9, 12)


def _scene(count=30, seed=0, channels=3):
    generator = torch.Generator().manual_seed(seed)
    uv = torch.rand(count, 2, dtype=torch.float64, generator=generator) * torch.tensor([16.0, 13.0]) - 2
    depth = 1 + 9 * torch.rand(count, dtype=torch.float64, generator=generator)
    return uv, depth, torch.rand(count, channels, dtype=torch.float64, generator=generator)


def _plain(uv, depth, colours, size, radius, sigma, nearest, eta):
    """Eq. 15 pixel by pixel."""
    image, coverage = np.zeros((colours.shape[1], *size)), np.zeros(size)
    order = np.argsort(depth.numpy(), kind='stable')
    for row in range(size[0]):
        for column in range(size[1]):
            left, taken = 1.0, 0
            for i in order:
                distance = math.hypot(uv[i, 0] - column - 0.5, uv[i, 1] - row - 0.5)
                if distance > radius or taken == nearest:
                    continue
                rho = min(math.exp(-(distance**2) / (2 * sigma**2)) ** eta, 0.99)
                image[:, row, column] += left * rho * colours[i].numpy()
                coverage[row, column] += left * rho
                left, taken = left * (1 - rho), taken + 1
    return torch.from_numpy(image), torch.from_numpy(coverage)


@pytest.mark.parametrize('options', [(4.0, 2.83, 128, 1.0), (2.5, 1.0, 2, 1.0), (1.0, 0.7, 5, 2.0), (3.0, 2.0, 1, 0.5)])
def test_equals_the_loop_over_pixels(options):
    scene = _scene()
    found, expected = splat(*scene, SIZE, *options), _plain(*scene, SIZE, *options)
    for own, other in zip(found, expected):
        torch.testing.assert_close(own, other)


def test_one_point_is_a_disc():
    image, coverage = splat(torch.tensor([[5.5, 4.5]]), torch.ones(1), torch.tensor([[0.2, 0.4]]), SIZE, 2.0, 1.0)
    assert coverage[4, 5] == pytest.approx(0.99) and coverage[4, 6] == pytest.approx(math.exp(-0.5))
    assert coverage[4, 7] == pytest.approx(math.exp(-2)) and coverage[4, 8] == 0
    assert coverage[5, 7] == 0, 'sqrt(5) is beyond the radius, 5 would be within its square'
    torch.testing.assert_close(image, torch.tensor([0.2, 0.4])[:, None, None] * coverage)


def test_the_nearer_point_hides_the_other():
    uv, colours = torch.tensor([[5.5, 4.5], [5.5, 4.5]]), torch.eye(2)
    for depth, front in ((torch.tensor([1.0, 2.0]), 0), (torch.tensor([2.0, 1.0]), 1)):
        image, coverage = splat(uv, depth, colours, SIZE)
        assert image[front, 4, 5] == pytest.approx(0.99) and image[1 - front, 4, 5] == pytest.approx(0.01 * 0.99)
        assert coverage[4, 5] == pytest.approx(1 - 0.01**2)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 40), st.integers(1, 6), st.integers(0, 1000))
def test_one_colour_stays_that_colour_and_order_does_not_matter(count, nearest, seed):
    uv, depth, colours = _scene(count, seed)
    shuffled = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    image, coverage = splat(uv, depth, colours, SIZE, num_nearest=nearest)
    assert (coverage >= 0).all() and (coverage < 1 + 1e-12).all() and (image <= coverage + 1e-12).all()
    other = splat(uv[shuffled], depth[shuffled], colours[shuffled], SIZE, num_nearest=nearest)
    torch.testing.assert_close(other[0], image)
    one, _ = splat(uv, depth, torch.full_like(colours, 0.3), SIZE, num_nearest=nearest)
    torch.testing.assert_close(one, 0.3 * coverage.expand(3, *SIZE))


def test_gradients_by_colours_and_places():
    uv, depth, colours = _scene(6)
    uv.requires_grad_(), colours.requires_grad_()
    assert torch.autograd.gradcheck(lambda p, c: splat(p, depth, c, SIZE, 6.0, 2.0, 4), [uv, colours])


def test_nothing_in_sight_is_a_connected_zero():
    for uv in (torch.zeros(0, 2), torch.full((3, 2), 99.0), torch.full((3, 2), float('nan'))):
        colours = torch.rand(len(uv), 3, requires_grad=True)
        image, coverage = splat(uv, torch.ones(len(uv)), colours, SIZE)
        (image.sum() + coverage.sum()).backward()
        assert not image.any() and not coverage.any() and torch.equal(colours.grad, torch.zeros_like(colours))


def test_a_large_image_keeps_its_precision():
    """The running sum of logarithms passes 1e6; single precision would lose the third digit."""
    uv = torch.rand(200_000, 2, generator=torch.Generator().manual_seed(0)) * 400
    depth = torch.rand(200_000, generator=torch.Generator().manual_seed(1)) + 1
    _, coverage = splat(uv, depth, torch.ones(200_000, 1), (400, 400), 2.0, 1.0, 4)
    part = (uv[:, 1] > 390).nonzero().flatten()  # the last rows alone
    _, alone = splat(uv[part], depth[part], torch.ones(len(part), 1), (400, 400), 2.0, 1.0, 4)
    torch.testing.assert_close(coverage[394:], alone[394:], atol=1e-6, rtol=1e-5)


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match='depth'):
        splat(torch.zeros(4, 2), torch.zeros(3), torch.zeros(4, 3), SIZE)
    with pytest.raises(ValueError, match='positive'):
        splat(torch.zeros(4, 2), torch.zeros(4), torch.zeros(4, 3), SIZE, sigma_px=0.0)
