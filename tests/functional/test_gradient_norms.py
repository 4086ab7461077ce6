from __future__ import annotations

import torch

from projects.CLAP.clap.functional import gradient_norms


def leaf(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(*shape, dtype=dtype, requires_grad=True)


def test_of_a_linear_loss_it_is_the_norm_of_its_weights() -> None:
    lidar, camera, w = leaf(2, 3, 4), leaf(2, 5), torch.randn(2, 3, 4)
    losses = [(3 * w * lidar).sum(), camera.sum() - 2 * lidar[0, 0, 0], torch.tensor(7.0)]
    norms = gradient_norms(losses, [[lidar], [camera], []])
    expected = torch.tensor([[3 * float(w.norm()), 0, 0], [2, 10**0.5, 0], [0, 0, 0]], dtype=torch.float64)
    torch.testing.assert_close(norms, expected, rtol=1e-6, atol=0)
    assert lidar.grad is None and camera.grad is None


def test_a_map_counts_with_what_is_made_of_it_and_once_for_every_encoding() -> None:
    lidar, other = leaf(4), leaf(4)
    fused = 2 * lidar
    loss = fused.sum() + 3 * other.sum()
    norms = gradient_norms([loss], [[lidar, other], [fused]])
    torch.testing.assert_close(norms, torch.tensor([[52.0**0.5, 2.0]], dtype=torch.float64))  # 4 (2^2 + 3^2), 4 * 1
    loss.backward()
    assert torch.equal(lidar.grad, torch.full((4,), 2.0)), 'the graph is left for the step itself'


def test_maps_without_a_gradient_are_left_out() -> None:
    frozen, lidar = torch.randn(3), leaf(3)
    assert gradient_norms([(frozen * lidar).sum()], [[frozen], [lidar]])[0, 0] == 0
    assert gradient_norms([lidar.sum()], [[frozen]]).tolist() == [[0.0]]
    assert gradient_norms([], [[lidar]]).shape == (0, 1)


def test_a_scale_keeps_what_half_precision_would_lose() -> None:
    half = leaf(4, dtype=torch.float16)
    loss = 1e-9 * half.float().sum()
    assert gradient_norms([loss], [[half]]).item() == 0
    found = gradient_norms([loss], [[half]], scale=2.0**16).item()
    assert abs(found - 2e-9) < 1e-11
