"""Reads protocol buffers, and TFRecord files of them, by field numbers: without a schema, a compiler or TensorFlow."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

import numpy as np

from ..errors import DataError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LENGTH = struct.Struct('<Q')
_CRC_BYTES = 4


def read_records(path: Path) -> Iterator[bytes]:
    """The records of a TFRecord file one by one; ``DataError`` names a file that ends within one."""
    if not path.is_file():
        raise DataError(f'{path} does not exist')
    left = path.stat().st_size
    with path.open('rb') as file:
        while left:
            head = file.read(_LENGTH.size + _CRC_BYTES)
            size = _LENGTH.unpack(head[: _LENGTH.size])[0] if len(head) == _LENGTH.size + _CRC_BYTES else 0
            left -= len(head) + size + _CRC_BYTES
            if size == 0 or left < 0:
                raise DataError(f'{path}: truncated or no TFRecord file; download it again')
            yield file.read(size)
            file.seek(_CRC_BYTES, 1)


class Message:
    """A message as its fields' values by number; absent ones are 0, empty or None, as in the format.

    Args:
        content: the encoded message.
        name: of it in errors.
    """

    def __init__(self, content: bytes, name: str) -> None:
        self._name = name
        self._fields: Dict[int, List[Tuple[int, Any]]] = {}
        view, place = memoryview(content), 0
        try:
            while place < len(view):
                key, place = _varint(view, place)
                kind, size = key & 7, {_FIXED64: 8, _FIXED32: 4}.get(key & 7, 0)
                if kind == _VARINT:
                    value, place = _varint(view, place)
                elif kind in (_FIXED64, _FIXED32, _BYTES):
                    if kind == _BYTES:
                        size, place = _varint(view, place)
                    value = view[place : place + size]
                    place += size
                    if place > len(view):
                        raise IndexError
                else:
                    raise IndexError
                self._fields.setdefault(key >> 3, []).append((kind, value))
        except IndexError:
            raise DataError(f'{name}: damaged record; download the file again') from None

    def messages(self, number: int) -> List[Message]:
        """All of a field that is repeated."""
        return [Message(content, f'{self._name}.{number}') for content in self._contents(number)]

    def message(self, number: int) -> Message:
        """An empty one where it is absent."""
        return (self.messages(number) or [Message(b'', f'{self._name}.{number}')])[-1]

    def content(self, number: int) -> bytes:
        """Of a field of bytes."""
        return bytes((self._contents(number) or [b''])[-1])

    def text(self, number: int) -> str:
        return self.content(number).decode()

    def integer(self, number: int) -> int:
        values = self._fields.get(number)
        return int(values[-1][1]) if values else 0

    def number(self, number: int) -> Optional[float]:
        """Of a float or double; None where it is absent."""
        values = self.numbers(number)
        return float(values[-1]) if len(values) else None

    def numbers(self, number: int) -> np.ndarray:
        """Of a float or double, repeated or not; packed ones are taken for doubles (:meth:`floats`)."""
        parts = [
            np.frombuffer(value, dtype=np.float32 if kind == _FIXED32 else np.float64)
            for kind, value in self._fields.get(number, ())
        ]
        return np.concatenate(parts) if parts else np.zeros(0)

    def floats(self, number: int) -> np.ndarray:
        """Of a repeated, packed float."""
        return np.frombuffer(self.content(number), dtype=np.float32)

    def integers(self, number: int) -> np.ndarray:
        """(N,) int64 of a repeated whole number, packed or not."""
        values = self._fields.get(number, [])
        packed = [_packed_varints(np.frombuffer(value, dtype=np.uint8)) for kind, value in values if kind == _BYTES]
        single = [value for kind, value in values if kind == _VARINT]
        return np.concatenate([*packed, np.array(single, dtype=np.int64)])

    def _contents(self, number: int) -> List[bytes]:
        return [value for kind, value in self._fields.get(number, ()) if kind == _BYTES]


def _varint(view: memoryview, place: int) -> Tuple[int, int]:
    """Seven bits a byte, the lowest first; the highest bit says that there is more. The value, and the next place."""
    value = shift = 0
    while True:
        byte = view[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place


def _packed_varints(data: np.ndarray) -> np.ndarray:
    last = data < 128
    starts = np.concatenate([[0], np.nonzero(last)[0][:-1] + 1]) if last.any() else np.zeros(0, dtype=np.int64)
    if not len(starts):
        return np.zeros(0, dtype=np.int64)
    shifts = 7 * (np.arange(len(data)) - np.repeat(starts, np.diff([*starts, len(data)])))
    return np.add.reduceat((data & 127).astype(np.int64) << shifts, starts)
