"""The encoders of a pre-trained checkpoint, in a file that BEVFusion or CenterPoint of another project loads."""

from __future__ import annotations

import hashlib
import io
from collections import OrderedDict
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import torch
from torch import Tensor

from ...encoders.encoder_base import ENCODERS
from ...errors import CheckpointError
from ...files.atomic_file import write_atomic
from .compare import GEOMETRY, checkpoint_state
from .layout_check import check_by_value
from .layouts import INPUT_KERNEL, LAYOUTS, select_point_features, sparse_metadata, to_layout
from .read import learned_voxels, load_checkpoint_file

#: View transform of mmdetection3d's lidar-cam voxel0075 configuration: steps, first centres, cells, last frustum point.
_REFERENCE = {
    'view_transform.dx': [0.3, 0.3, 20.0],
    'view_transform.bx': [-53.85, -53.85, 0.0],
    'view_transform.nx': [360, 360, 1],
}
_REFERENCE_FRUSTUM, _REFERENCE_CORNER = (118, 32, 88, 3), [703.0, 255.0, 59.5]
_SPCONV_2 = 2  # version under which spconv 2 stores kernels as (out, kx, ky, kz, in)


def export_encoders(source: str, target: str) -> Dict[str, Any]:
    """Write the encoder entries of a checkpoint, and read them back.

    The file holds ``state_dict`` and a ``meta`` of plain values, so that
    ``torch.load`` needs no class for it. The state dict keeps the layout
    versions in its metadata: without them mmdetection3d would permute every
    sparse kernel. The geometry of the view transform goes along only if it is
    that of mmdetection3d's configuration; in a model of other bounds it would
    overwrite them without a word.

    Args:
        source: checkpoint of pre-training or of a detector.
        target: file to write.

    Returns:
        ``entries``, ``numbers`` per encoder, ``geometry`` (bool), ``absent`` encoders, ``dropped`` modules.

    Raises:
        FileNotFoundError: there is no such checkpoint.
        CheckpointError: it is not a checkpoint, has no encoder, non-finite weights, or lost its layout versions.
    """
    return merge_encoders([(source, None)], target)


def merge_encoders(
    parts: Sequence[Tuple[str, Optional[Sequence[str]]]],
    target: str,
    layout: str = 'mmdet3d-bevfusion',
    use_bias: bool = False,
    features: Optional[Sequence[str]] = None,
) -> Dict[str, Any]:
    """As :func:`export_encoders`, with encoders from several checkpoints: those that were pre-trained separately.

    Args:
        parts: checkpoints, each with the names of the encoders to take from it; None takes all that it has and that the
            layout has.
        target: file to write.
        layout: of the file, see :mod:`.layouts`.
        use_bias: see :func:`to_layout`.
        features: names of a point's numbers in the target, see :func:`select_point_features`; None: the checkpoint's.

    Returns:
        as :func:`export_encoders`, besides ``to`` (our encoder -> module in the file), ``unlearned`` numbers of a point
        and ``checked`` (:func:`check_by_value`). Encoders that no part names are among ``absent``.

    Raises:
        CheckpointError: also when an encoder is named that the checkpoint or the layout lacks, or that comes from two
            checkpoints, or when the target's classes say something else than ours.
    """
    chosen: Dict[str, Tensor] = {}
    metadata: OrderedDict = OrderedDict()
    dropped: List[str] = []
    voxels: Optional[Sequence[float]] = None
    for source, names in parts:
        if Path(target).exists() and Path(source).resolve() == Path(target).resolve():
            raise CheckpointError(f'{target} is the checkpoint itself; write the export to another file')
        content = load_checkpoint_file(source, 'cpu')
        own, own_metadata, left = _encoders_of(content, source, names, list(LAYOUTS[layout].modules))
        if 'pts_middle_encoder' in _modules(own):
            voxels = learned_voxels(content)
        twice = set(_modules(own)) & set(_modules(chosen))
        if twice:
            raise CheckpointError(
                f'{", ".join(sorted(twice))} would come from {source} and from a checkpoint before '
                'it; name the encoders to take from each: CKPT:encoder,encoder'
            )
        chosen.update(own)
        metadata.update({key: value for key, value in own_metadata.items() if key not in metadata})
        dropped += [name for name in left if name not in dropped]
    geometry = _is_reference(chosen)
    if not geometry:
        chosen = {key: value for key, value in chosen.items() if key not in GEOMETRY}
    written, checked = chosen, {}
    unlearned: List[str] = []
    if features is not None:
        if INPUT_KERNEL not in chosen:
            raise CheckpointError('--point-features: pts_middle_encoder, whose input they are, is not exported')
        kernel, unlearned = select_point_features(chosen[INPUT_KERNEL], features)
        written = {**chosen, INPUT_KERNEL: kernel}
    if LAYOUTS[layout].turned:
        written = to_layout(written, layout, use_bias)
        checked = check_by_value(chosen, written, layout, features)
        metadata = sparse_metadata(written)
    summary = dict(
        to={name: LAYOUTS[layout].modules[name] for name in _modules(chosen)},
        unlearned=unlearned,
        checked=checked,
        entries={name: sum(key.startswith(f'{name}.') for key in chosen) for name in ENCODERS},
        numbers={name: sum(v.numel() for k, v in chosen.items() if k.startswith(f'{name}.')) for name in ENCODERS},
        geometry=geometry,
        absent=[name for name in ENCODERS if name not in _modules(chosen)],
        dropped=[name for name in dropped if name not in _modules(chosen)],
    )
    names = ' + '.join(Path(source).name for source, _ in parts)
    _write(
        Path(target),
        LAYOUTS[layout].key,
        written,
        metadata,
        dict(exported_by='CLAP', source=names, voxel_size=voxels and list(voxels), **summary),
    )
    return summary


