"""What a finished job gave: a JSON file while a comparison runs, a line of ``records.jsonl`` once it is published."""

from __future__ import annotations

import json
import math
from datetime import datetime
from pathlib import Path
from typing import Any, Dict, Iterable, Optional

from projects.CLAP.clap.engine.run_record import read_card
from projects.CLAP.clap.errors import CheckpointError
from projects.CLAP.clap.files.atomic_file import write_atomic
from projects.CLAP.clap.report.gather import gather
from projects.CLAP.clap.report.health import findings

from .jobs import Job, detector_name
from .plan import Cell, PlanError

FORMAT = 2
PUBLISHED = 'records.jsonl'
Metrics = Dict[str, float]
Record = Dict[str, Any]


class MissingEvaluation(Exception):
    """The training has ended, its final evaluation has not."""


def read_record(path: Path, text: Optional[str] = None) -> Record:
    """A record, from a file of its own or (``text``) a line of one.

    A record of format 1 is given today's name; its fingerprint is None, since it was made in another way.

    Raises:
        PlanError: it is no record.
    """
    try:
        record = json.loads(path.read_text() if text is None else text)
        if record['format'] == 1:
            if record['kind'] != 'pretrain':
                cell = Cell(record['interval'], record['epochs'], record['kind'] == 'probe')
                record.update(kind=cell.kind, job=detector_name(record['arm'], cell, record['seed']))
            record.update(format=FORMAT, fingerprint=None)
        if record['format'] != FORMAT:
            raise ValueError(f'format {record["format"]}, expected {FORMAT}')
        return record
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise PlanError(f'{path} is no record ({error!r}); remove it, and the job runs again') from None


def read_records(folder: Path) -> Dict[str, Record]:
    """All records of a work directory (``records/*.json``) or of a folder of results (``records.jsonl``), by job."""
    published = folder / PUBLISHED
    lines = published.read_text().splitlines() if published.is_file() else []
    found = [read_record(published, line) for line in lines]
    found += [read_record(path) for path in sorted((folder / 'records').glob('*.json'))]
    return {record['job']: record for record in found}


def write_record(path: Path, record: Record) -> None:
    """Write a record; numbers that are not finite become null."""
    write_atomic(path, (json.dumps(_finite(record), indent=1, allow_nan=False) + '\n').encode())


def publish(path: Path, records: Iterable[Record]) -> None:
    """Write records as lines of one file."""
    write_atomic(path, ''.join(json.dumps(_finite(record), allow_nan=False) + '\n' for record in records).encode())


def _finite(node: Any) -> Any:
    if isinstance(node, dict):
        return {str(key): _finite(value) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [_finite(value) for value in node]
    return None if isinstance(node, float) and not math.isfinite(node) else node


def final_metrics(work_dir: Path, epochs: int) -> Optional[Metrics]:
    """Figures of the validation after the last epoch, without their prefixes; a later session's replace earlier ones.

    None if there is none.
    """
    found = None
    for path in sorted(work_dir.glob('*/vis_data/scalars.json')):
        for line in path.read_text(errors='replace').splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # cut by a kill
            if isinstance(entry, dict) and 'iter' not in entry and entry.get('step') == epochs:
                found = without_prefix(entry)
    return found


def without_prefix(figures: Dict[str, Any]) -> Metrics:
    """``nuscenes/AP/car`` -> ``AP/car``; only what an evaluator gave, not the times of the loop."""
    return {
        name.split('/', 1)[1]: float(value)
        for name, value in figures.items()
        if '/' in name and isinstance(value, (int, float))
    }


def collect(job: Job, work_dir: Path, metrics: Optional[Metrics] = None) -> Record:
    """The record of a job whose training has ended, without its configuration and data.

    Args:
        job: the job.
        work_dir: of the training.
        metrics: figures of the final evaluation, if they are not in the training's own log.

    Raises:
        MissingEvaluation: the log has no final evaluation, and ``metrics`` is None.
        CheckpointError: the training has not reached its end.
    """
    sessions = read_card(work_dir)
    iterations = max((session['last_iter'] for session in sessions), default=0)
    if not sessions or iterations < sessions[-1]['max_iters']:
        raise CheckpointError(
            f'{work_dir}: the training ended after {iterations} iterations; run the command again to go on'
        )
    final = metrics or final_metrics(work_dir, job.epochs)
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
        seconds=sum(map(_seconds, sessions)),
        sessions=len(sessions),
        metrics=final,
        code=list({json.dumps(session['code']): session['code'] for session in sessions}.values()),
        hardware=sessions[-1]['hardware'],
        versions=sessions[-1]['versions'],
    )
    if job.kind == 'pretrain':
        record['health'] = {row.title: dict(value=row.value, level=row.level) for row in findings(gather(work_dir))}
    else:
        record['transfer'] = _transfer(work_dir)
    return record


def _seconds(session: dict) -> float:
    """Wall time of a session, as far as it is known."""
    end = session.get('ended') or session.get('last_seen') or session['started']
    return (datetime.fromisoformat(end) - datetime.fromisoformat(session['started'])).total_seconds()


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
