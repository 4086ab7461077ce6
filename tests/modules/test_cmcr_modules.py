from __future__ import annotations

import copy

import pytest
import torch

from projects.CLAP.clap.modules import ClassDirections, Codebook


def unit(num: int, seed: int = 0) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(num, 8, generator=torch.Generator().manual_seed(seed)), dim=1)


def test_without_the_unified_commitment_each_modality_keeps_its_own_codeword() -> None:
    torch.manual_seed(0)
    apart, together = Codebook(6, 8, unified=False), Codebook(6, 8)
    together.load_state_dict(apart.state_dict())
    flat, deep = apart.codewords[:2] + 0.01, apart.codewords[2:4] - 0.01
    assert float(apart.loss(flat, deep)) < 0.01 < 1 < float(together.loss(flat, deep))


def test_codewords_follow_and_the_state_dict_holds_all_of_it() -> None:
    codebook = Codebook(6, 8, decay=0.5)
    features, codes = unit(40), set()
    for _ in range(30):
        codes = set(codebook.update(features).tolist())
    index, found = codebook(features)
    assert set(index.tolist()) == codes and not list(codebook.parameters())
    for code in codes:
        torch.testing.assert_close(codebook.codewords[code], features[index == code].mean(0), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(found, codebook.codewords[index])
    other = Codebook(6, 8, decay=0.5)
    other.load_state_dict(copy.deepcopy(codebook.state_dict()))
    for one in (codebook, other):
        one.update(unit(10, seed=1))
    assert all(torch.equal(a, b) for a, b in zip(codebook.buffers(), other.buffers()))


def test_features_that_are_not_finite_do_not_move_codewords() -> None:
    codebook, twin = Codebook(6, 8), Codebook(6, 8)
    twin.load_state_dict(copy.deepcopy(codebook.state_dict()))
    broken = unit(4)
    broken[1, 3], broken[2, 0] = float('nan'), float('inf')
    codebook.update(broken)
    twin.update(broken[[0, 3]])
    assert all(torch.equal(a, b) for a, b in zip(codebook.buffers(), twin.buffers()))
    directions = ClassDirections(2, 8, start=0)
    directions.loss(broken, torch.tensor([0, 0, 1, 1]))
    assert torch.isfinite(directions.means).all()


def test_weak_labels_act_after_their_start() -> None:
    directions, features = ClassDirections(2, 8, rate=0.5, start=2), unit(20).requires_grad_()
    labels = torch.arange(20) % 2
    losses = [directions.loss(features, labels) for _ in range(3)]
    assert [float(value.detach()) == 0 for value in losses] == [True, True, False]
    assert all(value.requires_grad for value in losses)
    expected = torch.stack([features[labels == one].mean(0) for one in range(2)])
    torch.testing.assert_close(directions.means, expected.detach())
    assert int(directions.state_dict()['steps']) == 3


def test_the_vmf_loss_draws_classes_apart_and_together() -> None:
    directions = ClassDirections(2, 8, rate=0.5, start=0)
    features, labels = unit(40).requires_grad_(), torch.arange(40) % 2
    directions.loss(features, labels)  # the first step has no means yet

    def spread(rows: torch.Tensor) -> float:
        return float((rows @ rows.t())[labels[:, None] == labels].mean())

    before, optimizer = spread(features.detach()), torch.optim.SGD([features], 0.5)
    for _ in range(20):
        optimizer.zero_grad()
        directions.loss(features, labels).backward()
        optimizer.step()
    assert spread(torch.nn.functional.normalize(features.detach(), dim=1)) > before + 0.2
    assert float(directions.means.norm(dim=1).min()) == pytest.approx(1, abs=0.7)
