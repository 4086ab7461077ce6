"""Weak classes of points from label images: by an independent projection, and what is wrong with images is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from projects.CLAP.clap.datasets.clap_dataset import CLAPDataset
from projects.CLAP.clap.datasets.transforms import CLAPLoadLabelImages
from projects.CLAP.clap.errors import ConfigError, DataError, DatasetError
from projects.CLAP.clap.pretrain.weak_labels import weak_labels
from tests.fixtures.driving_frames import PIPELINE, read_infos, write_dataset

SIZE = (90, 160)


def write_labels(folder: Path) -> dict:
    """Random classes below 5 and pixels of none for every image of the first frame, by camera."""
    rng, found = np.random.default_rng(3), {}
    (folder / 'labels').mkdir()
    for name, camera in read_infos(folder / 'infos.pkl')[0]['images'].items():
        found[name] = rng.choice([0, 1, 2, 3, 4, 255], SIZE).astype(np.uint8)
        Image.fromarray(found[name]).save(folder / 'labels' / f'{camera["img_path"]}.png')
    return found


def dataset(folder: Path) -> CLAPDataset:
    labels = dict(type='CLAPLoadLabelImages', folder=str(folder / 'labels'))
    pack = dict(type='CLAPPackInputs', keys=['points', 'img', 'keyframe_points', 'pts_semantic_mask'])
    steps = [*PIPELINE[:2], labels, *PIPELINE[2:-1], pack]
    return CLAPDataset(str(folder), 'infos.pkl', steps)


def test_a_point_has_the_class_of_its_pixel_in_the_first_camera_that_gives_one(tmp_path: Path) -> None:
    write_dataset(tmp_path, 1)
    images, info = write_labels(tmp_path), read_infos(tmp_path / 'infos.pkl')[0]
    points = np.fromfile(tmp_path / '0.bin', dtype=np.float32).reshape(-1, 5)[:, :3]
    expected = np.full(len(points), 255)
    for index, point in enumerate(points):
        for name, camera in info['images'].items():
            x, y, z = np.asarray(camera['cam2img']) @ (np.asarray(camera['lidar2cam']) @ [*point, 1])[:3]
            column, row = (int(np.floor(x / z)), int(np.floor(y / z)))
            if z > 0 and 0 <= column < SIZE[1] and 0 <= row < SIZE[0] and expected[index] == 255:
                expected[index] = images[name][row, column]
    sample = dataset(tmp_path)[0]
    found = sample['data_samples'].gt_pts_seg.pts_semantic_mask.numpy()
    assert np.array_equal(found, expected) and set(expected) == {0, 1, 2, 3, 4, 255}, 'after augmentation, too'
    (told,) = weak_labels([sample['data_samples']], [len(points)], 5)
    assert np.array_equal(told.numpy(), np.where(expected == 255, -1, expected))


def test_missing_images_stop_before_the_first_step(tmp_path: Path) -> None:
    write_dataset(tmp_path, 1)
    write_labels(tmp_path)
    (tmp_path / 'labels' / 'CAM_LEFT_0.png.png').unlink()
    with pytest.raises(DatasetError, match=r'(?s)label images in .*labels of 2 images.*CAM_LEFT_0\.png\.png'):
        dataset(tmp_path)


@pytest.mark.parametrize('size, mode', [((160, 90), 'RGB'), ((80, 45), 'L'), ((160, 90), 'I;16')])
def test_images_of_another_size_or_kind_are_named(tmp_path: Path, size: tuple, mode: str) -> None:
    write_dataset(tmp_path, 1)
    write_labels(tmp_path)
    Image.new(mode, size).save(tmp_path / 'labels' / 'CAM_FRONT_0.png.png')
    with pytest.raises(
        DataError, match=rf'CAM_FRONT_0\.png\.png: expected .* 160 x 90 pixels; got mode {mode}, {size[0]}'
    ):
        dataset(tmp_path)[0]


def test_two_sources_and_the_wrong_place_are_refused() -> None:
    step, recorded = CLAPLoadLabelImages('labels'), dict(lidar2img=0, keyframe_points=0)
    with pytest.raises(ConfigError, match='before CLAPImageAug3D'):
        step.transform(dict(recorded, img_aug_matrix=0))
    with pytest.raises(ConfigError, match='leave one of them out'):
        step.transform(dict(recorded, keyframe_classes=0))
