"""Pictures of no method in particular, drawn; and the picture that every method has, the points on the images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.text import Text

from projects.CLAP.clap.functional import project_points
from projects.CLAP.clap.pretrain.pictures import Against, Block, Image, Picture, Points, Quantity, title_of, top_of
from projects.CLAP.clap.visualization import draw, known_pictures, lidar_on_images, pictures_of, save, to_pixels
from projects.CLAP.clap.visualization.colours import category_colours, to_rgba
from tests.fixtures.tiny import batch, build

RNG = np.random.default_rng(0)
CLOUD = RNG.uniform(-10, 10, (200, 3))
HEIGHT = Quantity(CLOUD[:, 2], 'turbo', 10.0, 'height (m)')
PHOTO = Image('front', RNG.uniform(size=(8, 16, 3)), kept=0.3)


def texts(figure) -> list:
    """Every word in a figure."""
    return [found.get_text() for found in figure.findobj(Text) if found.get_text()]


def test_every_kind_of_panel_is_drawn(tmp_path: Path) -> None:
    over = Image('map', PHOTO.rgb, 'left', over=Quantity(np.arange(8).reshape(2, 4)), alpha=0.5)
    dots = Image('dots', PHOTO.rgb, dots=np.array([[3.5, 2.5], [15.5, 7.5]]))
    rays = np.stack([np.zeros((5, 3)), CLOUD[:5]], axis=1)
    picture = Picture(
        'a frame',
        [
            Block(
                [Points('above', CLOUD, HEIGHT, rays=rays), Points('kinds', CLOUD, Quantity(np.arange(200) % 7 - 1))], 2
            ),
            Block([Points('seen', CLOUD, HEIGHT, origins=np.zeros((200, 3)))], heading='as seen'),
            Block([PHOTO, over, dots], 2, (3.0, 2.0)),
            Block([Against('one against the other', CLOUD[:, 0], CLOUD[:, 1], 'x (m)', 'y (m)', 10.0)]),
        ],
    )
    said = texts(draw(picture))
    for title in ('a frame', 'above', 'kinds', 'seen', 'as seen', 'front', 'map', 'left', 'dots', 'height (m)'):
        assert title in said
    (path,) = save({'all': picture}, tmp_path / 'new', 'f')
    assert path.name == 'f_all.png' and path.stat().st_size > 5000


def test_dots_and_maps_lie_where_they_belong() -> None:
    """A map of two cells covers the halves of its image; a dot's place is in pixels of the image."""
    halves = Image('', np.zeros((4, 8, 3)), over=Quantity(np.array([[0.0, 1.0]]), 'gray'), dots=np.array([[1.5, 2.5]]))
    axis = draw(Picture('', [Block([halves])])).axes[0]
    (dots,) = axis.collections
    np.testing.assert_allclose(dots.get_offsets(), [[1.5, 2.5]])
    assert [image.get_extent() for image in axis.images] == [[0, 8, 4, 0]] * 2
    np.testing.assert_allclose(axis.images[1].get_array()[0, :, 0], [0.0, 1.0])


def test_the_sensor_sees_left_at_plus_ninety_degrees() -> None:
    point = np.array([[1.0, 3.0, 1.0], [1.0, 2.0, 2.0]])
    panel = Points('', point, Quantity(np.ones(2), 'turbo'), origins=np.array([[1.0, 2.0, 1.0]] * 2))
    axis = draw(Picture('', [Block([panel])])).axes[0]
    np.testing.assert_allclose(axis.collections[0].get_offsets(), [[90.0, 0.0], [0.0, 90.0]], atol=1e-6)
    assert axis.get_xlim() == (180, -180)


def test_panels_with_the_same_colours_share_a_bar() -> None:
    other = Quantity(CLOUD[:, 0], 'turbo', 5.0, 'x (m)')
    panels = [Points('', CLOUD, HEIGHT), Points('', CLOUD, HEIGHT), Points('', CLOUD, other)]
    figure = draw(Picture('', [Block(panels)]))
    assert len(figure.axes) == 5 and texts(figure).count('height (m)') == 1


def test_colours_of_categories_differ_and_do_not_depend_on_their_number() -> None:
    table = category_colours(64)
    assert table.shape == (65, 3) and table.min() >= 0 and table.max() <= 1
    distance = np.abs(table[:, None] - table[None]).max(-1) + 10 * np.eye(65)
    assert distance.min() > 0.02
    np.testing.assert_array_equal(category_colours(512)[:64], table[:64])
    np.testing.assert_array_equal(table[-1], [0.6, 0.6, 0.6])
    np.testing.assert_array_equal(to_rgba(Quantity(np.array([3, -1])))[:, :3], table[[3, -1]])
    assert to_rgba(Quantity(np.zeros((0,), int))).shape == (0, 4)


def test_scales_end_at_the_98th_percentile_and_nan_is_left_out() -> None:
    values = np.append(np.arange(101.0), np.nan)
    assert top_of(values) == pytest.approx(98.0) and top_of(np.zeros(3)) > 0 and top_of(np.full(2, np.nan)) == 1.0
    rgba = to_rgba(Quantity(values, 'turbo', 98.0))
    assert rgba[-1, 3] == 0 and (rgba[98] == rgba[100]).all() and (rgba[97] != rgba[90]).any()
    assert title_of(dict(lidar_path='a/b.bin'), '', 'iteration 3') == 'b.bin; iteration 3'


def test_the_points_lie_on_the_images_where_the_model_projects_them() -> None:
    """Every dot of the calibration picture is a projected point, coloured by its range; without cameras no picture."""
    model = build().eval()
    data = model.data_preprocessor(batch(1), training=False)
    (picture,) = pictures_of(model, data, [lidar_on_images.NAME]).values()
    inputs, metas = data['inputs'], [sample.metainfo for sample in data['data_samples']]
    points, views = model.sweeps(inputs, metas)[0].points, model.views(inputs, metas)[0]
    seen = project_points(points, views.lidar2img, views.img_aug, views.lidar_aug, (64, 128))
    assert len(picture.blocks[0].panels) == len(seen.visible) == 2
    for panel, uv, visible in zip(picture.blocks[0].panels, seen.uv, seen.visible):
        nearest_last = points[visible].norm(dim=1).argsort(descending=True)
        np.testing.assert_allclose(panel.dots, uv[visible][nearest_last], atol=1e-3)
        np.testing.assert_allclose(panel.dots_shown.values, points[visible].norm(dim=1)[nearest_last], rtol=1e-5)
        assert visible.sum() > 20 and f'{int(visible.sum())} points' in panel.title
    assert to_pixels(draw(picture)).std() > 1
    blind = build(img_backbone=None, img_neck=None, view_transform=None, fusion_layer=None, prototype_head=None).eval()
    assert known_pictures(blind)[0] == lidar_on_images.NAME
    assert pictures_of(blind, blind.data_preprocessor(batch(1), training=False), [lidar_on_images.NAME]) == {}
