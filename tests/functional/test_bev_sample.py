"""Bilinear features of points from a BEV map."""

from __future__ import annotations

import torch

from projects.CLAP.clap.functional import sample_bev

RANGE = [-4.0, -6.0, -5.0, 4.0, 6.0, 3.0]  # cells of 1 m: 8 x 12


def test_a_linear_map_is_read_exactly() -> None:
    x, y = torch.meshgrid(torch.arange(8) - 3.5, torch.arange(12) - 5.5, indexing='ij')
    bev = torch.stack([2 * x - 1, x + 3 * y]).double()
    points = torch.tensor([[0.3, -2.7, 1.0], [-3.5, 5.5, 0.0], [3.4, -5.4, 9.0]], dtype=torch.float64)
    found = sample_bev(bev, points, RANGE)
    expected = torch.stack([2 * points[:, 0] - 1, points[:, 0] + 3 * points[:, 1]], 1)
    torch.testing.assert_close(found, expected)


def test_the_first_axis_is_x() -> None:
    bev = torch.zeros(1, 8, 12)
    bev[0, 6, 1] = 1.0
    found = sample_bev(bev, torch.tensor([[2.5, -4.5], [-4.5, 2.5]]), RANGE)
    torch.testing.assert_close(found, torch.tensor([[1.0], [0.0]]))


def test_half_precision_moves_no_point() -> None:
    """In bfloat16 a place at 50 m would be a decimetre off."""
    x = torch.arange(128, dtype=torch.float32)
    bev, points = x[:, None].expand(128, 4)[None], torch.tensor([[51.27, 0.0]])
    box = [-54.0, -2.0, -5.0, 54.0, 2.0, 3.0]
    exact = sample_bev(bev, points, box)
    torch.testing.assert_close(sample_bev(bev.bfloat16(), points, box), exact)  # whole numbers: the map is exact


def test_far_points_are_zero_and_gradients_reach_the_map() -> None:
    bev = torch.rand(3, 8, 12, dtype=torch.float64, requires_grad=True)
    far = torch.tensor([[50.0, 0.0], [0.0, -50.0]], dtype=torch.float64)
    assert float(sample_bev(bev, far, RANGE).detach().abs().max()) == 0
    near = torch.rand(5, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda b, p: sample_bev(b, p, RANGE), (bev, near))
