"""Batches samples, moves them to the device and normalises the images. Voxelisation is the encoder's job."""

from __future__ import annotations

from typing import Optional, Sequence

from mmdet3d.models.data_preprocessors import Det3DDataPreprocessor
from mmdet3d.registry import MODELS
from torch import Tensor

#: Inputs that targets are made from, and their types, as far as the pipeline gives them; points in the LiDAR's frames.
TARGET_KEYS = dict(
    keyframe_points='float32',
    keyframe_origins='float32',
    sweep_points='float32',
    sweep_lengths='int64',
    sweep_to_keyframe='float32',
    superpixels='uint8',
)


@MODELS.register_module()
class CLAPDataPreprocessor(Det3DDataPreprocessor):
    """``imgs`` (B, N_cam, 3, H, W) float32 normalised; points, keyframe points and origins as lists on the device.

    Images come as RGB, 0..255, and leave as (value - mean) / std. Padding to ``pad_size_divisor`` (right and bottom) is
    filled with 0 *after* normalising, which is the mean colour.

    Args:
        mean, std: per RGB channel, in 0..255; None leaves the images at 0..255.
        pad_size_divisor: height and width are padded up to a multiple of it.
        bgr_to_rgb: swap channels first, for a pipeline that loads BGR; ours loads RGB.
        non_blocking: asynchronous copies to the device.
    """

    def __init__(
        self,
        mean: Optional[Sequence[float]] = (123.675, 116.28, 103.53),
        std: Optional[Sequence[float]] = (58.395, 57.12, 57.375),
        pad_size_divisor: int = 32,
        bgr_to_rgb: bool = False,
        non_blocking: bool = False,
    ) -> None:
        super().__init__(
            mean=mean, std=std, pad_size_divisor=pad_size_divisor, bgr_to_rgb=bgr_to_rgb, non_blocking=non_blocking
        )

    def simple_process(self, data: dict, training: bool = False) -> dict:
        """As the parent's, with the inputs that targets are made from."""
        targets = self.cast_data({key: data['inputs'][key] for key in TARGET_KEYS if key in data['inputs']})
        processed = super().simple_process(data, training)
        processed['inputs'].update(targets)
        return processed

    def denormalise(self, imgs: Tensor) -> Tensor:
        """Normalised images (..., 3, H, W) -> RGB in [0, 1], same shape, float32."""
        rgb = imgs.float()
        if self._enable_normalize:
            rgb = rgb * self.std + self.mean
        return (rgb / 255.0).clamp(0.0, 1.0)
