from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from projects.CLAP.clap.datasets.transforms import image_aug
from projects.CLAP.clap.datasets.transforms.image_aug import (
    CLAPImageAug3D,
    ImageAugmentation,
    augment_image,
    augmentation_matrix,
    draw_augmentation,
)
from tests.fixtures.golden import golden


def _move(matrix: np.ndarray, uv: np.ndarray) -> np.ndarray:
    return uv @ matrix[:2, :2].T + matrix[:2, 3]


def test_half_size_and_crop_by_hand():
    """100 x 200 halved is 50 x 100; the window of 40 x 80 at the bottom centre starts at (10, 10)."""
    aug = draw_augmentation((100, 200), (40, 80), (0.5, 0.5), (0.0, 0.0), (-5, 5), rand_flip=True, is_train=False)
    assert aug == ImageAugmentation((100, 50), (10, 10), (80, 40), False, 0.0)
    matrix = augmentation_matrix((100, 200), aug)
    np.testing.assert_allclose(_move(matrix, np.array([[20.0, 20.0], [180.0, 100.0]])), [[0, 0], [80, 40]])


def test_evaluation_is_the_middle_of_the_paper_s_range_and_training_stays_in_it():
    aug = draw_augmentation((900, 1600), (256, 704), (0.48, 0.48), (0.0, 0.0), (0, 0), False, is_train=False)
    assert (aug.size, aug.corner) == ((768, 432), (32, 176))
    for _ in range(50):
        aug = draw_augmentation((900, 1600), (256, 704), (0.38, 0.55), (0.0, 0.1), (-5.4, 5.4), True, is_train=True)
        assert 608 <= aug.size[0] <= 880
        assert aug.size[1] * 0.9 - 1 <= aug.corner[1] + 256 <= aug.size[1]
        assert 0 <= aug.corner[0] <= max(0, aug.size[0] - 704)
        assert abs(aug.angle_deg) <= 5.4


def test_golden_evaluation():
    """The sum of the pixels, which depends on Pillow a little, notices a window that leaves the picture.

    BEVFusion's pixels become float32 here (`img_dtype`), this project's in the data preprocessor.
    """
    entry = golden()['image_aug']
    image = (7919 * np.arange(900 * 1600 * 3) % 251).reshape(900, 1600, 3).astype(np.uint8)
    step = CLAPImageAug3D((256, 704), (0.48, 0.48), is_train=False)
    results = step.transform(dict(img=[image], cam_names=['front']))
    matrix = results['img_aug_matrix'][0]
    assert str(matrix.dtype) == entry['matrix_dtype']
    np.testing.assert_allclose(matrix, entry['test_matrix'], rtol=1e-6)
    assert list(results['img'][0].shape) == entry['img_shape']
    assert int(results['img'][0].sum(dtype=np.int64)) == pytest.approx(entry['test_img_sum'], rel=1e-4)


def test_golden_training(monkeypatch):
    """With numpy's draws in BEVFusion's order: scale, bottom share, left edge, flip, angle.

    The scale in the matrix is that of the resized picture, whose size is whole pixels; BEVFusion's is the drawn one.
    """
    draws, numpy_draws = [], np.random.RandomState(0)

    def draw(limits, generator=None):
        draws.append(numpy_draws.uniform(*limits))
        return draws[-1]

    monkeypatch.setattr(image_aug, 'uniform', draw)
    monkeypatch.setattr(image_aug, 'coin', lambda probability, generator: bool(numpy_draws.choice([0, 1])))
    for expected in golden()['image_aug']['train_matrices']:
        draws.clear()
        aug = draw_augmentation((900, 1600), (256, 704), (0.38, 0.55), (0.0, 0.0), (-5.4, 5.4), True, is_train=True)
        width, height = 1600 * draws[0], 900 * draws[0]
        assert aug.size == (int(width), int(height))
        matrix = augmentation_matrix((900, 1600), aug._replace(size=(width, height)))
        np.testing.assert_allclose(matrix, expected, rtol=1e-5, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    scale=st.floats(0.5, 1.4),
    left=st.integers(-10, 60),
    top=st.integers(-10, 40),
    flip=st.booleans(),
    angle=st.floats(-8, 8),
    u=st.floats(20, 180),
    v=st.floats(20, 100),
)
def test_matrix_says_where_the_picture_went(scale, left, top, flip, angle, u, v):
    """A soft bright dot: its centre of mass in the augmented image is where the matrix puts it."""
    rows, columns = np.mgrid[0:120, 0:200] + 0.5
    dot = 250 * np.exp(-((columns - u) ** 2 + (rows - v) ** 2) / (2 * 3.0**2))
    image = np.repeat(dot[..., None], 3, axis=2).astype(np.uint8)
    aug = ImageAugmentation((int(200 * scale), int(120 * scale)), (left, top), (160, 96), flip, angle)
    expected = _move(augmentation_matrix((120, 200), aug), np.array([[u, v]]))[0]
    result = augment_image(image, aug).astype(float)[..., 0]
    assert result.shape == (96, 160)
    margin = 4 * 3 * scale + 2
    if not (margin < expected[0] < 160 - margin and margin < expected[1] < 96 - margin):
        return
    rows, columns = np.mgrid[0:96, 0:160] + 0.5
    found = [(result * columns).sum() / result.sum(), (result * rows).sum() / result.sum()]
    np.testing.assert_allclose(found, expected, atol=0.15)


@settings(max_examples=40, deadline=None)
@given(
    shape=st.sampled_from([(61, 97), (97, 73)]),
    scale=st.floats(0.15, 1.4),
    left=st.integers(-40, 150),
    top=st.integers(-40, 100),
    width=st.integers(1, 140),
    height=st.integers(1, 100),
)
def test_the_window_is_cut_from_the_resized_picture_to_the_last_bit(shape, scale, left, top, width, height):
    image = np.random.RandomState(0).randint(0, 256, (*shape, 3), dtype=np.uint8)
    size = int(shape[1] * scale), int(shape[0] * scale)
    window = (left, top, left + width, top + height)
    whole = Image.fromarray(image).resize(size, Image.BICUBIC).crop(window)
    assert np.array_equal(np.asarray(image_aug._resized_window(image, size, window)), np.asarray(whole))


def test_cameras_of_different_sizes_end_at_one_size():
    step = CLAPImageAug3D(final_dim=(32, 64), resize_lim=[(0.5, 0.5), (0.25, 0.25)], is_train=False)
    images = [np.zeros((90, 160, 3), np.uint8), np.zeros((180, 320, 3), np.uint8)]
    results = step.transform(dict(img=images, cam_names=['a', 'b']))
    assert [image.shape for image in results['img']] == [(32, 64, 3)] * 2
    assert results['img_shape'] == (32, 64)
    corners = [_move(matrix, np.array([[0.0, 0.0]])) for matrix in results['img_aug_matrix']]
    np.testing.assert_allclose(corners[0], corners[1])


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(final_dim=(32, 64), resize_lim=(0.5, 0.4)), 'low <= high'),
        (dict(final_dim=(32, 64), resize_lim=(0.0, 0.4)), 'must be positive'),
        (dict(final_dim=(32,), resize_lim=(0.4, 0.4)), 'final_dim'),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        CLAPImageAug3D(**arguments)


def test_one_range_per_camera_must_fit_the_cameras():
    step = CLAPImageAug3D(final_dim=(32, 64), resize_lim=[(0.5, 0.5), (0.25, 0.25)])
    with pytest.raises(ValueError, match='2 ranges, the frame 1 cameras'):
        step.transform(dict(img=[np.zeros((90, 160, 3), np.uint8)], cam_names=['a']))
