"""Eq. 7: from signed distance to opacity."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from projects.CLAP.clap.functional import inverse_std, neus_alpha


def _literal(sdf, inv_s):
    """Eq. 7 as printed, in double precision."""
    phi = torch.sigmoid(inv_s * sdf)
    return ((phi[..., :-1] - phi[..., 1:]) / phi[..., :-1]).clamp(min=0)


def test_equals_the_printed_formula_where_that_is_stable():
    sdf = torch.randn(20, 12, dtype=torch.float64)
    torch.testing.assert_close(neus_alpha(sdf, torch.tensor(7.0, dtype=torch.float64)), _literal(sdf, 7.0))


def test_deep_inside_where_the_printed_formula_is_zero_over_zero():
    # Phi(x) = exp(x) far below zero, so alpha = 1 - exp(h (s_2 - s_1)).
    alpha = neus_alpha(torch.tensor([-40.00, -40.01]), torch.tensor(20.0))
    assert alpha.item() == pytest.approx(1 - math.exp(-0.2), rel=1e-3)
    assert torch.isnan(_literal(torch.tensor([-40.00, -40.01]), 20.0)).all()


def test_no_fog_in_free_space():
    assert neus_alpha(torch.linspace(10, 5, 50), torch.tensor(20.0)).max() < 1e-30


def test_a_growing_distance_is_transparent():
    assert neus_alpha(torch.linspace(-3, 3, 20), torch.tensor(20.0)).max() < 1e-30


@pytest.mark.parametrize('scaled', [1.0, 1e2, 1e4, 1e6])
def test_finite_for_any_scaled_distance(scaled):
    sdf = (torch.tensor([1.0, -1.0, 1.0, 1.0, -1.0, -0.5, 0.0, 1e-8, -1.0]) * scaled / 100).requires_grad_()
    inv_s = torch.tensor(100.0, requires_grad=True)
    alpha = neus_alpha(sdf, inv_s)
    alpha.sum().backward()
    assert ((alpha >= 0) & (alpha <= 1)).all()
    assert torch.isfinite(sdf.grad).all() and torch.isfinite(inv_s.grad)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-100, 100), min_size=2, max_size=8), st.floats(1e-3, 1e4))
def test_always_an_opacity(sdf, inv_s):
    alpha = neus_alpha(torch.tensor(sdf), torch.tensor(inv_s))
    assert alpha.shape == (len(sdf) - 1,)
    assert ((alpha >= 0) & (alpha <= 1)).all()


def test_splitting_an_interval_keeps_the_light_that_passes():
    # (1 - alpha) multiplies along a falling distance: Phi(s_3)/Phi(s_1) whichever edges lie between.
    sdf = torch.linspace(0.4, -0.3, 9, dtype=torch.float64)
    inv_s = torch.tensor(12.0, dtype=torch.float64)
    fine, coarse = (1 - neus_alpha(sdf, inv_s)).prod(), (1 - neus_alpha(sdf[::4], inv_s)).prod()
    torch.testing.assert_close(fine, coarse)


def test_gradients():
    falling = torch.tensor([[0.9, 0.5, 0.1, -0.2], [0.3, 0.2, -0.4, -0.5]], dtype=torch.float64, requires_grad=True)
    inv_s = torch.tensor(4.0, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(neus_alpha, (falling, inv_s))
    assert torch.autograd.gradgradcheck(neus_alpha, (falling, inv_s))


def test_sharpness():
    assert inverse_std(torch.tensor(0.3)).item() == pytest.approx(math.exp(3.0))


def test_one_sample_has_no_interval():
    with pytest.raises(ValueError, match='at least 2'):
        neus_alpha(torch.zeros(4, 1), torch.tensor(1.0))
