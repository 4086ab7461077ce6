"""The one unpickler: arrays of every numpy, nothing that is not on its list."""

from __future__ import annotations

import io
import os
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from projects.CLAP.clap.files.unpickle import INFO_FILE, RestrictedUnpickler, load_info_pickle


@pytest.mark.parametrize('protocol', [0, 2, 4, 5])
def test_info_files_of_every_numpy_are_read(tmp_path: Path, protocol: int) -> None:
    content = OrderedDict(box=np.arange(6.0).reshape(2, 3), speed=np.float32(1.5), tags={'a', 'b'}, raw=b'\xff')
    raw = pickle.dumps(content, protocol)
    if protocol == 0:  # the names lie there as plain text
        assert b'numpy.core.multiarray' in raw or b'numpy._core.multiarray' in raw
    for spelling in (b'numpy.core.', b'numpy._core.'):
        text = raw.replace(b'numpy._core.', b'numpy.core.').replace(b'numpy.core.', spelling) if protocol == 0 else raw
        (tmp_path / 'info.pkl').write_bytes(text)
        loaded = load_info_pickle(str(tmp_path / 'info.pkl'))
        assert np.array_equal(loaded.pop('box'), content['box'])
        assert loaded == {key: value for key, value in content.items() if key != 'box'}


@pytest.mark.parametrize(
    ('module', 'name'),
    [('os', 'system'), ('builtins', 'eval'), ('__builtin__', 'eval'), ('numpy', 'load'), ('numpy', 'core.os.system')]
    + [('numpy', 'core.multiarray._reconstruct'), ('_codecs', 'encode.__globals__'), ('pandas', 'read_pickle')],
)
def test_nothing_else_is_let_through(module: str, name: str) -> None:
    with pytest.raises(pickle.UnpicklingError, match='asks for'):
        RestrictedUnpickler(io.BytesIO(), INFO_FILE).find_class(module, name)


def test_a_stand_in_takes_the_place_of_what_is_named() -> None:
    raw = pickle.dumps(os.getcwd)
    name = f'{os.getcwd.__module__}.getcwd'
    assert RestrictedUnpickler(io.BytesIO(raw), stand_ins={name: len}).load() is len
    with pytest.raises(pickle.UnpicklingError):
        RestrictedUnpickler(io.BytesIO(raw), stand_ins={'os.path': len}).load()
