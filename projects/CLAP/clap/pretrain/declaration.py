"""What a method says of its figures: how each is judged, and which are drawn together.

Plain data, kept in the run card of the work directory, so that a report needs neither the method's code nor its
configuration.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Dict, List, Optional, Tuple

from ..findings import BAD, GOOD, WATCH


@dataclass(frozen=True)
class Limits:
    """Where a figure turns from good to watch to bad; ``low`` limits are crossed downwards, ``high`` ones upwards."""

    low_bad: Optional[float] = None
    low_watch: Optional[float] = None
    high_watch: Optional[float] = None
    high_bad: Optional[float] = None

    def level(self, value: float) -> str:
        """Level of a value; one that is not finite is bad."""

        def crossed(low: Optional[float], high: Optional[float]) -> bool:
            return (low is not None and value < low) or (high is not None and value > high)

        if not math.isfinite(value) or crossed(self.low_bad, self.high_bad):
            return BAD
        return WATCH if crossed(self.low_watch, self.high_watch) else GOOD

    def text(self, unit: str = '') -> str:
        """The limits in words."""
        named = (
            ('watch below', self.low_watch),
            ('watch above', self.high_watch),
            ('bad below', self.low_bad),
            ('bad above', self.high_bad),
        )
        return ', '.join(f'{word} {float(f"{limit:.3g}"):g}{unit}' for word, limit in named if limit is not None)


@dataclass(frozen=True)
class HealthRule:
    """How one figure of the log, or several of one kind, is judged.

    Attributes:
        title: for people.
        scalars: names in the log; the worst one counts.
        limits: where it turns bad.
        sentences: what it means if it is good, to be watched, bad.
        above: the last two where it is too high, if that means something else.
        meaning: what the figure is.
        remedy: what to do where it is not good.
        unit: printed behind values.
        evaluation: the figure is the last evaluation's; else the mean of the last log lines.
        over: another figure that it is divided by.
        course: compare with its first and its best value, too; it should fall.
        start: its value before training, to be told.
        from_start: it says as much after one step as after thousands (data, geometry).
        measure: the command that measures it, where training does not: ``{config}``, ``{checkpoint}``, ``{work_dir}``.
    """

    title: str
    scalars: Tuple[str, ...]
    limits: Limits
    sentences: Tuple[str, str, str]
    meaning: str
    remedy: str
    above: Optional[Tuple[str, str]] = None
    unit: str = ''
    evaluation: bool = False
    over: Optional[str] = None
    course: bool = False
    start: Optional[float] = None
    from_start: bool = False
    measure: str = ''


@dataclass(frozen=True)
class Chart:
    """Figures that are drawn in one chart, of the training log or of the evaluations."""

    title: str
    scalars: Tuple[str, ...]
    evaluation: bool = False


@dataclass(frozen=True)
class Declaration:
    """What a report shows of a method's figures."""

    rules: Tuple[HealthRule, ...] = ()
    charts: Tuple[Chart, ...] = ()

    def to_json(self) -> Dict[str, List[Any]]:
        """Plain containers."""
        return dict(
            rules=[asdict(rule) for rule in self.rules],
            charts=[asdict(chart) for chart in self.charts],
        )

    @classmethod
    def from_json(cls, content: Dict[str, List[Any]]) -> Declaration:
        """Undo :meth:`to_json`; raises what a damaged record makes it raise."""

        def plain(entry: Dict[str, Any]) -> Dict[str, Any]:
            return {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}

        return cls(
            rules=tuple(HealthRule(**{**plain(rule), 'limits': Limits(**rule['limits'])}) for rule in content['rules']),
            charts=tuple(Chart(**plain(chart)) for chart in content['charts']),
        )
