"""Messages and record files against bytes written by hand and by the format's own library."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from projects.CLAP.clap.errors import DataError
from projects.CLAP.clap.files.wire_format import Message, read_records
from tests.fixtures.waymo_recording import message


def test_every_kind_of_field() -> None:
    content = message((1, 300), (2, 'name'), (3, message((1, 1.5), (1, -2.5))), (4, 7), (4, 8))
    content += b'\x2d' + struct.pack('<f', 0.25)  # field 5, four bytes
    content += b'\x32\x10' + struct.pack('<2d', 3.0, 4.0)  # field 6, packed doubles
    content += b'\x3a\x04\x96\x01\x00\x01'  # field 7, packed 150, 0, 1
    content += b'\x42\x08' + struct.pack('<2f', 0.5, 1.5)  # field 8, packed floats
    found = Message(content, 'it')
    assert (found.integer(1), found.text(2), found.integer(4), found.number(5)) == (300, 'name', 8, 0.25)
    assert found.message(3).numbers(1).tolist() == [1.5, -2.5] and found.numbers(6).tolist() == [3.0, 4.0]
    assert found.integers(7).tolist() == [150, 0, 1] and found.integers(4).tolist() == [7, 8]
    assert found.floats(8).tolist() == [0.5, 1.5]
    assert (found.integer(99), found.number(99), found.content(99)) == (0, None, b'')
    assert not found.messages(99) and not len(found.integers(99)) and not len(found.message(99).numbers(1))


def test_packed_numbers_of_any_length() -> None:
    numbers = np.random.default_rng(0).integers(0, 2 ** np.arange(1, 63))
    packed = b''.join(message((1, number))[1:] for number in numbers)
    assert Message(message((2, packed)), 'it').integers(2).tolist() == numbers.tolist()


def test_the_formats_own_library_writes_the_same() -> None:
    wrappers = pytest.importorskip('google.protobuf.wrappers_pb2')
    assert Message(wrappers.Int64Value(value=2**40).SerializeToString(), 'it').integer(1) == 2**40
    assert Message(wrappers.DoubleValue(value=-0.1).SerializeToString(), 'it').number(1) == -0.1
    assert Message(wrappers.StringValue(value='Straße').SerializeToString(), 'it').text(1) == 'Straße'


@pytest.mark.parametrize('content', [b'\x0a\x05ab', b'\x09\x00', b'\x0f', b'\x80'])
def test_what_ends_early_or_has_no_such_kind_is_refused(content: bytes) -> None:
    with pytest.raises(DataError, match='it: damaged record'):
        Message(content, 'it')


def test_records(tmp_path: Path) -> None:
    path = tmp_path / 'two.tfrecord'
    records = [b'first', b'the second']
    whole = b''.join(struct.pack('<Q', len(each)) + b'\0' * 4 + each + b'\0' * 4 for each in records)
    path.write_bytes(whole)
    assert list(read_records(path)) == records
    for end in (3, 12, 18, 20, 25, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(DataError, match='two.tfrecord: truncated'):
            list(read_records(path))
    with pytest.raises(DataError, match='does not exist'):
        list(read_records(tmp_path / 'none'))
