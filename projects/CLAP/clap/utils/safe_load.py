"""Loading MMEngine checkpoints where torch refuses to unpickle arbitrary classes."""
from __future__ import annotations

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
    core = getattr(np, '_core', None) or np.core
    allowed = [
        HistoryBuffer, np.ndarray, np.dtype, core.multiarray._reconstruct, core.multiarray.scalar,
        # The name under which numpy 1.x and 2.x pickle the same functions differs.
        (core.multiarray._reconstruct, 'numpy.core.multiarray._reconstruct'),
        (core.multiarray._reconstruct, 'numpy._core.multiarray._reconstruct'),
        (core.multiarray.scalar, 'numpy.core.multiarray.scalar'),
        (core.multiarray.scalar, 'numpy._core.multiarray.scalar'),
    ]
    allowed += [type(np.dtype(name)) for name in ('float64', 'float32', 'int64', 'int32', 'bool')]
    allowed.append(getattr)  # HistoryBuffer registers its statistics by name
    torch.serialization.add_safe_globals(allowed)
