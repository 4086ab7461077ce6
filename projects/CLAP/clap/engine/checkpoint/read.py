"""Every checkpoint of this project is loaded here: data, never a program.

A pickle can run anything. Our own checkpoints hold tensors and plain containers
only (see :mod:`.plain_state`) and need no class to be loaded. What plain MMEngine
writes holds its log history too; its few classes are on the list below, and
nothing else is.
"""

from __future__ import annotations

import codecs
import importlib
import pickle
import re
import socket
import types
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import IO, Any, Callable, Dict, Mapping, Optional, Tuple
from urllib.parse import urlparse

import numpy as np
import torch
from mmengine.logging import HistoryBuffer, print_log
from mmengine.runner.checkpoint import CheckpointLoader

from ...errors import CheckpointError
from ...files.unpickle import RestrictedUnpickler
from .layouts import understood
from .plain_state import restore_message_hub

#: A network without a way out answers nothing, and the wait would have no end.
_NETWORK_TIMEOUT_S = 60
_STATISTICS = ('min', 'max', 'current', 'mean')


def _history_method(owner: type, name: str) -> Callable:
    """Stands in for ``getattr``, by which a pickle names the methods of ``HistoryBuffer``; good for nothing else."""
    if owner is not HistoryBuffer or name not in _STATISTICS:
        raise pickle.UnpicklingError(f'getattr({owner!r}, {name!r})')
    return HistoryBuffer.__dict__[name]


def _allowed() -> Dict[str, Any]:
    """What an MMEngine checkpoint may name besides what torch itself allows: dotted name -> object."""
    # numpy 1.x and 2.x pickle the same two functions under different module names.
    multiarray = importlib.import_module('numpy._core.multiarray' if np.__version__ >= '2' else 'numpy.core.multiarray')
    names = {
        'mmengine.logging.history_buffer.HistoryBuffer': HistoryBuffer,
        'numpy.ndarray': np.ndarray,
        'numpy.dtype': np.dtype,
        'builtins.getattr': _history_method,
    }
    for module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
        names.update({f'{module}.{name}': getattr(multiarray, name) for name in ('_reconstruct', 'scalar')})
    return names


def _dtype_classes() -> list:
    return [type(np.dtype(name)) for name in ('float64', 'float32', 'int64', 'int32', 'bool')]


def _restricted_pickle() -> types.ModuleType:
    """A pickle module for torch < 2.5, whose ``weights_only`` cannot be told about further classes."""
    allowed = {**_allowed(), 'collections.OrderedDict': OrderedDict, '_codecs.encode': codecs.encode}
    for name in ('_rebuild_tensor', '_rebuild_tensor_v2', '_rebuild_parameter'):
        allowed[f'torch._utils.{name}'] = getattr(torch._utils, name)

    for name in dir(torch):
        if name.endswith('Storage') or isinstance(getattr(torch, name), torch.dtype):
            allowed[f'torch.{name}'] = getattr(torch, name)

    class Unpickler(RestrictedUnpickler):
        def __init__(self, file: IO[bytes], **options: Any) -> None:
            super().__init__(file, stand_ins=allowed, **options)

    restricted = types.ModuleType('restricted_pickle')
    restricted.Unpickler = Unpickler  # type: ignore[attr-defined]
    restricted.load = lambda file, **options: Unpickler(file, **options).load()  # type: ignore[attr-defined]
    return restricted


def _torch_load(path: str, map_location: Any) -> Any:
    if hasattr(torch.serialization, 'safe_globals'):
        names = [(item, name) for name, item in _allowed().items()]
        with torch.serialization.safe_globals([*names, *_dtype_classes()]):
            return torch.load(path, map_location=map_location, weights_only=True)
    try:
        return torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError:
        return torch.load(path, map_location=map_location, weights_only=False, pickle_module=_restricted_pickle())


