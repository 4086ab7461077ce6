"""Reads pickled pandas tables, as PandaSet ships them, without running what a pickle may contain."""

from __future__ import annotations

import gzip
import io
import pickle
import zlib
from pathlib import Path

import pandas as pd

from ..errors import DataError
from .unpickle import ARRAYS, RestrictedUnpickler

#: What pandas writes for a DataFrame of numbers, booleans and text (pandas 0.25 to 2.x, protocols 2 to 5).
TABLE = ARRAYS | {
    'builtins.slice',
    '_codecs.encode',
    'pandas.DataFrame',
    'pandas.core.frame.DataFrame',
    'pandas.Index',
    'pandas.core.indexes.base.Index',
    'pandas.core.indexes.base._new_Index',
    'pandas.RangeIndex',
    'pandas.core.indexes.range.RangeIndex',
    'pandas.Int64Index',
    'pandas.core.indexes.numeric.Int64Index',
    'pandas.core.internals.managers.BlockManager',
    'pandas._libs.internals._unpickle_block',
}


def read_table(path: Path) -> pd.DataFrame:
    """DataFrame from ``path`` (``.pkl`` or ``.pkl.gz``); anything but a plain table is refused with ``DataError``."""
    path = Path(path)
    advice = 'Download the file again from the data set\'s own source; do not open it with pickle'
    try:
        raw = path.read_bytes()
        content = io.BytesIO(gzip.decompress(raw) if path.suffix == '.gz' else raw)
        table = RestrictedUnpickler(content, TABLE).load()
    except FileNotFoundError:
        raise DataError(f'{path}: the file does not exist') from None
    except pickle.UnpicklingError as error:
        raise DataError(f'{path}: refused to read this pickle: {error}. {advice}') from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f'{path}: the file is truncated or not a gzip file ({error}). {advice}') from error
    except Exception as error:
        raise DataError(f'{path}: not a readable pickle ({type(error).__name__}: {error}). {advice}') from error
    if not isinstance(table, pd.DataFrame):
        raise DataError(f'{path}: expected a pandas DataFrame, found {type(table).__name__}. {advice}')
    return table
