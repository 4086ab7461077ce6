"""What a finished job gave: a JSON file while a comparison runs, a line of ``records.jsonl`` once it is published."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any, Dict, Optional

from projects.CLAP.clap.engine.hooks.transfer_report_hook import TRANSFER_NAME
from projects.CLAP.clap.engine.run_record import duration
from projects.CLAP.clap.errors import CheckpointError
from projects.CLAP.clap.files.atomic_file import write_atomic
from projects.CLAP.clap.report.gather import gather
from projects.CLAP.clap.report.health import findings

from .plan import Job, PlanError

FORMAT = 2
PUBLISHED = 'records.jsonl'
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
                kind = 'probe' if record['kind'] == 'probe' else 'finetune'
                job = Job(kind, record['arm'], record['epochs'], record['seed'], record['interval'])
                record.update(kind=kind, job=job.name)
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


def write_records(path: Path, *records: Record) -> None:
    """Write records, one a line; numbers that are not finite become null."""
    finite = (json.loads(json.dumps(record), parse_constant=lambda name: None) for record in records)
    write_atomic(path, ''.join(json.dumps(record) + '\n' for record in finite).encode())


def outcome(work_dir: Path, metrics: Optional[Dict[str, float]] = None) -> Record:
    """What a training that has ended adds to the record of its job.

    Args:
        work_dir: of the training, which evaluates after the last epoch alone.
        metrics: figures of that evaluation as ``tools/test.py`` prints them, if they are not in the training's log.

    Raises:
        MissingEvaluation: the log has no evaluation, and ``metrics`` is None.
        CheckpointError: the training has not reached its end.
    """
    run = gather(work_dir)
    iterations = max((session['last_iter'] for session in run.sessions), default=0)
    if not run.sessions or iterations < run.sessions[-1]['max_iters']:
        raise CheckpointError(
            f'{work_dir}: the training ended after {iterations} iterations; run the command again to go on'
        )
    named = metrics or {name: curve[-1][1] for name, curve in run.evaluation.items()}
    # ``nuscenes/AP/car`` -> ``AP/car``; only what an evaluator gave, not the times of the loop.
    metrics = {name.split('/', 1)[1]: value for name, value in named.items() if '/' in name}
    if not metrics:
        raise MissingEvaluation(f'{work_dir} has no evaluation')
    report = work_dir / TRANSFER_NAME
    given = json.loads(report.read_text()) if report.is_file() else dict(share=0.0, modules={})
    return dict(
        iterations=iterations,
        seconds=sum(duration(session).total_seconds() for session in run.sessions),
        sessions=len(run.sessions),
        metrics=metrics,
        code=list({json.dumps(session['code']): session['code'] for session in run.sessions}.values()),
        hardware=run.sessions[-1]['hardware'],
        versions=run.sessions[-1]['versions'],
        gradient_shares={
            name: [min(shares), median(shares), max(shares)]
            for name, shares in ((name, [value for _, value in curve]) for name, curve in run.train.items())
            if name.startswith('grad_share_')
        },
        health={row.title: dict(value=row.value, level=row.level) for row in findings(run)},
        transfer=dict(share=given['share'], modules={name: one['share'] for name, one in given['modules'].items()}),
    )
