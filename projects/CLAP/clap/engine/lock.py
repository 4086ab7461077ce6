"""One run per work directory at a time."""

from __future__ import annotations

import os
import socket
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Iterator, Optional, Union

from ..errors import WorkDirBusyError

LOCK_NAME = '.lock'
#: Where the launchers say which process this is.
_RANKS = {'pytorch': 'RANK', 'slurm': 'SLURM_PROCID', 'mpi': 'OMPI_COMM_WORLD_RANK'}


def is_first_process(launcher: str = 'none') -> bool:
    """Whether this is rank 0, as the launcher says; for before the processes know each other."""
    return os.environ.get(_RANKS.get(launcher, ''), '0') == '0'


@contextmanager
def locked_work_dir(work_dir: Union[str, Path], launcher: str = 'none') -> Iterator[None]:
    """Hold ``WORK_DIR/.lock`` while a run writes there; two runs in one folder would overwrite each other's files.

    The kernel takes the lock back when the process ends, however it ends, so there is nothing to clean up after a
    kill. The first process of a distributed run holds it for all. Where the file system has no locks, or the file
    cannot be made, a warning is printed and the run goes on without.

    Args:
        work_dir: made if it is not there.
        launcher: MMEngine's name of the launcher.

    Raises:
        WorkDirBusyError: another process holds it.
    """
    if not is_first_process(launcher):
        yield
        return
    file = _acquire(Path(work_dir))
    try:
        yield
    finally:
        if file is not None:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_UN)  # for copies of this process, too
            file.close()


def _acquire(work_dir: Path) -> Optional[IO[str]]:
    path = work_dir / LOCK_NAME
    file: Optional[IO[str]] = None
    try:
        import fcntl

        work_dir.mkdir(parents=True, exist_ok=True)
        file = open(path, 'a+')  # noqa: SIM115  # its life is the lock's
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        assert file is not None
        file.seek(0)
        holder = file.read().strip() or 'a process that has not written its number yet'
        file.close()
        raise WorkDirBusyError(
            f'{work_dir} is in use by another run, or by what a killed one has left running: {holder}. Two runs in one '
            'folder overwrite each other\'s files. Wait for it or end it, or give this run a --work-dir of its own'
        ) from None
    except (ImportError, OSError) as error:
        if file is not None:
            file.close()
        print(
            f'warning: {path} cannot be locked ({error}). Make sure yourself that no other run writes to {work_dir}',
            file=sys.stderr,
        )
        return None
    # A data loader's worker is a copy of this process and may outlive it; it must not keep the lock.
    os.register_at_fork(after_in_child=file.close)
    try:
        file.truncate(0)
        file.write(f'process {os.getpid()} on {socket.gethostname()}, since {time.strftime("%Y-%m-%d %H:%M:%S")}\n')
        file.flush()
    except OSError:  # a full disk: the lock holds without a name in it
        pass
    return file
