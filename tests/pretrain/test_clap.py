from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from mmdet3d.registry import MODELS

from projects.CLAP.clap.errors import ConfigError, NonFiniteLossError
from projects.CLAP.clap.pretrain.base import without_points
from tests.fixtures.tiny import batch, build, losses_of, street, tiny_model


def total(losses: dict) -> torch.Tensor:
    return sum(value for name, value in losses.items() if 'loss' in name)


@pytest.mark.parametrize('warming_up', [True, False])
def test_a_step_reaches_every_parameter(warming_up: bool) -> None:
    """Eq. 4, in the warm-up and after it; a parameter without a gradient would hang DDP."""
    model = build()
    model.warming_up = warming_up
    losses = losses_of(model, batch())
    assert {k for k in losses if 'loss' in k} == {
        'loss_range',
        'loss_surface',
        'loss_rgb',
        'loss_swav',
        'loss_em',
        'loss_gram',
    }
    loss, log_vars = model.parse_losses(losses)
    torch.testing.assert_close(loss, total(losses))
    assert {'opacity', 'inv_s', 'proto_perplexity_lidar', 'candidate_points', 'uniform_cameras'} <= set(log_vars)
    loss.backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name
    for name in (
        'pts_middle_encoder',
        'img_backbone',
        'view_transform',
        'fusion_layer',
        'pts_neck',
        'render_head',
        'prototype_head',
    ):
        grads = [p.grad.abs().sum() for p in getattr(model, name).parameters() if p.requires_grad]
        assert sum(grads) > 0, f'no loss reaches {name}'


def test_the_seed_of_a_step_decides_it() -> None:
    model, data = build(), batch()
    state = copy.deepcopy(model.state_dict())
    values = []
    for seed in (1, 1, 2):
        model.load_state_dict(state)
        values.append(total(losses_of(model, data, seed)).item())
    assert values[0] == values[1] != values[2]


def test_targets_are_unmasked_and_evaluation_masks_nothing() -> None:
    model, data = build(), batch(1)
    inputs = model.data_preprocessor(copy.deepcopy(data), training=True)
    metas = [s.metainfo for s in inputs['data_samples']]
    seen = []
    original = model.encode
    model.encode = lambda points, imgs, depth, metas: (
        seen.append((points[0], imgs, depth[0])) or original(points, imgs, depth, metas)
    )
    model.set_step_seed(0)
    model.encode_masked(inputs['inputs'], metas)
    model.eval().encode_masked(inputs['inputs'], metas)
    (masked, masked_imgs, depth), (whole, imgs, _) = seen
    assert len(masked) < 0.75 * len(whole) == 0.75 * len(data['inputs']['points'][0])
    assert torch.equal(masked, depth), "depth_source='masked' must not leak the dropped points"
    assert (masked_imgs == 0).float().mean() > 0.45 > (imgs == 0).float().mean()
    views = model.views(inputs['inputs'], metas)[0]
    torch.testing.assert_close(views.rgb * 255, data['inputs']['img'][0].float(), atol=1e-3, rtol=0)
    assert len(model.sweeps(inputs['inputs'], metas)[0].points) == len(data['inputs']['keyframe_points'][0])


def test_depth_source_all_gives_every_point_to_the_view_transform() -> None:
    model = build(depth_source='all')
    inputs = model.data_preprocessor(batch(1), training=True)
    got = []
    model.encode = lambda points, imgs, depth, metas: got.append((len(points[0]), len(depth[0])))
    model.encode_masked(inputs['inputs'], [s.metainfo for s in inputs['data_samples']])
    assert got[0][0] < got[0][1] == len(inputs['inputs']['points'][0])


def test_held_back_rays_are_fixed_spread_and_never_drawn() -> None:
    model = build()
    points = torch.from_numpy(street())[:, :3]
    held = model.heldout(points)
    assert abs(float(held.float().mean()) - 0.1) < 0.01
    assert torch.equal(held, model.heldout(points + 1.0)), 'augmentation must not change which points are held back'
    runs = held.nonzero().squeeze().diff()
    assert int(runs.max()) < 40, 'spread over the sweep'
    inputs = model.data_preprocessor(batch(1), training=True)
    metas = [s.metainfo for s in inputs['data_samples']]
    sweep, view = model.sweeps(inputs['inputs'], metas)[0], model.views(inputs['inputs'], metas)[0]
    fields = model.render_head.decode(model.encode_masked(inputs['inputs'], metas).fused_bev)
    for model.warming_up in (True, False):
        lidar, _, _ = model.sample_rays(fields, [sweep], [view])
        assert not sweep.heldout[lidar[0].source].any()