def load_checkpoint_file(filename: str, map_location: Any = None) -> Any:
    """Load a local checkpoint without running anything in it.

    BEVFusion's and CenterPoint's files of mmdetection3d and OpenPCDet get the names and axes of our encoders.

    Args:
        filename: file written by ``torch.save``.
        map_location: as in ``torch.load``.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it is damaged, or asks for something that is not on the list.
    """
    path = str(Path(filename).expanduser())
    if not Path(path).is_file():
        raise FileNotFoundError(f'checkpoint {path} does not exist')
    try:
        content = _torch_load(path, map_location)
    except pickle.UnpicklingError as error:
        asked = str(error).replace('\n', ' ')[:400]
        raise CheckpointError(
            f'{path} was refused: it is damaged, or it is a program, not a checkpoint ({asked}). '
            'Only tensors, plain containers and the log history of MMEngine are loaded'
        ) from None
    except (
        RuntimeError,
        EOFError,
        OSError,
        ValueError,
        KeyError,
        AttributeError,
        TypeError,
        IndexError,
        zipfile.BadZipFile,
    ) as error:
        raise CheckpointError(
            f'{path} cannot be read ({type(error).__name__}: {str(error)[:300]}): a truncated or damaged copy?'
        ) from error
    if isinstance(content, dict) and isinstance(content.get('message_hub'), dict):
        content['message_hub'] = restore_message_hub(content['message_hub'])
    content, layout = understood(content)
    if layout is not None:
        print_log(f'{path} has the layout of {layout}; names and axes were changed to those of this project', 'current')
    return content


def checkpoint_problem(path: Path) -> Optional[str]:
    """Why a training checkpoint cannot be resumed from, or None: every byte is read and compared with its checksum."""
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
        if broken is not None:
            return f'{path}: the checksum of {broken} is wrong'
        content = load_checkpoint_file(str(path), 'cpu')
    except (zipfile.BadZipFile, OSError, NotImplementedError, EOFError, RuntimeError, ValueError) as error:
        return str(error) if isinstance(error, CheckpointError) else f'{path}: {error}'
    missing = [
        key
        for key in ('meta', 'state_dict', 'optimizer', 'message_hub')
        if not isinstance(content, dict) or key not in content
    ]
    return f'{path}: no {", ".join(missing)} in it' if missing else None


def _load_from_http(filename: str, map_location: Any = None, **_ignored) -> Any:
    """Download once into torch's cache, then load like a local file."""
    folder = Path(torch.hub.get_dir()) / 'checkpoints'
    target = folder / Path(urlparse(filename).path).name
    if not target.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        waits = socket.getdefaulttimeout()
        socket.setdefaulttimeout(_NETWORK_TIMEOUT_S)
        try:
            torch.hub.download_url_to_file(filename, str(target), progress=False)
        except OSError as error:
            raise CheckpointError(
                f'{filename} cannot be fetched ({error}). Put the file at {target}, or name it instead of the address'
            ) from error
        finally:
            socket.setdefaulttimeout(waits)
    return load_checkpoint_file(str(target), map_location)


def _refuse(filename: str, map_location: Any = None, **_ignored) -> Any:
    raise CheckpointError(f'{filename}: only local files and http(s) addresses are loaded; download it first')


def allow_mmengine_checkpoints() -> None:
    """Make every load of MMEngine (``resume``, ``load_from``, ``init_cfg``) go through :func:`load_checkpoint_file`.

    MMEngine 0.10.7 calls ``torch.load`` with its defaults, which before torch 2.6
    run whatever a file contains, and from then on refuse MMEngine's own files.
    """
    loaders = {'': load_checkpoint_file, 'http://': _load_from_http, 'https://': _load_from_http}
    for prefix in set(CheckpointLoader._schemes) | set(loaders):
        CheckpointLoader.register_scheme(prefixes=prefix, loader=loaders.get(prefix, _refuse), force=True)


def learned_voxels(content: Mapping[str, Any]) -> Optional[Tuple[float, ...]]:
    """Size of the voxels (x, y, z, metres) that a checkpoint's encoder was trained on, None where it does not say.

    MMEngine keeps the configuration as the text of a program, which is searched and never run.
    """
    meta = content.get('meta') or {}
    if meta.get('voxel_size'):
        return tuple(meta['voxel_size'])
    found = re.search(r'voxel_size=\[([^\]]*)\]', str(meta.get('cfg', '')))
    return tuple(float(number) for number in found[1].split(',') if number.strip()) if found else None
