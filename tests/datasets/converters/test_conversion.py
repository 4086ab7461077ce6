"""Conversion of segments: resumed, in processes, whole files only, damage as the user chose."""

from __future__ import annotations

import errno
import pickle
from functools import partial
from pathlib import Path
from typing import List, Sequence

import pytest

from projects.CLAP.clap.datasets.converters.conversion import Plan, Segment, convert_segments
from projects.CLAP.clap.errors import ConfigError, DataError, DatasetError

SEGMENTS = [Segment('a', ('train',)), Segment('b', ('train', 'all')), Segment('c', ('val', 'all'))]


def convert(log: Path, damaged: Sequence[str], segment: Segment) -> List[dict]:
    """Two frames a segment; a line in ``log`` for each call."""
    with log.open('a') as file:
        file.write(segment.name)
    if segment.name in damaged:
        raise DataError(f'{segment.name}.file: truncated')
    if f'{segment.name}!' in damaged:
        return [{}['no such key']]
    if f'{segment.name}?' in damaged:
        raise OSError(errno.ENOSPC, 'no space left on device')
    return [dict(token=f'{segment.name}_{index}') for index in range(2)]


def run(out: Path, damaged: Sequence[str] = (), log: str = 'log', settings: str = '', **options) -> dict:
    plan = Plan('toy', ('car', 'bus'), out, dict(root=settings), dict(heading='x left'))
    return convert_segments(plan, SEGMENTS, partial(convert, out.parent / log, damaged), **options)


def tokens(out: Path) -> dict:
    return {
        path.stem: [frame['token'] for frame in pickle.loads(path.read_bytes())['data_list']]
        for path in out.glob('*.pkl')
    }


WHOLE = {
    'toy_infos_train': ['a_0', 'a_1', 'b_0', 'b_1'],
    'toy_infos_val': ['c_0', 'c_1'],
    'toy_infos_all': ['b_0', 'b_1', 'c_0', 'c_1'],
}


@pytest.mark.parametrize('jobs', [1, 2])
def test_every_segment_is_converted_once_and_never_again(tmp_path: Path, jobs: int) -> None:
    out = tmp_path / 'out'
    figures = run(out, jobs=jobs)
    assert tokens(out) == WHOLE and sorted((tmp_path / 'log').read_text()) == ['a', 'b', 'c']
    assert figures['segments'] == figures['converted'] == 3 and figures['frames'] == dict(train=4, all=4, val=2)
    content = pickle.loads((out / 'toy_infos_all.pkl').read_bytes())
    assert content['metainfo'] == dict(
        dataset='toy', info_version='1.1', heading='x left', categories=dict(car=0, bus=1)
    )
    assert [frame['sample_idx'] for frame in content['data_list']] == [0, 1, 2, 3]
    again = run(out, log='again')
    assert again['converted'] == 0 and not (tmp_path / 'again').exists() and tokens(out) == WHOLE
    run(out, log='other', settings='elsewhere')
    assert (tmp_path / 'other').read_text() == 'abc', 'of another root: nothing of it is there'


@pytest.mark.parametrize('kind,message', [('b', 'b.file: truncated'), ('b!', 'b: KeyError: .no such key')])
def test_a_damaged_segment_stops_or_is_left_out(tmp_path: Path, kind: str, message: str) -> None:
    out = tmp_path / 'out'
    with pytest.raises(DatasetError, match=f'(?s)1 of 3 segments; no info file written.*{message}'):
        run(out, [kind])
    assert tokens(out) == {}
    figures = run(out, [kind], on_damaged='skip')
    assert (tmp_path / 'log').read_text() == 'abcb', 'the sound ones are kept for the next try'
    assert list(figures['damaged']) == ['b'] and figures['segments'] == 2
    assert tokens(out) == {'toy_infos_train': ['a_0', 'a_1'], 'toy_infos_val': WHOLE['toy_infos_val']} | {
        'toy_infos_all': ['c_0', 'c_1']
    }
    run(out)
    assert tokens(out) == WHOLE and (tmp_path / 'log').read_text() == 'abcbb'


def test_a_full_disk_ends_the_conversion_and_no_segment_is_blamed(tmp_path: Path) -> None:
    with pytest.raises(OSError, match='no space left'):
        run(tmp_path / 'out', ['a?'], on_damaged='skip')
    assert (tmp_path / 'log').read_text() == 'a' and tokens(tmp_path / 'out') == {}


def test_nothing_left_and_wrong_arguments_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match='3 of 3 segments'):
        run(tmp_path / 'out', 'abc', on_damaged='skip')
    with pytest.raises(ConfigError, match='--jobs must be at least 1, got 0'):
        run(tmp_path / 'out', jobs=0)
    with pytest.raises(ConfigError, match="--on-damaged must be one of stop, skip, got 'go'"):
        run(tmp_path / 'out', on_damaged='go')
