"""Will the batches that data loading workers have ready fit into the memory that they hand them over in?"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Optional

from torch.utils.data import DataLoader

from ..errors import ConfigError

SHARED = Path('/dev/shm')
#: Of ``DataLoader``: batches that each worker has ready.
_PREFETCH = 2


def check_shared_memory(loader: DataLoader, sample_bytes: int, name: str, processes: Optional[int] = None) -> None:
    """Raise :class:`ConfigError` if a loader's batches in waiting are larger than the shared memory that is free.

    Where they are, workers die of a bus error or wait for ever after a few steps. Every worker has ``prefetch_factor``
    batches ready, and one is in use.

    Args:
        loader: built; without workers it needs none.
        sample_bytes: tensors of one sample.
        name: of the loader in the configuration.
        processes: of the training on this machine; None asks the launcher's environment.
    """
    if not loader.num_workers or not SHARED.is_dir():
        return
    if processes is None:
        processes = int(os.environ.get('LOCAL_WORLD_SIZE') or os.environ.get('SLURM_NTASKS_PER_NODE') or 1)
    prefetch, batch = loader.prefetch_factor or _PREFETCH, loader.batch_size or 1
    needed = sample_bytes * batch * (loader.num_workers * prefetch + 1) * processes
    free = shutil.disk_usage(SHARED).free
    if needed > free:
        raise ConfigError(
            f'{name}: {loader.num_workers} workers x {prefetch} batches in waiting x batch_size {batch} x '
            f'{_mib(sample_bytes)} a frame, one batch in use'
            + (f', {processes} processes' if processes > 1 else '')
            + f', take {_mib(needed)} of shared memory; {SHARED} has {_mib(free)} free, and '
            'training would hang or die of a bus error. Give the container more '
            f'(docker run --shm-size={-(-2 * needed // 2**30)}g, or --ipc=host), or lower {name}.num_workers or '
            f'{name}.prefetch_factor (num_workers=0 persistent_workers=False needs none)'
        )


def _mib(count: int) -> str:
    return f'{count / 2**20:.{0 if count > 2**24 else 2}f} MiB'
