"""The runs that a plan asks for."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import List, Optional, Sequence, Tuple

from .plan import Cell, Plan, PlanError, label_offset, share_name

KINDS = ('pretrain', 'finetune', 'probe')


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes:
        name: unique, fit for a file name.
        kind: one of :data:`KINDS`.
        seed: of everything that is drawn.
        epochs: length.
        arm: name of the arm; of the pre-training for a pre-training.
        interval, offset: labelled frames are ``offset, offset + interval, ...``; None for a pre-training.
        needs: names of the jobs that must be finished before.
    """

    name: str
    kind: str
    seed: int
    epochs: int
    arm: str
    interval: Optional[int] = None
    offset: Optional[int] = None
    needs: Tuple[str, ...] = ()


def pretrain_name(name: str, seed: int) -> str:
    """Name of a pre-training's job."""
    return f'pretrain-{name}' + (f'-seed{seed}' if seed else '')


def detector_name(arm: str, cell: Cell, seed: int) -> str:
    """Name of a detector's job."""
    return f'{cell.kind}-{arm}-{share_name(cell.share)}-{cell.epochs}ep-seed{seed}'


def needs_of(plan: Plan, arm: str) -> Tuple[str, ...]:
    """Names of the pre-trainings that an arm starts from."""
    return tuple(pretrain_name(stage, plan.pretrain[stage].seeds[0]) for stage, _ in plan.arm(arm).weights)


def all_jobs(plan: Plan) -> List[Job]:
    """Every job of a plan: pre-trainings, then the rows in their order, one seed of every arm before the next."""
    jobs = [
        Job(pretrain_name(name, seed), 'pretrain', seed, stage.epochs, name)
        for seed in sorted({seed for stage in plan.pretrain.values() for seed in stage.seeds})
        for name, stage in plan.pretrain.items()
        if seed in stage.seeds
    ]
    for cell, seed, arm in [(row.cell, seed, arm) for row in plan.rows for seed in row.seeds for arm in row.arms]:
        name, offset = detector_name(arm, cell, seed), label_offset(seed, cell.share)
        jobs.append(Job(name, cell.kind, seed, cell.epochs, arm, cell.share, offset, needs_of(plan, arm)))
    return jobs


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
            arms = sorted({job.arm for job in jobs})
            raise PlanError(
                f'--only {pattern}: no job of that name; near are {", ".join(near) or "none"}. Names are '
                f'KIND-ARM-SHARE-EPOCHSep-seedN, kinds {", ".join(KINDS)}, arms {", ".join(arms)}; * is anything'
            )
        wanted |= {name for job in found for name in (job.name, *job.needs)}
    return [job for job in jobs if job.name in wanted]
