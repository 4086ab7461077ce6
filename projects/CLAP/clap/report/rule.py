"""How a figure is judged: limits, rules, and the finding that a reader gets."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Callable, Tuple

from .gather import RunData, recent

GOOD, WATCH, BAD, UNKNOWN = 'good', 'watch', 'bad', 'not measured'
ORDER = (GOOD, WATCH, BAD)


@dataclass(frozen=True)
class Finding:
    """One row of the health table."""

    title: str
    value: str
    level: str
    verdict: str
    meaning: str
    remedy: str
    scalars: Tuple[str, ...]
    from_start: bool = False  # data and geometry: says as much after one step as after thousands


def not_held(title: str, meaning: str, scalars: Tuple[str, ...], from_start: bool = False) -> Finding:
    """The finding of a figure that the log does not have."""
    return Finding(title, '–', UNKNOWN, 'The log of this run does not hold it.', meaning, '', scalars, from_start)


@dataclass(frozen=True)
class Limits:
    """Where a figure turns from good to watch to bad; ``low`` limits are crossed downwards, ``high`` ones upwards."""

    low_bad: float = -math.inf
    low_watch: float = -math.inf
    high_watch: float = math.inf
    high_bad: float = math.inf

    def level(self, value: float) -> str:
        """Level of a value; one that is not finite is bad."""
        if not math.isfinite(value) or value < self.low_bad or value > self.high_bad:
            return BAD
        return WATCH if value < self.low_watch or value > self.high_watch else GOOD

    def text(self, unit: str) -> str:
        """The limits in words."""
        parts = [
            f'watch {word} {_short(limit)}{unit}'
            for word, limit in (('below', self.low_watch), ('above', self.high_watch))
            if math.isfinite(limit)
        ]
        parts += [
            f'bad {word} {_short(limit)}{unit}'
            for word, limit in (('below', self.low_bad), ('above', self.high_bad))
            if math.isfinite(limit)
        ]
        return ', '.join(parts)


def _short(value: float) -> str:
    """Three digits, no exponent for ordinary numbers."""
    return f'{float(f"{value:.3g}"):g}'


@dataclass(frozen=True)
class Rule:
    """A figure that is judged by its recent mean."""

    title: str
    scalars: Tuple[str, ...]  # the worst one counts
    limits: Callable[[RunData], Limits]
    sentences: Tuple[str, str, str]  # when good, to be watched, bad
    meaning: str
    remedy: str
    unit: str = ''
    from_start: bool = False

    def judge(self, run: RunData) -> Finding:
        """The finding of a run."""
        known = [name for name in self.scalars if run.train.get(name)]
        if not known:
            return not_held(self.title, self.meaning, self.scalars, self.from_start)
        limits, order = self.limits(run), ORDER
        values = {name: recent(run.train[name]) for name in known}
        level = max((limits.level(value) for value in values.values()), key=order.index)
        shown = ', '.join(
            f'{value:.3g}{self.unit}' + (f' ({_branch(name)})' if len(known) > 1 else '')
            for name, value in values.items()
        )
        return Finding(
            self.title,
            shown,
            level,
            f'{self.sentences[order.index(level)]} ({limits.text(self.unit)})',
            self.meaning,
            self.remedy if level != GOOD else '',
            tuple(known),
            self.from_start,
        )


def _branch(name: str) -> str:
    return name.rsplit('_', 1)[-1]
