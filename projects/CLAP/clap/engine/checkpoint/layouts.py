"""The same encoders in other projects: names and axes of their entries, both ways.

BEVFusion's maps, and ours, have the axes (x, y) and sparse kernels (x, y, z); CenterPoint and OpenPCDet have (y, x) and
(z, y, x). A kernel whose axes are not exchanged often loads without a word, because 3 x 3 x 3 fits either way.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from torch import Tensor

from ...encoders.encoder_base import ENCODERS
from ...errors import CheckpointError

State = Mapping[str, Tensor]
LIDAR = ('pts_middle_encoder', 'pts_backbone', 'pts_neck')
#: What a point's numbers are, in the order of the checkpoints of this project.
POINT_FEATURES = ('x', 'y', 'z', 'intensity', 'time')
INPUT_KERNEL = 'pts_middle_encoder.conv_input.0.weight'
_OUTPUT_KERNEL = 'pts_middle_encoder.conv_out.0.weight'
FIRST_DEBLOCK = 'pts_neck.deblocks.0.0.weight'


@dataclass(frozen=True)
class Layout:
    """How a project stores the encoders.

    Attributes:
        modules: our encoder -> their module; encoders that are not in it have no counterpart.
        turned: encoders whose kernels have their axes exchanged there.
        key: of the state dict in a file.
    """

    modules: Dict[str, str]
    turned: Tuple[str, ...] = ()
    key: str = 'state_dict'


_PCDET_LIDAR = dict(pts_middle_encoder='backbone_3d', pts_backbone='backbone_2d', pts_neck='backbone_2d')
LAYOUTS = {
    'mmdet3d-bevfusion': Layout({name: name for name in ENCODERS}),
    'mmdet3d-centerpoint': Layout({name: name for name in LIDAR}, LIDAR),
    'openpcdet-centerpoint': Layout(_PCDET_LIDAR, LIDAR, 'model_state'),
    'openpcdet-bevfusion': Layout(
        dict(
            _PCDET_LIDAR,
            img_backbone='image_backbone',
            img_neck='neck',
            view_transform='vtransform',
            fusion_layer='fuser',
        ),
        (*LIDAR, 'fusion_layer'),
        'model_state',
    ),
}


def _pcdet_prefixes() -> List[Tuple[str, str]]:
    """(ours, OpenPCDet's) beginnings of names.

    VoxelResBackBone8x begins a stage with its strided convolution, which ends ours; BaseBEVBackbone begins a block with
    a layer of padding.
    """
    sparse = 'pts_middle_encoder.encoder_layers.encoder_layer'
    pairs = [(f'pts_middle_encoder.{name}.', f'backbone_3d.{name}.') for name in ('conv_input', 'conv_out')]
    for stage in range(1, 5):
        first = 0 if stage == 1 else 1
        pairs += [(f'{sparse}{stage}.{block}.', f'backbone_3d.conv{stage}.{block + first}.') for block in (0, 1)]
        pairs += [(f'{sparse}{stage}.2.', f'backbone_3d.conv{stage + 1}.0.')] if stage < 4 else []
    for block in range(4):
        pairs += [
            (f'pts_backbone.blocks.{block}.{layer}.', f'backbone_2d.blocks.{block}.{layer + 1}.') for layer in range(60)
        ]
    pairs += [('pts_neck.deblocks.', 'backbone_2d.deblocks.'), ('fusion_layer.', 'fuser.conv.')]
    pairs += [('img_backbone.', 'image_backbone.'), ('img_neck.', 'neck.'), ('view_transform.', 'vtransform.')]
    return pairs


def _renamed(key: str, pairs: Sequence[Tuple[str, str]]) -> Optional[str]:
    return next((theirs + key[len(ours) :] for ours, theirs in pairs if key.startswith(ours)), None)


def _turned(key: str, value: Tensor, layout: str) -> Tensor:
    """A kernel under our name with the axes of the layout, and back: each exchange undoes itself."""
    if key.split('.')[0] not in LAYOUTS[layout].turned:
        return value
    if value.dim() == 5:  # (out, x, y, z, in) <-> (out, z, y, x, in)
        return value.permute(0, 3, 2, 1, 4).contiguous()
    if value.dim() != 4:
        return value
    if key == FIRST_DEBLOCK and layout == 'openpcdet-centerpoint':  # there a transposed convolution: (in, out, ...)
        value = value.transpose(0, 1)
    return value.transpose(2, 3).contiguous()


def to_layout(state: State, layout: str, use_bias: bool = False) -> OrderedDict[str, Tensor]:
    """Entries of our encoders under another project's names and axes.

    Args:
        state: entries of encoders that the layout has.
        layout: one of ``LAYOUTS``.
        use_bias: add zero biases to the residual blocks' convolutions, which OpenPCDet's encoder has unless its
            configuration says ``USE_BIAS: False``.

    Raises:
        CheckpointError: an entry has no counterpart there.
    """
    pcdet = layout.startswith('openpcdet')
    if pcdet:
        _check_pcdet_widths(state)
    pairs, found = _pcdet_prefixes(), OrderedDict()
    for key, value in state.items():
        name = _renamed(key, pairs) if pcdet else key
        if name is None or key.split('.')[0] not in LAYOUTS[layout].modules:
            raise CheckpointError(
                f'{key} has no counterpart in {layout}, which has '
                f'{", ".join(LAYOUTS[layout].modules)} of four stages with two blocks each'
            )
        found[name] = _turned(key, value, layout)
        bias = key[: -len('weight')] + 'bias'
        if use_bias and is_sparse_bias(bias):
            found[name[: -len('weight')] + 'bias'] = value.new_zeros(value.shape[0])
    return found


def _check_pcdet_widths(state: State) -> None:
    """OpenPCDet's encoder has fixed widths, and leaves out what does not fit without a word."""
    for key, width in ((INPUT_KERNEL, 16), (_OUTPUT_KERNEL, 128)):
        if key in state and state[key].shape[0] != width:
            raise CheckpointError(
                f"{key} has {state[key].shape[0]} output channels, OpenPCDet's VoxelResBackBone8x has {width} and "
                'would leave out what does not fit; pre-train the encoders of '
                'configs/_base_/models/encoder_voxel0075_swint.py'
            )


def select_point_features(kernel: Tensor, names: Sequence[str]) -> Tuple[Tensor, List[str]]:
    """The input kernel (out, x, y, z, in) for points with other numbers, chosen by name.

    Args:
        kernel: of ``INPUT_KERNEL``; its inputs are the first of ``POINT_FEATURES``.
        names: the numbers of a point in the target, in order.

    Returns:
        the kernel, and the names that the checkpoint has not learned: their weights are 0.

    Raises:
        CheckpointError: no name is known, or one is given twice.
    """
    known = list(POINT_FEATURES[: kernel.shape[-1]])
    if not set(names) & set(known) or len(set(names)) != len(names):
        raise CheckpointError(
            f'--point-features {",".join(names)}: expected distinct names, among them some of {", ".join(known)}, '
            'which the checkpoint has'
        )
    chosen = kernel.new_zeros(*kernel.shape[:-1], len(names))
    for index, name in enumerate(names):
        if name in known:
            chosen[..., index] = kernel[..., known.index(name)]
    return chosen, [name for name in names if name not in known]


def recognise(state: State) -> Optional[str]:
    """The layout of a file of another project; None if it is ours, or none of an encoder."""
    if any(key.startswith(('backbone_3d.', 'backbone_2d.')) for key in state):
        fused = any(key.startswith(('image_backbone.', 'fuser.')) for key in state)
        return 'openpcdet-bevfusion' if fused else 'openpcdet-centerpoint'
    kernel = state.get(_OUTPUT_KERNEL)
    return 'mmdet3d-centerpoint' if kernel is not None and (_heights(kernel, 0) or _heights(kernel, 1)) else None


def _heights(kernel: Tensor, first: int) -> bool:
    """Whether the three axes from ``first`` on of the last sparse kernel, which joins heights, are (z, y, x)."""
    return tuple(kernel.shape[first : first + 3]) == (3, 1, 1)


def named_as_ours(state: State, layout: str) -> Dict[str, Tensor]:
    """Entries of another project's file under our names, with its own axes; what has no counterpart keeps its name."""
    if not layout.startswith('openpcdet'):
        return dict(state)
    pairs = [(theirs, ours) for ours, theirs in _pcdet_prefixes()]
    return {_renamed(key, pairs) or key: value for key, value in state.items()}


def from_layout(state: State, layout: str) -> OrderedDict[str, Tensor]:
    """Entries of another project's file under our names and axes.

    Biases before a batch norm, which our encoders do not have, go into its running mean: exact in evaluation, and
    without effect in training. Kernels of spconv 1 and MMCV, (z, y, x, in, out), become spconv 2's.
    """
    named = named_as_ours(state, layout)
    old = _OUTPUT_KERNEL in named and _heights(named[_OUTPUT_KERNEL], 0)
    found: OrderedDict[str, Tensor] = OrderedDict()
    for key, value in named.items():
        if value.dim() == 5 and old:
            value = value.permute(4, 0, 1, 2, 3)
        if not is_sparse_bias(key):
            found[key] = _turned(key, value, layout)
    for key, value in named.items():
        if is_sparse_bias(key):
            norm = key.replace('.conv', '.bn').replace('.bias', '.running_mean')
            found[norm] = found[norm] - value
    return found


def is_sparse_bias(key: str) -> bool:
    return key.startswith('pts_middle_encoder.encoder_layers.') and key.endswith(('.conv1.bias', '.conv2.bias'))


def understood(content: Any, prefix: str = 'module.') -> Tuple[Any, Optional[str]]:
    """A loaded file as one of ours, and the layout that it had; as it is, and None, if it was of no other project."""
    if not isinstance(content, Mapping):
        return content, None
    state = content.get('model_state', content.get('state_dict', content))
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        return content, None
    state = {key[len(prefix) :] if key.startswith(prefix) else key: value for key, value in state.items()}
    layout = recognise(state)
    if layout is None:
        return content, None
    converted = from_layout(state, layout)
    converted._metadata = sparse_metadata(converted)  # type: ignore[attr-defined]
    rest = {key: value for key, value in content.items() if key not in ('model_state', 'state_dict', *state)}
    return dict(rest, state_dict=converted), layout


def sparse_metadata(state: State) -> OrderedDict[str, Dict[str, int]]:
    """Metadata by which spconv 2 and mmdetection3d know that sparse kernels are (out, ..., in)."""
    kernels = (key.rsplit('.', 1)[0] for key, value in state.items() if value.dim() == 5)
    return OrderedDict((name, dict(version=2)) for name in kernels)
