"""Superpixels: making, keeping and moving them; those of another image are an error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import binary_erosion
from skimage.measure import label

from projects.CLAP.clap.datasets.file_checks import mirrored_file
from projects.CLAP.clap.datasets.superpixels import (
    NO_SEGMENT,
    read_superpixels,
    segment_image,
    write_superpixels,
)
from projects.CLAP.clap.datasets.transforms.image_aug import ImageAugmentation, augment_image, augmentation_matrix
from projects.CLAP.clap.datasets.transforms.superpixels import CLAPLoadSuperpixels, moved_segments
from projects.CLAP.clap.errors import ConfigError, DataError


def quarters(height: int = 80, width: int = 160) -> np.ndarray:
    """Four coloured quarters."""
    image = np.zeros((height, width, 3), dtype=np.uint8)
    image[: height // 2, :, 0] = 200
    image[:, : width // 2, 1] = 200
    return image


def test_segments_are_connected_and_keep_to_edges_better_than_a_grid():
    image = quarters(90, 150)
    found = segment_image(image, 16)
    count = int(found.max()) + 1
    assert found.dtype == np.uint8 and found.shape == (90, 150) and 8 <= count <= 20
    assert np.array_equal(found, segment_image(image, 16)), 'nothing is drawn'
    for number in range(count):
        assert label(found == number, connectivity=1).max() == 1
    row, column = np.indices(found.shape)
    assert purity(image, found) > 0.93 > purity(image, row // 18 * 5 + column // 30)


def purity(image: np.ndarray, segments: np.ndarray) -> float:
    """Share of the pixels that have the most frequent colour of their segment."""
    flat = (image[..., 0] > 0) * 2 + (image[..., 1] > 0)
    return sum(np.bincount(flat[segments == number]).max() for number in np.unique(segments)) / flat.size


def test_large_images_are_halved():
    assert segment_image(quarters(600, 1200), 4).shape == (300, 600)


def test_files_lie_as_the_images_do(tmp_path: Path):
    folder = tmp_path / 'superpixels'
    assert mirrored_file(folder, str(tmp_path / 'cam' / '1.jpg')) == folder / 'cam' / '1.jpg.png'
    assert mirrored_file(folder, '/elsewhere/1.jpg') == folder / 'elsewhere' / '1.jpg.png'


def test_what_is_kept_is_read_and_nothing_else(tmp_path: Path):
    image, folder = tmp_path / '1.png', tmp_path / 'superpixels'
    Image.fromarray(quarters()).save(image)
    with pytest.raises(DataError, match='no superpixels'):
        read_superpixels(folder, str(image), 16)
    write_superpixels(folder, str(image), 16)
    assert np.array_equal(read_superpixels(folder, str(image), 16), segment_image(quarters(), 16))
    with pytest.raises(DataError, match='num_segments=16, expected 30'):
        read_superpixels(folder, str(image), 30)
    Image.fromarray(quarters()[:, ::-1]).save(image)
    with pytest.raises(DataError, match='another image'):
        read_superpixels(folder, str(image), 16)
    mirrored_file(folder, str(image)).write_bytes(b'no picture')
    with pytest.raises(DataError, match='cannot be decoded'):
        read_superpixels(folder, str(image), 16)


@pytest.mark.parametrize('flip', [False, True])
@pytest.mark.parametrize('angle', [0.0, 5.4, -30.0])
@pytest.mark.parametrize('corner', [(10, 20), (-15, 40)])
def test_they_move_exactly_as_the_image_does(flip: bool, angle: float, corner):
    """Where the augmented picture has a pure colour, it is that of the segment; where it is black, there is none."""
    draws = np.random.default_rng(0)
    segments = np.arange(24, dtype=np.uint8).reshape(4, 6).repeat(20, 0).repeat(20, 1)  # of half the image's size
    colours = draws.integers(60, 256, (24, 3), dtype=np.uint8)
    image = colours[segments.repeat(2, 0).repeat(2, 1)]
    aug = ImageAugmentation((168, 112), corner, (90, 60), flip, angle)
    moved = moved_segments(segments, image.shape[:2], augmentation_matrix(image.shape[:2], aug), (60, 90))
    seen = augment_image(image, aug).astype(int)
    distance = np.abs(seen[:, :, None] - colours.astype(int)).max(-1)
    pure = distance.min(-1) <= 2
    assert pure.mean() > 0.4
    assert np.array_equal(distance.argmin(-1)[pure], moved[pure])
    nowhere = moved == NO_SEGMENT
    assert (seen[~nowhere].max(-1) > 0).all() and (seen[binary_erosion(nowhere)] == 0).all()
    assert nowhere.any() == (corner[0] < 0)


def test_the_loader_stacks_those_of_all_cameras(tmp_path: Path):
    paths, images = [], []
    for number in range(2):
        paths.append(str(tmp_path / f'{number}.png'))
        Image.fromarray(quarters()[:, :: 1 - 2 * number]).save(paths[-1])
        write_superpixels(tmp_path / 's', paths[-1], 16)
        images.append(np.zeros((40, 80, 3), np.uint8))
    half = np.diag([0.5, 0.5, 1, 1]).astype(np.float32)
    step = CLAPLoadSuperpixels(str(tmp_path / 's'), 16)
    found = step.transform(dict(img=images, img_path=paths, ori_shape=(80, 160), img_aug_matrix=[half, half]))
    assert found['superpixels'].shape == (2, 40, 80) and found['superpixels'].dtype == np.uint8
    for own, path in zip(found['superpixels'], paths):
        assert np.array_equal(own, read_superpixels(tmp_path / 's', path, 16)[1::2, 1::2])
    with pytest.raises(ConfigError, match='behind CLAPImageAug3D'):
        step.transform(dict(img=images, img_path=paths, ori_shape=(80, 160)))
    with pytest.raises(ConfigError, match='num_segments'):
        CLAPLoadSuperpixels(str(tmp_path), 500)
