"""The plan of a comparison: pre-trainings, arms that start from them, rows of runs, and the jobs that these ask for."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from math import gcd
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from projects.CLAP.clap.errors import ConfigError


class PlanError(ConfigError):
    """A plan that cannot be carried out, or records that do not belong to it."""


@dataclass(frozen=True)
class Stage:
    """How something is trained: a configuration, seen from the plan's folder, and its overrides.

    A pre-training also has a length and seeds; arms without ``same_seed`` start from the first one, further ones show
    its own spread. A job takes one core, or ``gpus`` GPUs, one process each; ``--dry-run`` counts with ``hours`` of an
    epoch.
    """

    config: str
    options: Tuple[str, ...] = ()
    epochs: int = 0
    seeds: Tuple[int, ...] = (0,)
    gpus: int = 0
    hours: float = 0.0


@dataclass(frozen=True)
class Points:
    """The probe of points (``clap/analysis/probe.py``) that every pre-training ends with."""

    labels: int = 1
    seeds: int = 3
    features: str = 'lidar'
    layers: int = 1
    options: Tuple[str, ...] = ()

    @property
    def arguments(self) -> List[str]:
        """For ``tools/analysis_tools/probe.py``."""
        named = [part for key in ('labels', 'seeds', 'features', 'layers') for part in (f'--{key}', getattr(self, key))]
        return [*map(str, named), *(['--cfg-options', *self.options] if self.options else [])]


@dataclass(frozen=True)
class Arm:
    """One way to start the detector or segmentor.

    Attributes:
        name, title: short name, and the name in tables.
        weights: pre-trainings that it starts from; each with the encoders to take from it, None for all of them.
        options: overrides of the fine-tuning configuration for this arm alone; frozen encoders do without them.
        same_seed: whether a run starts from the pre-training of its own seed, so that p covers pre-training, too.
        against: the arm that it is set against; None for the plan's baseline.
        paper: the paper's figures for it, as the tables show them.
    """

    name: str
    title: str = ''
    weights: Dict[str, Optional[Sequence[str]]] = field(default_factory=dict)
    options: Tuple[str, ...] = ()
    same_seed: bool = False
    against: Optional[str] = None
    paper: str = ''


class Cell(NamedTuple):
    """What runs that are compared with each other share: labels (every n-th frame), epochs, frozen encoders or not."""

    share: int
    epochs: int
    frozen: bool = False

    @property
    def kind(self) -> str:
        """The first word of the jobs' names."""
        return 'probe' if self.frozen else 'finetune'


@dataclass(frozen=True)
class Row:
    """Runs to make: every arm with every seed in one cell; ``frozen`` trains the head alone."""

    arms: Tuple[str, ...]
    share: int
    epochs: int
    seeds: Tuple[int, ...]
    frozen: bool = False

    @property
    def cell(self) -> Cell:
        """Where the runs belong."""
        return Cell(self.share, self.epochs, self.frozen)


