"""Occupancy-MAE: what is hidden and told, that it is learned, and that ranks share it."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from projects.CLAP.clap.engine.hooks.unmasked_norm_hook import estimate_norm_statistics
from projects.CLAP.clap.errors import ConfigError
from projects.CLAP.clap.pretrain.occupancy_mae import figures_of
from tests.fixtures.ddp_step import clouds
from tests.fixtures.ranks import assert_ranks_equal_one
from tests.fixtures.tiny import RANGE, batch, losses_of, tiny_lidar_method, tiny_model

NO_BEV = dict(pts_backbone=None, pts_neck=None)


def mae(**overrides) -> torch.nn.Module:
    return tiny_lidar_method('OccupancyMAE', **{**NO_BEV, **overrides})


@pytest.mark.parametrize('stride', [4, 2])
def test_a_step_reaches_every_parameter(stride: int) -> None:
    model = mae(stride=stride)
    total, logged = model.parse_losses(losses_of(model, batch()))
    total.backward()
    assert {'loss_occupancy', 'hidden_found', 'empty_found'} <= set(logged)
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in trained.values())
    assert not any('conv_out' in name for name in trained)
    assert model.step_counts == dict(cells=2 * (128 // stride) ** 2 * (40 // stride))


def test_the_street_is_learned() -> None:
    """On one frame the loss falls, and hidden cells are told better than by chance."""
    model, data = mae(), batch(1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    values = []
    for step in range(25):
        optimizer.zero_grad()
        total, _ = model.parse_losses(losses_of(model, data, step))
        total.backward()
        optimizer.step()
        values.append(float(total.detach()))
    assert np.mean(values[-3:]) < 0.5 * np.mean(values[:3])
    estimate_norm_statistics(model, [data])
    figures = predicted(model, data)
    assert figures == predicted(model, data)
    assert figures['balanced_accuracy'][0] > 0.8
    assert figures['balanced_accuracy_of_neighbours'] == (neighbours_of(model, data), 1)
    assert figures['hidden_found'][1] > 100 and figures['accuracy_of_prior'][0] < figures['accuracy_of_prior'][1]
    panels = model.pictures(model.data_preprocessor(data, training=False), ['cells'])['cells'].blocks[0].panels
    seen, _, true = ({tuple(p) for p in panel.points.round(3).tolist()} for panel in panels)
    assert seen < true


def neighbours_of(model: torch.nn.Module, data: dict) -> float:
    """Balanced accuracy of telling what touches a seen cell, by loops."""
    ready = model.eval().data_preprocessor(copy.deepcopy(data), training=False)
    metas = [sample.metainfo for sample in ready['data_samples']]
    with torch.no_grad():
        _, true, seen = model.told(ready['inputs']['points'], metas, [torch.Generator().manual_seed(0)])
    told = torch.zeros_like(true[0])
    for x, y, z in seen[0].nonzero().tolist():
        told[max(x - 1, 0) : x + 2, max(y - 1, 0) : y + 2, max(z - 1, 0) : z + 2] = True
    hidden = true[0] & ~seen[0]
    found, empty = told[hidden].double().mean(), (~told[~true[0]]).double().mean()
    return pytest.approx(float(found + empty) / 2)


def predicted(model: torch.nn.Module, data: dict) -> dict:
    model.eval()
    return model(**model.data_preprocessor(copy.deepcopy(data), training=False), mode='predict')[0].figures


def test_voxels_are_hidden_by_their_metric_range() -> None:
    """Also under augmentation: ranges are measured from where the sensor came to lie."""
    model, data = mae(edges_m=(6.0, 12.0), ratios=(0.8, 0.4, 0.0)), batch(1)
    aug = np.eye(4)
    aug[:3, 3] = [4.0, -3.0, 0.0]
    data['data_samples'][0].set_metainfo(dict(lidar_aug_matrix=aug))
    data = model.data_preprocessor(data, training=True)
    _, coords = model.voxelize(data['inputs']['points'])
    metas = [sample.metainfo for sample in data['data_samples']]
    hidden = model.hidden(coords, metas, model.sample_generators(1))
    size = np.array([0.25, 0.25, 0.2])
    ranges = np.linalg.norm(RANGE[:3] + (coords[:, 1:].numpy() + 0.5) * size - aug[:3, 3], axis=1)
    for band, ratio in ((ranges < 6, 0.8), ((ranges >= 6) & (ranges < 12), 0.4), (ranges >= 12, 0.0)):
        assert band.sum() > 100 and hidden.numpy()[band].sum() == pytest.approx(ratio * band.sum(), abs=0.51)


def test_cells_are_those_of_the_points() -> None:
    """A point's cell of stride 4, worked out from metres; the seen ones are among the true ones."""
    model, data = mae(), batch(1)
    ready = model.data_preprocessor(copy.deepcopy(data), training=True)
    metas = [sample.metainfo for sample in ready['data_samples']]
    logits, true, seen = model.told(ready['inputs']['points'], metas, model.sample_generators(1))
    assert logits.shape == true.shape == (1, 32, 32, 10) and not (seen & ~true).any() and 0 < seen.sum() < true.sum()
    points = data['inputs']['points'][0][:, :3].numpy()
    points = points[((points >= RANGE[:3]) & (points < RANGE[3:])).all(1)]
    cells = {tuple(cell) for cell in np.floor((points - RANGE[:3]) / [1.0, 1.0, 0.8] + 1e-6).astype(int).tolist()}
    assert {tuple(cell) for cell in true[0].nonzero().tolist()} == cells
    _, _, all_seen = model.told(ready['inputs']['points'], metas, None)
    assert torch.equal(all_seen, true)


