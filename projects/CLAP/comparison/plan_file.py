"""Reading a plan file, and what it must not say."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Set, Type, TypeVar, Union

from mmengine.config import Config

from projects.CLAP.clap.encoders.encoder_base import ENCODERS
from projects.CLAP.clap.engine.config.check import unread

from .plan import Arm, Plan, PlanError, Points, Row, Stage, all_jobs

T = TypeVar('T')


def read_plan(path: Union[str, Path]) -> Plan:
    """Read and check a plan file.

    Raises:
        FileNotFoundError: it does not exist.
        PlanError: something in it is unknown, missing or contradicts itself.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f'plan {path} does not exist; the ones of this project are in projects/CLAP/configs/comparison'
        )
    content = Config.fromfile(str(path), import_custom_modules=False).to_dict()
    content.setdefault('title', content.get('name', ''))
    stages = content.get('pretrain', {}).items()
    content['pretrain'] = {name: _build(Stage, f'pretrain.{name}', {'epochs': 0, **one}) for name, one in stages}
    for name in ('finetune', 'probe'):
        if content.get(name):
            content[name] = _build(Stage, name, content[name], {'config', 'options', 'gpus', 'hours'})
    if content.get('points'):
        content['points'] = _build(Points, 'points', content['points'])
    content['arms'] = [_arm(arm) for arm in content.get('arms', ())]
    content['rows'] = [_build(Row, f'rows[{place}]', row) for place, row in enumerate(content.get('rows', ()))]
    plan = _build(Plan, str(path), dict(content, path=path))
    _check(plan)
    return plan


def _build(kind: Type[T], where: str, content: Dict[str, Any], keys: Optional[Set[str]] = None) -> T:
    """A dataclass from a dictionary whose keys are its fields, or some of them."""
    for problem in unread(where, content, keys or {one.name for one in fields(kind)}, kind.__name__):
        raise PlanError(problem)
    for key in ('epochs', 'share', 'gpus', 'labels'):
        if key in content and (not isinstance(content[key], int) or content[key] < 1):
            raise PlanError(f'{where}.{key}: a whole number of at least 1 is expected; got {content[key]!r}')
    if content.get('seeds') in ((), []):
        raise PlanError(f'{where}.seeds: a list with at least one seed is expected')
    try:
        return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in content.items()})
    except TypeError as error:  # a key that is missing
        raise PlanError(f'{where}: {error}') from None


def _arm(content: Dict[str, Any]) -> Arm:
    weights = content.get('weights') or {}
    parts = {weights: None} if isinstance(weights, str) else weights
    for names in parts.values():
        _known(f'arm {content.get("name")}: encoder', names or (), ENCODERS)
    return _build(Arm, f'arm {content.get("name")}', {'title': content.get('name'), **content, 'weights': parts})


def _known(what: str, used: Sequence[Optional[str]], known: Sequence[str]) -> None:
    unknown = [name for name in used if name is not None and name not in known]
    if unknown:
        raise PlanError(f'{what} {", ".join(unknown)} is not known; there are {", ".join(known)}')


def _check(plan: Plan) -> None:
    names = [arm.name for arm in plan.arms]
    if len(set(names)) != len(names):
        raise PlanError(f'arms: a name comes twice among {", ".join(names)}')
    _known('baseline', [plan.baseline], names)
    _known('subject', [plan.subject], names)
    for arm in plan.arms:
        _known(f'arm {arm.name}: pre-training', list(arm.weights), list(plan.pretrain))
        _known(f'arm {arm.name}: against', [arm.against], names)
    for row in plan.rows:
        _known('rows: arm', row.arms, names)
        if (plan.probe if row.frozen else plan.finetune) is None:
            raise PlanError(f'rows: {row} needs {"probe" if row.frozen else "finetune"} = dict(config=...) in the plan')
    pretrained = {job.name for job in all_jobs(plan) if job.kind == 'pretrain'}
    for job in all_jobs(plan):
        _known(f'{job.name}: its pre-training (seeds of the stage)', job.needs, sorted(pretrained))
    twice = [name for name, count in Counter(job.name for job in all_jobs(plan)).items() if count > 1]
    if twice:
        raise PlanError(f'rows: the same run stands twice, or two shares have the same name: {", ".join(twice[:3])}')
