"""CluRender on tiny frames: what is learned, figures, bad input, one rank and two."""

from __future__ import annotations

import copy
from functools import partial
from pathlib import Path

import pytest
import torch
from mmdet3d.registry import MODELS
from mmdet3d.structures import PointData

from projects.CLAP.clap.engine.config.load import load_config
from projects.CLAP.clap.errors import ConfigError
from projects.CLAP.clap.pretrain.clurender import purities
from tests.fixtures.ranks import assert_ranks_equal_one
from tests.fixtures.tiny import batch, losses_of, street, tiny_model

ROOT = Path(__file__).resolve().parents[2]
#: Of :meth:`SplatHead.errors`.
COLOURS = {f'rgb_{name}{of}' for name in ('distance', 'error') for of in ('', '_of_mean_colour')}
TERMS = {'loss_cluster', 'loss_spread', 'loss_render'}


def build(**overrides: object) -> torch.nn.Module:
    parts = ('render_head', 'ray_sampler', 'prototype_head', 'masking', 'img_backbone', 'img_neck', 'view_transform')
    cfg = {key: value for key, value in tiny_model().items() if key not in (*parts, 'fusion_layer')}
    cfg.update(
        type='CluRender',
        cluster_head=dict(type='ClusterHead', num_clusters=8),
        splat_head=dict(type='SplatHead', num_pixels=300, num_projections=16),
        num_points=600,
    )
    cfg.update(overrides)
    torch.manual_seed(0)
    return MODELS.build(cfg).train()


def total(losses: dict) -> torch.Tensor:
    return sum(value for name, value in losses.items() if 'loss' in name)


@pytest.mark.parametrize('without', ['', 'cluster_head', 'splat_head'])
def test_every_term_reaches_every_parameter(without: str) -> None:
    model = build(**{without: None} if without else {})
    losses = losses_of(model, batch())
    gone = dict(cluster_head={'loss_cluster', 'loss_spread'}, splat_head={'loss_render'}).get(without, set())
    assert {name for name in losses if 'loss' in name} == TERMS - gone
    total(losses).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters() if p.requires_grad)
    assert model.pts_middle_encoder.conv_input[0].weight.grad.abs().sum() > 0


def test_a_frame_is_learned() -> None:
    """Clusters and colours of one frame: both figures leave what knows nothing behind."""
    model, data = build(), batch(1)
    images = data['inputs']['img'][0]
    images[..., :64], images[..., 64:] = 200, 60  # left and right
    optim = torch.optim.AdamW(model.parameters(), 5e-3)
    first = None
    for step in range(40):
        losses = losses_of(model, data, step)
        first = first or {name: float(value.detach()) for name, value in losses.items()}
        optim.zero_grad()
        total(losses).backward()
        optim.step()
    assert losses['loss_cluster'] < 0.8 * first['loss_cluster'] and losses['cluster_ratio'] < 0.8
    assert losses['loss_render'] < 0.6 * first['loss_render']
    assert losses['clusters_used'] > 2.5
    figures = predicted(model, data, training=True)  # the running statistics are not those of one frame
    for name in ('rgb_error', 'rgb_distance'):
        assert ratio(figures, name) < 0.8 * ratio(figures, f'{name}_of_mean_colour')


def predicted(model: torch.nn.Module, data: dict, training: bool = False) -> dict:
    model.train(training)
    inputs = model.data_preprocessor(copy.deepcopy(data), training=False)
    (sample,) = model.predict(inputs['inputs'], inputs['data_samples'])
    model.train()
    return sample.figures


def ratio(figures: dict, name: str) -> float:
    return figures[name][0] / figures[name][1]


def test_figures_with_and_without_classes_and_the_pictures() -> None:
    model, data = build(), batch(1)
    assert set(predicted(model, data)) == {'clusters_used', *COLOURS}
    heights = data['inputs']['keyframe_points'][0][:, 2]
    classes = torch.where(heights > -1.6, 1, 0).to(torch.uint8)
    classes[:100] = 255
    data['data_samples'][0].gt_pts_seg = PointData(pts_semantic_mask=classes)
    figures = predicted(model, data)
    in_range = predicted_count = figures['purity'][1]
    assert 0 < in_range <= len(heights) - 100 and figures['purity_of_one_cluster'][1] == predicted_count
    assert ratio(figures, 'purity_of_one_cluster') <= ratio(figures, 'purity') <= 1
    model.eval()
    inputs = model.data_preprocessor(copy.deepcopy(data), training=False)
    drawn = model.pictures(inputs, list(model.picture_titles))
    assert set(drawn) == {'clusters', 'rendered'} and len(drawn['clusters'].blocks[0].panels) == 2
    assert len(drawn['rendered'].blocks[0].panels) == 4


