"""PPKT and SLidR: what is compared, learning, two ranks, nothing to compare, wrong configurations."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmdet3d.registry import MODELS
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from projects.CLAP.clap.datasets.clap_dataset import steps_of
from projects.CLAP.clap.engine.config.load import load_config
from projects.CLAP.clap.engine.hooks.unmasked_norm_hook import estimate_norm_statistics
from projects.CLAP.clap.errors import ConfigError
from tests.fixtures.contrast import KINDS, METHODS, build, clouds, frames, loss_of
from tests.fixtures.ranks import assert_ranks_equal_one
from tests.fixtures.tiny import IMAGE, calibration, street, tiny_model

ROOT = Path(__file__).resolve().parents[2]


def seen_of(model, data, index=0):
    data = model.data_preprocessor({**data, 'inputs': dict(data['inputs'])})
    metas = [sample.metainfo for sample in data['data_samples']]
    with torch.no_grad():
        return model.seen(*model.embed(data['inputs'], metas), data['inputs'], metas)[index]


@pytest.mark.parametrize('method', METHODS)
def test_it_learns_one_batch_and_finds_held_back_points_in_it(method):
    model, data = build(method), frames()
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.momentum = 0.5  # twenty steps are too few for the running statistics of 0.01
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    ratios = []
    for _ in range(20):
        losses = loss_of(model, data)
        optimiser.zero_grad()
        losses['loss_contrast'].backward()
        optimiser.step()
        ratios.append(float(losses['contrast_of_chance']))
    assert 0.9 < ratios[0] < 1.6 and ratios[-1] < 0.7 * ratios[0], ratios
    figures = model.eval()(**model.data_preprocessor(data), mode='predict')[0].get('figures')
    (hits, count), (one, again) = figures['retrieval'], figures['retrieval_chance']
    assert one == 1 and again == count > 10
    assert hits > 3, 'of chance, which finds one'


def test_evaluation_does_not_show_the_held_back_points_to_the_encoder():
    model, data, seen = build('PPKT').eval(), frames(), []
    encode = model.encode
    model.encode = lambda points, **rest: seen.extend(map(len, points)) or encode(points, **rest)
    model(**model.data_preprocessor(data), mode='predict')
    held = [int(model.heldout(cloud).sum()) for cloud in data['inputs']['keyframe_points']]
    assert seen == [len(cloud) - num for cloud, num in zip(data['inputs']['points'], held)] and min(held) > 10


def test_a_frozen_image_backbone_keeps_its_statistics():
    model = build('PPKT', freeze_images=True)
    norm = nn.BatchNorm2d(3)
    model.img_backbone.add_module('stem_norm', norm)
    norm.running_mean += 5.0
    estimate_norm_statistics(model, [frames(size=1)])
    assert (norm.running_mean == 5).all()
    assert norm in [part for one in build_with(norm).norm_modules() for part in one.modules()]


def build_with(norm):
    model = build('PPKT')
    model.img_backbone.add_module('stem_norm', norm)
    return model


def test_the_figures_that_are_judged_are_given():
    model = build('PPKT')
    given = {*loss_of(model, frames()), 'heldout/retrieval', 'heldout/retrieval_chance'}
    declared = model.declare({})
    named = {name for rule in (*declared.rules, *declared.charts) for name in rule.scalars}
    assert named <= given and {rule.over for rule in declared.rules} <= {None, *given}


def test_pairs_are_points_with_their_pixels_and_evaluation_has_those_held_back():
    model, data = build('PPKT'), frames()
    meta, points = calibration(), street(seed=0)[:, :3].astype(np.float64)
    expected = set()
    for camera, matrix in enumerate(meta['lidar2img'].astype(np.float64)):
        place = points @ matrix[:3, :3].T + matrix[:3, 3]
        uv = place[:, :2] / place[:, 2:]
        seen = (place[:, 2] > 1e-3) & (uv > 0.01).all(1) & (uv < np.array(IMAGE[::-1]) - 0.01).all(1)
        expected |= {(int(i), camera, *np.round(uv[i], 1)) for i in np.flatnonzero(seen)}
    found = []
    for training in (True, False):
        seen = seen_of(model.train(training), data)
        rows = zip(seen.pairs.point.tolist(), seen.pairs.camera.tolist(), seen.pairs.uv.double().numpy().round(1))
        found.append({(point, camera, *uv) for point, camera, uv in rows})
    held = set(model.heldout(torch.from_numpy(points)).nonzero().flatten().tolist())
    assert not found[0] & found[1] and len(found[1]) > 30
    assert {row[0] for row in found[1]} <= held and not {row[0] for row in found[0]} & held
    assert len((found[0] | found[1]) ^ expected) < 0.02 * len(expected)  # rounding


def test_what_the_original_image_does_not_reach_is_no_pixel():
    model, data = build('PPKT'), frames()
    whole = len(seen_of(model, data).pairs.point)
    shift = np.eye(4, dtype=np.float32)
    shift[0, 3] = IMAGE[1] / 2  # the left half of the augmented image is black
    for sample in data['data_samples']:
        sample.set_metainfo(dict(img_aug_matrix=[shift, shift]))
    seen = seen_of(model, data)
    assert len(seen.pairs.point) < 0.7 * whole and float(seen.pairs.uv[:, 0].min()) >= IMAGE[1] / 2


def test_ppkt_compares_an_equal_share_of_each_sample_drawn_from_its_generator():
    model, data = build('PPKT', num_pairs=100), frames(clouds('unequal'))
    assert float(loss_of(model, data)['pairs']) * 4 == 25 + 0 + min(25, len(seen_of(model, data, 2).pairs.point)) + 0
    first, again, other = (loss_of(model, data, seed)['loss_contrast'] for seed in (1, 1, 2))
    assert first == again != other


def test_slidr_compares_means_over_superpixels():
    model, data = build('SLidR'), frames()
    seen = seen_of(model, data)
    with torch.no_grad():
        points, pixels = model.matches(seen, torch.Generator(), 1)
        fine = F.normalize(F.interpolate(seen.images, scale_factor=2, mode='bilinear'), dim=1)
        of_points, row = seen.point_embeddings(), 0
        numbers = seen.superpixels[(seen.pairs.camera, *seen.pairs.uv.long().t().flip(0))]
        for camera in range(2):
            for number in range(255):
                mask = seen.superpixels[camera, 2::4, 2::4] == number
                inside = (seen.pairs.camera == camera) & (numbers == number)
                if not inside.any():
                    continue
                torch.testing.assert_close(points[row], of_points[inside].mean(0))
                torch.testing.assert_close(pixels[row], fine[camera][:, mask].mean(1))
                row += 1
    assert row == len(points) > 20


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('kind', KINDS)
def test_ranks_equal_one(method, kind, tmp_path):
    data = frames(clouds(kind))
    assert_ranks_equal_one(partial(build, method), data, tmp_path, ('contrast_of_chance', 'pairs'))


@pytest.mark.parametrize('method', METHODS)
def test_nothing_to_compare_is_a_connected_zero(method):
    model, data = build(method), frames([street(seed=0)[:0], clouds('unequal')[3]])
    losses = loss_of(model, data)
    losses['loss_contrast'].backward()
    assert float(losses['loss_contrast'].detach()) == 0 and float(losses['pairs']) == 0
    for name, value in model.named_parameters():
        assert value.grad is not None and torch.isfinite(value.grad).all(), name
    assert all(math.isfinite(float(value.detach())) for value in losses.values())
    sample = model.eval()(**model.data_preprocessor(data), mode='predict')[0]
    assert sample.get('figures') == dict(retrieval=(0, 0), retrieval_chance=(0.0, 0))


def test_a_frozen_image_backbone_stays_and_its_neck_does_not():
    model = build('PPKT', freeze_images=True, img_backbone=dict(tiny_model()['img_backbone'], drop_path_rate=0.5))
    loss_of(model, frames())['loss_contrast'].backward()
    assert all(value.grad is None for value in model.img_backbone.parameters()) and not model.img_backbone.training
    assert all(value.grad is not None for value in model.img_neck.parameters())


def test_without_a_bev_encoder_the_lidar_map_is_read():
    model = build('PPKT', pts_backbone=None, pts_neck=None)
    loss_of(model, frames())['loss_contrast'].backward()
    assert model.point_head.in_channels == 16
    assert all(value.grad is not None for value in model.parameters())


def test_pictures():
    model = build('SLidR').eval()
    data = model.data_preprocessor(frames())
    made = model.pictures(data, ['likeness', 'superpixels'], stride=4, max_points=9, state='iteration 3')
    assert set(made) == set(model.picture_titles)
    assert [len(made[name].blocks[0].panels) for name in ('likeness', 'superpixels')] == [4, 2]
    assert 'iteration 3' in made['likeness'].title and 'liker' in made['likeness'].blocks[0].panels[0].title


def test_what_is_drawn_over_an_image_leaves_its_padding_out():
    model = build('SLidR').eval()
    data = model.data_preprocessor(frames())
    for sample in data['data_samples']:
        sample.set_metainfo(dict(img_shape=(56, 120)))
    panel = model.pictures(data, ['likeness'])['likeness'].blocks[0].panels[0]
    assert panel.rgb.shape == (56, 120, 3) and panel.over.values.shape == (7, 15)


@pytest.mark.parametrize(
    'overrides, hint',
    [
        (dict(img_backbone=None, img_neck=None), 'give img_backbone'),
        (dict(pts_middle_encoder=None), 'pts_middle_encoder'),
        (dict(view_transform=tiny_model()['view_transform']), 'view_transform=None'),
        (dict(masking=dict(point_ratio=0.5)), 'masking=None'),
        (dict(pts_backbone=None), 'pts_backbone'),
        (dict(temperature=0.0), 'temperature'),
        (dict(num_pairs=0), 'num_pairs'),
    ],
)
def test_wrong_configurations_are_refused(overrides, hint):
    with pytest.raises(ConfigError, match=hint):
        build('PPKT', **overrides)


def test_missing_inputs_are_named():
    data = frames()
    del data['inputs']['superpixels']
    with pytest.raises(ConfigError, match='CLAPLoadSuperpixels'):
        loss_of(build('SLidR'), data)
    del data['inputs']['img']
    with pytest.raises(ConfigError, match='load images'):
        loss_of(build('PPKT'), data)


FOLDERS = dict(nus='nuscenes', pandaset='pandaset', sim='sim')


@pytest.mark.parametrize('data', list(FOLDERS))
def test_configurations(data, monkeypatch):
    monkeypatch.setenv('CLAP_DATA_ROOT', '/data')
    for method in METHODS:
        cfg = load_config(str(ROOT / f'projects/CLAP/configs/{method.lower()}_{data}.py'), [])
        assert cfg.model.type == method and cfg.model.view_transform is None and cfg.model.fusion_layer is None
        assert cfg.train_dataloader.dataset.ann_file != cfg.val_dataloader.dataset.ann_file, 'other frames'
        for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
            steps = steps_of(loader.dataset.pipeline)
            behind = steps[[step.type for step in steps].index('CLAPImageAug3D') + 1]
            assert behind.get('folder') == (f'/data/{FOLDERS[data]}/superpixels' if method == 'SLidR' else None)
    if data != 'nus':
        model = MODELS.build(cfg.model)
        assert sum(value.numel() for value in model.point_head.parameters()) == 64 * 129
