"""What CLAP's pictures show is what the model says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from projects.CLAP.clap.pretrain import clap_pictures
from projects.CLAP.clap.pretrain.clap_frame import render_frame
from projects.CLAP.clap.pretrain.samplers.base import lidar_rays
from projects.CLAP.clap.visualization import draw, to_pixels
from tests.fixtures.tiny import batch, build

STRIDE = 16
NAMES = list(clap_pictures.TITLES)


@pytest.fixture(scope='module')
def shown() -> tuple:
    """Model, batch and arrays of the tiny street."""
    model = build().eval()
    data = model.data_preprocessor(batch(1), training=False)
    return model, data, render_frame(model, data, STRIDE)


@torch.no_grad()
def test_arrays_are_the_models_own(shown: tuple) -> None:
    model, data, frame = shown
    inputs, metas = data['inputs'], [sample.metainfo for sample in data['data_samples']]
    encoded = model.encode_masked(inputs, metas)
    field = model.render_head.decode(encoded.fused_bev)[0]
    sweep = model.sweeps(inputs, metas)[0]
    near = (sweep.points - sweep.origins).norm(dim=-1) <= 2.5
    inside = ((sweep.points >= field.box_min) & (sweep.points < field.box_max)).all(-1)
    index = (inside & ~near).nonzero().squeeze(-1)  # held-back points are shown too
    np.testing.assert_array_equal(frame.points, sweep.points[index].numpy())
    rays = lidar_rays(sweep, index)
    np.testing.assert_allclose(frame.rendered_range_m, model.render_head.render(field, rays).range_m, atol=1e-4)
    np.testing.assert_allclose(frame.range_m, rays.targets)
    weights = model.ray_sampler.point_weights(field, sweep, index).detach().numpy()
    large = weights > 1e-3 * weights.mean()
    np.testing.assert_allclose(frame.curvature[large], weights[large], rtol=1e-3)
    maps = model.prototype_head.assign(encoded.lidar_bev, encoded.camera_bev)
    for assigned, drawn in zip(maps, (frame.prototype, frame.prototype_camera)):
        cells = ((frame.points[:, :2] + 16) / 32 * np.array(assigned.shape[1:])).astype(int)
        np.testing.assert_array_equal(drawn, assigned[0].numpy()[cells[:, 0], cells[:, 1]])
    assert frame.sampler == 'CurvatureRaySampler' and frame.rays.shape == (64, 2, 3)
    ends = {tuple(point) for point in sweep.points.numpy()}
    assert all(tuple(end) in ends for end in frame.rays[:, 1]) and not frame.rays[:, 0].any()


def test_cameras_are_on_the_grid(shown: tuple) -> None:
    frame = shown[2]
    for index, camera in enumerate(frame.cameras):
        assert camera.photo.title == f'CAM_{index}' and camera.photo.rgb.shape == (64, 128, 3)
        assert camera.rendered_rgb.shape == (4, 8, 3) and camera.rendered_range_m.shape == (4, 8)
        assert camera.prototype.shape == (4, 8) and camera.prototype.max() < frame.num_prototypes == 8
        assert camera.curvature.shape == (64, 128) and camera.curvature.min() >= 0 < camera.curvature.max()
        assert camera.drawn.shape == (16, 2) and (camera.drawn < [64, 128]).all()
    original = batch(1)['inputs']['img'][0][0].permute(1, 2, 0).numpy() / 255
    np.testing.assert_allclose(frame.cameras[0].photo.rgb, original, atol=1e-3)


def test_few_points_are_a_fixed_random_subset(shown: tuple) -> None:
    model, data, frame = shown
    few = render_frame(model, data, 64, max_points=100)
    assert len(few.points) == 100 and len(few.curvature) == 100
    places = [int(np.flatnonzero((frame.points == point).all(1))[0]) for point in few.points]
    assert places == sorted(set(places)) and len(set(np.diff(places))) > 5
    np.testing.assert_array_equal(few.points, render_frame(model, data, 64, max_points=100).points)


def test_the_pictures_hold_the_frame(shown: tuple) -> None:
    model, data, frame = shown
    assert dict(model.picture_titles) == clap_pictures.TITLES
    pictures = model.pictures(data, NAMES, stride=STRIDE, state='iteration 7')
    assert list(pictures) == NAMES
    for picture in pictures.values():
        assert {'street.bin', 'iteration 7', 'whole input (not masked)'} == set(picture.title.split('; '))
    error = np.abs(frame.rendered_range_m - frame.range_m)
    seen, against = pictures['lidar_range'].blocks
    for panel, values in zip(seen.panels, (frame.range_m, frame.rendered_range_m, error)):
        np.testing.assert_array_equal(panel.shown.values, values)
    assert f'median {np.median(error):.2f} m' in seen.panels[2].title and f'{len(error)} points' in seen.panels[2].title
    np.testing.assert_array_equal(against.panels[0].y, frame.rendered_range_m)
    above, images = pictures['curvature'].blocks
    assert above.panels[0].shown.top == pytest.approx(np.percentile(frame.curvature, 98))
    for panel, camera in zip(images.panels, frame.cameras):
        own = np.percentile(camera.curvature[camera.curvature > 0], 98)
        np.testing.assert_allclose(panel.over.values, np.minimum(camera.curvature / own, 1), rtol=1e-5)
        assert f'(1.0 = {own:.2g} 1/m^2)' in panel.title  # the sampler squares curvature
    agree = np.mean(frame.prototype == frame.prototype_camera)
    assert f'{agree:.0%} of the points' in pictures['prototypes'].blocks[0].heading
    above, images = pictures['rays'].blocks
    np.testing.assert_array_equal(above.panels[0].rays, frame.rays)
    np.testing.assert_array_equal(images.panels[1].dots, frame.cameras[1].drawn[:, ::-1] + 0.5)


def test_a_wrong_rendering_looks_different(shown: tuple) -> None:
    frame = shown[2]
    wrong = replace(frame, rendered_range_m=frame.rendered_range_m + 5)
    one, other = (to_pixels(draw(clap_pictures.pictures(f, ['lidar_range'])['lidar_range'])) for f in (frame, wrong))
    assert one.dtype == np.uint8 and one.ndim == 3 and one.shape[2] == 3
    assert (one != other).mean() > 0.001


def test_a_lidar_model_gives_what_it_can() -> None:
    model = build(img_backbone=None, img_neck=None, view_transform=None, fusion_layer=None, prototype_head=None).eval()
    data = model.data_preprocessor(batch(1), training=False)
    pictures = model.pictures(data, NAMES, stride=STRIDE, max_points=50)
    assert list(pictures) == ['lidar_range', 'curvature', 'rays', 'cloud']
    assert [len(picture.blocks) for picture in pictures.values()] == [2, 1, 1, 1]
    assert all(to_pixels(draw(picture)).std() > 1 for picture in pictures.values())
    assert sorted(model.clouds(data)) == ['curvature', 'range_error', 'rendered']


def test_clouds_of_the_viewer_are_the_frames(shown: tuple) -> None:
    model, data, frame = shown
    clouds = model.clouds(data)
    assert sorted(clouds) == ['curvature', 'prototype', 'prototype_camera', 'range_error', 'rendered']
    np.testing.assert_array_equal(clouds['prototype'].shown.values, frame.prototype)
    np.testing.assert_allclose(clouds['range_error'].shown.values, frame.error_m, atol=1e-4)
    for name, cloud in clouds.items():
        if name != 'rendered':
            np.testing.assert_array_equal(cloud.points, frame.points)
    lengths = np.linalg.norm(clouds['rendered'].points - frame.origins, axis=1)
    np.testing.assert_allclose(lengths, frame.rendered_range_m, rtol=1e-4)
