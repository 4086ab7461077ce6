"""Sparse 3-D convolutions that are exact on the CPU and spconv's own on the GPU.

spconv 2.3.8 races on the CPU with more than one thread and has no CPU backward pass. The classes here are spconv's
(parameters, state-dict layout and version, index pairs); only the arithmetic on CPU tensors is replaced, and that of
kernels of one cell, whose weights spconv reads in another order than they are stored in: of such a layer, trained with
spconv's own classes, the numbers mean something else here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional, Tuple

import torch
import torch.nn.functional as F
from mmdet3d.models.layers.spconv import IS_SPCONV2_AVAILABLE
from torch import Tensor

if not IS_SPCONV2_AVAILABLE:
    raise ImportError(
        'CLAP needs spconv >= 2.0 (expected an installed "spconv" or "spconv-cuXXX" package, found none '
        'that mmdet3d accepts); install it with tools/setup_env.sh'
    )

from spconv.core import ConvAlgo
from spconv.pytorch import SparseConv3d, SparseConvTensor, SparseInverseConv3d, SubMConv3d, ops
from spconv.pytorch.conv import SparseConvolution

from ..errors import ConfigError

Pair = Optional[Tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class KernelPairs:
    """Which input row meets which output row, for every kernel offset.

    Attributes:
        pairs: One entry per kernel offset (x slowest, z fastest), (input rows, output rows), int64 (n_k,) each.
            Within an entry no output row and no input row repeats. None stands for the identity.
        in_indices: (N, 4) int32, batch, x, y, z of the input rows.
        out_indices: (M, 4) int32, of the output rows.
        in_spatial_shape: Cells of the input grid, to check that layers sharing a key share a grid.
        out_spatial_shape: Cells of the output grid.
    """

    pairs: List[Pair]
    in_indices: Tensor
    out_indices: Tensor
    in_spatial_shape: List[int]
    out_spatial_shape: List[int]


class _PairedConv(torch.autograd.Function):
    """out[o] = sum_k sum_{(i, o) in pairs_k} features[i] W_k, without storing gathered copies for the backward pass.

    Rows are unique within one offset, so every update is a plain read-modify-write of distinct rows: the sum runs over
    k in a fixed order and is the same for any number of threads.
    """

    @staticmethod
    def forward(ctx, features: Tensor, weight: Tensor, pairs: List[Pair], num_out: int) -> Tensor:
        """features (N, Cin), weight (K, Cin, Cout) -> (num_out, Cout)."""
        ctx.save_for_backward(features, weight)
        ctx.pairs = pairs
        return _apply_pairs(features, weight, pairs, num_out)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad_out: Tensor):
        features, weight = ctx.saved_tensors
        grad_out = grad_out.contiguous()
        grad_features = grad_weight = None
        if ctx.needs_input_grad[0]:
            grad_features = _apply_pairs(grad_out, weight.transpose(1, 2), _mirrored(ctx.pairs), features.shape[0])
        if ctx.needs_input_grad[1]:
            grad_weight = torch.zeros_like(weight)
            for k, pair in enumerate(ctx.pairs):
                if pair is None:
                    torch.mm(features.t(), grad_out, out=grad_weight[k])
                elif pair[0].numel():
                    torch.mm(
                        features.index_select(0, pair[0]).t(), grad_out.index_select(0, pair[1]), out=grad_weight[k]
                    )
        return grad_features, grad_weight, None, None


def _apply_pairs(features: Tensor, weight: Tensor, pairs: List[Pair], num_out: int) -> Tensor:
    out = features.new_zeros(num_out, weight.shape[2])
    for k, pair in enumerate(pairs):
        if pair is None:
            out.addmm_(features, weight[k])
        elif pair[0].numel():
            rows_in, rows_out = pair
            out.index_copy_(
                0, rows_out, torch.addmm(out.index_select(0, rows_out), features.index_select(0, rows_in), weight[k])
            )
    return out


def _mirrored(pairs: List[Pair]) -> List[Pair]:
    """Inputs and outputs exchanged."""
    return [None if pair is None else (pair[1], pair[0]) for pair in pairs]


def _submanifold_pairs(raw: Tensor, counts: List[int]) -> List[Pair]:
    """spconv fills the counts of the first half only; offset K-1-k holds the mirrored rows of offset k."""
    volume = len(counts)
    centre = volume // 2
    pairs: List[Pair] = []
    for k in range(volume):
        if k == centre:
            pairs.append(None)
        else:
            count = counts[min(k, volume - 1 - k)]
            pairs.append((raw[0, k, :count], raw[1, k, :count]))
    return pairs


def build_kernel_pairs(x: SparseConvTensor, conv: SparseConv3d | SubMConv3d) -> KernelPairs:
    """Index pairs of `conv` on the CPU tensor `x`, from spconv's (single-threaded, deterministic) generator."""
    in_shape = list(x.spatial_shape)
    out_shape = (
        in_shape
        if conv.subm
        else ops.get_conv_output_size(in_shape, conv.kernel_size, conv.stride, conv.padding, conv.dilation)
    )
    if any(size <= 0 for size in out_shape):
        raise ConfigError(
            f'a sparse convolution (kernel {conv.kernel_size}, stride {conv.stride}, padding '
            f'{conv.padding}) shrinks the grid {in_shape} to {out_shape}; expected every size >= 1: '
            'use a larger sparse_shape or fewer strided stages'
        )
    if x.indices.shape[0] == 0:
        volume = 1
        for size in conv.kernel_size:
            volume *= size
        empty = x.indices.new_zeros(0, dtype=torch.int64)
        return KernelPairs([(empty, empty)] * volume, x.indices, x.indices, in_shape, out_shape)
    out_indices, raw, counts = ops.get_indice_pairs(
        x.indices.contiguous(),
        x.batch_size,
        in_shape,
        ConvAlgo.Native,
        conv.kernel_size,
        conv.stride,
        conv.padding,
        conv.dilation,
        conv.output_padding,
        conv.subm,
        False,
    )
    raw, count_list = raw.long(), counts.tolist()
    if conv.subm:
        pairs = _submanifold_pairs(raw, count_list)
    else:
        pairs = [(raw[0, k, :count], raw[1, k, :count]) for k, count in enumerate(count_list)]
    return KernelPairs(pairs, x.indices, out_indices, in_shape, out_shape)


