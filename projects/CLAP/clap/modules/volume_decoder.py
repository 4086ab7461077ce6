"""The shallow 3-D network f3D that turns the fused BEV map into a feature volume."""

from __future__ import annotations

from torch import Tensor, nn

from ..errors import ConfigError

_GROUPS = 8


class VolumeDecoder(nn.Module):
    """f3D: (B, C, X, Y) -> (B, C_v, Z, Y, X).

    A 1x1 convolution lifts every BEV column to Z cells, two 3x3x3 convolutions
    let them see their neighbours. Normalisation is by groups, not by batch: the
    share of visible input differs between training (masked) and evaluation, and
    batch statistics of the one are wrong for the other. The activation is
    smooth because curvature needs second derivatives.

    Args:
        in_channels: channels of the fused BEV map (512 in the paper).
        volume_channels: C_v, a multiple of the groups of the normalisation, 8.
        num_z: Z, cells along the height.
    """

    def __init__(self, in_channels: int, volume_channels: int = 32, num_z: int = 16) -> None:
        super().__init__()
        if volume_channels % _GROUPS:
            raise ConfigError(f'volume_channels must be a multiple of {_GROUPS}, got {volume_channels}')
        self.volume_channels, self.num_z = volume_channels, num_z
        self.lift = nn.Conv2d(in_channels, volume_channels * num_z, kernel_size=1)

        def block() -> nn.Sequential:
            return nn.Sequential(
                nn.Conv3d(volume_channels, volume_channels, kernel_size=3, padding=1, bias=False),
                nn.GroupNorm(_GROUPS, volume_channels),
                nn.SiLU(inplace=True),
            )

        self.blocks = nn.Sequential(block(), block())

    def forward(self, fused_bev: Tensor) -> Tensor:
        """(B, C, X, Y) -> (B, C_v, Z, Y, X)."""
        batch, _, size_x, size_y = fused_bev.shape
        volume = self.lift(fused_bev).view(batch, self.volume_channels, self.num_z, size_x, size_y)
        return self.blocks(volume.transpose(-1, -2))
