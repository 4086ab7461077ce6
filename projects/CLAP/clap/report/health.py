"""Health of a run: its figures judged by the rules that its method declares."""

from __future__ import annotations

import math
import re
import shlex
from typing import Dict, List, Optional, Tuple, Type

from mmdet3d.registry import MODELS

from ..findings import BAD, GOOD, ORDER, UNKNOWN, WATCH, Finding
from ..pretrain.declaration import Declaration, HealthRule
from ..pretrain.method import Method
from .gather import Curve, RunData, recent

#: Above so many times the best value a figure has been better before.
_RISEN = 1.25


def declared(run: RunData) -> Declaration:
    """What the run's method says of its figures: the run card keeps it, an older one names the class in its place."""
    for session in run.sessions:  # the first knows the state before training
        try:
            return Declaration.from_json(session['method'])
        except (AttributeError, KeyError, TypeError, ValueError):
            continue
    facts = next((session['facts'] for session in run.sessions if session.get('facts')), {})
    method = _named_by_configuration(run)
    return method.declare(facts) if method is not None else Declaration()


def picture_titles(run: RunData) -> Dict[str, str]:
    """Name -> title of the method's pictures, in the order of their tabs."""
    told = next((session['method'] for session in run.sessions if isinstance(session.get('method'), dict)), {})
    method = _named_by_configuration(run)
    return told.get('pictures') or (method.picture_titles if method is not None else {})


def _named_by_configuration(run: RunData) -> Optional[Type[Method]]:
    named = re.search(r"^model = dict\(.*?^    type='(\w+)'", run.config_text, re.M | re.S)
    found = MODELS.get(named.group(1) if named else 'CLAP')
    return found if isinstance(found, type) and issubclass(found, Method) else None


def findings(run: RunData) -> List[Finding]:
    """All health findings of a run, in the order of its method's rules."""
    return [*_stopped(run), *(judge(rule, run) for rule in declared(run).rules)]


def judge(rule: HealthRule, run: RunData) -> Finding:
    """The finding of one rule; ``UNKNOWN`` where no figure of it was logged."""
    values = _values(rule, run)
    if not values:
        verdict = 'The log of this run does not hold it.'
        if rule.measure:
            command = measure_command(rule, run)
            verdict = f'Nobody measured it yet. Where the evaluation data have labels, run: {command}'
        return Finding(
            UNKNOWN, rule.title, verdict, '', '–', rule.meaning, scalars=rule.scalars, from_start=rule.from_start
        )
    worst = max(values, key=lambda name: ORDER.index(rule.limits.level(values[name])))
    level, sentence = rule.limits.level(values[worst]), _sentence(rule, values[worst])
    if rule.course:
        course_level, course = _course(run.evaluation[worst])
        level, sentence = max(level, course_level, key=ORDER.index), f'{course} {sentence}'
    shown = ', '.join(
        f'{value:.3g}{rule.unit}' + (f' ({name.rsplit("_", 1)[-1]})' if len(values) > 1 else '')
        for name, value in values.items()
    )
    if rule.start is not None:
        shown += f' (start {rule.start:.3g})'
    elif rule.course and len(run.evaluation[worst]) > 1:
        curve = [value for _, value in run.evaluation[worst]]
        shown += f' (first {curve[0]:.2f}, best {min(curve):.2f})'
    return Finding(
        level,
        rule.title,
        f'{sentence} ({rule.limits.text(rule.unit)})',
        rule.remedy if level != GOOD else '',
        shown,
        rule.meaning,
        tuple(values),
        rule.from_start,
    )


def _values(rule: HealthRule, run: RunData) -> Dict[str, float]:
    """The figures of a rule that the run has."""
    if not rule.evaluation:
        return {name: recent(run.train[name]) for name in rule.scalars if run.train.get(name)}
    found = {name: run.evaluation[name][-1][1] for name in rule.scalars if run.evaluation.get(name)}
    if rule.over is None:
        return found
    below: Curve = run.evaluation.get(rule.over, [])
    return {name: value / max(below[-1][1], 1e-9) for name, value in found.items()} if below else {}


def _sentence(rule: HealthRule, value: float) -> str:
    place = ORDER.index(rule.limits.level(value))
    low = rule.limits.low_watch
    if place and rule.above is not None and not (low is not None and value < low):
        return rule.above[place - 1]
    return rule.sentences[place]


def _course(curve: Curve) -> Tuple[str, str]:
    """Whether a figure that should fall has fallen."""
    first, last, best = curve[0][1], curve[-1][1], min(value for _, value in curve)
    if not math.isfinite(last):
        return BAD, 'It is not a number.'
    if len(curve) == 1:
        return GOOD, 'Measured once, no course yet.'
    if last > first:
        return BAD, 'It got worse since the first evaluation.'
    if last > _RISEN * best:
        return WATCH, f'It has been better before (watch above {_RISEN} times the best).'
    return GOOD, 'It got better.'


def measure_command(rule: HealthRule, run: RunData) -> str:
    """The command that measures a figure of a run, and the report again after it."""
    session = run.sessions[-1] if run.sessions else {}
    root = session.get('environment', {}).get('CLAP_DATA_ROOT')
    folder = run.folder or 'WORK_DIR'
    words = dict(
        config=session.get('config') or 'CONFIG',
        checkpoint=f'{folder}/{run.checkpoints[-1]}' if run.checkpoints else 'CHECKPOINT',
        work_dir=folder,
    )
    commands = (rule.measure, 'python tools/report.py {work_dir}')
    command = ' && '.join(shlex.join(word.format(**words) for word in text.split()) for text in commands)
    return (f'CLAP_DATA_ROOT={shlex.quote(root)} ' if root else '') + command


def to_measure(run: RunData) -> Optional[str]:
    """The command for a figure that nobody has measured yet, None if there is none."""
    rules = [rule for rule in declared(run).rules if rule.measure and not _values(rule, run)]
    return measure_command(rules[0], run) if rules else None


def _stopped(run: RunData) -> List[Finding]:
    if not run.nonfinite:
        return []
    return [
        Finding(
            BAD,
            'Non-finite loss',
            'The run was stopped by a NaN or infinite loss.',
            'Lower the learning rate or optim_wrapper.clip_grad.max_norm if the loss grew before; look at the '
            'frame if it came suddenly; then go on with --resume.',
            ', '.join(run.nonfinite),
            'NonFiniteLossHook kept the inputs of the step in nonfinite/.',
            from_start=True,
        )
    ]
