"""From recordings to info files: segments in several processes, each read once, none converted twice.

A converter hands over a list of segments and a function that converts one of them. This file runs it, remembers every
finished segment in ``OUT/.converted/`` and at the end writes ``OUT/<data set>_infos_<split>.pkl``, whole files only.
"""

from __future__ import annotations

import errno
import hashlib
import json
import pickle
import sys
import time
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, TextIO, Tuple, TypeVar

import cv2
import torch

from ...errors import CLAPError, ConfigError, DatasetError
from ...files.atomic_file import write_atomic
from ...files.unpickle import load_info_pickle

DONE_FOLDER = '.converted'
ON_DAMAGED = ('stop', 'skip')
#: Errors of the place that is written to: every other segment would meet them, too.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
Item, Result = TypeVar('Item'), TypeVar('Result')


@dataclass(frozen=True)
class Segment:
    """One recording: converted whole, by one process. ``splits`` are the info files that it belongs to."""

    name: str
    splits: Tuple[str, ...]


#: Converts a segment: writes what the native files cannot be read for, and returns the frames of the info file. It
#: is pickled for other processes: a function of a module, or a ``functools.partial`` of one.
ConvertSegment = Callable[[Segment], List[dict]]


@dataclass(frozen=True)
class Plan:
    """How to convert a data set.

    Attributes:
        dataset: first word of the info files' names, and ``metainfo.dataset``.
        classes: names of the classes; ``bbox_label_3d`` counts in their order.
        out: folder for everything that is written.
        settings: all else that the frames depend on (root, options; JSON): with others a segment is converted again.
        metainfo: further entries of ``metainfo``, such as the direction of a turned LiDAR frame.
    """

    dataset: str
    classes: Tuple[str, ...]
    out: Path
    settings: Mapping[str, Any]
    metainfo: Mapping[str, Any]


def convert_segments(
    plan: Plan, segments: Sequence[Segment], convert: ConvertSegment, jobs: int = 1, on_damaged: str = 'stop'
) -> Dict[str, Any]:
    """Converts what is not there yet and writes one info file per split.

    Args:
        plan: what is made and where.
        segments: in the order of the info files' frames.
        convert: converts one of them; raises ``DataError`` for data that cannot be used.
        jobs: processes at a time; no influence on the result.
        on_damaged: ``'stop'``: no info file is written if a segment cannot be converted (the others are kept for the
            next try); ``'skip'``: they are written without it.

    Returns:
        Figures: ``infos`` (paths), ``segments``, ``frames``, ``converted`` and ``frames_per_second`` of this call,
        ``damaged`` (name -> what is wrong).

    Raises:
        ConfigError: an argument is out of its range.
        DatasetError: no segment is left, or some are damaged and ``on_damaged`` is ``'stop'``. All are named.
    """
    if jobs < 1:
        raise ConfigError(f'--jobs must be at least 1, got {jobs}')
    if on_damaged not in ON_DAMAGED:
        raise ConfigError(f'--on-damaged must be one of {", ".join(ON_DAMAGED)}, got {on_damaged!r}')
    todo = [segment for segment in segments if not _done_file(plan, segment).is_file()]
    if len(todo) < len(segments):
        print(f'{len(segments) - len(todo)} of {len(segments)} segments are there already')
    begun, frames, damaged = time.monotonic(), 0, {}
    for segment, (made, problem) in progress(run_each(partial(_convert_one, plan, convert), todo, jobs), len(todo)):
        frames += made
        if problem is not None:
            damaged[segment.name] = problem
            print(f'{segment.name} is damaged: {problem}', file=sys.stderr)
    seconds = time.monotonic() - begun
    lines = [damaged[segment.name] for segment in segments if segment.name in damaged]
    if damaged and (on_damaged == 'stop' or len(damaged) == len(segments)):
        raise DatasetError.from_problems(
            f'{len(damaged)} of {len(segments)} segments; no info file written',
            lines,
            'Download these files again and repeat the command: it goes on with what is missing. '
            '(--on-damaged skip leaves these segments out.)',
        )
    infos = _write_infos(plan, [segment for segment in segments if segment.name not in damaged])
    return dict(
        infos=[str(path) for path in infos],
        segments=len(segments) - len(damaged),
        frames={path.stem.rpartition('_infos_')[2]: count for path, count in infos.items()},
        converted=len(todo) - len(damaged),
        frames_per_second=round(frames / max(seconds, 1e-9), 2),
        damaged=damaged,
    )


