from __future__ import annotations

import math

import pytest
import torch

from projects.CLAP.clap.pretrain.heads import PrototypeHead


def head(**kwargs) -> PrototypeHead:
    options = dict(lidar_channels=6, camera_channels=5, embed_channels=8, hidden_channels=16, num_prototypes=12)
    return PrototypeHead(**{**options, **kwargs})


def maps(batch: int = 2, size: int = 5) -> tuple:
    return torch.randn(batch, 6, size, size), torch.randn(batch, 5, size, size)


def test_losses_weights_and_gradients() -> None:
    lidar, camera = (m.requires_grad_() for m in maps())
    module = head(loss_weight=2.0)
    losses = module.loss(lidar, camera)
    assert {k for k in losses if 'loss' in k} == {'loss_swav', 'loss_em', 'loss_gram'}
    sum(v for k, v in losses.items() if 'loss' in k).backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
    assert lidar.grad.abs().sum() > 0 and camera.grad.abs().sum() > 0
    half = head(loss_weight=1.0)
    half.load_state_dict(module.state_dict())
    torch.testing.assert_close(half.loss(lidar, camera)['loss_swav'] * 2, losses['loss_swav'])


def test_as_printed_a_new_heads_entropy_term_is_near_its_maximum() -> None:
    """Eq. 15 with random unit vectors and tau = 1: above 99.7 % of log K over K, twice (two modalities)."""
    module = PrototypeHead(6, 5, num_prototypes=512, em_weight=1.0)
    em = module.loss(*maps())['loss_em'].detach()
    assert 0.997 < float(em) / (2 * math.log(512) / 512) <= 1.0


def test_cells_occupied_leaves_the_others_out() -> None:
    lidar, camera = maps(batch=1)
    occupied = torch.zeros(1, 1, 5, 5)
    occupied[0, 0, 1, 2] = occupied[0, 0, 4, 4] = 1
    lidar = lidar * occupied
    module, everything = head(cells='occupied'), head()
    everything.load_state_dict(module.state_dict())
    assert module.embed(lidar, camera)[0].shape == (2, 8)
    before, all_before = module.loss(lidar, camera), everything.loss(lidar, camera)
    changed = camera.clone()
    changed[0, :, 0, 0] += 10
    torch.testing.assert_close(module.loss(lidar, changed)['loss_swav'], before['loss_swav'])
    assert not torch.allclose(everything.loss(lidar, changed)['loss_swav'], all_before['loss_swav'])


@pytest.mark.parametrize('normalization', ['entries', 'cells'])
def test_swav_ratio_is_one_for_uniform_predictions(normalization: str) -> None:
    module = head(normalization=normalization)
    torch.nn.init.zeros_(module.lidar_projection[2].weight)  # every cell gets the same embedding: collapse
    torch.nn.init.zeros_(module.camera_projection[2].weight)
    torch.nn.init.zeros_(module.lidar_projection[2].bias)
    torch.nn.init.zeros_(module.camera_projection[2].bias)
    assert abs(float(module.loss(*maps())['swav_ratio']) - 1.0) < 1e-4


def test_no_occupied_cell_gives_a_connected_zero() -> None:
    module = head(cells='occupied')
    lidar, camera = maps()
    losses = module.loss(torch.zeros_like(lidar), camera)
    total = sum(v for k, v in losses.items() if 'loss' in k)
    total.backward()
    assert torch.isfinite(total)
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in module.parameters())


def test_assignment_maps_and_health() -> None:
    lidar, camera = maps()
    module = head()
    assigned_lidar, assigned_camera = module.assign(lidar, camera)
    assert assigned_lidar.shape == assigned_camera.shape == (2, 5, 5)
    assert int(assigned_lidar.max()) < 12
    losses = module.loss(lidar, camera)
    rows = module.embed(lidar, camera)[0]
    usage = torch.bincount(
        (rows @ torch.nn.functional.normalize(module.prototypes, dim=1).t()).argmax(1), minlength=12
    ).float()
    usage = usage[usage > 0] / usage.sum()
    torch.testing.assert_close(losses['proto_perplexity_lidar'].float(), (-(usage * usage.log()).sum()).exp())
    assert -1 <= losses['gram_mean'] <= losses['gram_max'] <= 1


@pytest.mark.parametrize(
    'option',
    [dict(cells='some'), dict(normalization='rows'), dict(num_prototypes=1), dict(epsilon=0.0), dict(temperature=0.0)],
)
def test_wrong_options_are_named(option: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(option))):
        head(**option)


def test_prototypes_come_into_use() -> None:
    """Seeded: two modalities that show the same four things end up with one prototype for each."""
    torch.manual_seed(0)
    module = head(temperature=0.1, normalization='cells', num_prototypes=4)
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-2)
    kinds = torch.randint(4, (2, 12, 12))
    lidar = torch.nn.functional.one_hot(kinds, 6).permute(0, 3, 1, 2).float() + 0.05 * torch.randn(2, 6, 12, 12)
    camera = torch.nn.functional.one_hot(kinds, 5).permute(0, 3, 1, 2).float() + 0.05 * torch.randn(2, 5, 12, 12)
    first = module.loss(lidar, camera)
    for _ in range(80):
        losses = module.loss(lidar, camera)
        optimizer.zero_grad()
        sum(v for k, v in losses.items() if 'loss' in k).backward()
        optimizer.step()
    assert losses['proto_agreement'] > 0.95 > first['proto_agreement']
    assert losses['proto_perplexity_lidar'] > 3.8
    assert losses['swav_ratio'] < 0.8
