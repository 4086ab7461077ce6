"""Loading of superpixels, moved as the augmented images were."""

from __future__ import annotations

from pathlib import Path
from typing import List, Sequence, Tuple

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS

from ...errors import ConfigError
from ..file_checks import check_mirrored
from ..superpixels import NO_SEGMENT, check_count, read_superpixels


def moved_segments(
    segments: np.ndarray, shape: Sequence[int], img_aug: np.ndarray, final: Tuple[int, int]
) -> np.ndarray:
    """The segment that the centre of every pixel of the augmented image lies in.

    Args:
        segments: (h, w) uint8, stretched over the original image.
        shape: (H, W) of the original image, pixels.
        img_aug: (4, 4) original pixel -> augmented pixel.
        final: (H', W') of the augmented image.

    Returns:
        (H', W') uint8, ``NO_SEGMENT`` where the original image does not reach.
    """
    row, column = np.meshgrid(np.arange(final[0]) + 0.5, np.arange(final[1]) + 0.5, indexing='ij')
    inverse = np.linalg.inv(np.asarray(img_aug, dtype=np.float64)[:2, :2])
    offset = np.asarray(img_aug, dtype=np.float64)[:2, 3]
    x, y = (inverse[axis, 0] * (column - offset[0]) + inverse[axis, 1] * (row - offset[1]) for axis in (0, 1))
    inside = (x >= 0) & (y >= 0) & (x < shape[1]) & (y < shape[0])
    index_y, index_x = (
        np.clip(place * size / full, 0, size - 1).astype(np.int64)
        for place, size, full in zip((y, x), segments.shape, shape)
    )
    return np.where(inside, segments[index_y, index_x], np.uint8(NO_SEGMENT))


@TRANSFORMS.register_module()
class CLAPLoadSuperpixels(BaseTransform):
    """Loads the superpixels of every image; put it behind ``CLAPImageAug3D``.

    Sets ``superpixels`` ((N, H, W) uint8, numbers of each augmented image's own; 255: none). They are made by
    ``tools/create_data.py superpixels``; those of another image are an error.

    Args:
        folder: where they are kept.
        num_segments: so many were asked for per image. SLidR takes 150, and 30 for BEV cells of 0.6 m.
    """

    def __init__(self, folder: str, num_segments: int = 30) -> None:
        check_count(num_segments)
        self.folder, self.num_segments = Path(folder), num_segments

    def check_frames(self, frames: List[dict]) -> None:
        """``DatasetError`` if an image of the frames has none."""
        check_mirrored(
            self.folder,
            frames,
            'superpixels',
            'Make them once: python tools/create_data.py superpixels --config CONFIG. (The command goes on with what '
            'is missing.)',
        )

    def transform(self, results: dict) -> dict:
        if 'img_aug_matrix' not in results or 'superpixels' in results:
            raise ConfigError('CLAPLoadSuperpixels needs augmented images: put it behind CLAPImageAug3D, once')
        shapes = np.broadcast_to(np.asarray(results['ori_shape']), (len(results['img']), 2))
        results['superpixels'] = np.stack(
            [
                moved_segments(read_superpixels(self.folder, path, self.num_segments), shape, matrix, image.shape[:2])
                for path, shape, matrix, image in zip(
                    results['img_path'], shapes, results['img_aug_matrix'], results['img']
                )
            ]
        )
        return results
