"""Reads what a run left in its work directory; needs no GPU, no dataset and runs no code of the run."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Tuple

from ..engine.run_record import read_card

Curve = List[Tuple[int, float]]  # iteration, value
#: What ``sampler_enrichment.py --out`` writes, if it was told to write it into the work directory.
ENRICHMENT_NAME = 'enrichment.json'
#: What ``probe.py --out`` writes, likewise.
PROBE_NAME = 'probe.json'
_IMAGE = re.compile(r'(?P<name>.+)_(?P<step>\d+)\.png')


@dataclass
class RunData:
    """Everything the report shows."""

    name: str
    sessions: List[dict]  # of run_card.json, oldest first
    train: Dict[str, Curve] = field(default_factory=dict)
    evaluation: Dict[str, Curve] = field(default_factory=dict)
    images: Dict[str, Dict[int, Path]] = field(default_factory=dict)  # figure name -> iteration -> file
    config_text: str = ''
    checkpoints: List[str] = field(default_factory=list)
    nonfinite: List[str] = field(default_factory=list)  # files kept by NonFiniteLossHook
    folder: str = ''  # the work directory as it was named
    probe: dict = field(default_factory=dict)  # figures of a probe of the run's encoders, {} without one

    @property
    def steps(self) -> int:
        """Last iteration that is known of."""
        logged = [curve[-1][0] for curve in self.train.values() if curve]
        return max([*logged, *(int(session.get('last_iter') or 0) for session in self.sessions)], default=0)


def gather(work_dir: Path) -> RunData:
    """Collect the sessions of a work directory; a resumed run is one run.

    Raises:
        FileNotFoundError: the folder does not exist or holds no run.
    """
    if not work_dir.is_dir():
        raise FileNotFoundError(f'{work_dir} is not a folder; give the --work-dir of a training run')
    folders = sorted(path.parent for path in work_dir.glob('*/vis_data/scalars.json'))
    sessions = read_card(work_dir)
    if not folders and not sessions:
        raise FileNotFoundError(
            f'{work_dir} holds no run: expected {work_dir}/<time>/vis_data/scalars.json, which '
            'training writes with the first log line (LocalVisBackend must be in vis_backends)'
        )
    run = RunData(name=work_dir.resolve().name, sessions=sessions, folder=str(work_dir))
    for folder in folders:
        _add_scalars(run, folder / 'scalars.json')
        for path in sorted((folder / 'vis_image').glob('*.png')):
            match = _IMAGE.fullmatch(path.name)
            if match:
                run.images.setdefault(match['name'], {})[int(match['step'])] = path
    _add_enrichment(run, work_dir / ENRICHMENT_NAME)
    run.probe = _probe(work_dir / PROBE_NAME)
    configs = sorted(work_dir.glob('*.py'), key=lambda path: path.stat().st_mtime)
    run.config_text = configs[-1].read_text(errors='replace') if configs else ''
    own = (path.name for pattern in ('epoch_*.pth', 'iter_*.pth') for path in work_dir.glob(pattern))
    run.checkpoints = sorted(own, key=_natural)
    run.nonfinite = sorted(path.name for path in (work_dir / 'nonfinite').glob('*.pt'))
    return run


def _natural(name: str) -> list:
    return [int(part) if part.isdigit() else part for part in re.split(r'(\d+)', name)]


def _add_scalars(run: RunData, path: Path) -> None:
    """Add a session's log lines; what it repeats of an earlier session replaces the earlier values."""
    train: Dict[str, Curve] = {}
    evaluation: Dict[str, Curve] = {}
    last_of_epoch: Dict[int, int] = {}
    for line in path.read_text(errors='replace').splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue  # the last line of a run that was killed while writing
        step = entry.pop('step', None)
        if not isinstance(entry, dict) or step is None:
            continue
        if 'iter' in entry:  # a line of training; those of evaluation count epochs
            entry.pop('iter')
            last_of_epoch[int(entry.pop('epoch', 0))] = step
            target, at = train, step
        else:
            target, at = evaluation, _iteration(run, last_of_epoch, step)
        for name, value in entry.items():
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                target.setdefault(name, []).append((int(at), float(value)))
    for mine, new in ((run.train, train), (run.evaluation, evaluation)):
        for name, curve in new.items():
            mine[name] = [point for point in mine.get(name, []) if point[0] < curve[0][0]] + curve


def _add_enrichment(run: RunData, path: Path) -> None:
    """Share of the configured sampler's points that lie in boxes, relative to uniform drawing."""
    try:
        value = json.loads(path.read_text())['mean']['curvature']['lidar']['object_ratio']
    except (OSError, ValueError, KeyError, TypeError):
        return
    if isinstance(value, (int, float)):
        last = max((curve[-1][0] for curve in run.train.values()), default=0)
        run.evaluation['enrichment'] = [(last, float(value))]


def _probe(path: Path) -> dict:
    try:
        figures = json.loads(path.read_text())
        return figures if isinstance(figures['miou']['checkpoint'][0], float) else {}
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return {}


def _iteration(run: RunData, last_of_epoch: Dict[int, int], epoch: int) -> int:
    """Last logged iteration of an epoch; the epoch itself where training logged nothing."""
    if epoch in last_of_epoch:
        return last_of_epoch[epoch]
    earlier = [step for e, step in last_of_epoch.items() if e <= epoch]
    return max(earlier) if earlier else epoch


def recent(curve: Curve, count: int = 5) -> float:
    """Mean of the last log lines; NaN if one of them is not finite or there is none."""
    values = [value for _, value in curve[-count:]]
    return sum(values) / len(values) if values and all(map(math.isfinite, values)) else math.nan


def marks_of(run: RunData) -> List[Tuple[int, str]]:
    """Iterations of the run at which something changed, and what: those of the last session."""
    for session in reversed(run.sessions):
        if 'marks' in session:
            return [(int(at), str(what)) for at, what in session['marks'] if 1 < at <= run.steps]
        at = session.get('facts', {}).get('curvature_from_iter')  # cards of before marks
        if at:
            return [(at, 'rays are drawn by curvature, and become harder')] if 1 < at <= run.steps else []
    return []
