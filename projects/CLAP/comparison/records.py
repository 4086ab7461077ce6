"""What a finished job gave, in one JSON file that is there whole or not at all."""

from __future__ import annotations

import json
import math
from datetime import datetime
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from projects.CLAP.clap.engine.run_record import read_card
from projects.CLAP.clap.errors import CheckpointError
from projects.CLAP.clap.files.atomic_file import write_atomic
from projects.CLAP.clap.report.gather import RunData, gather, recent
from projects.CLAP.clap.report.health import findings

from .jobs import Job
from .plan import PlanError

FORMAT = 1
Metrics = Dict[str, float]


class MissingEvaluation(Exception):
    """The training has ended, its final evaluation has not."""


def read_record(path: Path) -> Dict[str, Any]:
    """A record.

    Raises:
        PlanError: the file is no record.
    """
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise PlanError(f'{path} is no record ({error}); remove it, and the job runs again') from None
    if not isinstance(content, dict) or content.get('format') != FORMAT or 'job' not in content:
        raise PlanError(f'{path} is no record of this version; remove it, and the job runs again')
    return content


def write_record(path: Path, record: Dict[str, Any]) -> None:
    """Write a record; numbers that are not finite become null."""
    write_atomic(path, (json.dumps(_finite(record), indent=1, allow_nan=False) + '\n').encode())


def _finite(node: Any) -> Any:
    if isinstance(node, dict):
        return {str(key): _finite(value) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [_finite(value) for value in node]
    return None if isinstance(node, float) and not math.isfinite(node) else node


def evaluations(work_dir: Path) -> Dict[int, Metrics]:
    """Figures of every validation by epoch, without their prefixes; later sessions replace earlier ones."""
    found: Dict[int, Metrics] = {}
    for path in sorted(work_dir.glob('*/vis_data/scalars.json')):
        for line in path.read_text(errors='replace').splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # cut by a kill
            if isinstance(entry, dict) and 'iter' not in entry and 'step' in entry:
                found[int(entry['step'])] = without_prefix(entry)
    return found


def without_prefix(figures: Dict[str, Any]) -> Metrics:
    """``nuscenes/AP/car`` -> ``AP/car``; only what an evaluator gave, not the times of the loop."""
    return {
        name.split('/', 1)[1]: float(value)
        for name, value in figures.items()
        if '/' in name and isinstance(value, (int, float))
    }


def collect(job: Job, work_dir: Path, seconds: float, metrics: Optional[Metrics] = None) -> Dict[str, Any]:
    """The record of a job whose training has ended, without its configuration and data.

    Args:
        job: the job.
        work_dir: of the training.
        seconds: that the last process took.
        metrics: figures of the final evaluation, if they are not in the training's own log.

    Raises:
        MissingEvaluation: the log has no final evaluation, and ``metrics`` is None.
        CheckpointError: the training has not reached its end.
    """
    run = gather(work_dir)
    sessions = read_card(work_dir)
    iterations = max((session['last_iter'] for session in sessions), default=0)
    if not sessions or iterations < sessions[-1]['max_iters']:
        raise CheckpointError(
            f'{work_dir}: the training ended after {iterations} iterations; run the command again to go on'
        )
    curve = evaluations(work_dir)
    final = curve.get(job.epochs) if metrics is None else metrics
    if not final:
        raise MissingEvaluation(f'{work_dir} has no evaluation after epoch {job.epochs}')
    record = dict(
        format=FORMAT,
        job=job.name,
        kind=job.kind,
        arm=job.arm,
        seed=job.seed,
        epochs=job.epochs,
        interval=job.interval,
        offset=job.offset,
        iterations=iterations,
        seconds=seconds + _seconds(sessions[:-1]),
        sessions=len(sessions),
        metrics=final,
        curve=[[epoch, value] for epoch, value in _course(curve)],
        loss=_loss(run),
        code=_different(sessions, 'code'),
        hardware=sessions[-1]['hardware'],
        versions=sessions[-1]['versions'],
    )
    if job.kind == 'pretrain':
        record['health'] = {row.title: dict(value=row.value, level=row.level) for row in findings(run)}
    else:
        record['transfer'] = _transfer(work_dir)
    return record


def _seconds(sessions: List[dict]) -> float:
    """Wall time of interrupted sessions, as far as it is known."""
    total = 0.0
    for session in sessions:
        end = session.get('ended') or session.get('last_seen') or session['started']
        total += (datetime.fromisoformat(end) - datetime.fromisoformat(session['started'])).total_seconds()
    return total


def _different(sessions: List[dict], key: str) -> List[Any]:
    found: List[Any] = []
    for session in sessions:
        if session[key] not in found:
            found.append(session[key])
    return found


def _course(curve: Dict[int, Metrics]) -> List[Tuple[int, float]]:
    name = 'mAP' if any('mAP' in figures for figures in curve.values()) else 'range_median_m'
    return [(epoch, figures[name]) for epoch, figures in sorted(curve.items()) if name in figures]


def _loss(run: RunData) -> Dict[str, float]:
    """Mean of the first and of the last five log lines."""
    curve = run.train.get('loss', [])
    return dict(first=recent(curve[:5]), last=recent(curve))


def _transfer(work_dir: Path) -> Optional[Dict[str, Any]]:
    """Share of the encoders' numbers that came from the weights, all together and by module; None for random ones."""
    path = work_dir / 'transfer.json'
    if not path.is_file():
        return None
    content = json.loads(path.read_text())
    modules = {name: entry for name, entry in content['modules'].items() if name != 'bbox_head' and entry['entries']}
    total = sum(entry['numbers'] for entry in modules.values())
    return dict(
        share=sum(entry['share'] * entry['numbers'] for entry in modules.values()) / max(total, 1),
        modules={name: entry['share'] for name, entry in modules.items()},
        min_share=content['min_share'],
        asked=content['asked'],
    )
