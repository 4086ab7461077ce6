"""Soft clusters: closed forms, an independent reference, gradients, properties. Two ranks: tests/pretrain."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from projects.CLAP.clap.functional import cluster_centres, soft_label_loss, spread_loss, transport_plan


def _case(rows=12, columns=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    points = torch.randn(rows, 3, dtype=torch.float64, generator=generator)
    return points, torch.randn(rows, columns, dtype=torch.float64, generator=generator)


def test_hard_scores_give_the_means_of_the_groups():
    points, owner = torch.tensor([[0.0, 0, 0], [2, 0, 4], [9, 9, 9]]), torch.tensor([0, 0, 2])
    centres = cluster_centres(points, torch.nn.functional.one_hot(owner, 3).float())
    torch.testing.assert_close(centres, torch.tensor([[1.0, 0, 2], [0, 0, 0], [9, 9, 9]]))


def test_centres_equal_a_weighted_average():
    points, logits = _case()
    scores = logits.softmax(1)
    expected = [np.average(points.numpy(), axis=0, weights=column) for column in scores.numpy().T]
    torch.testing.assert_close(cluster_centres(points, scores), torch.from_numpy(np.array(expected)))
    assert torch.autograd.gradcheck(lambda given: cluster_centres(points, given.softmax(1)), logits.requires_grad_())


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 30), st.integers(1, 8), st.integers(0, 1000))
def test_centres_lie_within_the_cloud_and_move_with_it(rows, columns, seed):
    points, logits = _case(rows, columns, seed)
    centres = cluster_centres(points, logits.softmax(1))
    assert (centres <= points.max(0).values + 1e-9).all() and (centres >= points.min(0).values - 1e-9).all()
    torch.testing.assert_close(cluster_centres(points + 7, logits.softmax(1)), centres + 7)


def test_soft_labels_are_cross_entropy():
    _, logits = _case()
    owner = torch.arange(12) % 5
    hard = torch.nn.functional.one_hot(owner, 5).double()
    expected = torch.nn.functional.cross_entropy(logits, owner)
    torch.testing.assert_close(soft_label_loss(logits.log_softmax(1), hard), expected)
    uniform = torch.full((12, 5), 0.2, dtype=torch.float64)
    torch.testing.assert_close(soft_label_loss(uniform.log(), uniform).item(), math.log(5))
    given = logits.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: soft_label_loss(x.log_softmax(1), uniform), given)


def test_no_point_gives_a_connected_zero():
    logits = torch.zeros(0, 4, requires_grad=True)
    loss = soft_label_loss(logits.log_softmax(1), torch.zeros(0, 4))
    loss.backward()
    assert loss == 0 and logits.grad.shape == (0, 4)


def test_spread_of_known_directions():
    assert spread_loss(torch.tensor([[1.0, 2, 3], [3, 2, 3]])) == pytest.approx(math.sqrt(2))  # opposite
    octahedron = torch.cat([torch.eye(3), -torch.eye(3)]).double()
    assert spread_loss(5 * octahedron + 7).item() == pytest.approx(math.sqrt(6**2 / 3 - 6))  # even: the floor
    golden = torch.arange(64, dtype=torch.float64) + 0.5  # nearly even
    z, angle = 1 - golden / 32, golden * math.pi * (1 + math.sqrt(5))
    sphere = torch.stack([(1 - z * z).sqrt() * angle.cos(), (1 - z * z).sqrt() * angle.sin(), z], 1)
    assert spread_loss(sphere).item() == pytest.approx(36.07, abs=0.05)
    line = torch.linspace(-1, 1, 64)[:, None] * torch.tensor([[1.0, 0, 0]])
    assert spread_loss(line).item() == pytest.approx(math.sqrt(64**2 - 64))  # on one line: the most


def test_spread_does_not_depend_on_place_or_size_and_bears_a_collapse():
    centres = _case(8)[0]
    torch.testing.assert_close(spread_loss(100 + 3 * centres), spread_loss(centres))
    assert torch.autograd.gradcheck(spread_loss, centres.requires_grad_())
    one = torch.ones(4, 3, requires_grad=True)
    spread_loss(one).backward()
    assert torch.isfinite(one.grad).all()


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match='scores'):
        cluster_centres(torch.zeros(4, 3), torch.zeros(5, 2))
    with pytest.raises(ValueError, match='one shape'):
        soft_label_loss(torch.zeros(4, 3), torch.zeros(4, 2))
    with pytest.raises(ValueError, match='centres'):
        spread_loss(torch.zeros(4, 2))


def test_learning_by_soft_labels_separates_two_heaps():
    """The whole of section 4 on free scores: two far heaps end in different clusters, each of an even share."""
    generator = torch.Generator().manual_seed(1)
    points = torch.cat([torch.randn(40, 3, generator=generator) * 0.05 + side for side in (-0.5, 0.5)])
    logits = (0.1 * torch.randn(80, 2, generator=generator)).requires_grad_()
    optim = torch.optim.Adam([logits], lr=0.2)
    for _ in range(40):
        centres = cluster_centres(points, logits.softmax(1))
        labels = 80 * transport_plan(torch.cdist(points, centres).square(), 1e-3, 20)
        optim.zero_grad()
        soft_label_loss(logits.log_softmax(1), labels).backward()
        optim.step()
    owner = logits.argmax(1)
    assert (owner[:40] == owner[0]).all() and (owner[40:] == 1 - owner[0]).all()
