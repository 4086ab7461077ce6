"""The plan of a comparison: arms, shares of the labels, seeds, lengths."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, fields
from math import gcd
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple, Union

from mmengine.config import Config

from ..utils.config_check import ConfigKeyError
from ..utils.transfer import ENCODERS


class PlanError(ConfigKeyError):
    """A plan that cannot be carried out, or records that do not belong to it."""


@dataclass(frozen=True)
class Arm:
    """One way to start the detector.

    Attributes:
        name, title: short name, and the name in tables.
        weights: pre-trainings that it starts from; each with the encoders to take from it, None for all of them.
        paper: (share in percent, mAP, NDS) of the paper, in percent; NDS may be None.
        options: overrides of the fine-tuning configuration for this arm alone, e.g. a learning rate of its own.
        seeds: seeds at the headline share; None for the plan's ``headline_seeds``.
        side: a side arm: at one share alone, without a probe, in no step from arm to arm, run on request.
        share: the share of a side arm, as an interval; None for the headline.
        pretrain_seed: which run of its pre-trainings it starts from.
    """

    name: str
    title: str
    weights: Tuple[Tuple[str, Optional[Tuple[str, ...]]], ...] = ()
    paper: Tuple[Tuple[float, Optional[float], Optional[float]], ...] = ()
    options: Tuple[str, ...] = ()
    seeds: Optional[int] = None
    side: bool = False
    share: Optional[int] = None
    pretrain_seed: int = 0

    @property
    def encoders(self) -> Optional[Tuple[str, ...]]:
        """Encoders that the weights hold by declaration, in the order of the data's way; None for all."""
        if all(names is None for _, names in self.weights):
            return None
        named = {name for _, names in self.weights for name in names or ()}
        return tuple(name for name in ENCODERS if name in named)


@dataclass(frozen=True)
class Stage:
    """Runs of one kind: configuration file, overrides, epochs, epochs between validations, shares and seeds."""

    config: Path
    options: Tuple[str, ...]
    epochs: int
    val_interval: Optional[int] = None
    shares: Tuple[int, ...] = ()
    seeds: int = 1


@dataclass(frozen=True)
class Aim:
    """What the headline should show: so many mAP points of an arm over the baseline, with p below."""

    arm: str
    points: float
    p: float


@dataclass(frozen=True)
class Schedule:
    """Fine-tuning of other lengths at the headline share, to show what more iterations would give."""

    epochs: Tuple[int, ...]
    seeds: Tuple[int, ...]  # of every length; a plan may give one number for all
    arms: Tuple[str, ...]  # by default the baseline alone


