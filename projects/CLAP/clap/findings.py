"""What was looked at, how it is, and what to do: one row of the doctor's list or of a report's health table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

GOOD, WATCH, BAD, UNKNOWN = 'good', 'watch', 'bad', 'not measured'
#: From harmless to harmful.
ORDER = (GOOD, WATCH, BAD)


@dataclass(frozen=True)
class Finding:
    """One judgement.

    Attributes:
        level: ``GOOD``; ``WATCH`` (works, but look at it); ``BAD`` (does not work, or gives wrong results);
            ``UNKNOWN``.
        title: what was looked at, e.g. ``mmcv`` or ``Opacity of LiDAR rays``.
        verdict: what was found.
        remedy: the exact thing to do; may be empty only where nothing is wrong.
        value: the figure that was judged, for people.
        meaning: what the figure is.
        scalars: names of the figure in the log.
        from_start: says as much after one step as after thousands (data, geometry).
    """

    level: str
    title: str
    verdict: str
    remedy: str = ''
    value: str = ''
    meaning: str = ''
    scalars: Tuple[str, ...] = ()
    from_start: bool = False

    def __post_init__(self) -> None:
        assert self.level in (*ORDER, UNKNOWN), self.level
        assert self.remedy or self.level in (GOOD, UNKNOWN), f'{self.title}: {self.level} without a remedy'
