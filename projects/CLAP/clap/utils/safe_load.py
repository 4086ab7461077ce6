"""Loading MMEngine checkpoints where torch refuses to unpickle arbitrary classes."""
from __future__ import annotations

import importlib

import numpy as np
import torch
from mmengine.logging import HistoryBuffer


def allow_mmengine_checkpoints() -> None:
    """Allow exactly what an MMEngine training checkpoint holds besides tensors.

    From torch 2.6 on ``torch.load`` unpickles tensors and plain containers
    only, and MMEngine 0.10.7 stores its log history (``HistoryBuffer``, numpy
    arrays) in every checkpoint, so ``resume`` and ``load_from`` fail. The check
    stays on; these classes are added to its list. Older torch has no such list
    and no such check.
    """
    if not hasattr(torch.serialization, 'add_safe_globals'):
        return
    # numpy 1.x and 2.x pickle the same two functions under different module names.
    multiarray = importlib.import_module('numpy._core.multiarray' if np.__version__ >= '2' else 'numpy.core.multiarray')
    allowed = [HistoryBuffer, np.ndarray, np.dtype, getattr]
    allowed += [type(np.dtype(name)) for name in ('float64', 'float32', 'int64', 'int32', 'bool')]
    for name in ('_reconstruct', 'scalar'):
        function = getattr(multiarray, name)
        allowed += [(function, f'numpy.core.multiarray.{name}'), (function, f'numpy._core.multiarray.{name}')]
    torch.serialization.add_safe_globals(allowed)
