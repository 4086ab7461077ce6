"""Reads an info file without running what a pickle may contain."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

#: What mmdet3d's and our converters write besides plain containers, numbers and text.
ALLOWED_GLOBALS = frozenset(
    {
        ('_codecs', 'encode'),
        ('collections', 'OrderedDict'),
        ('builtins', 'set'),
        ('builtins', 'frozenset'),
        ('builtins', 'bytearray'),
        ('builtins', 'complex'),
        ('__builtin__', 'set'),
        ('__builtin__', 'frozenset'),
        ('__builtin__', 'bytearray'),
        ('numpy', 'dtype'),
        ('numpy', 'ndarray'),
        ('numpy.core.multiarray', '_reconstruct'),
        ('numpy._core.multiarray', '_reconstruct'),
        ('numpy.core.multiarray', 'scalar'),
        ('numpy._core.multiarray', 'scalar'),
        ('numpy.core.numeric', '_frombuffer'),
        ('numpy._core.numeric', '_frombuffer'),
    }
)


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED_GLOBALS:
            raise pickle.UnpicklingError(f'it asks for {module}.{name}, which an info file does not need')
        return super().find_class(module, name)


def load_plain_pickle(path: str) -> Any:
    """The content of ``path``; ``pickle.UnpicklingError`` for anything but containers, numbers, text and arrays."""
    with Path(path).open('rb') as file:
        return _PlainUnpickler(file).load()