def test_sweep_and_origin_follow_the_augmentation() -> None:
    model, data = build(), batch(1)
    turn = np.eye(4, dtype=np.float32)
    turn[:2, :2] = [[0, -1.1], [1.1, 0]]  # a quarter turn and a scale of 1.1
    turn[:3, 3] = [0.5, 0, 0]
    data['data_samples'][0].set_metainfo(dict(lidar_aug_matrix=turn))
    data['inputs']['keyframe_origins'] = [torch.tensor([[1.0, 0.0, 0.2]])]
    inputs = model.data_preprocessor(data, training=True)
    sweep = model.sweeps(inputs['inputs'], [s.metainfo for s in inputs['data_samples']])[0]
    x, y, z = data['inputs']['keyframe_points'][0][7].tolist()
    torch.testing.assert_close(sweep.points[7], torch.tensor([-1.1 * y + 0.5, 1.1 * x, z]))
    torch.testing.assert_close(sweep.origins[7], torch.tensor([0.5, 1.1, 0.2]))


def test_the_box_of_the_own_vehicle_stays_with_it_whatever_the_augmentation() -> None:
    model, data = build(ego_box=(4.0, -2.0, -2.0, 10.0, 2.0, 0.0)), batch(1)
    turn = np.eye(4, dtype=np.float32)
    turn[:2, :2] = [[0, -1.1], [1.1, 0]]
    data['data_samples'][0].set_metainfo(dict(lidar_aug_matrix=turn))
    inputs = model.data_preprocessor(data, training=True)
    metas = [s.metainfo for s in inputs['data_samples']]
    sweep = model.sweeps(inputs['inputs'], metas)[0]
    x, y, z = data['inputs']['keyframe_points'][0].T
    expected = (x >= 4) & (x <= 10) & (y.abs() <= 2) & (z <= 0)
    assert 50 < int(expected.sum()) < 1000
    assert torch.equal(sweep.own, expected)
    assert torch.equal(sweep.heldout, build().heldout(sweep.points)), 'held-back points are the same with a box'
    field = model.render_head.decode(model.encode_masked(inputs['inputs'], metas).fused_bev)[0]
    drawn = model.ray_sampler.candidates(field, sweep)
    assert len(drawn) > 1000 and not expected[drawn].any()
    assert len(inputs['inputs']['points'][0]) == 3750, 'the encoders see them'
    assert not build().sweeps(inputs['inputs'], metas)[0].own.any()


@pytest.mark.parametrize('box', [(1, 2, 3), (0, 0, 0, 1, 1, -1)])
def test_a_box_that_is_none_is_refused(box: tuple) -> None:
    with pytest.raises(ConfigError, match='ego_box must be'):
        build(ego_box=box)


def test_a_target_before_the_start_of_its_ray_is_refused() -> None:
    with pytest.raises(ConfigError, match='near_m=1.0 must not exceed min_range_m=0.5'):
        build(ray_sampler=dict(type='UniformRaySampler', min_range_m=0.5))


def test_predict_measures_held_back_rays() -> None:
    model = build().eval()
    inputs = model.data_preprocessor(batch(), training=False)
    samples = model(**inputs, mode='predict')
    again = model(**model.data_preprocessor(batch(), training=False), mode='predict')
    for sample, twin in zip(samples, again):
        rendered = sample.rendered
        assert len(rendered['range_m']) == len(rendered['range_true_m']) > 100
        assert (rendered['rgb_error'] >= 0).all() and len(rendered['rgb_error']) == 2 * 16
        assert torch.equal(rendered['range_m'], twin.rendered['range_m']), 'evaluation has no randomness'
        assert torch.equal(rendered['rgb_error'], twin.rendered['rgb_error'])