def test_purity_by_hand() -> None:
    cluster, classes = torch.tensor([0, 0, 0, 2, 2, 1]), torch.tensor([3, 3, 1, 1, 1, 255])
    places = torch.randn(6, 3)
    alone = purities(cluster, classes, places, 6)
    assert alone == dict(purity=(4, 5), purity_of_places=(5, 5), purity_of_one_cluster=(3, 5))
    assert purities(cluster, classes, places, 1)['purity_of_places'] == (3, 5)
    assert purities(cluster, None, places, 6) == purities(cluster, torch.full((6,), 255), places, 6) == {}


def test_random_clusters_do_not_follow_classes_that_places_tell() -> None:
    """Two classes, left and right: one cluster has 0.5, and so have many random ones; places have nearly 1."""
    places = torch.rand(4000, 3)
    classes = (places[:, 0] > 0.5).long()
    found = purities(torch.randint(16, (4000,)), classes, places, 16)
    assert ratio(found, 'purity') < 0.6 and ratio(found, 'purity_of_places') > 0.8


def test_a_seed_decides_the_step_and_odd_frames_are_borne() -> None:
    model, data = build(), batch(2)
    values = [float(total(losses_of(model, data, seed))) for seed in (1, 1, 2)]
    assert values[0] == values[1] != values[2]
    behind = street()
    behind[:, 0] = -abs(behind[:, 0]) - 2  # the first camera sees nothing
    for clouds in ([behind[:0], street()], [behind], [behind[:0]]):
        losses = losses_of(model, batch(clouds=clouds))
        assert all(torch.isfinite(value).all() for value in losses.values())
        model.zero_grad()
        total(losses).backward()
        assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters() if p.requires_grad)


def test_what_cannot_be_trained_is_said() -> None:
    cameras = {key: tiny_model()[key] for key in ('img_backbone', 'img_neck', 'view_transform', 'fusion_layer')}
    with pytest.raises(ConfigError, match='img_backbone'):
        build(**cameras)
    with pytest.raises(ConfigError, match='cluster_head, splat_head or both'):
        build(cluster_head=None, splat_head=None)
    for bad in (
        dict(cluster_head=dict(type='ClusterHead', num_clusters=1)),
        dict(cluster_head=dict(type='ClusterHead', epsilon=0.0)),
        dict(splat_head=dict(type='SplatHead', min_coverage=0.0)),
        dict(splat_head=dict(type='SplatHead', position_weight=1.0)),
        dict(num_points=0),
    ):
        with pytest.raises(ConfigError):
            build(**bad)
    data = batch(1)
    del data['inputs']['img']
    with pytest.raises(ConfigError, match='splat_head=None'):
        losses_of(build(), data)
    assert set(losses_of(build(splat_head=None), data)) >= {'loss_cluster'}


@pytest.mark.parametrize('name', ['nus', 'pandaset', 'sim', 'objects'])
def test_configurations_are_read_and_built(name: str) -> None:
    cfg = load_config(str(ROOT / f'projects/CLAP/configs/clurender_{name}.py'), [])
    if name != 'objects':
        assert cfg.train_dataloader.dataset.ann_file.endswith('_train.pkl'), 'no point is held back: other frames are'
    model = MODELS.build(cfg.model)
    assert model.cluster_head.num_clusters == 64 and model.cluster_head.epsilon == 1e-3
    assert model.splat_head.position_weight == 0.5 and 'heldout/rgb_distance' in str(model.declare(model.facts()))


def test_ranks_equal_one(tmp_path: Path) -> None:
    """Clouds of unequal sizes, one of them empty. Small: rounding turns one of a million rectifiers on or off."""
    clouds = [street(num=300 // (1 + index), seed=index) for index in range(3)] + [street(num=100)[:0]]
    assert_ranks_equal_one(partial(build, num_points=10_000), batch(clouds=clouds), tmp_path)
