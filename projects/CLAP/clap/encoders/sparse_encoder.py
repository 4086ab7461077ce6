"""Sparse LiDAR encoder of BEVFusion (bevfusion_contract: module `pts_middle_encoder`)."""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple, Union

from mmdet3d.models.layers import SparseBasicBlock, make_sparse_convmodule
from mmdet3d.registry import MODELS
from spconv.pytorch import SparseConvTensor, SparseSequential
from torch import Tensor, nn

from ..errors import ConfigError
from .sparse_conv import CLAPSparseConv3d, CLAPSubMConv3d

Padding = Union[int, Sequence[int]]


@MODELS.register_module()
class CLAPSparseEncoder(nn.Module):
    """Voxel features -> LiDAR BEV.

    Stage i applies residual submanifold blocks and, except in the last stage, a convolution of stride 2 in x, y and z.
    A final convolution (kernel 1 x 1 x 3, stride 2 along z) squeezes the height, and the remaining heights are stacked
    as channels: channel = c * Z_out + z.

    Args:
        in_channels: Features per voxel.
        sparse_shape: Cells of the input grid along x, y, z (the height conventionally has one spare cell).
        norm_cfg: Norm of all layers, a 1-d batch norm.
        base_channels: Channels after the first convolution.
        output_channels: Channels per height after the last convolution.
        encoder_channels: Channels of each layer of each stage; the last layer of every stage but the last is strided.
        encoder_paddings: Same nesting; only the strided layers use theirs (submanifold layers pad implicitly).
    """

    def __init__(
        self,
        in_channels: int,
        sparse_shape: Sequence[int],
        norm_cfg: Optional[dict] = None,
        base_channels: int = 16,
        output_channels: int = 128,
        encoder_channels: Sequence[Sequence[int]] = ((16, 16, 32), (32, 32, 64), (64, 64, 128), (128, 128)),
        encoder_paddings: Sequence[Sequence[Padding]] = ((0, 0, 1), (0, 0, 1), (0, 0, (1, 1, 0)), (0, 0)),
    ) -> None:
        super().__init__()
        _check_stages(sparse_shape, encoder_channels, encoder_paddings)
        norm_cfg = norm_cfg or dict(type='BN1d', eps=1e-3, momentum=0.01)
        self.in_channels = in_channels
        self.sparse_shape = [int(size) for size in sparse_shape]
        self.conv_input = make_sparse_convmodule(
            in_channels, base_channels, 3, norm_cfg=norm_cfg, padding=1, indice_key='subm1', conv_type=CLAPSubMConv3d
        )
        self.encoder_layers = SparseSequential()
        #: Width of every stage before it is strided.
        self.stage_channels: List[int] = []
        #: x, y, z padding of the strided layer (kernel 3, stride 2) before every stage but the first.
        self.stride_paddings = [_triple(paddings[-1]) for paddings in encoder_paddings[:-1]]
        channels = base_channels
        for index, (widths, paddings) in enumerate(zip(encoder_channels, encoder_paddings), start=1):
            strided = index < len(encoder_channels)
            self.stage_channels.append((channels, *widths)[-2 if strided else -1])
            stage = _make_stage(channels, widths, paddings, index, strided, norm_cfg)
            self.encoder_layers.add_module(f'encoder_layer{index}', stage)
            channels = widths[-1]
        self.conv_out = make_sparse_convmodule(
            channels,
            output_channels,
            (1, 1, 3),
            stride=(1, 1, 2),
            padding=0,
            norm_cfg=norm_cfg,
            indice_key='spconv_down2',
            conv_type=CLAPSparseConv3d,
        )
        shape = _output_shape(self.sparse_shape, [paddings[-1] for paddings in encoder_paddings[:-1]])
        self.bev_shape: Tuple[int, int] = (shape[0], shape[1])
        self.bev_channels: int = output_channels * shape[2]

    def forward(self, voxel_features: Tensor, coords: Tensor, batch_size: int) -> Tensor:
        """voxel_features (V, in_channels), coords (V, 4) int32 = batch, x, y, z -> (B, bev_channels, X, Y)."""
        return _dense_bev(self.conv_out(self.stages(voxel_features, coords, batch_size)[-1]))

    def stages(self, voxel_features: Tensor, coords: Tensor, batch_size: int) -> List[SparseConvTensor]:
        """What every stage has before it is strided, the finest, whose rows are those given, first.

        The last one knows the rows of all, for inverse convolutions (``indice_key`` ``spconv<stage>``, from 1 on).
        """
        x = self.conv_input(SparseConvTensor(voxel_features, coords.int().contiguous(), self.sparse_shape, batch_size))
        found = []
        for index, stage in enumerate(self.encoder_layers, start=1):
            blocks, strided = (
                (list(stage), None) if index == len(self.encoder_layers) else (list(stage)[:-1], stage[-1])
            )
            for block in blocks:
                x = block(x)
            found.append(x)
            x = x if strided is None else strided(x)
        return found