def test_the_limit_of_voxels_cuts_no_truth() -> None:
    model, ready = mae(), mae().data_preprocessor(batch(1), training=True)
    given = ready['inputs']['points'], [sample.metainfo for sample in ready['data_samples']]
    _, true, _ = model.told(*given, None)
    model.voxelize_cfg['max_voxels'] = (100, 100)
    assert torch.equal(model.told(*given, None)[1], true) and true.sum() > 100


def test_evaluation_normalises_the_masked_cloud_as_training_does() -> None:
    """The running statistics are those of whole clouds: they must not matter, and stay."""
    model, data = mae(), batch(1)
    figures = predicted(model, data)
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.running_mean += 3.0
    state = copy.deepcopy(model.state_dict())
    assert predicted(model, data) == figures
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_figures_by_hand() -> None:
    """Six cells: two occupied and seen, two occupied and hidden of which one is told, two empty, one told to be."""
    true, seen = torch.tensor([1, 1, 1, 1, 0, 0]).bool(), torch.tensor([1, 1, 0, 0, 0, 0]).bool()
    figures = figures_of(torch.tensor([1.0, -1, 1, -1, -1, 1]), true, seen)
    assert figures['hidden_found'] == (1, 2) and figures['empty_found'] == (1, 2)
    assert figures['accuracy'] == (3, 6) and figures['accuracy_of_prior'] == (2, 6)
    assert figures['balanced_accuracy'] == (0.5, 1)
    assert 'balanced_accuracy' not in figures_of(torch.ones(2), torch.zeros(2).bool(), torch.zeros(2).bool())


@pytest.mark.parametrize('kind', ['unequal', 'empty'])
def test_ranks_equal_one(kind: str, tmp_path: Path) -> None:
    assert_ranks_equal_one(mae, batch(clouds=clouds(kind)), tmp_path)


def test_clouds_of_few_voxels_or_none_stay_finite() -> None:
    for num in (12, 3, 1, 0):
        model, cloud = mae(), np.arange(5 * num, dtype=np.float32).reshape(num, 5) / 5
        losses = losses_of(model, batch(clouds=[cloud]))
        model.parse_losses(losses)[0].backward()
        assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters() if p.requires_grad)


def test_bad_configurations_are_refused() -> None:
    cameras = {part: tiny_model()[part] for part in ('img_backbone', 'img_neck', 'view_transform', 'fusion_layer')}
    for bad, message in (
        (cameras, 'LiDAR encoders alone'),
        (dict(masking=dict(point_ratio=0.5)), 'masking'),
        (dict(ratios=(0.9, 0.5)), 'ratios'),
        (dict(stride=3), 'stride'),
        (dict(pts_backbone=tiny_model()['pts_backbone'], pts_neck=tiny_model()['pts_neck']), 'sparse encoder alone'),
    ):
        with pytest.raises(ConfigError, match=message):
            mae(**bad)
