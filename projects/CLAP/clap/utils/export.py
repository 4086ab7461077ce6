"""The encoders of a pre-trained checkpoint, in a file that mmdetection3d's BEVFusion loads."""
from __future__ import annotations

import io
from collections import OrderedDict
from pathlib import Path
from typing import Any, Dict, List, Mapping

import torch
from torch import Tensor

from .atomic_file import write_atomic
from .errors import CheckpointError
from .safe_load import load_checkpoint_file
from .transfer import ENCODERS, GEOMETRY, checkpoint_state

#: View transform of mmdetection3d's lidar-cam voxel0075 configuration: steps, first centres, cells, last frustum point.
_REFERENCE = {'view_transform.dx': [0.3, 0.3, 20.0], 'view_transform.bx': [-53.85, -53.85, 0.0],
              'view_transform.nx': [360, 360, 1]}
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
    if Path(target).exists() and Path(source).resolve() == Path(target).resolve():
        raise CheckpointError(f'{target} is the checkpoint itself; write the export to another file')
    content = load_checkpoint_file(source, 'cpu')
    state = checkpoint_state(content, source)
    chosen = {key: value.detach().clone().contiguous() for key, value in state.items()
              if key.split('.')[0] in ENCODERS}
    if not chosen:
        raise CheckpointError(f'{source} has none of the encoders {", ".join(ENCODERS)}; its modules are '
                              f'{", ".join(_modules(state))}. Give a checkpoint of CLAP or CLAPBEVFusion')
    bad = [key for key, value in chosen.items() if value.is_floating_point() and not bool(value.isfinite().all())]
    if bad:
        raise CheckpointError(f'{source}: NaN or infinity in {", ".join(bad[:3])}; export an earlier checkpoint')
    metadata = _metadata(content, chosen, source)
    geometry = _is_reference(chosen)
    if not geometry:
        chosen = {key: value for key, value in chosen.items() if key not in GEOMETRY}
    summary = dict(
        entries={name: sum(key.startswith(f'{name}.') for key in chosen) for name in ENCODERS},
        numbers={name: sum(v.numel() for k, v in chosen.items() if k.startswith(f'{name}.')) for name in ENCODERS},
        geometry=geometry, absent=[name for name in ENCODERS if name not in _modules(chosen)],
        dropped=[name for name in _modules(state) if name not in ENCODERS])
    _write(Path(target), chosen, metadata, dict(exported_by='CLAP', source=Path(source).name, **summary))
    return summary


def _modules(state: Mapping[str, Tensor]) -> List[str]:
    return list(dict.fromkeys(key.split('.')[0] for key in state))


def _metadata(content: Mapping[str, Any], chosen: Mapping[str, Tensor], source: str) -> OrderedDict:
    """Versions of the chosen modules; refuses sparse kernels whose layout is not known to be spconv 2's."""
    given = getattr(content.get('state_dict', content), '_metadata', {})
    given = {key[len('module.'):] if key.startswith('module.') else key: value for key, value in given.items()}
    for key, value in chosen.items():
        if value.dim() == 5 and given.get(key.rsplit('.', 1)[0], {}).get('version') != _SPCONV_2:
            raise CheckpointError(
                f'{source}: the layout of the sparse kernel {key} is unknown, because the state dict has no metadata: '
                'it has been rebuilt as a plain dict. Export from the checkpoint that training wrote')
    return OrderedDict((key, dict(value)) for key, value in given.items()
                       if key == '' or key.split('.')[0] in ENCODERS)


def _is_reference(state: Mapping[str, Tensor]) -> bool:
    if not all(key in state for key in GEOMETRY):
        return False
    frustum = state['view_transform.frustum']
    return tuple(frustum.shape) == _REFERENCE_FRUSTUM and all(
        bool(torch.allclose(state[key].double(), torch.tensor(value, dtype=torch.float64), atol=1e-4))
        for key, value in _REFERENCE.items()) and bool(
            torch.allclose(frustum[-1, -1, -1].float(), torch.tensor(_REFERENCE_CORNER), atol=1e-3))


def _write(target: Path, chosen: Mapping[str, Tensor], metadata: OrderedDict, meta: Dict[str, Any]) -> None:
    state: OrderedDict = OrderedDict(chosen)
    state._metadata = metadata  # type: ignore[attr-defined]
    buffer = io.BytesIO()
    torch.save(dict(state_dict=state, meta=meta), buffer)
    write_atomic(target, buffer.getvalue())
    again = torch.load(str(target), map_location='cpu', weights_only=True)['state_dict']
    assert again._metadata == metadata and list(again) == list(chosen), f'{target} came back different'
    assert all(torch.equal(again[key], value) for key, value in chosen.items()), f'{target} came back different'
