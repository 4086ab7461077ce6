"""What a data loader's own errors mean: a worker that hangs, or that the system has killed."""

from __future__ import annotations

import re
from typing import Optional

#: A batch that takes longer is not waited for; reading one from a slow disk takes seconds.
LOADER_TIMEOUT_S = 600
_FEWER = 'fewer or no workers: --cfg-options train_dataloader.num_workers=N'
_CAUSES = (
    (
        'timed out after',
        'no batch came from the data loading workers in time: they hang. Is a disk or network file system that holds '
        'the data unreachable, or shared memory full (df -h /dev/shm; docker run --shm-size=8g)? num_workers=0 '
        'persistent_workers=False loads in the process itself and shows where; more time: train_dataloader.timeout=S',
    ),
    (
        'Bus error',
        'a data loading worker was killed by a bus error: shared memory is full (df -h /dev/shm; docker run '
        f'--shm-size=8g, or --ipc=host), or {_FEWER}',
    ),
    (
        r'killed by signal: (Killed|Terminated)|exited unexpectedly',
        f'a data loading worker was killed: the machine has no memory left (dmesg says so), or somebody did. {_FEWER}',
    ),
)


def loader_error(error: BaseException) -> Optional[str]:
    """The message for a user whose data loader gave up, or None if ``error`` is something else."""
    if not isinstance(error, RuntimeError) or 'DataLoader' not in str(error):
        return None
    for pattern, meaning in _CAUSES:
        if re.search(pattern, str(error)):
            return f'{meaning} ({str(error).splitlines()[0]}). Then go on: --resume'
    return None
