"""The folder of a comparison: where runs, weights and records lie, and what state every job is in."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from projects.CLAP.clap.engine.checkpoint.export import merge_encoders, weights_digest
from projects.CLAP.clap.engine.hooks.atomic_checkpoint_hook import resumable_checkpoints
from projects.CLAP.clap.engine.lock import locked_work_dir
from projects.CLAP.clap.errors import CheckpointError
from projects.CLAP.clap.files.atomic_file import write_atomic
from projects.CLAP.clap.files.project import ROOT

from .data import data_fingerprint, labelled_subset
from .job_config import JobConfigs
from .jobs import Job, all_jobs, needs_of
from .plan import Plan, PlanError
from .records import Metrics, Record, collect, read_record, read_records, write_record

_MARK = 'made_from.json'


@dataclass
class Workplace:
    """A folder that holds ``runs/<job>``, ``weights/<arm>.pth``, ``records/<job>.json`` and ``progress.log``.

    Args:
        plan: the plan.
        folder: the folder; made when something is written.
    """

    plan: Plan
    folder: Path

    def __post_init__(self) -> None:
        self.configs = JobConfigs(self.plan, self.folder / 'weights')
        self._subsets: Dict[tuple, Dict[str, Any]] = {}
        self._digests: Dict[tuple, str] = {}

    def run_dir(self, job: Job) -> Path:
        """Work directory of a job's training."""
        return self.folder / 'runs' / job.name

    def record_path(self, job: Job) -> Path:
        """Where a job's record lies once it is finished."""
        return self.folder / 'records' / f'{job.name}.json'

    # ------------------------------------------------------------ states

    def made_from(self, job: Job) -> Dict[str, Any]:
        """What decides a job's result: fingerprints of its configuration, its info files and the weights it starts
        from (None before these are there, and for random initialisation)."""
        weights = self.configs.weights_of(job.arm) if job.kind != 'pretrain' else None
        return dict(
            fingerprint=self.configs.fingerprint(job),
            data=data_fingerprint(self.configs.config(job), self.plan.make_data),
            weights=self._digest(weights) if weights is not None and weights.is_file() else None,
        )

    def subset(self, job: Job) -> Optional[Dict[str, Any]]:
        """Labelled frames and boxes of a detector's job; None for a pre-training."""
        key = (job.kind, job.interval, job.offset)
        if job.interval is None:
            return None
        if key not in self._subsets:
            self._subsets[key] = labelled_subset(self.configs.config(job))
        return self._subsets[key]

    def done(self, job: Job) -> bool:
        """Whether the job has a record.

        Raises:
            PlanError: the record, or the unfinished run, is of another configuration, other data or other weights, or
                not of a plan at all.
        """
        path, mark = self.record_path(job), self.run_dir(job) / _MARK
        if path.is_file():
            self._check_made_from(job, read_record(path), path, 'record')
            return True
        if mark.is_file():
            self._check_made_from(job, json.loads(mark.read_text()), self.run_dir(job), 'unfinished run')
        elif _has_checkpoint(self.run_dir(job)):
            raise PlanError(
                f'{job.name}: {self.run_dir(job)} has checkpoints that no run of this plan has written ({_MARK} is '
                'missing). They are not taken for its own and not overwritten: move them away'
            )
        return False

    def _check_made_from(self, job: Job, made: Dict[str, Any], path: Path, what: str) -> None:
        asked = self.made_from(job)
        if asked['weights'] is None:  # they are made, or known to be none, when the job runs
            asked.pop('weights')
        names = dict(fingerprint='configuration or pre-training', data='data', weights='weights')
        other = [names[key] for key in asked if made.get(key) != asked[key]]
        if other:
            raise PlanError(
                f'{job.name}: its {what} was made with other {", other ".join(other)} than the plan asks for now '
                f'({self.run_dir(job)}/job.py has the former one). It is not used and not overwritten: give --work-dir '
                f'another folder, undo the change, or remove {path} to run this job again'
            )

    def check(self, jobs: Sequence[Job]) -> List[Job]:
        """Those of the jobs that are not done yet. Looks at every configuration, info file and subset before anything
        runs, and at the records of all other jobs of the plan, which will stand in the same tables.

        Raises:
            PlanError, DatasetError, ConfigError: see there.
        """
        if any(record['fingerprint'] is None for record in read_records(self.folder).values()):
            raise PlanError(
                f'{self.folder}/records has records of an earlier version, which no run can go on from. --summarize '
                'still reads them; run the plan in another --work-dir'
            )
        done = {job.name for job in all_jobs(self.plan) if self.done(job)}
        left = [job for job in jobs if job.name not in done]
        for job in left:
            self.made_from(job)
            try:
                self.subset(job)
            except ValueError as error:
                raise PlanError(
                    f'{job.name} (every {job.interval}th frame is labelled, the first is {job.offset}): {error}'
                ) from error
        return left

    # ------------------------------------------------------------ before and after a job

    def prepare(self, job: Job) -> List[str]:
        """Write the job's configuration and weights; arguments for ``tools/train.py``.

        Raises:
            WorkDirBusyError: a training that outlived a killed command still writes there.
        """
        run_dir = self.run_dir(job)
        with locked_work_dir(run_dir):
            if not _has_checkpoint(run_dir):
                shutil.rmtree(run_dir)  # what an earlier run left must not be read as this one's
            run_dir.mkdir(exist_ok=True)
            for arm in self.plan.arms if job.kind == 'pretrain' else ():  # made from an earlier run of it
                target = self.configs.weights_of(arm.name)
                if target is not None and job.name in needs_of(self.plan, arm.name):
                    target.unlink(missing_ok=True)
            if job.kind != 'pretrain':
                self.make_weights(job.arm)
            config = run_dir / 'job.py'
            self.configs.config(job).dump(str(config))
            write_atomic(run_dir / _MARK, json.dumps(self.made_from(job)).encode())
        return [str(config), '--work-dir', str(run_dir), '--resume']

    def make_weights(self, arm: str) -> None:
        """Export what an arm starts from, unless it is there or nothing."""
        target = self.configs.weights_of(arm)
        if target is None or target.is_file():
            return
        names = needs_of(self.plan, arm)
        again = f'To pre-train again, remove records and runs of {", ".join(names)} in {self.folder}'
        try:
            parts = [self.checkpoint(self.folder / 'runs' / name) for name in names]
            summary = merge_encoders(list(zip(parts, (taken for _, taken in self.plan.arm(arm).weights))), str(target))
        except CheckpointError as error:
            raise CheckpointError(f'{error}. {again}') from error
        declared = self.plan.arm(arm).encoders
        if declared is not None and set(declared) & set(summary['absent']):
            target.unlink()
            raise CheckpointError(f'{target}: {summary["absent"]} are missing, the plan declares {declared}')

    def _digest(self, weights: Path) -> str:
        key = (str(weights), weights.stat().st_mtime_ns)
        if key not in self._digests:
            self._digests[key] = weights_digest(str(weights))
        return self._digests[key]

    @staticmethod
    def checkpoint(run_dir: Path) -> str:
        """The last checkpoint of a training."""
        found = resumable_checkpoints(run_dir)
        if not found:
            raise CheckpointError(f'{run_dir} has no checkpoint (any more)')
        return str(found[0])

    def finish(self, job: Job, metrics: Optional[Metrics] = None) -> Record:
        """Write the record of a job whose training has ended, and free the disk (a pre-training keeps one checkpoint).

        Raises:
            MissingEvaluation: see :func:`collect`.
        """
        record = collect(job, self.run_dir(job), metrics)
        # What it was made from when it began, whatever lies there now.
        record.update(json.loads((self.run_dir(job) / _MARK).read_text()))
        record.update(
            common=self.configs.common(job),
            config=os.path.relpath(self.plan.source(job.kind, job.arm).config, ROOT),
            options=list(self.plan.options(job.kind, job.arm)),
            labels=self.subset(job),
        )
        write_record(self.record_path(job), record)
        found = resumable_checkpoints(self.run_dir(job))
        for path in found[1:] if job.kind == 'pretrain' else found:
            path.unlink(missing_ok=True)
        shutil.rmtree(self.run_dir(job) / 'nonfinite', ignore_errors=True)
        return record


def _has_checkpoint(run_dir: Path) -> bool:
    # What ``last_checkpoint`` names may be gone.
    return any(path.is_file() for path in resumable_checkpoints(run_dir))
