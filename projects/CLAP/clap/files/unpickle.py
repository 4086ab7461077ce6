"""Reads pickles without running what they may contain: only names on a list are let through.

A pickle is a program, and files come from anywhere: info files, tables of data sets, checkpoints.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import IO, Any, Collection, Mapping

import numpy as np

#: What an array needs; ``numpy.core`` stands for ``numpy._core``, too.
ARRAYS = frozenset(
    {'numpy.dtype', 'numpy.ndarray', 'numpy.core.multiarray._reconstruct', 'numpy.core.numeric._frombuffer'}
)
#: What mmdet3d's and our converters write besides plain containers, numbers and text.
INFO_FILE = ARRAYS | {
    'numpy.core.multiarray.scalar',
    '_codecs.encode',
    'collections.OrderedDict',
    'builtins.set',
    'builtins.frozenset',
    'builtins.bytearray',
    'builtins.complex',
}
_CORE = 'numpy._core.' if int(np.__version__.split('.')[0]) >= 2 else 'numpy.core.'


class RestrictedUnpickler(pickle.Unpickler):
    """Loads what is on a list and nothing else.

    Args:
        file: opened for reading bytes.
        allowed: dotted names that may be asked for; ``builtins`` stands for Python 2's ``__builtin__``, and
            ``numpy.core`` for numpy 2's ``numpy._core``, whichever is installed.
        stand_ins: what names that may be asked for, too, get instead of what they name.
        options: as of ``pickle.Unpickler``.

    ``load`` raises ``pickle.UnpicklingError`` for any other name.
    """

    def __init__(
        self, file: IO[bytes], allowed: Collection[str] = (), stand_ins: Mapping[str, Any] = {}, **options: Any
    ) -> None:
        super().__init__(file, **options)
        self._allowed, self._stand_ins = allowed, stand_ins

    def find_class(self, module: str, name: str) -> Any:
        """The object of an allowed name."""
        module = 'builtins' if module == '__builtin__' else module.replace('numpy._core.', 'numpy.core.')
        asked = f'{module}.{name}'
        if asked in self._stand_ins:
            return self._stand_ins[asked]
        if '.' in name or asked not in self._allowed:
            raise pickle.UnpicklingError(f'it asks for {asked}, which data of this kind do not need')
        return super().find_class(module.replace('numpy.core.', _CORE), name)


def load_info_pickle(path: str) -> Any:
    """The content of ``path``; ``pickle.UnpicklingError`` for anything but containers, numbers, text and arrays."""
    with Path(path).open('rb') as file:
        return RestrictedUnpickler(file, INFO_FILE).load()
