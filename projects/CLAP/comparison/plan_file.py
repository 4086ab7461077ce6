"""Reading a plan file, and what it must not say."""

from __future__ import annotations

import difflib
from dataclasses import fields
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple, Union

from mmengine.config import Config

from projects.CLAP.clap.encoders.encoder_base import ENCODERS

from .plan import Aim, Arm, Length, Plan, PlanError, Stage, share_name


def read_plan(path: Union[str, Path]) -> Plan:
    """Read and check a plan file.

    Raises:
        FileNotFoundError: it, or a configuration that it names, does not exist.
        PlanError: something in it is unknown, missing or contradicts itself.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f'plan {path} does not exist; the ones of this project are in projects/CLAP/configs/comparison'
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
    aim = content.get('aim')
    if aim:
        _check_keys('aim', aim, {field.name for field in fields(Aim)}, set())
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
        schedule=_schedule(content.get('schedule'), content['baseline']),
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


def _schedule(content: Optional[List[Dict[str, Any]]], baseline: str) -> Tuple[Length, ...]:
    if not isinstance(content, (list, tuple, type(None))):
        raise PlanError(f'schedule: a list of lengths, such as [dict(epochs=6, seeds=3)]; got {content!r}')
    for length in content or ():
        _check_keys('schedule', length, {field.name for field in fields(Length)}, {'arms'})
        if min(length['epochs'], length['seeds']) < 1:
            raise PlanError(f'schedule: epochs and seeds must be at least 1, got {length}')
    return tuple(
        Length(length['epochs'], length['seeds'], tuple(length.get('arms', [baseline]))) for length in content or ()
    )


def _check(plan: Plan) -> None:
    names: List[str] = [arm.name for arm in plan.arms]
    if len(set(names)) != len(names):
        raise PlanError(f'arms: a name comes twice among {", ".join(names)}')
    for key, used in (
        ('baseline', [plan.baseline]),
        ('other_arms', plan.other_arms),
        ('schedule.arms', [name for length in plan.schedule for name in length.arms]),
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
    lengths = [length.epochs for length in plan.schedule]
    if plan.finetune.epochs in lengths:
        raise PlanError(f"schedule: {plan.finetune.epochs} epochs is the main runs' length and is taken from them")
    if len(set(lengths)) < len(lengths):
        raise PlanError(f'schedule: a length stands twice among {lengths}')