def _shared_kernel_pairs(x: SparseConvTensor, conv: SparseConvolution) -> KernelPairs:
    """Pairs kept in `x` under the layer's indice_key; submanifold layers with the same key share them, as in spconv."""
    if conv.inverse:
        return _inverted_pairs(x, conv)
    key = conv.indice_key
    known = x.indice_dict.get(key) if key is not None else None
    if known is None:
        found = build_kernel_pairs(x, conv)
        if key is not None:
            x.indice_dict[key] = found
        return found
    volume = conv.weight[0, ..., 0].numel()
    same_rows = known.out_indices.shape == x.indices.shape and known.in_spatial_shape == list(x.spatial_shape)
    if not conv.subm or len(known.pairs) != volume or not same_rows:
        raise ConfigError(
            f'indice_key "{key}" already holds the pairs of another grid or kernel; only submanifold '
            'layers on the same grid with the same kernel may share a key: give this layer its own'
        )
    return known


def _inverted_pairs(x: SparseConvTensor, conv: SparseConvolution) -> KernelPairs:
    """The pairs of the convolution that made `x`'s rows, from its outputs back to its inputs."""
    known = x.indice_dict.get(conv.indice_key)
    if known is None or len(known.pairs) != conv.weight[0, ..., 0].numel() or len(known.out_indices) != len(x.indices):
        raise ConfigError(
            f'an inverse convolution with indice_key "{conv.indice_key}" undoes the convolution of that key, with the '
            'same kernel and from the rows that it gave; '
            + ('there was none before it' if known is None else 'the one before it has another kernel or other rows')
        )
    shapes = known.out_spatial_shape, known.in_spatial_shape
    return KernelPairs(_mirrored(known.pairs), known.out_indices, known.in_indices, *shapes)


def _forward_cpu(conv: SparseConvolution, x: SparseConvTensor) -> SparseConvTensor:
    """The convolution on CPU tensors. Runs in fp32 (fp64 if the weights are) also under autocast."""
    x = x.shadow_copy()
    # a copy of the dict, so that the caller's tensor does not change; the values are shared
    x.indice_dict = dict(x.indice_dict)
    table = _shared_kernel_pairs(x, conv)
    with torch.autocast(device_type='cpu', enabled=False):
        # (out, kx, ky, kz, in) -> (K, in, out)
        weight = conv.weight.flatten(1, 3).permute(1, 2, 0).contiguous()
        features = _PairedConv.apply(
            x.features.to(weight.dtype).contiguous(), weight, table.pairs, table.out_indices.shape[0]
        )
        if conv.bias is not None:
            features = features + conv.bias
    out = x.replace_feature(features)
    out.indices = table.out_indices
    out.spatial_shape = table.out_spatial_shape
    return out


def _forward_gpu(conv: SparseConvolution, x: SparseConvTensor) -> SparseConvTensor:
    """spconv's own, but for kernels of one cell: it reads their weights (out, 1, 1, 1, in) as a matrix (in, out)."""
    if conv.conv1x1 and not conv.inverse:
        return x.replace_feature(F.linear(x.features, conv.weight.flatten(1), conv.bias))
    return SparseConvolution.forward(conv, x)


def _forward(conv: SparseConvolution, x: SparseConvTensor) -> SparseConvTensor:
    if x.features.shape[1] != conv.in_channels:
        raise ConfigError(
            f'a sparse convolution expected {conv.in_channels} input channels, got features of shape '
            f'{tuple(x.features.shape)}; check in_channels / num_features against the loaded points'
        )
    return _forward_cpu(conv, x) if x.features.device.type == 'cpu' else _forward_gpu(conv, x)


class CLAPSubMConv3d(SubMConv3d):
    """spconv's submanifold 3-D convolution; exact on the CPU with any number of threads."""

    def forward(self, x: SparseConvTensor) -> SparseConvTensor:
        return _forward(self, x)


class CLAPSparseConv3d(SparseConv3d):
    """spconv's (strided) sparse 3-D convolution; exact on the CPU with any number of threads."""

    def forward(self, x: SparseConvTensor) -> SparseConvTensor:
        return _forward(self, x)


class CLAPSparseInverseConv3d(SparseInverseConv3d):
    """spconv's inverse sparse 3-D convolution: from the rows that the strided one of its indice_key gave back to those
    that it was given; exact on the CPU with any number of threads."""

    def forward(self, x: SparseConvTensor) -> SparseConvTensor:
        return _forward(self, x)
