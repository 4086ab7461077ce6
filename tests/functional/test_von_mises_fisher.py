from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import ive

from projects.CLAP.clap.functional import class_means, directions_and_concentrations, log_normaliser, vmf_loss

KAPPA = torch.tensor([1e-3, 0.5, 3.0, 20.0, 200.0, 5000.0], dtype=torch.float64)


def by_bessel(kappa: np.ndarray, dims: int) -> np.ndarray:
    nu = dims / 2 - 1
    return nu * np.log(kappa) - dims / 2 * np.log(2 * np.pi) - np.log(ive(nu, kappa)) - kappa


@pytest.mark.parametrize(('dims', 'error'), [(64, 4e-5), (16, 1e-3), (4, 2e-2)])
def test_the_normaliser_equals_that_by_bessel_functions(dims: int, error: float) -> None:
    expected = torch.from_numpy(by_bessel(KAPPA.numpy(), dims))
    torch.testing.assert_close(log_normaliser(KAPPA, dims), expected, atol=error, rtol=0)


def test_the_normaliser_in_space_and_of_the_uniform_distribution() -> None:
    """On the sphere C = kappa / (4 pi sinh kappa); at kappa = 0 it is one over the area, in any dimension."""
    expected = torch.log(KAPPA[:4] / (4 * math.pi * torch.sinh(KAPPA[:4])))
    torch.testing.assert_close(log_normaliser(KAPPA[:4], 3), expected, atol=0.09, rtol=0)
    area = math.log(2) + 32 * math.log(math.pi) - math.lgamma(32)
    assert float(log_normaliser(torch.zeros((), dtype=torch.float64), 64)) == pytest.approx(-area, abs=4e-5)
    assert torch.isfinite(log_normaliser(torch.tensor([0.0, 1e8]), 64)).all(), 'float32 too'
    with pytest.raises(ValueError, match='dims'):
        log_normaliser(KAPPA, 2)


def test_the_loss_by_hand_and_its_gradient() -> None:
    directions = torch.eye(64, dtype=torch.float64)[:2]
    kappa = torch.tensor([10.0, 40.0], dtype=torch.float64)
    features = torch.randn(5, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    labels = torch.tensor([0, 1, -1, 1, 0])
    constant = by_bessel(kappa.numpy(), 64)
    told = [
        -(constant[label] + float(kappa[label]) * float(row[label] / row.norm()))
        for row, label in zip(features, labels.tolist())
        if label >= 0
    ]
    assert float(vmf_loss(features, labels, directions, kappa)) == pytest.approx(sum(told) / 4, abs=1e-4)
    assert torch.autograd.gradcheck(lambda x: vmf_loss(x, labels, directions, kappa), [features])
    none = vmf_loss(features, torch.full((5,), -1), directions, kappa)
    assert float(none.detach()) == 0 and none.requires_grad


def test_the_loss_is_least_in_the_direction_of_the_class() -> None:
    directions, kappa = torch.eye(8)[:2], torch.tensor([5.0, 5.0])
    around = torch.nn.functional.normalize(torch.randn(200, 8, generator=torch.Generator().manual_seed(1)), dim=1)
    best = vmf_loss(directions[:1], torch.zeros(1, dtype=torch.int64), directions, kappa)
    for one in around:
        assert vmf_loss(one[None], torch.zeros(1, dtype=torch.int64), directions, kappa) >= best


def test_means_follow_their_class_and_tell_how_concentrated_it_is() -> None:
    features = torch.tensor([[2.0, 0.0, 0.0, 0.0], [0.0, 3.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]])
    means = class_means(torch.zeros(3, 4), features, torch.tensor([0, 0, -1]), 0.1)
    assert means.tolist() == [[0.5, 0.5, 0.0, 0.0], [0.0] * 4, [0.0] * 4]
    moved = class_means(means, features[:1], torch.tensor([0]), 0.1)
    torch.testing.assert_close(moved[0], torch.tensor([0.55, 0.45, 0.0, 0.0]))
    directions, kappa = directions_and_concentrations(means)
    torch.testing.assert_close(directions[0], torch.tensor([0.5, 0.5, 0.0, 0.0]) * math.sqrt(2))
    assert float(kappa[0]) == pytest.approx(math.sqrt(0.5) * (4 - 0.5) / 0.5)
    assert float(kappa[1]) == 0
    alike = directions_and_concentrations(torch.tensor([[1.0, 0.0, 0.0, 0.0]]))
    assert torch.isfinite(alike[1]).all(), 'a class whose features are all the same'


def test_the_concentration_of_a_sample_is_found_again() -> None:
    """Rejection-free on S^3: x = mu-part w by its own density, here by a fine table."""
    rng, kappa, dims = np.random.default_rng(0), 12.0, 4
    w = np.linspace(-1, 1, 20001)
    density = np.exp(kappa * (w - 1)) * (1 - w**2) ** ((dims - 3) / 2)
    along = rng.choice(w, 20000, p=density / density.sum())
    side = rng.normal(size=(20000, dims - 1))
    side *= np.sqrt(1 - along**2)[:, None] / np.linalg.norm(side, axis=1, keepdims=True)
    sample = torch.from_numpy(np.concatenate([along[:, None], side], 1))
    zeros = torch.zeros(1, dims, dtype=torch.float64)
    found = directions_and_concentrations(class_means(zeros, sample, torch.zeros(20000, dtype=torch.int64), 1.0))
    assert float(found[0][0, 0]) > 0.999
    assert float(found[1][0]) == pytest.approx(kappa, rel=0.05)
