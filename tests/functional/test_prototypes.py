"""Eqs. 14 to 17."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from projects.CLAP.clap.functional import (
    em_loss,
    gram_loss,
    similarity,
    sinkhorn,
    swapped_prediction_loss,
    unit_spread,
    usage_perplexity,
)

BOTH_NORMALIZATIONS = pytest.mark.parametrize('normalization, divisor', [('entries', 5 * 4), ('cells', 5)])


def _sims(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(5, 4, dtype=torch.float64, generator=generator) for _ in range(2)]


def test_similarity_is_the_cosine():
    embeddings, prototypes = torch.randn(6, 8) * 10, torch.randn(3, 8) * 0.1
    expected = torch.nn.functional.cosine_similarity(embeddings[:, None], prototypes[None], dim=-1)
    torch.testing.assert_close(similarity(embeddings, prototypes), expected)


def test_a_zero_embedding_is_harmless():
    embeddings = torch.zeros(2, 4, requires_grad=True)
    scores = similarity(embeddings, torch.randn(3, 4))
    scores.sum().backward()
    assert scores.eq(0).all() and torch.isfinite(embeddings.grad).all()


@BOTH_NORMALIZATIONS
def test_em_loss_term_by_term(normalization, divisor):
    sims = _sims()
    total = 0.0
    for scores in sims:
        for row in (scores / 0.7).tolist():
            partition = sum(math.exp(value) for value in row)
            total -= sum(math.exp(value) / partition * math.log(math.exp(value) / partition) for value in row)
    assert em_loss(*sims, 0.7, normalization).item() == pytest.approx(total / divisor)


def test_em_loss_falls_when_assignments_sharpen():
    sims = _sims()
    losses = [em_loss(*sims, temperature).item() for temperature in (2.0, 1.0, 0.1)]
    assert losses[0] > losses[1] > losses[2] > 0
    even = torch.zeros(3, 512)
    assert em_loss(even, even, normalization='cells').item() == pytest.approx(2 * math.log(512), rel=1e-5)


def _em_share(scores):
    """Eq. 15 at temperature 1 relative to its maximum."""
    return em_loss(scores, scores, normalization='cells').item() / (2 * math.log(scores.shape[1]))


def test_at_temperature_one_em_loss_stays_above_92_percent_of_its_maximum():
    # Negative entropy is convex, so it is largest in a corner: every similarity +1 or -1.
    shares = []
    for at_plus_one in range(513):
        scores = torch.full((1, 512), -1.0, dtype=torch.float64)
        scores[0, :at_plus_one] = 1.0
        shares.append(_em_share(scores))
    z = 2 * math.exp(2) / (math.exp(2) - 1)
    assert shares.index(min(shares)) == round(512 * (z - 1) / (math.exp(2) - 1)) == 105
    assert shares[105] == pytest.approx(1 - (z - 1 - math.log(z)) / math.log(512), abs=1e-6)
    assert shares[105] == pytest.approx(0.9239, abs=5e-5)
    assert shares[256] == pytest.approx(1 - (math.tanh(1) - math.log(math.cosh(1))) / math.log(512), abs=1e-9)
    assert shares[256] == pytest.approx(0.9475, abs=5e-5)
    assert shares[1] == pytest.approx(0.9974, abs=5e-5)


@BOTH_NORMALIZATIONS
def test_swapped_prediction_term_by_term(normalization, divisor):
    sims, codes = _sims(), [sinkhorn(scores) for scores in _sims(1)]
    total = 0.0
    for scores, code in ((sims[0], codes[1]), (sims[1], codes[0])):
        for row, target in zip((scores / 0.5).tolist(), code.tolist()):
            partition = sum(math.exp(value) for value in row)
            total -= sum(q * math.log(math.exp(value) / partition) for value, q in zip(row, target))
    loss = swapped_prediction_loss(*sims, *codes, temperature=0.5, normalization=normalization)
    assert loss.item() == pytest.approx(total / divisor)


def test_swapped_prediction_is_swapped():
    lidar, camera = torch.eye(4) * 20, torch.eye(4).flip(0) * 20
    agree = swapped_prediction_loss(lidar, camera, codes_lidar=torch.eye(4).flip(0), codes_camera=torch.eye(4))
    own = swapped_prediction_loss(lidar, camera, codes_lidar=torch.eye(4), codes_camera=torch.eye(4).flip(0))
    assert agree < 1e-6 < own


def test_gradients_reach_similarities_not_codes():
    sims = [scores.requires_grad_() for scores in _sims()]
    codes = [torch.softmax(scores.detach(), 1).requires_grad_() for scores in _sims(1)]
    assert torch.autograd.gradcheck(lambda a, b: swapped_prediction_loss(a, b, *codes), sims)
    assert torch.autograd.gradcheck(em_loss, sims)
    assert all(code.grad is None for code in codes)
    swapped_prediction_loss(*sims, *codes).backward()
    assert all(code.grad is None for code in codes)


def test_extreme_similarities_stay_finite():
    sims = [(1000 * scores).float().requires_grad_() for scores in _sims()]
    loss = em_loss(*sims) + swapped_prediction_loss(*sims, *[sinkhorn(scores) for scores in sims])
    loss.backward()
    assert torch.isfinite(loss) and all(torch.isfinite(scores.grad).all() for scores in sims)


def test_no_cells_give_a_connected_zero():
    sims = [torch.zeros(0, 4, requires_grad=True) for _ in range(2)]
    loss = em_loss(*sims) + swapped_prediction_loss(*sims, *[sinkhorn(scores) for scores in sims])
    loss.backward()
    assert loss.item() == 0 and all(scores.grad is not None for scores in sims)


def test_gram_by_hand():
    prototypes = torch.tensor([[2.0, 0.0], [0.0, 0.5], [3.0, 3.0]])
    root = math.sqrt(0.5)
    assert gram_loss(prototypes).item() == pytest.approx((0 + root + root) / 3)
    assert gram_loss(prototypes, squared=True).item() == pytest.approx((0 + 0.5 + 0.5) / 3)


def test_two_opposite_clusters_fool_the_signed_mean_only():
    direction = torch.nn.functional.normalize(torch.randn(1, 16), dim=-1)
    clusters = torch.cat([direction.expand(256, 16), -direction.expand(256, 16)])
    assert gram_loss(clusters).item() == pytest.approx(-1 / 511, rel=1e-3)
    assert gram_loss(clusters, squared=True).item() == pytest.approx(1.0, rel=1e-4)


def test_an_antipodal_collapse_beats_random_vectors_but_not_spread_prototypes():
    """Eqs. 15 and 16 relative to their maximum, Eq. 17, Eq. 18 with the paper's weights; modalities agree."""
    generator = torch.Generator().manual_seed(0)
    prototypes, cells = (torch.randn(number, 128, dtype=torch.float64, generator=generator) for number in (512, 4096))
    clusters = torch.cat([prototypes[:1].expand(256, 128), -prototypes[:1].expand(256, 128)])

    def terms(embeddings, prototypes):
        scores = similarity(embeddings, prototypes)
        codes = sinkhorn(scores)
        em, swav = em_loss(scores, scores), swapped_prediction_loss(scores, scores, codes, codes)
        gram, maximum = gram_loss(prototypes), 2 * math.log(512) / 512
        total = swav + 0.1 * em + 0.1 * gram
        return [float(value) for value in (em / maximum, swav / maximum, gram, total)]

    random, antipodal = terms(cells, prototypes), terms(clusters.repeat(8, 1), clusters)
    spread = terms(prototypes.repeat(8, 1), prototypes)
    assert antipodal[:2] == pytest.approx([0.947, 0.909], abs=5e-4)
    assert antipodal[2] == pytest.approx(-1 / 511, rel=1e-3)
    assert random[:2] == pytest.approx([0.999, 0.977], abs=6e-4)
    assert abs(random[2]) < 1e-3  # 0 +- 0.00024 over draws of the prototypes
    assert spread[:2] == pytest.approx([0.999, 0.841], abs=5e-4)
    assert all(collapsed < drawn for collapsed, drawn in zip(antipodal, random))
    assert [spread[3], antipodal[3], random[3]] == pytest.approx([0.0229, 0.0243, 0.0262], abs=2e-4)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 12), st.integers(1, 8), st.floats(0.01, 100), st.integers(0, 1000))
