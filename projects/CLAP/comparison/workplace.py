"""The folder of a comparison: where runs, weights and records lie, and what state every job is in."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from mmengine.config import Config

from projects.CLAP.clap.engine.checkpoint.export import merge_encoders, weights_digest
from projects.CLAP.clap.engine.hooks.atomic_checkpoint_hook import resumable_checkpoints
from projects.CLAP.clap.errors import CheckpointError
from projects.CLAP.clap.files.atomic_file import write_atomic
from projects.CLAP.clap.files.project import ROOT

from .data import data_fingerprint, labelled_subset
from .job_config import JobConfigs
from .jobs import Job, all_jobs, pretrain_name
from .plan import Plan, PlanError, share_title
from .records import Metrics, collect, read_record, write_record

_MARK = 'fingerprint.txt'


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
        self._fingerprints: Dict[str, str] = {}
        self._subsets: Dict[tuple, Dict[str, Any]] = {}
        self._digests: Dict[tuple, str] = {}

    def run_dir(self, job: Job) -> Path:
        """Work directory of a job's training."""
        return self.folder / 'runs' / job.name

    def record_path(self, job: Job) -> Path:
        """Where a job's record lies once it is finished."""
        return self.folder / 'records' / f'{job.name}.json'

    @contextmanager
    def alone(self) -> Iterator[int]:
        """Keep a second process out of the folder.

        Gives the lock's file descriptor: who inherits it holds the lock too, so that trainings which outlive a killed
        parent are not joined by others of the same name.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / '.lock', 'w') as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise PlanError(
                    f'{self.folder} is in use by another label_efficiency.py, or by what a killed one '
                    'has left running; wait for it, stop it, or choose another --work-dir'
                ) from None
            yield lock.fileno()

    # ------------------------------------------------------------ states

    def fingerprint(self, job: Job) -> str:
        """Of configuration, weights that it starts from, and data."""
        if job.name not in self._fingerprints:
            names = sorted(map(self.plan.data_name, self.data(job).values()))
            data = hashlib.sha256(' '.join(names).encode())
            self._fingerprints[job.name] = f'{self.configs.fingerprint(job)} {data.hexdigest()[:16]}'
        return self._fingerprints[job.name]

    def data(self, job: Job) -> Dict[str, str]:
        """Fingerprints of a job's info files."""
        return data_fingerprint(self.configs.config(job), self.plan.make_data)

    def subset(self, job: Job) -> Dict[str, Any]:
        """Labelled frames and boxes of a detector's job."""
        key = (job.kind, job.interval, job.offset)
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
            record = read_record(path)
            if record['fingerprint'] != self.fingerprint(job):
                self._stale(job, path, f'its record{self._other_data(job, record)}')
            if self._others(job, record.get('weights')):
                self._stale(job, path, 'its record (it started from other weights)')
            return True
        if mark.is_file():
            fingerprint, weights = _read_mark(mark)
            if fingerprint != self.fingerprint(job) or self._others(job, weights):
                self._stale(job, self.run_dir(job), 'its unfinished run')
        elif _has_checkpoint(self.run_dir(job)):
            raise PlanError(
                f'{job.name}: {self.run_dir(job)} has checkpoints that no run of this plan has written ({_MARK} is '
                'missing). They are not taken for its own and not overwritten: move them away'
            )
        return False

    def _other_data(self, job: Job, record: Dict[str, Any]) -> str:
        """What to say of a record that differs in the data alone."""
        if record['fingerprint'].split()[0] != self.fingerprint(job).split()[0]:
            return ''
        own = self.data(job)
        pairs = [(record['data'][name], own[name]) for name in sorted(own) if record['data'][name] != own[name]]
        return (
            ' (the info files are others; if they differ in rounding alone, as simulated data from another kind of '
            f'processor may, give the plan same_data = {pairs})'
        )

    def _others(self, job: Job, digest: Optional[str]) -> bool:
        """Whether the weights that a detector's job would start from now are others than those of a digest."""
        weights = self.configs.weights_of(job.arm) if job.kind != 'pretrain' else None
        return weights is not None and weights.is_file() and digest != self._digest(weights)

    def _digest(self, weights: Path) -> str:
        key = (str(weights), weights.stat().st_mtime_ns)
        if key not in self._digests:
            self._digests[key] = weights_digest(str(weights))
        return self._digests[key]

    def _stale(self, job: Job, path: Path, what: str) -> None:
        raise PlanError(
            f'{job.name}: {what} was made with another configuration, other data or other pre-training than the plan '
            f'asks for now{self._difference(job)}. It is not used and not overwritten. Give --work-dir another folder '
            f'for the changed plan, undo the change, or remove {path} to run this job again'
        )

    def _difference(self, job: Job) -> str:
        """The first keys in which a job's last configuration differs from the one it has now."""
        before = self.run_dir(job) / 'job.py'
        if not before.is_file():
            return ''
        old, new = _flat(Config.fromfile(str(before)).to_dict()), _flat(self.configs.config(job).to_dict())
        keys = [key for key in sorted({*old, *new}) if str(old.get(key)) != str(new.get(key)) and key != 'work_dir']
        return f' (it differs in {", ".join(keys[:4])})' if keys else ''

    def check(self, jobs: Sequence[Job]) -> List[Job]:
        """Those of the jobs that are not done yet. Looks at every configuration, info file and subset before anything
        runs, and at the records of all other jobs of the plan, which will stand in the same tables.

        Raises:
            PlanError, DatasetError, ConfigError: see there.
        """
        done = {job.name for job in all_jobs(self.plan) if self.done(job)}
        left = [job for job in jobs if job.name not in done]
        for job in left:
            self.data(job)
            if job.interval is not None:
                try:
                    self.subset(job)
                except ValueError as error:
                    raise PlanError(
                        f'{job.name} ({share_title(job.interval)} of the labels, first frame {job.offset}): {error}'
                    ) from error
        return left

    # ------------------------------------------------------------ before and after a job

    def prepare(self, job: Job) -> List[str]:
        """Write the job's configuration and weights; arguments for ``tools/train.py``."""
        run_dir, weights = self.run_dir(job), None
        if run_dir.is_dir() and not _has_checkpoint(run_dir):
            shutil.rmtree(run_dir)  # what an earlier run left must not be read as this one's
        run_dir.mkdir(parents=True, exist_ok=True)
        if job.kind == 'pretrain':
            for arm in self.plan.arms:  # made from an earlier run of it
                if job.seed == arm.pretrain_seed and job.arm in dict(arm.weights):
                    target = self.configs.weights_of(arm.name)
                    assert target is not None
                    target.unlink(missing_ok=True)
        else:
            weights = self.make_weights(job.arm)
        config = run_dir / 'job.py'
        self.configs.config(job).dump(str(config))
        write_atomic(run_dir / _MARK, '\n'.join([self.fingerprint(job), weights or '']).encode())
        return [str(config), '--work-dir', str(run_dir), '--resume']

    def make_weights(self, arm: str) -> Optional[str]:
        """Export what an arm starts from, unless it is there; its digest, None for random initialisation."""
        target = self.configs.weights_of(arm)
        if target is None:
            return None
        if not target.is_file():
            parts = []
            for stage, names in self.plan.arm(arm).weights:
                name = pretrain_name(stage, self.plan.arm(arm).pretrain_seed)
                run_dir = self.folder / 'runs' / name
                found = resumable_checkpoints(run_dir)
                if not found:
                    raise CheckpointError(
                        f'{run_dir} has no checkpoint (any more); remove '
                        f'{self.folder}/records/{name}.json to pre-train again'
                    )
                parts.append((str(found[0]), names))
            try:
                summary = merge_encoders(parts, str(target))
            except CheckpointError as error:
                names = ', '.join(stage for stage, _ in self.plan.arm(arm).weights)
                raise CheckpointError(
                    f'{error}. To pre-train again ({names}), remove records/pretrain-NAME.json and '
                    f'runs/pretrain-NAME in {self.folder}'
                ) from error
            declared = self.plan.arm(arm).encoders
            if declared is not None and set(declared) & set(summary['absent']):
                target.unlink()
                raise CheckpointError(f'{target}: {summary["absent"]} are missing, the plan declares {declared}')
        return self._digest(target)

    def checkpoint(self, job: Job) -> str:
        """The last checkpoint of a job's training."""
        found = resumable_checkpoints(self.run_dir(job))
        if not found:
            raise CheckpointError(f'{self.run_dir(job)} has no checkpoint')
        return str(found[0])

    def finish(self, job: Job, seconds: float, metrics: Optional[Metrics] = None) -> Dict[str, Any]:
        """Write the record of a job whose training has ended, and free the disk; ``seconds`` that its process took.

        Raises:
            MissingEvaluation: see :func:`collect`.
        """
        record = collect(job, self.run_dir(job), seconds, metrics)
        record.update(
            fingerprint=self.fingerprint(job),
            common=self.configs.common(job),
            data=self.data(job),
            config=_relative(self.plan.stage(job.kind, job.arm).config),
            options=list(self.plan.options(job.kind, job.arm)),
        )
        if job.kind != 'pretrain':
            # The weights that it started from, whatever lies there now.
            record.update(labels=self.subset(job), weights=_read_mark(self.run_dir(job) / _MARK)[1])
        write_record(self.record_path(job), record)
        self._clean(job)
        return record

    def _clean(self, job: Job) -> None:
        """Keep the last checkpoint of a pre-training and none of a detector."""
        found = resumable_checkpoints(self.run_dir(job))
        for path in found[1:] if job.kind == 'pretrain' else found:
            path.unlink(missing_ok=True)
        shutil.rmtree(self.run_dir(job) / 'nonfinite', ignore_errors=True)


def _has_checkpoint(run_dir: Path) -> bool:
    # What ``last_checkpoint`` names may be gone.
    return any(path.is_file() for path in resumable_checkpoints(run_dir))


def _read_mark(path: Path) -> Tuple[str, Optional[str]]:
    """Fingerprint of a run, and digest of the weights that it started from."""
    fingerprint, *rest = path.read_text().strip().split('\n')
    return fingerprint, rest[0] if rest else None


def _relative(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(ROOT))
    except ValueError:
        return path.name


def _flat(node: Any, prefix: str = '') -> Dict[str, Any]:
    """``{'a': {'b': 1}}`` -> ``{'a.b': 1}``."""
    if isinstance(node, (list, tuple)):
        node = dict(enumerate(node))
    if not isinstance(node, dict):
        return {prefix: node}
    found: Dict[str, Any] = {}
    for key, value in node.items():
        found.update(_flat(value, f'{prefix}.{key}' if prefix else str(key)))
    return found
