"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Union

from mmengine.fileio import LocalBackend, register_backend

#: Ending of a file that is still being written; what is left of an interrupted write.
PARTIAL = '.partial'


def write_atomic(path: Union[str, Path], content: bytes) -> None:
    """Write beside ``path``, make sure that it is on the disk, then give it its name.

    A reader sees the old file or the new one, whenever the process or the machine stops.

    Raises:
        OSError: disk full, quota, permission; ``path`` is as it was and nothing is left beside it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + PARTIAL)
    try:
        with open(partial, 'wb') as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the name, too, must survive a power cut
    finally:
        os.close(folder)


@register_backend('atomic_local', force=True)
class AtomicLocalBackend(LocalBackend):
    """MMEngine's local files, written by :func:`write_atomic`."""

    def put(self, obj: bytes, filepath: Union[str, Path]) -> None:
        """Write ``obj`` whole or not at all."""
        write_atomic(filepath, bytes(obj))

    def put_text(self, obj: str, filepath: Union[str, Path], encoding: str = 'utf-8') -> None:
        """Write text whole or not at all."""
        write_atomic(filepath, obj.encode(encoding))
