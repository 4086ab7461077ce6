"""The runs that a plan asks for, in the order in which they are worth having."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import List, Optional, Sequence, Tuple

from .plan import Plan, PlanError, label_offset, share_name

KINDS = ('pretrain', 'finetune', 'probe', 'schedule')


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


def all_jobs(plan: Plan) -> List[Job]:
    """Every job of a plan.

    Pre-trainings first, as the arms need them (seed 0 is what detectors start from, unless an arm says otherwise;
    further seeds show the spread of the pre-trainings themselves); then the probes, which are cheap; then the headline
    share, one seed of every arm before the next; then the schedule study; then the other shares. Whatever is there when
    time runs out can be compared.
    """
    used = dict.fromkeys(stage for arm in plan.arms for stage, _ in arm.weights)
    jobs = [
        Job(pretrain_name(name, seed), 'pretrain', seed, plan.pretrain[name].epochs, name)
        for seed in range(max((plan.pretrain[name].seeds for name in used), default=0))
        for name in used
        if seed < plan.pretrain[name].seeds
    ]
    if plan.probe is not None:
        for seed in plan.seeds(plan.probe.seeds):
            for interval in plan.probe.shares or (plan.headline,):
                jobs += [
                    _detector(plan, 'probe', arm.name, interval, seed, plan.probe.epochs)
                    for arm in plan.arms
                    if not arm.side
                ]
    for seed in plan.seeds(max(plan.seeds_of(arm) for arm in plan.arms)):
        jobs += [
            _finetuning(plan, arm.name, plan.share_of(arm), seed)
            for arm in plan.arms
            if seed in plan.seeds(plan.seeds_of(arm))
        ]
    jobs += [
        _detector(plan, 'schedule', arm, plan.headline, seed, length.epochs)
        for seed in plan.seeds(max((length.seeds for length in plan.schedule), default=0))
        for length in plan.schedule
        for arm in length.arms
        if seed in plan.seeds_of_length(length, arm)
    ]
    others = [interval for interval in plan.shares if interval != plan.headline]
    for seed in plan.seeds(max(map(plan.other_seeds_at, others), default=0)):
        for interval in others:
            if seed in plan.seeds(plan.other_seeds_at(interval)):
                jobs += [_finetuning(plan, arm, interval, seed) for arm in plan.other_arms]
    return jobs


def main_jobs(plan: Plan) -> List[Job]:
    """Every job but those of side arms and the pre-trainings that these alone start from.

    A pre-training that no arm starts from is there for its own spread, and stays.
    """
    side = {arm.name for arm in plan.arms if arm.side}
    jobs = all_jobs(plan)
    detectors = [job for job in jobs if job.kind != 'pretrain']
    wanted = {name for job in detectors if job.arm not in side for name in job.needs}
    left_out = {name for job in detectors if job.arm in side for name in (job.name, *job.needs)} - wanted
    return [job for job in jobs if job.name not in left_out]


def pretrain_name(name: str, seed: int) -> str:
    """Name of a pre-training's job."""
    return f'pretrain-{name}' + (f'-seed{seed}' if seed else '')


def _finetuning(plan: Plan, arm: str, interval: int, seed: int) -> Job:
    return _detector(plan, 'finetune', arm, interval, seed, plan.epochs_at(interval))


def _detector(plan: Plan, kind: str, arm: str, interval: int, seed: int, epochs: int) -> Job:
    length = f'-{epochs}ep' if kind == 'schedule' else ''
    start = plan.arm(arm)
    return Job(
        f'{kind}-{arm}-{share_name(interval)}{length}-seed{seed}',
        kind,
        seed,
        epochs,
        arm,
        interval,
        label_offset(seed, interval),
        tuple(pretrain_name(stage, start.pretrain_seed) for stage, _ in start.weights),
    )


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
            names = [job.name for job in jobs]
            near = difflib.get_close_matches(pattern, names, n=3, cutoff=0.3)
            arms = sorted({job.arm for job in jobs})
            shares = sorted({share_name(job.interval) for job in jobs if job.interval})
            raise PlanError(
                f"--only {pattern}: no job of that name; near are {', '.join(near) or 'none'}. Names are "
                f'KIND-ARM-SHARE-seedN, kinds {", ".join(KINDS)}, arms {", ".join(arms)}, shares '
                f'{", ".join(shares)}, and * stands for anything'
            )
        for job in found:
            wanted |= {job.name, *job.needs}
    return [job for job in jobs if job.name in wanted]