def dense(x: SparseConvTensor) -> Tensor:
    """Sparse (b, x, y, z) rows -> (B, C, X, Y, Z), zeros where there is no row.

    spconv's own `dense()` indexes with a list, which PyTorch is about to read differently.
    """
    size_x, size_y, size_z = x.spatial_shape
    batch, ix, iy, iz = x.indices.long().unbind(dim=1)
    flat = ((batch * size_x + ix) * size_y + iy) * size_z + iz
    table = x.features.new_zeros(x.batch_size * size_x * size_y * size_z, x.features.shape[1])
    table = table.index_copy(0, flat, x.features)
    return table.view(x.batch_size, size_x, size_y, size_z, -1).permute(0, 4, 1, 2, 3)


def _dense_bev(x: SparseConvTensor) -> Tensor:
    """Sparse rows -> (B, C * Z, X, Y), channel = c * Z + z."""
    return dense(x).permute(0, 1, 4, 2, 3).flatten(1, 2)


def _make_stage(
    channels: int, widths: Sequence[int], paddings: Sequence[Padding], index: int, strided: bool, norm_cfg: dict
) -> SparseSequential:
    layers = []
    for position, (width, padding) in enumerate(zip(widths, paddings)):
        if strided and position == len(widths) - 1:
            layers.append(
                make_sparse_convmodule(
                    channels,
                    width,
                    3,
                    stride=2,
                    padding=_triple(padding),
                    norm_cfg=norm_cfg,
                    indice_key=f'spconv{index}',
                    conv_type=CLAPSparseConv3d,
                )
            )
        else:
            if width != channels:
                raise ConfigError(
                    f'encoder_channels stage {index}, layer {position}: a residual block keeps its '
                    f'channels, expected {channels}, got {width}; change channels in the strided layer'
                )
            conv_cfg = dict(type=CLAPSubMConv3d, indice_key=f'subm{index}')
            layers.append(SparseBasicBlock(width, width, norm_cfg=norm_cfg, conv_cfg=conv_cfg))
        channels = width
    return SparseSequential(*layers)


def _triple(padding: Padding) -> Tuple[int, ...]:
    return (padding,) * 3 if isinstance(padding, int) else tuple(padding)


def _output_shape(sparse_shape: Sequence[int], stride_paddings: Sequence[Padding]) -> List[int]:
    """Grid after the strided stages (kernel 3, stride 2) and the final height convolution (kernel 3, stride 2)."""
    shape = list(sparse_shape)
    for padding in stride_paddings:
        shape = [(size + 2 * pad - 3) // 2 + 1 for size, pad in zip(shape, _triple(padding))]
    shape[2] = (shape[2] - 3) // 2 + 1
    if min(shape) < 1:
        raise ConfigError(
            f'sparse_shape {list(sparse_shape)} shrinks to {shape} (x, y, z) after '
            f'{len(stride_paddings)} strided stages and the height convolution; expected every size >= 1: '
            'use more cells or fewer stages'
        )
    return shape


def _check_stages(
    sparse_shape: Sequence[int], channels: Sequence[Sequence[int]], paddings: Sequence[Sequence[Padding]]
) -> None:
    if len(sparse_shape) != 3:
        raise ConfigError(f'sparse_shape: expected three sizes (x, y, z), got {list(sparse_shape)}')
    lengths, padding_lengths = [len(stage) for stage in channels], [len(stage) for stage in paddings]
    if lengths != padding_lengths or not lengths or min(lengths) < 1:
        raise ConfigError(
            f'encoder_paddings must be nested like encoder_channels: expected stage lengths {lengths} '
            f'(all >= 1), got {padding_lengths}'
        )
