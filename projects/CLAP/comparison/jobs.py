"""The runs that a plan asks for."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import List, Optional, Sequence, Tuple

from .plan import Plan, PlanError, label_offset, share_name


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
    """

    kind: str
    arm: str
    epochs: int
    seed: int
    interval: Optional[int] = None
    needs: Tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Unique, fit for a file name."""
        if self.interval is None:
            return f'pretrain-{self.arm}' + (f'-seed{self.seed}' if self.seed else '')
        return f'{self.kind}-{self.arm}-{share_name(self.interval)}-{self.epochs}ep-seed{self.seed}'

    @property
    def offset(self) -> Optional[int]:
        """The first labelled frame."""
        return None if self.interval is None else label_offset(self.seed, self.interval)


def starts(plan: Plan, arm: str) -> List[Job]:
    """The pre-trainings that an arm starts from."""
    stages = [(name, plan.pretrain[name]) for name, _ in plan.arm(arm).weights]
    return [Job('pretrain', name, stage.epochs, stage.seeds[0]) for name, stage in stages]


def all_jobs(plan: Plan) -> List[Job]:
    """Every job of a plan: pre-trainings, then the rows in their order, one seed of every arm before the next."""
    stages = [Job('pretrain', name, one.epochs, seed) for name, one in plan.pretrain.items() for seed in one.seeds]
    needs = {arm.name: tuple(job.name for job in starts(plan, arm.name)) for arm in plan.arms}
    return sorted(stages, key=lambda job: job.seed) + [
        Job(row.cell.kind, arm, row.epochs, seed, row.share, needs[arm])
        for row in plan.rows
        for seed in row.seeds
        for arm in row.arms
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