@dataclass(frozen=True)
class Plan:
    """What a plan file declares; ``projects/CLAP/configs/comparison/sim.py`` shows every key.

    The first row with trained encoders is the headline. ``subject`` is the arm of which the verdict speaks, ``note`` a
    sentence or two for the reader of the tables, ``make_data`` the command that makes the data in ``{data_root}``,
    ``same_data`` info files, as records name them, that differ in rounding alone, ``hours_from`` where the stages'
    hours were measured, ``in_full`` NDS in every table and one of the headline's classes, ``metric`` the figure of the
    evaluation that is compared, ``points`` the probe of points.
    """

    name: str
    path: Path
    arms: Tuple[Arm, ...]
    baseline: str
    subject: str
    rows: Tuple[Row, ...]
    pretrain: Dict[str, Stage]
    finetune: Optional[Stage] = None
    probe: Optional[Stage] = None
    title: str = ''
    note: str = ''
    make_data: str = 'tools/create_data.py'
    workers: int = 0
    same_data: Tuple[Tuple[str, ...], ...] = ()
    hours_from: str = ''
    in_full: bool = False
    metric: str = 'mAP'
    points: Optional[Points] = None

    @property
    def metric_title(self) -> str:
        """The metric as tables name it."""
        return {'miou': 'mIoU'}.get(self.metric, self.metric)

    @property
    def start_title(self) -> str:
        """Head of the column of arms."""
        return f'start of the {"detector" if self.metric == "mAP" else "segmentor"}'

    def arm(self, name: str) -> Arm:
        """The arm of a name."""
        return next(arm for arm in self.arms if arm.name == name)

    def rival(self, arm: str) -> str:
        """The arm that an arm is set against."""
        return self.arm(arm).against or self.baseline

    @property
    def cells(self) -> Tuple[Cell, ...]:
        """Every cell once, in the order of the rows."""
        return tuple(dict.fromkeys(row.cell for row in self.rows))

    @property
    def headline(self) -> Optional[Cell]:
        """The cell of the first row whose encoders are trained."""
        return next((cell for cell in self.cells if not cell.frozen), None)

    @property
    def plotted(self) -> bool:
        """Whether there are several shares of the labels to draw."""
        return len({cell.share for cell in self.cells if not cell.frozen}) > 1

    def seeds(self, arm: str, cell: Cell) -> Tuple[int, ...]:
        """The seeds of an arm in a cell."""
        return tuple(seed for row in self.rows if row.cell == cell and arm in row.arms for seed in row.seeds)

    def source(self, kind: str, arm: str) -> Stage:
        """How the jobs of a kind are trained; ``arm`` is the name of the pre-training for ``'pretrain'``."""
        return self.pretrain[arm] if kind == 'pretrain' else getattr(self, kind)

    def config(self, kind: str, arm: str) -> Path:
        """The configuration file of a job."""
        return self.path.parent / self.source(kind, arm).config

    def data_of(self, record: Dict[str, Any], *parts: str) -> Tuple[str, ...]:
        """Info files of a run; of those that ``same_data`` says differ in rounding alone, the first."""
        names = [record['data'][part] for part in parts]
        return tuple(next((same[0] for same in self.same_data if name in same), name) for name in names)

    def hours(self, job: Job) -> float:
        """Hours that a job will take; 0 where the plan does not say."""
        return job.epochs * self.source(job.kind, job.arm).hours

    def options(self, kind: str, arm: str) -> Tuple[str, ...]:
        """Overrides of a job's configuration."""
        return (*self.source(kind, arm).options, *(self.arm(arm).options if kind == 'finetune' else ()))


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes:
        kind: ``pretrain``, ``finetune`` or ``probe``.
        arm: name of the arm; of the pre-training for a pre-training.
        epochs: length.
        seed: of everything that is drawn.
        interval: every n-th frame is labelled; None for a pre-training.
        needs: names of the jobs that must be finished before.
        gpus: how many it takes; 0 for one core.
    """

    kind: str
    arm: str
    epochs: int
    seed: int
    interval: Optional[int] = None
    needs: Tuple[str, ...] = ()
    gpus: int = 0

    @property
    def name(self) -> str:
        """Unique, fit for a file name."""
        if self.interval is None:
            return f'pretrain-{self.arm}' + (f'-seed{self.seed}' if self.seed else '')
        return f'{self.kind}-{self.arm}-{share_name(self.interval)}-{self.epochs}ep-seed{self.seed}'

    @property
    def offset(self) -> Optional[int]:
        """The first labelled frame: 0 for seed 0, then spread evenly, all different at first.

        Steps of about the golden section that have no divisor in common with ``interval``. It depends on nothing else,
        so every arm of a seed has the same frames, and further seeds leave earlier ones alone.
        """
        if self.interval is None:
            return None
        step = max(1, round(0.6180339887498949 * self.interval))
        while gcd(step, self.interval) > 1:
            step += 1
        return self.seed * step % self.interval


def share_name(interval: int) -> str:
    """``20`` -> ``5pct``, ``40`` -> ``2p5pct``: part of a job's name."""
    return f'{100 / interval:.4g}pct'.replace('.', 'p')


def starts(plan: Plan, arm: str, seed: int) -> List[Job]:
    """The pre-trainings that an arm's run of a seed starts from."""
    own, stages = plan.arm(arm).same_seed, [(name, plan.pretrain[name]) for name in plan.arm(arm).weights]
    return [Job('pretrain', name, one.epochs, seed if own else one.seeds[0], gpus=one.gpus) for name, one in stages]


def all_jobs(plan: Plan) -> List[Job]:
    """Every job of a plan: pre-trainings, then the rows in their order, one seed of every arm before the next."""
    stages = [
        Job('pretrain', name, one.epochs, seed, gpus=one.gpus)
        for name, one in plan.pretrain.items()
        for seed in one.seeds
    ]

    def run(row: Row, arm: str, seed: int) -> Job:
        kind, needs = row.cell.kind, tuple(job.name for job in starts(plan, arm, seed))
        return Job(kind, arm, row.epochs, seed, row.share, needs, plan.source(kind, arm).gpus)

    return sorted(stages, key=lambda job: job.seed) + [
        run(row, arm, seed) for row in plan.rows for seed in row.seeds for arm in row.arms
    ]


def select(jobs: Sequence[Job], patterns: Sequence[str]) -> List[Job]:
    """The jobs whose names match one of the patterns (``*``, ``?``), and those that they need; all without patterns.

    Raises:
        PlanError: a pattern matches nothing; with the nearest names.
    """
    if not patterns:
        return list(jobs)
    wanted = set()
    for pattern in patterns:
        found = [job for job in jobs if fnmatchcase(job.name, pattern)]
        if not found:
            near = difflib.get_close_matches(pattern, [job.name for job in jobs], n=3, cutoff=0.3)
            raise PlanError(f'--only {pattern}: no job of that name; near are {", ".join(near)}; --dry-run lists all')
        wanted |= {name for job in found for name in (job.name, *job.needs)}
    return [job for job in jobs if job.name in wanted]