def _encoders_of(
    content: Mapping[str, Any], source: str, names: Optional[Sequence[str]], possible: Sequence[str]
) -> Tuple[Dict[str, Tensor], OrderedDict, List[str]]:
    """Entries of a checkpoint's encoders, the metadata of their layouts, and the modules that are left out."""
    state = checkpoint_state(content, source)
    present = [name for name in ENCODERS if name in _modules(state)]
    if not present:
        raise CheckpointError(
            f'{source} has none of the encoders {", ".join(ENCODERS)}; its modules are '
            f'{", ".join(_modules(state))}. Give a checkpoint of a pre-training on driving frames, or of a detector'
        )
    lacking = [name for name in names or () if name not in present]
    if lacking:
        raise CheckpointError(f'{source} has no encoder {", ".join(lacking)}; it has {", ".join(present)}')
    without = [name for name in names or () if name not in possible]
    if without:
        raise CheckpointError(f'{", ".join(without)}: the target has no such encoder; it has {", ".join(possible)}')
    wanted = [name for name in present if name in possible] if names is None else list(names)
    if not wanted:
        raise CheckpointError(f'{source} has {", ".join(present)}, and the target only {", ".join(possible)}')
    chosen = {key: value.detach().clone().contiguous() for key, value in state.items() if key.split('.')[0] in wanted}
    bad = [key for key, value in chosen.items() if value.is_floating_point() and not bool(value.isfinite().all())]
    if bad:
        raise CheckpointError(f'{source}: NaN or infinity in {", ".join(bad[:3])}; export an earlier checkpoint')
    return chosen, _metadata(content, chosen, wanted, source), [n for n in _modules(state) if n not in wanted]


def _modules(state: Mapping[str, Tensor]) -> List[str]:
    return list(dict.fromkeys(key.split('.')[0] for key in state))


def _metadata(
    content: Mapping[str, Any], chosen: Mapping[str, Tensor], wanted: Sequence[str], source: str
) -> OrderedDict:
    """Versions of the chosen modules; refuses sparse kernels whose layout is not known to be spconv 2's."""
    given = getattr(content.get('state_dict', content), '_metadata', {})
    given = {key[len('module.') :] if key.startswith('module.') else key: value for key, value in given.items()}
    for key, value in chosen.items():
        if value.dim() == 5 and given.get(key.rsplit('.', 1)[0], {}).get('version') != _SPCONV_2:
            raise CheckpointError(
                f'{source}: the layout of the sparse kernel {key} is unknown, because the state dict has no metadata: '
                'it has been rebuilt as a plain dict. Export from the checkpoint that training wrote'
            )
    return OrderedDict((key, dict(value)) for key, value in given.items() if key == '' or key.split('.')[0] in wanted)


def _is_reference(state: Mapping[str, Tensor]) -> bool:
    if not all(key in state for key in GEOMETRY):
        return False
    frustum = state['view_transform.frustum']
    return (
        tuple(frustum.shape) == _REFERENCE_FRUSTUM
        and all(
            bool(torch.allclose(state[key].double(), torch.tensor(value, dtype=torch.float64), atol=1e-4))
            for key, value in _REFERENCE.items()
        )
        and bool(torch.allclose(frustum[-1, -1, -1].float(), torch.tensor(_REFERENCE_CORNER), atol=1e-3))
    )


def _write(target: Path, key: str, chosen: Mapping[str, Tensor], metadata: OrderedDict, meta: Dict[str, Any]) -> None:
    state: OrderedDict = OrderedDict(chosen)
    state._metadata = metadata  # type: ignore[attr-defined]
    buffer = io.BytesIO()
    torch.save({key: state, 'meta': meta}, buffer)
    write_atomic(target, buffer.getvalue())
    again = torch.load(str(target), map_location='cpu', weights_only=True)[key]
    assert again._metadata == metadata and list(again) == list(chosen), f'{target} came back different'
    assert all(torch.equal(again[name], value) for name, value in chosen.items()), f'{target} came back different'


def weights_digest(path: str) -> str:
    """16 hexadecimal digits of the SHA-256 of names and values; the same wherever and whenever the file was written."""
    digest = hashlib.sha256()
    for name, value in sorted(checkpoint_state(load_checkpoint_file(path, 'cpu'), path).items()):
        digest.update(f'{name} {value.dtype} {tuple(value.shape)}'.encode())
        digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