def test_evaluation_tells_what_the_images_add() -> None:
    model = build().eval()

    def errors() -> tuple:
        inputs = model.data_preprocessor(batch(1), training=False)
        images = inputs['inputs']['imgs'].clone()
        (sample,) = model(**inputs, mode='predict')
        assert torch.equal(inputs['inputs']['imgs'], images), 'the batch is left as it was'
        return sample.rendered['rgb_error'], sample.rendered.get('rgb_grey_error')

    colour, grey = errors()
    assert len(grey) == len(colour) and not torch.equal(grey, colour)
    whole = model.data_preprocessor(batch(1), training=False)
    whole['inputs']['imgs'] = torch.zeros_like(whole['inputs']['imgs'])
    views = model.views
    model.views = lambda inputs, metas: views(model.data_preprocessor(batch(1), training=False)['inputs'], metas)
    (sample,) = model(**whole, mode='predict')  # the images are grey from the beginning, the targets are not
    model.views = views
    torch.testing.assert_close(grey, sample.rendered['rgb_error'], msg='held-back points and images as everywhere')
    model.view_transform.register_forward_hook(lambda module, inputs, output: torch.zeros_like(output))
    colour, grey = errors()
    assert torch.equal(grey, colour), 'a camera branch that carries nothing'
    model.grey_images = False
    assert errors()[1] is None


def test_held_back_points_are_not_encoded_in_evaluation() -> None:
    model = build().eval()
    inputs = model.data_preprocessor(batch(1), training=False)
    got = []
    encode = model.encode
    model.encode = lambda points, imgs, depth, metas: got.append(points[0]) or encode(points, imgs, depth, metas)
    model(**inputs, mode='predict')
    cloud, held = inputs['inputs']['points'][0], model.heldout(inputs['inputs']['keyframe_points'][0])
    assert torch.equal(got[0], cloud[~held]), 'the cloud of this batch is the keyframe, in order'
    shuffled = cloud[torch.randperm(len(cloud))]
    assert len(without_points(shuffled, cloud[held, :3])) == int((~held).sum())
    assert torch.equal(without_points(cloud + 0.5, cloud[held, :3]), cloud + 0.5)


def test_the_volume_must_cover_the_bev() -> None:
    cfg = tiny_model()
    cfg['render_head']['point_cloud_range'] = [-50.0, -50.0, -5.0, 50.0, 50.0, 3.0]
    with pytest.raises(ValueError, match='must be that of voxelize_cfg'):
        MODELS.build(cfg)


def test_a_non_finite_loss_stops_before_the_weights() -> None:
    model = build()
    losses = losses_of(model, batch(1))
    losses['loss_range'] = losses['loss_range'] * float('nan')
    with pytest.raises(NonFiniteLossError, match='loss_range = nan'):
        model.parse_losses(losses)


def test_single_modalities_train() -> None:
    lidar = build(img_backbone=None, img_neck=None, view_transform=None, fusion_layer=None, prototype_head=None)
    losses = losses_of(lidar, batch())
    assert losses['loss_rgb'] == 0
    total(losses).backward()
    cfg = tiny_model(pts_middle_encoder=None, fusion_layer=None, prototype_head=None)
    cfg['pts_backbone']['in_channels'] = 12
    camera = MODELS.build(cfg).train()
    total(losses_of(camera, batch())).backward()
    for model in (lidar, camera):
        assert all(p.grad is not None for p in model.parameters() if p.requires_grad)


@pytest.mark.parametrize(
    'overrides,match',
    [
        (dict(depth_source='some'), 'depth_source'),
        (dict(heldout_ratio=1.0), 'heldout_ratio'),
        (dict(img_backbone=None, img_neck=None, view_transform=None, fusion_layer=None), 'prototype_head'),
    ],
)
def test_wrong_options_are_named(overrides: dict, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        MODELS.build(tiny_model(**overrides))


def test_a_sample_without_points_in_range_does_not_stop_the_batch() -> None:
    far = street(300) + np.float32([200, 0, 0, 0, 0])
    losses = losses_of(build(), batch(clouds=[street(), far]))
    assert torch.isfinite(total(losses))


def test_warmup_sampler_takes_the_numbers_of_rays_of_the_main_one() -> None:
    model = build()
    assert model.warmup_sampler.num_lidar_rays == 64 and model.warmup_sampler.num_camera_rays == 16
    assert type(model.warmup_sampler).__name__ == 'UniformRaySampler'
    model.warming_up = True
    assert model.active_sampler is model.warmup_sampler