def test_gram_bounds_and_scale(number, width, scale, seed):
    prototypes = torch.randn(number, width, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) + 1e-3
    loss = gram_loss(prototypes).item()
    assert -1 / (number - 1) - 1e-9 <= loss <= 1 + 1e-9
    assert gram_loss(scale * prototypes).item() == pytest.approx(loss, abs=1e-9)
    assert 0 <= gram_loss(prototypes, squared=True).item() <= 1 + 1e-9


def test_descending_the_squared_gram_loss_spreads_collapsed_prototypes():
    prototypes = (torch.ones(8, 16) + 0.01 * torch.randn(8, 16)).requires_grad_()
    optimizer = torch.optim.Adam([prototypes], lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        gram_loss(prototypes, squared=True).backward()
        optimizer.step()
    assert gram_loss(prototypes, squared=True).item() < 0.01


def test_usage_perplexity():
    assert usage_perplexity(torch.arange(512)).item() == pytest.approx(512)
    assert usage_perplexity(torch.full((100,), 7)).item() == pytest.approx(1)
    assert usage_perplexity(torch.tensor([0, 0, 3, 3])).item() == pytest.approx(2)
    assert usage_perplexity(torch.zeros(0, dtype=torch.int64)).item() == 0


def test_unit_spread():
    axes = torch.eye(7)
    assert unit_spread(torch.cat([axes, -axes]) * 9).item() == pytest.approx(1)
    assert unit_spread(axes[:1].expand(5, 7)).item() == 0
    assert unit_spread(torch.zeros(0, 7)).item() == 0


def test_wrong_arguments_are_refused():
    sims = _sims()
    with pytest.raises(ValueError, match='entries'):
        em_loss(*sims, normalization='rows')
    with pytest.raises(ValueError, match='temperature'):
        em_loss(*sims, temperature=0.0)
    with pytest.raises(ValueError, match='one shape'):
        em_loss(sims[0], sims[1][:3])
    with pytest.raises(ValueError, match='codes_camera'):
        swapped_prediction_loss(*sims, sims[0], sims[0][:, :2])
    with pytest.raises(ValueError, match='normalization'):
        swapped_prediction_loss(*sims, *sims, normalization='none')
    with pytest.raises(ValueError, match='at least 2'):
        gram_loss(torch.ones(1, 4))
    with pytest.raises(ValueError, match='prototypes'):
        similarity(torch.ones(2, 4), torch.ones(3, 5))
    with pytest.raises(ValueError, match='assignments'):
        usage_perplexity(torch.ones(4, 2))
