"""Proves a converted file by value: another project's classes and ours say the same of the same cloud."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import torch
from mmdet3d.registry import MODELS
from torch import Tensor, nn

from ...errors import CheckpointError
from .layouts import FIRST_DEBLOCK, INPUT_KERNEL, LIDAR, POINT_FEATURES, is_sparse_bias, named_as_ours, sparse_metadata

_GRID = (64, 48, 41)  # x, y, z: x and y differ, so that exchanged axes show
_LIMIT = 1e-5  # of the largest output; float32 convolutions summed in another order differ by 2e-7


def check_by_value(
    ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor], layout: str, features: Optional[Sequence[str]] = None
) -> Dict[str, float]:
    """Run mmdetection3d's own SparseEncoder, SECOND and SECONDFPN on a file's entries, and ours on the checkpoint's.

    OpenPCDet's entries are given mmdetection3d's names first, their axes are the same.

    Args:
        ours: entries of the checkpoint.
        theirs: entries of the file.
        layout: of the file, one that has its axes exchanged.
        features: the numbers of a point in the file, if not the checkpoint's.

    Returns:
        the largest relative difference of each part that the file has.

    Raises:
        CheckpointError: a part says something else.
    """
    names = _named_as_mmdet3d(theirs, layout)
    generator = torch.Generator().manual_seed(0)
    found: Dict[str, float] = {}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # spconv's own convolution is wrong on the CPU with more
    try:
        with torch.no_grad():
            if any(key.startswith('pts_middle_encoder.') for key in ours):
                found['pts_middle_encoder'] = _sparse_difference(ours, names, features, generator)
            if any(key.startswith('pts_backbone.') for key in ours):
                found['pts_backbone, pts_neck'] = _bev_difference(ours, names, generator)
    finally:
        torch.set_num_threads(threads)
    wrong = {name: value for name, value in found.items() if not value < _LIMIT}
    if wrong:
        raise CheckpointError(
            f'the converted entries of {", ".join(wrong)} do not give what the checkpoint gives '
            f'({", ".join(f"{value:.1%} off" for value in wrong.values())}); nothing was written'
        )
    return found


def _named_as_mmdet3d(theirs: Mapping[str, Tensor], layout: str) -> Dict[str, Tensor]:
    """Entries with mmdetection3d's names and their own axes."""
    names = {key: value for key, value in named_as_ours(theirs, layout).items() if not is_sparse_bias(key)}
    if FIRST_DEBLOCK in names and layout == 'openpcdet-centerpoint':
        # of 1 x 1 cells: a transposed convolution is one with inputs and outputs exchanged
        names[FIRST_DEBLOCK] = names[FIRST_DEBLOCK].transpose(0, 1)
    return names


def _part(state: Mapping[str, Tensor], name: str) -> OrderedDict[str, Tensor]:
    own: OrderedDict[str, Tensor] = OrderedDict(
        (key[len(name) + 1 :], value) for key, value in state.items() if key.startswith(f'{name}.')
    )
    own._metadata = sparse_metadata(own)  # type: ignore[attr-defined]
    return own


def _loaded(config: dict, state: Mapping[str, Tensor], name: str) -> nn.Module:
    module = MODELS.build(config)
    module.load_state_dict(_part(state, name))
    return module.eval()


def _difference(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).abs().max() / ours.abs().max().clamp(min=1e-12))


