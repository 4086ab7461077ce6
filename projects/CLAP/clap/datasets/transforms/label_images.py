"""Weak classes of points, read from images that a 2-D model has labelled."""

from __future__ import annotations

from pathlib import Path
from typing import List

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS
from PIL import Image

from ...errors import ConfigError, DataError
from ...functional import project_points
from ...structures import NO_CLASS
from ..file_checks import check_mirrored, mirrored_file


@TRANSFORMS.register_module()
class CLAPLoadLabelImages(BaseTransform):
    """Gives every keyframe point the class of the pixel it is seen at; put it behind the loading of keyframe and
    images, before all augmentation (``labels`` in the pipelines of this project).

    Sets ``keyframe_classes`` ((M,) uint8; 255 where no camera sees the point, or the pixel has no class). Where two
    cameras see a point, the first one that gives it a class counts. The source is that of CMCR's L_KL: labels that an
    image model has made without anybody's help (OLIVINE's come from SEEM).

    Args:
        folder: a PNG with one channel of 8 bits for every image, of the image's size: classes from 0, 255 for none. It
            lies as the image does below the folder that ``folder`` is in: of ``data/nus/samples/CAM_BACK/1.jpg`` it is
            ``data/nus/labels/samples/CAM_BACK/1.jpg.png``.
    """

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def check_frames(self, frames: List[dict]) -> None:
        """``DatasetError`` if an image of the frames has none."""
        check_mirrored(
            self.folder,
            frames,
            'label images',
            'Write a PNG of classes for every image there, or leave CLAPLoadLabelImages out of the pipeline.',
        )

    def transform(self, results: dict) -> dict:
        if 'lidar2img' not in results or 'keyframe_points' not in results or 'img_aug_matrix' in results:
            raise ConfigError(
                'CLAPLoadLabelImages needs the keyframe and images as they were recorded: put it behind '
                'CLAPLoadKeyframe and CLAPLoadMultiViewImages, before CLAPImageAug3D'
            )
        if 'keyframe_classes' in results:
            raise ConfigError(
                'the points have classes of their own (semantic_classes of the data set) and label images '
                '(CLAPLoadLabelImages); leave one of them out'
            )
        points, same = torch.from_numpy(results['keyframe_points']), torch.eye(4)
        classes = np.full(len(points), NO_CLASS, dtype=np.uint8)
        for image, path, lidar2img in zip(results['img'], results['img_path'], results['lidar2img']):
            size = image.shape[:2]
            seen = project_points(points, torch.from_numpy(lidar2img)[None], same[None], same, size)
            wanted = seen.visible[0].numpy() & (classes == NO_CLASS)
            column, row = seen.uv[0].numpy()[wanted].astype(np.int64).T
            classes[wanted] = self._read(path, size)[row, column]
        results['keyframe_classes'] = classes
        return results

    def _read(self, image: str, size: tuple) -> np.ndarray:
        path = mirrored_file(self.folder, image)
        try:
            with Image.open(path) as file:
                mode, found = file.mode, np.asarray(file)
        except FileNotFoundError:
            raise DataError(f'{path}: {image} has no label image') from None
        except (OSError, SyntaxError) as error:
            raise DataError(f'{path}: cannot be decoded ({error}); write the label image again') from error
        if mode not in ('L', 'P') or found.shape != size:
            raise DataError(
                f'{path}: expected a label image of one channel of 8 bits (mode L or P) and the size of {image}, '
                f'{size[1]} x {size[0]} pixels; got mode {mode}, {file.size[0]} x {file.size[1]}. Labels are of the '
                'recorded image: resize them by the nearest neighbour'
            )
        return found