@dataclass(frozen=True)
class Plan:
    """What a plan file declares.

    ``projects/CLAP/configs/label_efficiency/sim.py`` shows every key of a comparison by labels, ``samplers_sim.py``
    of one without fine-tuning (``headline_seeds`` and ``other_seeds`` 0), where pre-trainings have seeds themselves.
    """

    name: str
    title: str
    readme: Optional[str]
    note: str
    make_data: str  # the command that makes its data in {data_root}, told where they are missing
    same_data: Tuple[Tuple[str, ...], ...]  # info files, as records name them, that differ in rounding alone
    pretrain: Dict[str, Stage]
    arms: Tuple[Arm, ...]
    baseline: str
    shares: Tuple[int, ...]
    headline: int
    headline_seeds: int
    other_seeds: int
    other_arms: Tuple[str, ...]
    other_epochs: Dict[int, int]  # of a share whose runs have another length than `finetune` says, by interval
    seeds_at: Dict[int, int]  # of a share that has another number of seeds than `other_seeds`, by interval
    first_seed: int  # of the detectors; earlier ones were used to choose something, and are in no table
    finetune: Stage
    probe: Optional[Stage]
    schedule: Optional[Schedule]
    aim: Optional[Aim]
    range_baseline: Optional[str]  # pre-training against which the range errors of the others are set, seed by seed
    workers: int
    path: Path

    def data_name(self, info_file: str) -> str:
        """The name that an info file goes by: the first of those that ``same_data`` says are the same."""
        return next((names[0] for names in self.same_data if info_file in names), info_file)

    def arm(self, name: str) -> Arm:
        """The arm of a name."""
        return next(arm for arm in self.arms if arm.name == name)

    def share_of(self, arm: Arm) -> int:
        """The share, as an interval, at which an arm stands beside the others: the headline, or a side arm's own."""
        return self.headline if arm.share is None else arm.share

    def headline_arms(self) -> Tuple[Arm, ...]:
        """The arms that have runs at the headline share."""
        return tuple(arm for arm in self.arms if self.share_of(arm) == self.headline)

    def seeds_of(self, arm: Arm) -> int:
        """How many seeds an arm has at the headline share, a side arm at its own."""
        return self.headline_seeds if arm.seeds is None else arm.seeds

    def other_seeds_at(self, interval: int) -> int:
        """How many seeds ``other_arms`` have at a share other than the headline."""
        return self.seeds_at.get(interval, self.other_seeds)

    def seeds(self, number: int) -> range:
        """The first seeds of the detectors."""
        return range(self.first_seed, self.first_seed + number)

    def epochs_at(self, interval: int) -> int:
        """Epochs of fine-tuning at a share, the same for every arm."""
        return self.other_epochs.get(interval, self.finetune.epochs)

    def stage(self, kind: str, arm: str) -> Stage:
        """What the plan says about runs of a kind; ``arm`` is the name of the pre-training for ``'pretrain'``."""
        if kind == 'pretrain':
            return self.pretrain[arm]
        if kind == 'probe':
            assert self.probe is not None
            return self.probe
        return self.finetune

    def options(self, kind: str, arm: str) -> Tuple[str, ...]:
        """Overrides of a run's configuration file: those of its kind, and where everything is trained of its arm."""
        own = self.arm(arm).options if kind in ('finetune', 'schedule') else ()
        return (*self.stage(kind, arm).options, *own)


def share_percent(interval: int) -> float:
    """Every n-th frame in percent."""
    return 100.0 / interval


def share_name(interval: int) -> str:
    """``20`` -> ``5pct``, ``40`` -> ``2p5pct``: part of a job's name."""
    return f'{share_percent(interval):.4g}pct'.replace('.', 'p')


def share_title(interval: int) -> str:
    """``20`` -> ``5 %``."""
    return f'{share_percent(interval):.4g} %'


def label_offset(seed: int, interval: int) -> int:
    """First labelled frame of a seed, below ``interval``: 0 for seed 0, then spread evenly, all different at first.

    Steps of about the golden section that have no divisor in common with ``interval``. It depends on nothing else, so
    every arm of a seed has the same frames, and further seeds leave earlier ones alone.
    """
    step = max(1, round(0.6180339887498949 * interval))
    while gcd(step, interval) > 1:
        step += 1
    return seed * step % interval


