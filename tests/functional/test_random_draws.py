"""Weighted draws, splatting, blur (section 3.3)."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from projects.CLAP.clap.functional import (
    gaussian_blur,
    inclusion_draw,
    splat_max,
    uniform,
    weighted_draw,
    weighted_draw_rows,
)

awkward = st.sampled_from([0.0, -1.0, float('nan'), float('inf'), float('-inf'), 1e-38, 0.5, 3.0, 1e38])


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


@settings(max_examples=100, deadline=None)
@given(st.lists(awkward, max_size=30), st.integers(0, 40), st.integers(0, 100))
def test_draws_only_admissible_indices_without_repetition(weights, num, seed):
    drawn = weighted_draw(torch.tensor(weights), num, _generator(seed))
    admissible = {i for i, weight in enumerate(weights) if 0 < weight < float('inf')}
    assert drawn.dtype == torch.int64
    assert len(drawn) == min(num, len(admissible)) == len(set(drawn.tolist()))
    assert set(drawn.tolist()) <= admissible


def test_order_of_the_draw_has_the_multinomial_distribution():
    weights = torch.tensor([1.0, 2.0, 5.0])
    generator, repeats = _generator(), 20000
    counts = dict.fromkeys(itertools.permutations(range(3), 2), 0)
    for _ in range(repeats):
        counts[tuple(weighted_draw(weights, 2, generator).tolist())] += 1
    for (first, second), count in counts.items():
        expected = weights[first] / 8 * weights[second] / (8 - weights[first])
        assert count / repeats == pytest.approx(expected.item(), abs=0.012)


def test_inverse_inclusion_probabilities_estimate_sums_over_all():
    """Sums over the drawn divided by their probabilities are right on average; they are not without the division."""
    generator = torch.Generator().manual_seed(0)
    weights = torch.rand(60, generator=generator) ** 4 + 0.01
    values = 1 / (weights + 0.1)  # large where draws are rare
    drawn = [inclusion_draw(weights, 15, generator) for _ in range(4000)]
    sums = torch.stack([(values[index] / chance).sum() for index, chance in drawn])
    assert abs(float(sums.mean() / values.sum()) - 1) < 4 * float(sums.std() / 4000**0.5 / values.sum()) + 1e-3
    counts = torch.stack([(1 / chance).sum() for _, chance in drawn])
    assert abs(float(counts.mean()) - 60) < 1.0
    assert sum(float(values[index].mean()) for index, _ in drawn) / 4000 < 0.9 * float(values.mean())


def test_inclusion_draws_are_those_of_the_plain_draw():
    weights = torch.tensor([0.5, 0.0, 2.0, float('nan'), 1.0])
    for num in (0, 2, 3, 9):
        index, chance = inclusion_draw(weights, num, torch.Generator().manual_seed(1))
        assert torch.equal(index, weighted_draw(weights, num, torch.Generator().manual_seed(1)))
        assert chance.shape == index.shape and bool((chance > 0).all()) and bool((chance <= 1).all())
        assert num < 3 or bool((chance == 1).all()), 'everything that can be drawn is'
    assert [len(part) for part in inclusion_draw(weights[:0], 3)] == [0, 0]


def test_all_of_them_come_in_random_order():
    orders = {tuple(weighted_draw(torch.ones(5), 9, _generator(seed)).tolist()) for seed in range(20)}
    assert len(orders) > 10


def test_one_seed_one_draw():
    weights = torch.rand(1000)
    assert torch.equal(weighted_draw(weights, 50, _generator(3)), weighted_draw(weights, 50, _generator(3)))
    assert not torch.equal(weighted_draw(weights, 50, _generator(3)), weighted_draw(weights, 50, _generator(4)))


@pytest.mark.slow
def test_more_categories_than_torch_multinomial_takes():
    weights = torch.ones(2**24 + 100)
    with pytest.raises(RuntimeError):
        torch.multinomial(weights, 10)
    assert len(set(weighted_draw(weights, 1000, _generator()).tolist())) == 1000


def test_wrong_draws_are_refused():
    with pytest.raises(ValueError, match='weights'):
        weighted_draw(torch.ones(2, 3), 1)
    with pytest.raises(ValueError, match='num'):
        weighted_draw(torch.ones(3), -1)


def test_uniform_follows_its_generator_and_its_model():
    like = torch.zeros(2, dtype=torch.float64)
    numbers = uniform((3, 4), like, _generator(1))
    assert numbers.dtype == torch.float64 and numbers.shape == (3, 4)
    assert torch.equal(numbers, uniform((3, 4), like, _generator(1)))
    assert uniform((2,), torch.zeros(2, dtype=torch.int64)).dtype == torch.get_default_dtype()


def test_splat_keeps_the_largest():
    image = splat_max(torch.tensor([4, 1, 4, 4]), torch.tensor([0.5, 2.0, 3.0, 1.0]), 6)
    assert image.tolist() == [0, 2, 0, 0, 3, 0]
    assert splat_max(torch.zeros(0, dtype=torch.int64), torch.zeros(0), 4).tolist() == [0] * 4
    with pytest.raises(ValueError, match='pixel_index'):
        splat_max(torch.tensor([1, 2]), torch.ones(3), 4)


def _dense_blur(image, kernel_size, sigma):
    distance = torch.arange(kernel_size) - kernel_size // 2
    squared = distance[:, None] ** 2 + distance[None] ** 2
    kernel = torch.exp(-squared / (2 * sigma**2)).to(image)
    return F.conv2d(image[:, None], (kernel / kernel.sum())[None, None], padding=kernel_size // 2)[:, 0]


@pytest.mark.parametrize('kernel_size, sigma', [(1, 1.0), (3, 0.8), (9, 2.5)])
def test_blur_equals_the_dense_convolution(kernel_size, sigma):
    image = torch.rand(3, 17, 23, dtype=torch.float64)
    torch.testing.assert_close(gaussian_blur(image, kernel_size, sigma), _dense_blur(image, kernel_size, sigma))


def test_blur_keeps_interior_mass_and_lets_border_mass_leave():
    image = torch.zeros(2, 21, 31)
    image[0, 10, 15] = 4.0
    image[1, 0, 0] = 4.0
    blurred = gaussian_blur(image, 7, 2.0)
    assert blurred[0].sum().item() == pytest.approx(4.0, rel=1e-5)
    assert blurred[1].sum() < 2.5
    assert blurred[0].argmax() == 10 * 31 + 15
    torch.testing.assert_close(blurred[0], blurred[0].flip(0).flip(1))


def test_blur_refuses_kernels_without_a_centre():
    with pytest.raises(ValueError, match='odd'):
        gaussian_blur(torch.zeros(1, 4, 4), 4, 1.0)
    with pytest.raises(ValueError, match='sigma'):
        gaussian_blur(torch.zeros(1, 4, 4), 3, 0.0)
    with pytest.raises(ValueError, match='image'):
        gaussian_blur(torch.zeros(4, 4), 3, 1.0)


def test_rows_are_drawn_as_one_by_one():
    weights = torch.rand(3, 40, generator=_generator())
    weights[1, 4:] = 0
    weights[2] = float('nan')
    index, drawn = weighted_draw_rows(weights, 7, _generator(5))
    assert drawn.sum(1).tolist() == [7, 4, 0] and drawn[1, :4].all()
    one_by_one = _generator(5)
    for row, kept, each in zip(index, drawn, weights):
        assert torch.equal(row[kept], weighted_draw(each, 7, one_by_one))
