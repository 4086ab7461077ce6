"""Image augmentation that keeps the geometry: every step is recorded as a 4x4 matrix."""

from __future__ import annotations

import math
from typing import NamedTuple, Optional, Sequence, Tuple

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS
from PIL import Image

from ...errors import ConfigError
from .random_draws import check_limits, coin, uniform


class ImageAugmentation(NamedTuple):
    """resize to ``size`` (W, H) -> crop a ``final`` (W, H) window at ``corner`` (x, y) -> flip -> rotate by
    ``angle_deg`` (counter-clockwise as seen, about the window's centre)."""

    size: Tuple[int, int]
    corner: Tuple[int, int]
    final: Tuple[int, int]
    flip: bool
    angle_deg: float


def draw_augmentation(
    shape: Tuple[int, int],
    final_dim: Tuple[int, int],
    resize_lim: Sequence[float],
    bot_pct_lim: Sequence[float],
    rot_lim: Sequence[float],
    rand_flip: bool,
    is_train: bool,
    generator: Optional[torch.Generator] = None,
) -> ImageAugmentation:
    """Draws (training) or fixes at the middle of each range (evaluation) what happens to an image of ``shape`` (H, W).

    The window touches the bottom edge of the resized image, less ``bot_pct`` of its height: the sky is what goes.
    """
    height, width = shape
    final_h, final_w = final_dim
    pick = (lambda limits: uniform(limits, generator)) if is_train else (lambda limits: 0.5 * (limits[0] + limits[1]))
    resize = pick(resize_lim)
    new_w, new_h = max(1, int(width * resize)), max(1, int(height * resize))
    top = int((1 - pick(bot_pct_lim)) * new_h) - final_h
    left = int(pick((0.0, float(max(0, new_w - final_w)))))
    flip = is_train and rand_flip and coin(0.5, generator)
    angle = uniform(rot_lim, generator) if is_train else 0.0
    return ImageAugmentation((new_w, new_h), (left, top), (final_w, final_h), flip, angle)


def augmentation_matrix(shape: Tuple[int, int], aug: ImageAugmentation) -> np.ndarray:
    """(4, 4) float32, original pixel position -> augmented pixel position.

    Positions are continuous (the centre of pixel i is i + 0.5), so resizing is a pure scale and a flip is u -> W - u.
    The scale is that of the resized picture, whose size is whole pixels; BEVFusion writes the drawn one.
    """
    height, width = shape
    (new_w, new_h), (left, top), (final_w, final_h), flip, angle = aug
    resize_crop = np.array([[new_w / width, 0, -left], [0, new_h / height, -top], [0, 0, 1]])
    mirror = np.array([[-1, 0, final_w], [0, 1, 0], [0, 0, 1]]) if flip else np.eye(3)
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    centre = np.array([final_w / 2, final_h / 2])
    turn = np.eye(3)
    turn[:2, :2] = [[cos, sin], [-sin, cos]]
    turn[:2, 2] = centre - turn[:2, :2] @ centre
    planar = turn @ mirror @ resize_crop
    matrix = np.eye(4)
    matrix[:2, :2], matrix[:2, 3] = planar[:2, :2], planar[:2, 2]
    return matrix.astype(np.float32)


def _resized_window(image: np.ndarray, size: Tuple[int, int], window: Tuple[int, int, int, int]) -> Image.Image:
    """A window (left, top, right, bottom), black beyond the picture, of ``image`` resized to ``size`` (W, H).

    Pillow shrinks a picture that is wider than high along rows first, along columns then. Done one by one, the sky's
    rows and the columns outside are left out, and every pixel is the same to the last bit. (A ``box`` would move them:
    its corners are float32.)
    """
    height, width = image.shape[:2]
    if size[0] > width:
        return Image.fromarray(image).resize(size, Image.BICUBIC).crop(window)
    step = height / size[1]
    # A bicubic kernel reaches two pixels of the coarser of the two pictures; one more against rounding.
    first = min(max(int(window[1] * step - 3 * max(step, 1)), 0), height - 1)
    rows = Image.fromarray(image[first:]).resize((size[0], height - first), Image.BICUBIC)
    columns = rows.crop((window[0], -first, window[2], height - first))
    return columns.resize((columns.width, size[1]), Image.BICUBIC).crop((0, window[1], columns.width, window[3]))


