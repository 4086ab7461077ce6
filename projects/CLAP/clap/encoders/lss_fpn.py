"""Image feature pyramid of BEVFusion (bevfusion_contract: module `img_neck`)."""

from __future__ import annotations

from typing import Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmdet3d.registry import MODELS
from torch import Tensor, nn

from ..errors import ConfigError


@MODELS.register_module()
class CLAPLSSFPN(nn.Module):
    """Top-down pyramid that concatenates instead of adding; n inputs give n - 1 outputs.

    Level i: out_i = conv3x3(conv1x1([in_i, upsampled out_{i+1}])), starting from the coarsest input itself.

    Args:
        in_channels: Channels of the inputs, fine to coarse.
        out_channels: Channels of every output.
        norm_cfg: Norm of all convolutions.
    """

    def __init__(self, in_channels: Sequence[int], out_channels: int, norm_cfg: Optional[dict] = None) -> None:
        super().__init__()
        if len(in_channels) < 2:
            raise ConfigError(f'in_channels: expected at least two levels, got {list(in_channels)}')
        norm_cfg = norm_cfg or dict(type='BN2d')
        self.in_channels = list(in_channels)
        self.out_channels = out_channels
        self.lateral_convs = nn.ModuleList()
        self.fpn_convs = nn.ModuleList()
        levels = len(in_channels) - 1
        for i in range(levels):
            coarser = in_channels[i + 1] if i == levels - 1 else out_channels
            self.lateral_convs.append(
                ConvModule(in_channels[i] + coarser, out_channels, 1, norm_cfg=norm_cfg, inplace=False)
            )
            self.fpn_convs.append(
                ConvModule(out_channels, out_channels, 3, padding=1, norm_cfg=norm_cfg, inplace=False)
            )

    def forward(self, inputs: Sequence[Tensor]) -> Tuple[Tensor, ...]:
        """Feature maps fine to coarse, (B, C_i, H_i, W_i) -> the same sizes but the coarsest, out_channels each."""
        if len(inputs) != len(self.in_channels):
            raise ConfigError(
                f'expected {len(self.in_channels)} levels (in_channels {self.in_channels}), got '
                f'{len(inputs)}; check out_indices of the image backbone'
            )
        coarser = inputs[-1]
        outputs = []
        for i in range(len(inputs) - 2, -1, -1):
            upsampled = F.interpolate(coarser, size=inputs[i].shape[2:], mode='bilinear', align_corners=False)
            coarser = self.fpn_convs[i](self.lateral_convs[i](torch.cat([inputs[i], upsampled], dim=1)))
            outputs.append(coarser)
        return tuple(reversed(outputs))
