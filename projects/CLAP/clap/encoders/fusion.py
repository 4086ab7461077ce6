"""Convolutional fusion of the two BEV maps (bevfusion_contract: module `fusion_layer`)."""

from __future__ import annotations

from typing import Sequence

import torch
from mmdet3d.registry import MODELS
from torch import Tensor, nn

from ..errors import ConfigError


@MODELS.register_module()
class CLAPConvFuser(nn.Sequential):
    """Concatenate [camera, LiDAR] along channels, then 3 x 3 convolution, batch norm, ReLU.

    Args:
        in_channels: Channels of the camera BEV and of the LiDAR BEV, in this order.
        out_channels: Channels of the fused BEV.
    """

    def __init__(self, in_channels: Sequence[int], out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(sum(in_channels), out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )
        self.in_channels = list(in_channels)
        self.out_channels = out_channels

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """[camera (B, C_1, X, Y), LiDAR (B, C_2, X, Y)] -> (B, out_channels, X, Y)."""
        channels = [tensor.shape[1] for tensor in inputs]
        if channels != self.in_channels:
            raise ConfigError(
                f'fusion_layer expected inputs [camera, LiDAR] of {self.in_channels} channels, got {channels}'
            )
        return super().forward(torch.cat(list(inputs), dim=1))
