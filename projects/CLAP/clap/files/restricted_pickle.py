"""Reads pickled pandas tables from untrusted folders without running what a pickle may contain.

A pickle is a program. PandaSet ships its tables as pickles, so a hostile file in a downloaded folder could run
anything. Only the handful of constructors that a DataFrame needs is let through; every other name stops the load.
"""

from __future__ import annotations

import gzip
import io
import pickle
import zlib
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import DataError

# What pandas writes for a DataFrame of numbers, booleans and text (pandas 0.25 to 2.x, protocols 2 to 5).
ALLOWED_GLOBALS = frozenset(
    {
        ('builtins', 'slice'),
        ('__builtin__', 'slice'),
        ('_codecs', 'encode'),
        ('numpy', 'dtype'),
        ('numpy', 'ndarray'),
        ('numpy.core.multiarray', '_reconstruct'),
        ('numpy._core.multiarray', '_reconstruct'),
        ('numpy.core.numeric', '_frombuffer'),
        ('numpy._core.numeric', '_frombuffer'),
        ('pandas', 'DataFrame'),
        ('pandas.core.frame', 'DataFrame'),
        ('pandas', 'Index'),
        ('pandas.core.indexes.base', 'Index'),
        ('pandas.core.indexes.base', '_new_Index'),
        ('pandas', 'RangeIndex'),
        ('pandas.core.indexes.range', 'RangeIndex'),
        ('pandas', 'Int64Index'),
        ('pandas.core.indexes.numeric', 'Int64Index'),
        ('pandas.core.internals.managers', 'BlockManager'),
        ('pandas._libs.internals', '_unpickle_block'),
    }
)


class _TableUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED_GLOBALS:
            raise DataError(f'it asks for {module}.{name}, which a table of points or boxes does not need')
        return super().find_class(module, name)


def read_table(path: Path) -> pd.DataFrame:
    """DataFrame from ``path`` (``.pkl`` or ``.pkl.gz``); anything but a plain table is refused with ``DataError``."""
    path = Path(path)
    advice = 'Download the file again from the data set\'s own source; do not open it with pickle'
    try:
        raw = path.read_bytes()
        table = _TableUnpickler(io.BytesIO(gzip.decompress(raw) if path.suffix == '.gz' else raw)).load()
    except FileNotFoundError:
        raise DataError(f'{path}: the file does not exist') from None
    except DataError as error:
        raise DataError(f'{path}: refused to read this pickle: {error}. {advice}') from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f'{path}: the file is truncated or not a gzip file ({error}). {advice}') from error
    except Exception as error:
        raise DataError(f'{path}: not a readable pickle ({type(error).__name__}: {error}). {advice}') from error
    if not isinstance(table, pd.DataFrame):
        raise DataError(f'{path}: expected a pandas DataFrame, found {type(table).__name__}. {advice}')
    return table
