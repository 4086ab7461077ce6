"""The concatenating pyramid and the fusion layer."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from projects.CLAP.clap.encoders.fusion import CLAPConvFuser
from projects.CLAP.clap.encoders.lss_fpn import CLAPLSSFPN


def test_levels_are_built_from_coarse_to_fine():
    neck = CLAPLSSFPN(in_channels=[3, 4, 5], out_channels=6).eval()
    fine, middle, coarse = torch.randn(2, 3, 8, 12), torch.randn(2, 4, 4, 6), torch.randn(2, 5, 2, 3)
    out = neck([fine, middle, coarse])
    up = F.interpolate(coarse, scale_factor=2, mode='bilinear', align_corners=False)
    level_1 = neck.fpn_convs[1](neck.lateral_convs[1](torch.cat([middle, up], 1)))
    up = F.interpolate(level_1, scale_factor=2, mode='bilinear', align_corners=False)
    level_0 = neck.fpn_convs[0](neck.lateral_convs[0](torch.cat([fine, up], 1)))
    assert len(out) == 2
    torch.testing.assert_close(out[1], level_1)
    torch.testing.assert_close(out[0], level_0)


def test_the_number_of_levels_is_checked():
    with pytest.raises(ValueError, match='at least two levels'):
        CLAPLSSFPN(in_channels=[3], out_channels=6)
    with pytest.raises(ValueError, match='expected 2 levels'):
        CLAPLSSFPN(in_channels=[3, 4], out_channels=6)([torch.zeros(1, 3, 4, 4)])


def test_fusion_reads_the_camera_first():
    fuser = CLAPConvFuser(in_channels=[2, 3], out_channels=4).eval()
    camera, lidar = torch.randn(1, 2, 5, 5), torch.randn(1, 3, 5, 5)
    assert list(fuser.state_dict())[0] == '0.weight' and fuser[0].weight.shape == (4, 5, 3, 3)
    split = F.conv2d(camera, fuser[0].weight[:, :2], padding=1) + F.conv2d(lidar, fuser[0].weight[:, 2:], padding=1)
    torch.testing.assert_close(fuser([camera, lidar]), fuser[1](split).relu(), rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match=r'\[2, 3\] channels, got \[3, 2\]'):
        fuser([lidar, camera])