def read_plan(path: Union[str, Path]) -> Plan:
    """Read and check a plan file.

    Raises:
        FileNotFoundError: it, or a configuration that it names, does not exist.
        PlanError: something in it is unknown, missing or contradicts itself.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f'plan {path} does not exist; the ones of this project are in projects/CLAP/configs/label_efficiency'
        )
    content = Config.fromfile(str(path), import_custom_modules=False).to_dict()
    keys = {field.name for field in fields(Plan)} - {'path'}
    optional = {
        'readme',
        'note',
        'probe',
        'schedule',
        'workers',
        'title',
        'aim',
        'range_baseline',
        'first_seed',
        'make_data',
        'same_data',
        'other_epochs',
        'seeds_at',
    }
    _check_keys(str(path), content, keys, optional)
    stages = {name: _stage(f'pretrain.{name}', stage, path.parent) for name, stage in content['pretrain'].items()}
    schedule, aim = content.get('schedule'), content.get('aim')
    for name, node, kind, left_out in (('schedule', schedule, Schedule, {'arms'}), ('aim', aim, Aim, set())):
        if node:
            _check_keys(name, node, {field.name for field in fields(kind)}, left_out)
    plan = Plan(
        name=content['name'],
        title=content.get('title', content['name']),
        readme=content.get('readme'),
        note=content.get('note', ''),
        make_data=content.get('make_data', 'tools/create_data.py'),
        same_data=tuple(tuple(names) for names in content.get('same_data', ())),
        pretrain=stages,
        arms=tuple(_arm(arm, stages) for arm in content['arms']),
        baseline=content['baseline'],
        shares=tuple(sorted(set(content['shares']))),
        headline=content['headline'],
        headline_seeds=content['headline_seeds'],
        other_seeds=content['other_seeds'],
        other_arms=tuple(content['other_arms']),
        other_epochs=dict(content.get('other_epochs', ())),
        seeds_at=dict(content.get('seeds_at', ())),
        first_seed=content.get('first_seed', 0),
        finetune=_stage('finetune', content['finetune'], path.parent),
        probe=_stage('probe', content['probe'], path.parent) if content.get('probe') else None,
        schedule=_schedule(schedule, content['baseline']) if schedule else None,
        aim=Aim(**aim) if aim else None,
        range_baseline=content.get('range_baseline'),
        workers=content.get('workers', 0),
        path=path,
    )
    _check(plan)
    return plan


def _check_keys(where: str, content: Dict[str, Any], known: set, optional: set) -> None:
    for key in content:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            raise PlanError(
                f"{where}: there is no '{key}'"
                + (f"; did you mean '{near[0]}'?" if near else f'; known: {", ".join(sorted(known))}')
            )
    missing = known - optional - set(content)
    if missing:
        raise PlanError(f'{where}: {", ".join(sorted(missing))} missing')


def _stage(where: str, content: Dict[str, Any], folder: Path) -> Stage:
    _check_keys(where, content, {field.name for field in fields(Stage)}, {'options', 'val_interval', 'shares', 'seeds'})
    config = (folder / content['config']).resolve()
    if not config.is_file():
        raise FileNotFoundError(f'{where}.config: {config} does not exist (paths are relative to the plan)')
    for key in ('epochs', 'seeds'):
        if content.get(key, 1) < 1:
            raise PlanError(f'{where}.{key} must be at least 1, got {content[key]}')
    return Stage(
        config,
        tuple(content.get('options', ())),
        content['epochs'],
        content.get('val_interval'),
        tuple(content.get('shares', ())),
        content.get('seeds', 1),
    )


def _arm(content: Dict[str, Any], stages: Dict[str, Stage]) -> Arm:
    where = f'arm {content.get("name")}'
    optional = {'title', 'weights', 'paper', 'options', 'seeds', 'side', 'share', 'pretrain_seed'}
    _check_keys(where, content, {'name', *optional}, optional)
    if content.get('seeds') is not None and content['seeds'] < 1:
        raise PlanError(f'{where}.seeds must be at least 1, got {content["seeds"]}')
    weights = content.get('weights') or {}
    parts = {weights: None} if isinstance(weights, str) else weights
    for stage, names in parts.items():
        if stage not in stages:
            raise PlanError(f'{where}: there is no pre-training {stage!r}; declared are {", ".join(stages)}')
        unknown = [name for name in names or () if name not in ENCODERS]
        if unknown:
            raise PlanError(f'{where}: no encoder {", ".join(unknown)}; there are {", ".join(ENCODERS)}')
    seed = content.get('pretrain_seed', 0)
    for stage in parts:
        if not 0 <= seed < stages[stage].seeds:
            raise PlanError(
                f'{where}: pretrain_seed is {seed}, pretrain.{stage} has seeds 0 to {stages[stage].seeds - 1}'
            )
    return Arm(
        name=content['name'],
        title=content.get('title', content['name']),
        weights=tuple((stage, None if names is None else tuple(names)) for stage, names in parts.items()),
        paper=tuple((share, ap, nds) for share, ap, nds in content.get('paper', ())),
        options=tuple(content.get('options', ())),
        seeds=content.get('seeds'),
        side=content.get('side', False),
        share=content.get('share'),
        pretrain_seed=seed,
    )


def _schedule(content: Dict[str, Any], baseline: str) -> Schedule:
    epochs, seeds = tuple(content['epochs']), content['seeds']
    seeds = tuple(seeds) if isinstance(seeds, (list, tuple)) else (seeds,) * len(epochs)
    if len(seeds) != len(epochs):
        raise PlanError(f'schedule.seeds: one number, or one for each of the lengths {list(epochs)}; got {list(seeds)}')
    return Schedule(epochs, seeds, tuple(content.get('arms', [baseline])))


def _check(plan: Plan) -> None:
    names: List[str] = [arm.name for arm in plan.arms]
    if len(set(names)) != len(names):
        raise PlanError(f'arms: a name comes twice among {", ".join(names)}')
    for key, used in (
        ('baseline', [plan.baseline]),
        ('other_arms', plan.other_arms),
        ('schedule.arms', plan.schedule.arms if plan.schedule else []),
        ('aim.arm', [plan.aim.arm] if plan.aim else []),
    ):
        unknown = [name for name in used if name not in names]
        if unknown:
            raise PlanError(f'{key}: there is no arm {", ".join(unknown)}; declared are {", ".join(names)}')
    known = [name for names in plan.same_data for name in names]
    for names in plan.same_data:
        if len(names) < 2 or len({name.split()[0] for name in names if len(name.split()) == 2}) != 1:
            raise PlanError(
                'same_data: groups of at least two info files as records name them, "FILE DIGEST", all of one name; '
                f'got {names!r}'
            )
    if len(set(known)) < len(known):
        raise PlanError(f'same_data: a file stands twice among {", ".join(known)}')
    for interval in plan.shares:
        if not isinstance(interval, int) or interval < 1:
            raise PlanError(f'shares: every n-th frame, whole numbers of at least 1; got {interval!r}')
    if len({share_name(interval) for interval in plan.shares}) < len(plan.shares):
        raise PlanError(f'shares: {plan.shares} have the same names; leave one of them out')
    used_shares = (plan.headline, *(plan.probe.shares if plan.probe else ()))
    if set(used_shares) - set(plan.shares):
        raise PlanError(f'headline and probe.shares must be among shares {plan.shares}, got {used_shares}')
    for arm in plan.arms:
        if arm.share is not None and (not arm.side or arm.share not in plan.shares):
            raise PlanError(
                f'arm {arm.name}.share is for side arms (side=True) and one of shares {plan.shares}, got {arm.share}'
            )
        if arm.side and arm.name in plan.other_arms:
            raise PlanError(f'other_arms: {arm.name} is a side arm, which has one share alone; undo one of the two')
    for key, unit, pairs in (
        ('other_epochs', 'epoch', plan.other_epochs),
        ('seeds_at', 'seed', plan.seeds_at),
    ):
        for interval, number in pairs.items():
            if interval not in plan.shares or interval == plan.headline or number < 1:
                raise PlanError(
                    f'{key}: pairs of a share other than the headline, one of {plan.shares}, and at least 1 {unit}; '
                    f'got {(interval, number)}'
                )
    if min(plan.headline_seeds, plan.other_seeds) < (0 if plan.probe else 1):
        raise PlanError(
            'headline_seeds and other_seeds must be at least 1 (2 for a standard deviation and a test); 0, for no '
            'fine-tuning at all, needs a probe'
        )
    if plan.range_baseline is not None and plan.range_baseline not in plan.pretrain:
        raise PlanError(
            f'range_baseline: there is no pre-training {plan.range_baseline!r}; declared are {", ".join(plan.pretrain)}'
        )
    unused = set(plan.pretrain) - {stage for arm in plan.arms for stage, _ in arm.weights}
    if unused:
        raise PlanError(f'pretrain: no arm starts from {", ".join(sorted(unused))}; add an arm, or leave it out')
    if plan.other_seeds and not plan.headline_seeds:
        raise PlanError('other_seeds: without headline_seeds nothing is fine-tuned; set both to 0 or both above')
    if not plan.other_seeds and (plan.seeds_at or len(plan.headline_arms()) < len(plan.arms)):
        raise PlanError(
            'other_seeds must be at least 1 with seeds_at, or a side arm at another share: they stand in the table of '
            'the other shares'
        )
    if plan.schedule and plan.finetune.epochs in plan.schedule.epochs:
        raise PlanError(f'schedule.epochs: {plan.finetune.epochs} is the main runs\' length and is taken from them')
