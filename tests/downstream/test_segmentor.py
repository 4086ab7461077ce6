"""The segmentor: its encoder is the pre-trained one, every point gets its voxel's class, and it learns."""

from __future__ import annotations

import math
from typing import List

import numpy as np
import pytest
import torch
from mmdet3d.registry import MODELS
from mmdet3d.structures import PointData

from projects.CLAP.clap.downstream.segmentor import CLAPSegmentor, nearest_row
from projects.CLAP.clap.errors import ConfigError
from projects.CLAP.clap.structures import NO_CLASS
from tests.fixtures.tiny import batch, build, tiny_model

CYLINDER = dict(
    voxelize_cfg=dict(
        max_num_points=10,
        max_voxels=[20000, 20000],
        voxel_size=[0.25, 2 * math.pi / 128, 0.25],
        point_cloud_range=[0.0, -math.pi, -5.0, 16.0, math.pi, 3.0],
    ),
    grid='cylinder',
)


def segmentor(seed: int = 0, **options) -> CLAPSegmentor:
    model = tiny_model()
    cfg = {name: model[name] for name in ('data_preprocessor', 'voxelize_cfg', 'pts_middle_encoder')}
    cfg['pts_middle_encoder'].pop('sparse_shape')
    torch.manual_seed(seed)
    cfg.update(dict(type='CLAPSegmentor', num_classes=3, decoder_channels=(8, 8, 8)), **options)
    return MODELS.build(cfg).train()


def labelled(size: int = 2) -> dict:
    """The tiny street: road 0, what stands on it 1, points far off 2, every seventh without a class."""
    data = batch(size)
    for points, sample in zip(data['inputs']['keyframe_points'], data['data_samples']):
        labels = torch.where(points[:, 2] > -1.5, 1, 0)
        labels[points[:, :2].norm(dim=1) > 10] = 2
        labels[::7] = NO_CLASS
        sample.gt_pts_seg = PointData(pts_semantic_mask=labels)
    return data


def samples(data: dict) -> List:
    return data['data_samples']


@pytest.mark.parametrize('options', [{}, CYLINDER], ids=['cartesian', 'cylinder'])
def test_it_learns_the_street(options: dict) -> None:
    model, data = segmentor(**options), labelled()
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    first = None
    for _ in range(25):
        losses = model.loss(data['inputs'], samples(data))
        total = losses['loss_ce'] + losses['loss_lovasz']
        first = first or float(total.detach())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad), 'DDP would wait'
    assert float(total.detach()) < 0.5 * first
    model.eval()
    for norm in (m for m in model.modules() if isinstance(m, torch.nn.BatchNorm1d)):
        norm.train().momentum = 1.0
    with torch.no_grad():
        model.logits(data['inputs'], [sample.metainfo for sample in samples(data)])
    model.eval()
    right = []
    for sample in model.predict(data['inputs'], samples(data)):
        truth = sample.gt_pts_seg.pts_semantic_mask
        found = sample.pred_pts_seg.pts_semantic_mask
        assert found.shape == truth.shape
        right.append((found == truth)[truth != NO_CLASS].float().mean())
    assert min(right) > 0.8


def test_pretrained_encoders_load_by_value() -> None:
    pretrainer, model = build(), segmentor(seed=1)
    missing = model.load_state_dict(pretrainer.state_dict(), strict=False).missing_keys
    assert missing and all(key.split('.')[0] in ('decoder', 'classify') for key in missing)
    for key, value in model.pts_middle_encoder.state_dict().items():
        assert torch.equal(value, pretrainer.pts_middle_encoder.state_dict()[key]), key
    inputs = batch(1)['inputs']
    model.eval(), pretrainer.eval()
    features, coords = model.voxelize(inputs['points'])
    stages = model.pts_middle_encoder.stages(features, coords, 1)
    assert [stage.features.shape[1] for stage in stages] == [4, 8, 8, 8] and len(stages[0].features) == len(coords)
    inner = pretrainer.pts_middle_encoder
    torch.testing.assert_close(
        inner(features, coords, 1), inner.conv_out(stages[-1]).dense().permute(0, 1, 4, 2, 3).flatten(1, 2)
    )


@pytest.mark.parametrize('options', [{}, CYLINDER], ids=['cartesian', 'cylinder'])
def test_rows_are_those_of_the_points_voxels(options: dict) -> None:
    model = segmentor(**options).eval()
    clouds = [torch.randn(500, 5, generator=torch.Generator().manual_seed(seed)) * 6 for seed in (0, 1)]
    _, coords = model.voxelize(clouds)
    cfg = model.voxelize_cfg
    place = {tuple(row): index for index, row in enumerate(coords.tolist())}
    for index, (cloud, rows) in enumerate(zip(clouds, model.rows_of([c[:, :3] for c in clouds], coords))):
        lower = np.array(cfg['point_cloud_range'][:3], np.float32)
        cells = np.floor((model.in_grid(cloud).numpy() - lower) / np.array(cfg['voxel_size'], np.float32)).astype(int)
        expected = [place.get((index, *cell), -1) for cell in cells.tolist()]
        assert rows.tolist() == expected and (-1 in expected)


def test_the_cylinder_of_a_point() -> None:
    model = segmentor(**CYLINDER)
    found = model.in_grid(torch.tensor([[3.0, 4.0, -1.0, 9.0], [-2.0, 0.0, 1.0, 9.0]]))
    torch.testing.assert_close(found, torch.tensor([[5.0, math.atan2(4, 3), -1.0], [2.0, math.pi, 1.0]]))
    cloud = torch.tensor([[3.0, 4.0, -1.0, 7.0, 0.5]])
    features, _ = model.voxelize([cloud])
    torch.testing.assert_close(features, cloud), 'the encoder gets x, y, z as in pre-training'


def test_points_without_a_voxel_take_the_nearest_class() -> None:
    cloud = torch.tensor([[0.0, 0, 0], [10.0, 0, 0], [9.0, 0, 0], [100.0, 0, 0]])
    assert nearest_row(cloud, torch.tensor([3, 5, -1, -1])).tolist() == [3, 5, 5, 5]
    data = labelled(1)
    data['inputs']['keyframe_points'][0][:50] += 500.0
    model = segmentor().eval()
    found = model.predict(data['inputs'], samples(data))[0].pred_pts_seg.pts_semantic_mask
    assert len(found) == len(data['inputs']['keyframe_points'][0]) and int(found.max()) < 3


def test_a_batch_without_labels_or_points_gives_a_connected_zero() -> None:
    model, data = segmentor(), labelled(1)
    data['inputs']['points'][0][:, 0] += 500.0
    data['inputs']['keyframe_points'][0][:, 0] += 500.0
    losses = model.loss(data['inputs'], samples(data))
    sum(losses.values()).backward()
    assert float(losses['loss_ce']) == 0 and model.classify.weight.grad is not None


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ConfigError, match='decoder_channels'):
        segmentor(decoder_channels=(8, 8))
    with pytest.raises(ConfigError, match='LiDAR encoder alone'):
        segmentor(**{name: tiny_model()[name] for name in ('pts_backbone', 'pts_neck')})
    with pytest.raises(ConfigError, match='-pi to pi'):
        segmentor(grid='cylinder')
    data = labelled(1)
    samples(data)[0].gt_pts_seg.pts_semantic_mask[3] = 3
    with pytest.raises(ConfigError, match='below num_classes=3'):
        segmentor().loss(data['inputs'], samples(data))
    del samples(data)[0].gt_pts_seg
    with pytest.raises(ConfigError, match='semantic_classes'):
        segmentor().loss(data['inputs'], samples(data))
