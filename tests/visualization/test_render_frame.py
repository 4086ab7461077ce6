"""What the pictures show is what the model says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.text import Text

from projects.CLAP.clap.functional import project_points
from projects.CLAP.clap.pretrain.samplers.base import lidar_rays
from projects.CLAP.clap.visualization import (
    FIGURES,
    draw_frame,
    frame_figures,
    lidar_on_images,
    render_frame,
    to_pixels,
)
from tests.fixtures.tiny import batch, build

STRIDE = 16


@pytest.fixture(scope='module')
def shown() -> tuple:
    """Model, batch and picture of the tiny street."""
    model = build().eval()
    data = model.data_preprocessor(batch(1), training=False)
    return model, data, render_frame(model, data, STRIDE)


@torch.no_grad()
def test_arrays_are_the_models_own(shown: tuple) -> None:
    model, data, picture = shown
    inputs, metas = data['inputs'], [sample.metainfo for sample in data['data_samples']]
    encoded = model.encode_masked(inputs, metas)
    field = model.render_head.decode(encoded.fused_bev)[0]
    sweep = model.sweeps(inputs, metas)[0]
    near = (sweep.points - sweep.origins).norm(dim=-1) <= 1.0
    inside = ((sweep.points >= field.box_min) & (sweep.points < field.box_max)).all(-1)
    index = (inside & ~near).nonzero().squeeze(-1)  # held-back points are shown too
    np.testing.assert_array_equal(picture.points, sweep.points[index].numpy())
    rays = lidar_rays(sweep, index)
    np.testing.assert_allclose(picture.rendered_range_m, model.render_head.render(field, rays).range_m, atol=1e-4)
    np.testing.assert_allclose(picture.range_m, rays.targets)
    weights = model.ray_sampler.point_weights(field, sweep, index).detach().numpy()
    large = weights > 1e-3 * weights.mean()
    np.testing.assert_allclose(picture.curvature[large], weights[large], rtol=1e-3)
    maps = model.prototype_head.assign(encoded.lidar_bev, encoded.camera_bev)
    for assigned, drawn in zip(maps, (picture.prototype, picture.prototype_camera)):
        cells = ((picture.points[:, :2] + 16) / 32 * np.array(assigned.shape[1:])).astype(int)
        np.testing.assert_array_equal(drawn, assigned[0].numpy()[cells[:, 0], cells[:, 1]])
    assert picture.sampler == 'CurvatureRaySampler' and len(picture.drawn) == 64


def test_cameras_are_on_the_grid(shown: tuple) -> None:
    _, data, picture = shown
    for index, camera in enumerate(picture.cameras):
        assert camera.name == f'CAM_{index}' and camera.rgb.shape == (64, 128, 3)
        assert camera.rendered_rgb.shape == (4, 8, 3) and camera.rendered_range_m.shape == (4, 8)
        assert camera.prototype.shape == (4, 8) and camera.prototype.max() < picture.num_prototypes == 8
        assert camera.curvature.shape == (64, 128) and camera.curvature.min() >= 0 < camera.curvature.max()
        assert camera.drawn.shape == (16, 2) and (camera.drawn < [64, 128]).all()
    original = batch(1)['inputs']['img'][0][0].permute(1, 2, 0).numpy() / 255
    np.testing.assert_allclose(picture.cameras[0].rgb, original, atol=1e-3)


def test_few_points_are_a_fixed_random_subset(shown: tuple) -> None:
    model, data, picture = shown
    few = render_frame(model, data, 64, max_points=100)
    assert len(few.points) == 100 and len(few.curvature) == 100
    places = [int(np.flatnonzero((picture.points == point).all(1))[0]) for point in few.points]
    assert places == sorted(set(places)) and len(set(np.diff(places))) > 5
    np.testing.assert_array_equal(few.points, render_frame(model, data, 64, max_points=100).points)


def test_every_figure_is_drawn_and_says_something(shown: tuple, tmp_path: Path) -> None:
    picture = shown[2]
    paths = draw_frame(picture, tmp_path / 'new', 'f')
    assert [p.name for p in paths] == [f'f_{name}.png' for name in FIGURES]
    assert all(p.stat().st_size > 5000 for p in paths)
    one = to_pixels(frame_figures(picture, ['lidar_range'])['lidar_range'])
    assert one.dtype == np.uint8 and one.ndim == 3 and one.shape[2] == 3
    wrong = replace(picture, rendered_range_m=picture.rendered_range_m + 5)
    other = to_pixels(frame_figures(wrong, ['lidar_range'])['lidar_range'])
    assert (one != other).mean() > 0.001


def texts(figure) -> str:
    """Every word in a figure."""
    return ' | '.join(found.get_text() for found in figure.findobj(Text) if found.get_text())


def test_figures_say_what_they_show(shown: tuple) -> None:
    model, data, picture = shown
    named = render_frame(model, data, STRIDE, max_points=50, state='iteration 7')
    assert '; iteration 7; whole input (not masked)' in named.title
    figures = frame_figures(named, list(FIGURES))
    assert all('iteration 7' in texts(figure) for figure in figures.values())
    said = texts(figures['curvature'])
    assert 'every image has a scale of its own' in said and "98th percentile of the image's weights" in said
    assert 'points in a cell (logarithmic scale)' in texts(figures['lidar_range'])
    agree = np.mean(named.prototype == named.prototype_camera)
    assert f'agree on {agree:.0%} of the points' in texts(figures['prototypes'])


def test_a_lidar_model_gives_what_it_can() -> None:
    model = build(img_backbone=None, img_neck=None, view_transform=None, fusion_layer=None, prototype_head=None).eval()
    data = model.data_preprocessor(batch(1), training=False)
    picture = render_frame(model, data, STRIDE, max_points=50)
    assert picture.cameras == [] and picture.prototype is None
    figures = frame_figures(picture, list(FIGURES))
    assert list(figures) == ['lidar_range', 'curvature', 'rays', 'cloud']
    assert all(to_pixels(figure).std() > 1 for figure in figures.values())


def test_the_points_lie_on_the_images_where_the_model_projects_them(shown: tuple) -> None:
    """Every dot of the calibration picture is a projected point, coloured by its range; without cameras no picture."""
    model, data, _ = shown
    figure = lidar_on_images.batch_figure(model, data)
    inputs, metas = data['inputs'], [sample.metainfo for sample in data['data_samples']]
    points, views = model.sweeps(inputs, metas)[0].points, model.views(inputs, metas)[0]
    seen = project_points(points, views.lidar2img, views.img_aug, views.lidar_aug, (64, 128))
    for index, visible in enumerate(seen.visible):
        (dots,) = figure.axes[index].collections
        nearest_last = points[visible].norm(dim=1).argsort(descending=True)
        np.testing.assert_allclose(dots.get_offsets(), seen.uv[index][visible][nearest_last], atol=1e-3)
        np.testing.assert_allclose(dots.get_array(), points[visible].norm(dim=1)[nearest_last], rtol=1e-5)
        assert visible.sum() > 20 and f'{int(visible.sum())} points' in figure.axes[index].get_title()
    assert 'range of the point (m)' in texts(figure)
    blind = build(img_backbone=None, img_neck=None, view_transform=None, fusion_layer=None, prototype_head=None).eval()
    assert lidar_on_images.batch_figure(blind, blind.data_preprocessor(batch(1), training=False)) is None
