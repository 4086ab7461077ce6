"""ALSO: what its queries are made of, that it learns them, and that ranks share them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from projects.CLAP.clap.engine.hooks.unmasked_norm_hook import estimate_norm_statistics
from projects.CLAP.clap.errors import ConfigError
from projects.CLAP.clap.pretrain.also import intensity_of
from projects.CLAP.clap.pretrain.heads.occupancy_query_head import OccupancyQueryHead
from projects.CLAP.clap.structures import KeyframeSweep
from tests.fixtures.ddp_step import clouds
from tests.fixtures.ranks import assert_ranks_equal_one
from tests.fixtures.tiny import RANGE, batch, losses_of, tiny_lidar_method, tiny_model
from tests.pretrain.test_target_sweeps import drive, with_sweeps


def also(**overrides) -> torch.nn.Module:
    return tiny_lidar_method('ALSO', **{'num_queries': 300, 'radius_m': 1.5, 'latent_channels': 32, **overrides})


def test_a_step_reaches_every_parameter() -> None:
    model = also()
    losses = losses_of(model, batch())
    total, logged = model.parse_losses(losses)
    total.backward()
    assert {name for name in logged if 'loss' in name} == {'loss', 'loss_occupancy', 'loss_intensity'}
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters() if p.requires_grad)
    assert float(logged['answered_queries']) == 1 and model.step_counts == dict(queries=600)


def test_the_street_is_learned() -> None:
    """On one frame the loss falls, and held-back queries are told better than by chance."""
    model, data = also(num_queries=1000, delta_m=1.0, min_range_m=0.0), batch(1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    values = []
    for step in range(40):
        optimizer.zero_grad()
        total, logged = model.parse_losses(losses_of(model, data, step))
        total.backward()
        optimizer.step()
        values.append(float(logged['loss_occupancy'].detach()))
    assert np.mean(values[-5:]) < 0.55, 'knowing only that a third is full costs 0.64'
    estimate_norm_statistics(model, [data])
    figures = predicted(model, data)
    told = {name: total / count for name, (total, count) in figures.items()}
    assert told['accuracy_of_prior'] == pytest.approx(2 / 3, abs=0.01)
    assert told['cross_entropy_of_prior'] == pytest.approx(np.log(3) - 2 / 3 * np.log(2), abs=0.01)
    assert told['cross_entropy'] < 0.9 * told['cross_entropy_of_prior'] and told['balanced_accuracy'] > 0.7, told
    assert told['cross_entropy'] < told['cross_entropy_without_map']
    picture = model.eval().pictures(model.data_preprocessor(data, training=False), ['slices'])['slices']
    chance = picture.blocks[0].panels[0].over.values
    assert chance.shape == (32, 128) and np.nanmax(chance) <= 1 and np.isfinite(chance).all()


def predicted(model: torch.nn.Module, data: dict) -> dict:
    model.eval()
    return model(**model.data_preprocessor(data, training=False), mode='predict')[0].figures


def test_evaluation_asks_for_what_the_loss_does_not_see(monkeypatch: pytest.MonkeyPatch) -> None:
    model, data, asked = also(), batch(1), []
    module = 'projects.CLAP.clap.pretrain.also.also_queries'
    monkeypatch.setattr(module, lambda points, *rest: asked.append(points) or queries(points, *rest))
    losses_of(model, data)
    first, second = predicted(model, data), predicted(model, data)
    assert first == second
    drawn, held = ({tuple(point) for point in points.tolist()} for points in asked[:2])
    assert drawn and held and not drawn & held
    points = data['inputs']['keyframe_points'][0]
    assert drawn | held == {tuple(p) for p in points[points.norm(dim=1) > model.min_range_m].tolist()}


def queries(*arguments):
    from projects.CLAP.clap.functional import also_queries

    return also_queries(*arguments)


def test_rays_of_earlier_sweeps_start_at_their_sensors(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    module = 'projects.CLAP.clap.pretrain.also.also_queries'
    monkeypatch.setattr(module, lambda *given: asked.append(given[1]) or queries(*given))
    losses_of(also(), with_sweeps(batch(1)))
    places = {tuple(np.round(place, 4)) for place in asked[0].tolist()}
    assert places == {tuple(np.round(drive(index)[:3, 3], 4).tolist()) for index in range(4)}


def test_targets_lie_in_range_and_off_the_own_vehicle() -> None:
    points = torch.tensor([[4.0, 0, 0], [20.0, 0, 0], [4.0, 0, 3.5], [3.0, 0, 0], [2.0, 1.0, -1.0], [0.0, -4.0, 0]])
    own, nothing = torch.tensor([False, False, False, True, False, False]), torch.zeros(6, dtype=torch.bool)
    origins = torch.zeros(6, 3)
    origins[5, 1] = -2.0
    sweep = KeyframeSweep(points, origins, nothing, own)
    hits, origins = also().targets(sweep, ~sweep.heldout)
    assert hits.tolist() == [[4.0, 0.0, 0.0]] and origins.shape == (1, 3), 'two lie within 2.5 m of their sensor'
    assert len(also(min_range_m=2.1).targets(sweep, ~nothing)[0]) == 2


def test_intensities_are_those_of_the_hits() -> None:
    cloud = 20 * torch.rand(500, 5)
    cloud[:, 3] = torch.arange(500) / 2
    hits = cloud[[7, 3, 499], :3] + 1e-5
    torch.testing.assert_close(intensity_of(hits, cloud[:499])[:2], torch.tensor([3.5, 1.5]) / 255)
    assert intensity_of(hits, cloud[:499])[2] == -1
    doubled = torch.cat([cloud, cloud + torch.tensor([0, 0, 0, 9.0, 0])])
    torch.testing.assert_close(intensity_of(hits, doubled), intensity_of(hits, cloud))


def test_a_cell_answers_in_its_own_place() -> None:
    """One query, every pair computed by hand: latent of the cell, place about its centre at z = 0."""
    head = OccupancyQueryHead(5, RANGE, 1.5, 8)
    bev, place = torch.randn(1, 5, 32, 16), torch.tensor([[-15.2, 3.3, 0.7]])
    answers = head(bev, [place])
    expected = []
    for x in range(32):
        for y in range(16):
            centre = torch.tensor([-16 + (x + 0.5), -16 + 2 * (y + 0.5), 0.0])
            if (place[0] - centre)[:2].norm() <= 1.5:
                latent = head.latent(bev[:, :, x : x + 1, y : y + 1]).flatten()
                expected.append(head.answer(torch.cat([latent, place[0] - centre])))
    torch.testing.assert_close(torch.stack([answers.logits, answers.intensity], 1), torch.stack(expected))
    told, answered = answers.told(2)
    torch.testing.assert_close(told[0], torch.stack(expected)[:, 0].mean())
    assert answered.tolist() == [True, False]


@pytest.mark.parametrize('kind', ['unequal', 'empty'])
def test_ranks_equal_one(kind: str, tmp_path: Path) -> None:
    assert_ranks_equal_one(also, batch(clouds=clouds(kind)), tmp_path)


def test_a_batch_without_points_is_a_connected_zero() -> None:
    model = also()
    losses = losses_of(model, batch(clouds=[np.zeros((0, 5), np.float32)]))
    assert losses['loss_occupancy'].item() == 0 == losses['loss_intensity'].item()
    model.parse_losses(losses)[0].backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters() if p.requires_grad)


def test_bad_configurations_are_refused() -> None:
    with pytest.raises(ConfigError, match='LiDAR encoders alone'):
        also(**{part: tiny_model()[part] for part in ('img_backbone', 'img_neck', 'view_transform', 'fusion_layer')})
    with pytest.raises(ConfigError, match='positive'):
        also(delta_m=0.0)
