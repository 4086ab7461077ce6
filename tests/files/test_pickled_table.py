from __future__ import annotations

import gzip
import os
import pickle

import numpy as np
import pandas as pd
import pytest

from projects.CLAP.clap.files.pickled_table import read_table


def _table() -> pd.DataFrame:
    return pd.DataFrame({'x': [1.5, -2.0], 'd': np.array([0, 1]), 'label': ['Car', 'Bus'], 'still': [True, False]})


class _Hostile:
    """Runs a command when a plain ``pickle.load`` reads it."""

    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize('protocol', [2, 3, 4, 5])
@pytest.mark.parametrize('suffix', ['.pkl', '.pkl.gz'])
def test_reads_what_pandas_writes(tmp_path, protocol, suffix):
    path = tmp_path / f'00{suffix}'
    raw = pickle.dumps(_table(), protocol=protocol)
    path.write_bytes(gzip.compress(raw) if suffix.endswith('gz') else raw)
    pd.testing.assert_frame_equal(read_table(path), _table())


def test_reads_a_table_with_a_named_index(tmp_path):
    table = _table().set_index(pd.Index([3, 9], name='index'))
    (tmp_path / 'a.pkl').write_bytes(pickle.dumps(table))
    pd.testing.assert_frame_equal(read_table(tmp_path / 'a.pkl'), table)


@pytest.mark.parametrize(
    'function, args',
    [
        (os.mkdir, 'MARKER'),
        (eval, "__import__('os').mkdir('MARKER')"),
        (exec, "import os; os.mkdir('MARKER')"),
        (pd.read_pickle, 'MARKER'),
        (np.load, 'MARKER'),
        (getattr, 'MARKER'),
    ],
    ids=['os.mkdir', 'eval', 'exec', 'read_pickle', 'np.load', 'getattr'],
)
def test_hostile_pickle_is_refused_and_nothing_runs(tmp_path, monkeypatch, function, args):
    monkeypatch.chdir(tmp_path)
    call = (object, args) if function is getattr else (args,)
    (tmp_path / 'bad.pkl').write_bytes(pickle.dumps({'table': _Hostile(function, *call)}))
    with pytest.raises(ValueError, match=r'bad\.pkl: refused.*asks for .*' + function.__name__):
        read_table(tmp_path / 'bad.pkl')
    assert not (tmp_path / 'MARKER').exists()


def test_truncated_foreign_and_missing_files_are_named(tmp_path):
    whole = gzip.compress(pickle.dumps(_table()))
    (tmp_path / 'cut.pkl.gz').write_bytes(whole[: len(whole) // 2])
    (tmp_path / 'list.pkl').write_bytes(pickle.dumps([1, 2]))
    (tmp_path / 'text.pkl.gz').write_bytes(b'<html>404</html>')
    with pytest.raises(ValueError, match=r'cut\.pkl\.gz.*truncated'):
        read_table(tmp_path / 'cut.pkl.gz')
    with pytest.raises(ValueError, match=r'list\.pkl.*expected a pandas DataFrame, found list'):
        read_table(tmp_path / 'list.pkl')
    with pytest.raises(ValueError, match=r'text\.pkl\.gz.*not a gzip'):
        read_table(tmp_path / 'text.pkl.gz')
    with pytest.raises(ValueError, match=r'none\.pkl.*does not exist'):
        read_table(tmp_path / 'none.pkl')