def progress(items: Iterable[Any], total: int, file: Optional[TextIO] = None) -> Iterator[Any]:
    """The items one by one, with MMEngine's bar on a terminal; elsewhere a line for every tenth of them."""
    import mmengine

    file = file or sys.stdout
    if file.isatty() and total:
        yield from mmengine.track_iter_progress((items, total), file=file)
        return
    start = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        if 10 * done // total > 10 * (done - 1) // total:
            print(f'{done} of {total}, {time.monotonic() - start:.0f} s', file=file, flush=True)


def run_each(work: Callable[[Item], Result], todo: Sequence[Item], jobs: int) -> Iterator[Tuple[Item, Result]]:
    """Every item with what ``work``, which must be picklable, makes of it; by ``jobs`` processes, as they finish."""
    if jobs == 1 or len(todo) <= 1:
        yield from ((item, work(item)) for item in todo)
        return
    # Forked from a process that has done nothing yet: one with threads of its own (Arrow, OpenCV) leaves locks behind.
    context = get_context('forkserver')
    context.set_forkserver_preload([__name__])
    pool = ProcessPoolExecutor(min(jobs, len(todo)), context, _use_one_core)
    try:
        pending: Dict[Future, Item] = {pool.submit(work, item): item for item in todo}
        yield from ((pending[future], future.result()) for future in as_completed(pending))
    finally:
        pool.shutdown(cancel_futures=True)


def _use_one_core() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def _convert_one(plan: Plan, convert: ConvertSegment, segment: Segment) -> Tuple[int, Optional[str]]:
    """Number of frames, and what makes the segment unusable."""
    try:
        frames = convert(segment)
        if not frames:
            return 0, f'{segment.name}: no frame that can be used'
        write_atomic(_done_file(plan, segment), pickle.dumps(frames, protocol=4))
    except Exception as error:  # whatever a damaged file leads to, the others are converted
        return 0, damage(error, segment.name)
    return len(frames), None


def damage(error: Exception, name: str) -> str:
    """What is wrong with a recording that cannot be converted; raises what every other one would meet, too."""
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        raise error
    return str(error) if isinstance(error, CLAPError) else f'{name}: {type(error).__name__}: {error}'


def left_out(damaged: Mapping[str, str], total: int, on_damaged: str, shown: int = 5) -> None:
    """Say which recordings are not converted, or end the conversion.

    Args:
        damaged: name -> what is wrong with it.
        total: of all recordings.
        on_damaged: ``'stop'`` or ``'skip'``.
        shown: how many are named.

    Raises:
        DatasetError: some are damaged and ``on_damaged`` is ``'stop'``, or all are.
    """
    if on_damaged not in ON_DAMAGED:
        raise ConfigError(f'--on-damaged must be one of {", ".join(ON_DAMAGED)}, got {on_damaged!r}')
    if damaged and (on_damaged == 'stop' or len(damaged) == total):
        raise DatasetError.from_problems(
            f'{len(damaged)} of {total} recordings; no info file written',
            list(damaged.values()),
            'Download these files again, or leave the recordings out: --on-damaged skip',
        )
    for problem in list(damaged.values())[:shown]:
        print(f'left out: {problem}', file=sys.stderr)
    if damaged:
        print(f'{len(damaged)} of {total} recordings are left out, the others are converted', file=sys.stderr)


def _done_file(plan: Plan, segment: Segment) -> Path:
    """Holds the frames of a finished segment; with other settings it has another name."""
    stamp = hashlib.sha1(json.dumps(dict(plan.settings), sort_keys=True, default=str).encode()).hexdigest()
    return plan.out / DONE_FOLDER / f'{segment.name}-{stamp[:8]}.pkl'


def _write_infos(plan: Plan, segments: Sequence[Segment]) -> Dict[Path, int]:
    """Info file -> number of its frames; a split without a frame has no file."""
    written = {}
    for split in dict.fromkeys(split for segment in segments for split in segment.splits):
        own = [segment for segment in segments if split in segment.splits]
        frames = [frame for segment in own for frame in load_info_pickle(str(_done_file(plan, segment)))]
        content = dict(
            metainfo=dict(
                plan.metainfo,
                dataset=plan.dataset,
                info_version='1.1',
                categories={name: index for index, name in enumerate(plan.classes)},
            ),
            data_list=[dict(frame, sample_idx=index) for index, frame in enumerate(frames)],
        )
        path = plan.out / f'{plan.dataset}_infos_{split}.pkl'
        write_atomic(path, pickle.dumps(content, protocol=4))
        written[path] = len(frames)
    return written
