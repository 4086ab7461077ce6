"""Plain containers for what a checkpoint holds besides tensors, so that loading it needs no class at all."""

from __future__ import annotations

from typing import Any, Dict

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

_HISTORY = 'log_history'


def to_plain(value: Any) -> Any:
    """The same value in tensors, numbers, text, dicts, lists and tuples; anything else becomes its ``repr``."""
    if value is None or isinstance(value, (bool, int, float, str, bytes, torch.Tensor)):
        return value.item() if isinstance(value, np.generic) else value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy()) if value.dtype.kind in 'fiub' else to_plain(value.tolist())
    if isinstance(value, dict):
        return {to_plain(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = [to_plain(item) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    return repr(value)


def plain_message_hub(state: Dict[str, Any]) -> Dict[str, Any]:
    """``MessageHub.state_dict()`` without ``HistoryBuffer``: each becomes two tensors and a length, bit for bit."""
    histories = {}
    for name, buffer in state['log_scalars'].items():
        log, count = buffer.data
        histories[name] = {
            _HISTORY: torch.from_numpy(np.array(log)),
            'counts': torch.from_numpy(np.array(count)),
            'max_length': buffer.max_length,
        }
    return dict(
        log_scalars=histories,
        runtime_info=to_plain(dict(state['runtime_info'])),
        resumed_keys=to_plain(dict(state['resumed_keys'])),
    )


def restore_message_hub(state: Dict[str, Any]) -> Dict[str, Any]:
    """Undo :func:`plain_message_hub`; entries that were not made by it stay as they are."""
    scalars = {
        name: HistoryBuffer(entry[_HISTORY].cpu().numpy(), entry['counts'].cpu().numpy(), entry['max_length'])
        if isinstance(entry, dict) and _HISTORY in entry
        else entry
        for name, entry in state.get('log_scalars', {}).items()
    }
    return {**state, 'log_scalars': scalars}