def _sparse_difference(
    ours: Mapping[str, Tensor],
    theirs: Mapping[str, Tensor],
    features: Optional[Sequence[str]],
    generator: torch.Generator,
) -> float:
    """Relative difference of the LiDAR maps of 4000 random voxels."""
    common = dict(_sparse_widths(ours), norm_cfg=dict(type='BN1d', eps=1e-3, momentum=0.01))
    known = POINT_FEATURES[: common.pop('in_channels')]
    features = list(features or known)
    cells = torch.stack([torch.randint(size, (4000,), generator=generator) for size in _GRID], 1).unique(dim=0)
    coords = torch.nn.functional.pad(cells.int(), (1, 0))
    columns = {name: torch.randn(len(cells), generator=generator) for name in dict.fromkeys((*known, *features))}
    # What the file has not got counts nothing here; what the checkpoint has not learned counts nothing there.
    left_out = [name for name in known if name not in features]
    columns.update({name: torch.zeros(len(cells)) for name in left_out})

    def cloud(names: Sequence[str]) -> Tensor:
        return torch.stack([columns[name] for name in names], 1)

    own = _loaded(dict(type='CLAPSparseEncoder', in_channels=len(known), sparse_shape=_GRID, **common), ours, LIDAR[0])
    other = _loaded(
        dict(
            type='SparseEncoder',
            in_channels=len(features),
            sparse_shape=_GRID[::-1],
            order=('conv', 'norm', 'act'),
            encoder_paddings=((0, 0, 1), (0, 0, 1), (0, 0, (0, 1, 1)), (0, 0)),
            block_type='basicblock',
            **common,
        ),
        theirs,
        LIDAR[0],
    )
    turned = coords[:, [0, 3, 2, 1]].contiguous()
    return _difference(own(cloud(known), coords, 1), other(cloud(features), turned, 1).transpose(2, 3))


def _sparse_widths(state: Mapping[str, Tensor]) -> Dict[str, Any]:
    """Widths of a sparse encoder, from its entries."""
    stages: List[Tuple[int, ...]] = []
    prefix = f'{LIDAR[0]}.encoder_layers.encoder_layer'
    for stage in range(1, 5):
        widths = {}
        for key, value in state.items():
            if key.startswith(f'{prefix}{stage}.') and value.dim() == 5:
                widths[int(key[len(prefix) + 2 :].split('.')[0])] = value.shape[0]
        stages.append(tuple(widths[layer] for layer in sorted(widths)))
    kernel = state[INPUT_KERNEL]
    return dict(
        in_channels=kernel.shape[-1],
        base_channels=kernel.shape[0],
        output_channels=state[f'{LIDAR[0]}.conv_out.0.weight'].shape[0],
        encoder_channels=tuple(stages),
    )


def _bev_difference(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor], generator: torch.Generator) -> float:
    """Relative difference of what SECOND, and SECONDFPN if the file has it, make of a random map."""
    convs = [
        [value for key, value in ours.items() if key.startswith(f'pts_backbone.blocks.{block}.') and value.dim() == 4]
        for block in (0, 1)
    ]
    second = dict(
        type='SECOND',
        in_channels=convs[0][0].shape[1],
        out_channels=[block[0].shape[0] for block in convs],
        layer_nums=[len(block) - 1 for block in convs],
        layer_strides=[1, 2],
        norm_cfg=dict(type='BN', eps=1e-3, momentum=0.01),
        conv_cfg=dict(type='Conv2d', bias=False),
    )
    bev = torch.randn(1, second['in_channels'], 24, 16, generator=generator)
    maps = []
    for state, given in ((ours, bev), (theirs, bev.transpose(2, 3))):
        maps.append(_loaded(second, state, 'pts_backbone')(given))
        if FIRST_DEBLOCK in ours:
            maps[-1] = _loaded(_neck(ours, second), state, 'pts_neck')(maps[-1])
    return max(_difference(own, other.transpose(2, 3)) for own, other in zip(*maps))


def _neck(state: Mapping[str, Tensor], second: Dict[str, Any]) -> Dict[str, Any]:
    return dict(
        type='SECONDFPN',
        in_channels=second['out_channels'],
        out_channels=[state[FIRST_DEBLOCK].shape[0], state['pts_neck.deblocks.1.0.weight'].shape[1]],
        upsample_strides=[1, 2],
        norm_cfg=second['norm_cfg'],
        upsample_cfg=dict(type='deconv', bias=False),
        use_conv_for_no_stride=True,
    )