def augment_image(image: np.ndarray, aug: ImageAugmentation) -> np.ndarray:
    """(H, W, 3) uint8 -> (final H, final W, 3) uint8.

    Black exactly where the original image does not reach: what a rotation turns into the window is cut out with a
    margin first, so a pixel shows its true colour whenever its original position lies inside the original image.
    """
    (left, top), (width, height) = aug.corner, aug.final
    margin = math.ceil(max(width, height) / 2 * abs(math.sin(math.radians(aug.angle_deg)))) + 2 if aug.angle_deg else 0
    picture = _resized_window(
        image, aug.size, (left - margin, top - margin, left + width + margin, top + height + margin)
    )
    if aug.flip:
        picture = picture.transpose(Image.FLIP_LEFT_RIGHT)
    if aug.angle_deg:
        picture = picture.rotate(aug.angle_deg, resample=Image.BILINEAR)
    return np.asarray(picture.crop((margin, margin, margin + width, margin + height)))


@TRANSFORMS.register_module()
class CLAPImageAug3D(BaseTransform):
    """Resize, bottom crop, flip and rotation of every camera image, drawn per camera.

    Args:
        final_dim: (H, W) of every image afterwards; cameras of different sizes may be mixed.
        resize_lim: range of the scale factor. A list of ranges gives one per camera (cameras of different sizes).
        bot_pct_lim: range of the share of the height cut off at the bottom.
        rot_lim: range of the rotation in degrees.
        rand_flip: whether to mirror with probability one half.
        is_train: False takes the middle of ``resize_lim`` and ``bot_pct_lim``, the horizontal centre, and neither
            flips nor rotates.

    Sets ``img`` (list of (H, W, 3) uint8) and ``img_aug_matrix`` (list of (4, 4) float32, original pixel -> augmented).
    """

    def __init__(
        self,
        final_dim: Sequence[int],
        resize_lim: Sequence,
        bot_pct_lim: Sequence[float] = (0.0, 0.0),
        rot_lim: Sequence[float] = (0.0, 0.0),
        rand_flip: bool = False,
        is_train: bool = True,
    ) -> None:
        per_camera = isinstance(resize_lim[0], Sequence)
        for limits in resize_lim if per_camera else [resize_lim]:
            check_limits('resize_lim', limits)
            if limits[0] <= 0:
                raise ConfigError(f'resize_lim must be positive, got {limits!r}')
        check_limits('bot_pct_lim', bot_pct_lim)
        check_limits('rot_lim', rot_lim)
        if len(final_dim) != 2 or min(final_dim) <= 0:
            raise ConfigError(f'final_dim must be (height, width) in pixels, got {final_dim!r}')
        self.final_dim = (int(final_dim[0]), int(final_dim[1]))
        self.resize_lim = resize_lim
        self.per_camera = per_camera
        self.bot_pct_lim, self.rot_lim = bot_pct_lim, rot_lim
        self.rand_flip, self.is_train = rand_flip, is_train

    def transform(self, results: dict) -> dict:
        images = results['img']
        limits = self.resize_lim if self.per_camera else [self.resize_lim] * len(images)
        if len(limits) != len(images):
            raise ConfigError(
                f'CLAPImageAug3D.resize_lim has {len(limits)} ranges, the frame {len(images)} cameras '
                f'({", ".join(results["cam_names"])}); give one range, or one per camera'
            )
        matrices = []
        for index, image in enumerate(images):
            shape = image.shape[:2]
            aug = draw_augmentation(
                shape, self.final_dim, limits[index], self.bot_pct_lim, self.rot_lim, self.rand_flip, self.is_train
            )
            images[index] = augment_image(image, aug)
            matrices.append(augmentation_matrix(shape, aug))
        results['img_aug_matrix'] = matrices
        results['img_shape'] = results['pad_shape'] = self.final_dim
        return results
