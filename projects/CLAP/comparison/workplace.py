"""The folder of a comparison: where runs, weights and records lie, and what state every job is in."""

from __future__ import annotations

import json
import logging
import os
import shutil
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from mmdet3d.registry import DATASETS
from torch.hub import get_dir

from projects.CLAP.clap.engine.checkpoint.export import merge_encoders, weights_digest
from projects.CLAP.clap.engine.hooks.atomic_checkpoint_hook import resumable_checkpoints
from projects.CLAP.clap.engine.lock import locked_work_dir
from projects.CLAP.clap.engine.run_record import info_fingerprint
from projects.CLAP.clap.errors import CheckpointError, DatasetError
from projects.CLAP.clap.files.atomic_file import write_atomic
from projects.CLAP.clap.files.project import ROOT

from .job_config import JobConfigs
from .plan import Job, Plan, PlanError, all_jobs
from .records import FORMAT, Record, outcome, read_record, read_records, write_records

_MARK, _PROBE = 'made_from.json', 'probe.json'


@dataclass
class Workplace:
    """A folder that holds ``runs/<job>``, ``weights/<arm>.pth``, ``records/<job>.json`` and ``progress.log``.

    Args:
        plan: the plan.
        folder: the folder; made when something is written.
    """

    plan: Plan
    folder: Path
    _subsets: Dict[tuple, Dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.configs = JobConfigs(self.plan, self.folder / 'weights')

    def run_dir(self, job: Job) -> Path:
        """Work directory of a job's training."""
        return self.folder / 'runs' / job.name

    def record_path(self, job: Job) -> Path:
        """Where a job's record lies once it is finished."""
        return self.folder / 'records' / f'{job.name}.json'

    # ------------------------------------------------------------ states

    def made_from(self, job: Job) -> Dict[str, Any]:
        """What decides a job's result: fingerprints of its configuration, its info files and the weights it starts
        from (None before these are there, and for random initialisation).

        Raises:
            DatasetError: there are no data.
        """
        cfg, data = self.configs.config(job), {}
        for name in ('train', 'val'):
            dataset = cfg[f'{name}_dataloader'].dataset
            path = Path(dataset.data_root) / dataset.ann_file
            if not path.is_file():
                raise DatasetError(
                    f'{path} does not exist. Say where the data are: export CLAP_DATA_ROOT=/folder/with/the/data; or '
                    f'make them: {self.plan.make_data.format(data_root=dataset.data_root)}'
                )
            info = _measured(info_fingerprint, path, path.stat().st_mtime_ns)
            data[name] = f'{info["file"]} {info["sha256"][:16]}'
        weights = self.configs.weights_of(job.arm, job.seed) if job.kind != 'pretrain' else None
        there = weights is not None and weights.is_file()
        digest = _measured(weights_digest, weights, weights.stat().st_mtime_ns) if there else None
        return dict(fingerprint=self.configs.fingerprint(job), data=data, weights=digest)

    def missing(self, jobs: Sequence[Job]) -> Tuple[List[str], List[str]]:
        """What is not there: data, each with how to make them, and weights that jobs fetch when they begin."""
        data, weights = {}, {}
        for job in jobs:
            start = (self.configs.config(job).model.get('img_backbone') or {}).get('init_cfg') or {}
            path = Path(start.get('checkpoint', ''))
            if path.name and not any(p.is_file() for p in (path, Path(get_dir(), 'checkpoints', path.name))):
                weights[start['checkpoint']] = None
            try:
                self.made_from(job)
            except DatasetError as error:
                data[str(error)] = None
        return list(data), list(weights)

    def subset(self, job: Job) -> Optional[Dict[str, Any]]:
        """Labelled ``frames`` ``of`` all, ``percent``, ``boxes`` by class and ``absent`` classes; None for a
        pre-training.

        Raises:
            DatasetError: no frame, or no box of any class, is labelled.
        """
        key = (job.kind, job.interval, job.offset)
        if job.interval is not None and key not in self._subsets:
            given = self.configs.config(job).train_dataloader.dataset
            logging.disable(logging.WARNING)  # the runs log the same
            try:
                dataset = DATASETS.build({**given, 'pipeline': [], 'verify': 'off', 'serialize_data': False})
            finally:
                logging.disable(logging.NOTSET)
            self._subsets[key] = dataset.labels
        return self._subsets.get(key)

    def done(self, job: Job) -> bool:
        """Whether the job has a record.

        Raises:
            PlanError: the record, or the unfinished run, is of another configuration, other data or other weights, or
                not of a plan at all.
        """
        record, mark = self.record_path(job), self.run_dir(job) / _MARK
        finished, begun = record.is_file(), mark.is_file()
        if not finished and not begun and not _checkpoints(self.run_dir(job)):
            return False
        # Checkpoints without a mark come from elsewhere.
        made = read_record(record) if finished else json.loads(mark.read_text()) if begun else {}
        path, what = (record, 'record') if finished else (self.run_dir(job), 'unfinished run')
        names = dict(fingerprint='configuration or pre-training', data='data', weights='weights')
        # Weights that are not there are made, or known to be none, when the job runs.
        asked = {key: value for key, value in self.made_from(job).items() if value is not None}
        other = [names[key] for key in asked if made.get(key) != asked[key]]
        if other:
            raise PlanError(
                f'{job.name}: its {what} was made with other {", other ".join(other)} than the plan asks for now '
                f'({self.run_dir(job)}/job.py has the former one). It is not used and not overwritten: give --work-dir '
                f'another folder, undo the change, or remove {path} to run this job again'
            )
        return finished

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
            self.subset(job)
        return left

    # ------------------------------------------------------------ before and after a job

    def prepare(self, job: Job) -> List[str]:
        """Write the job's configuration and weights; arguments for ``tools/train.py``.

        Raises:
            WorkDirBusyError: a training that outlived a killed command still writes there.
        """
        run_dir = self.run_dir(job)
        with locked_work_dir(run_dir):
            if not _checkpoints(run_dir):
                shutil.rmtree(run_dir)  # what an earlier run left must not be read as this one's
            run_dir.mkdir(exist_ok=True)
            for other in all_jobs(self.plan):
                if job.name in other.needs:  # weights made from an earlier run of it
                    self.configs.weights_of(other.arm, other.seed).unlink(missing_ok=True)
            self._make_weights(job)
            config = run_dir / 'job.py'
            self.configs.config(job).dump(str(config))
            write_atomic(run_dir / _MARK, json.dumps(self.made_from(job)).encode())
        return [str(config), '--work-dir', str(run_dir), '--resume']

    def _make_weights(self, job: Job) -> None:
        """Export what a job starts from, unless it is there or nothing."""
        target = self.configs.weights_of(job.arm, job.seed) if job.needs else None
        if target is None or target.is_file():
            return
        try:
            parts = [self.checkpoint(self.folder / 'runs' / name) for name in job.needs]
            merge_encoders(list(zip(parts, self.plan.arm(job.arm).weights.values())), str(target))
        except CheckpointError as error:
            again = f'remove records and runs of {", ".join(job.needs)} in {self.folder}'
            raise CheckpointError(f'{error}. To pre-train again, {again}') from error

    def probe(self, job: Job) -> List[str]:
        """Arguments for ``tools/analysis_tools/probe.py`` after the training of a job; none where none is asked."""
        if job.kind != 'pretrain' or self.plan.points is None:
            return []
        folder = self.run_dir(job)
        where = [str(folder / 'job.py'), self.checkpoint(folder), '--out', str(folder / _PROBE)]
        return [*where, *self.plan.points.arguments]

    @staticmethod
    def checkpoint(run_dir: Path) -> str:
        """The last checkpoint of a training."""
        found = _checkpoints(run_dir)
        if not found:
            raise CheckpointError(f'{run_dir} has no checkpoint (any more)')
        return str(found[0])

    def finish(self, job: Job, metrics: Optional[Dict[str, float]] = None) -> Record:
        """Write the record of a job whose training has ended, and free the disk (a pre-training keeps one checkpoint).

        Raises:
            MissingEvaluation: see :func:`outcome`.
        """
        run_dir, named = self.run_dir(job), ('kind', 'arm', 'seed', 'epochs', 'interval', 'offset')
        record = dict(
            format=FORMAT,
            job=job.name,
            **{name: getattr(job, name) for name in named},
            **outcome(run_dir, metrics),
            **json.loads((run_dir / _MARK).read_text()),  # when it began, whatever lies there now
            common=self.configs.common(job),
            config=os.path.relpath(self.plan.config(job.kind, job.arm), ROOT),
            options=list(self.plan.options(job.kind, job.arm)),
            labels=self.subset(job),
        )
        if job.kind == 'pretrain' and self.plan.points:
            found = json.loads((run_dir / _PROBE).read_text())
            record['points'] = {key: found[key] for key in ('miou', 'iou', 'frames', 'features', 'layers')}
        write_records(self.record_path(job), record)
        found = _checkpoints(run_dir)
        for path in found[1:] if job.kind == 'pretrain' else found:
            path.unlink()
        shutil.rmtree(run_dir / 'nonfinite', ignore_errors=True)
        return record


@lru_cache(maxsize=None)
def _measured(measure: Callable[[Any], Any], path: Path, changed: int) -> Any:
    return measure(path)


def _checkpoints(run_dir: Path) -> List[Path]:
    # What ``last_checkpoint`` names may be gone.
    return [path for path in resumable_checkpoints(run_dir) if path.is_file()]
