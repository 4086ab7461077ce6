"""One line of the doctor's report."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Callable, Dict, List

OK, WARN, FAIL = 'OK', 'WARN', 'FAIL'


@dataclass(frozen=True)
class Finding:
    """What was looked at and how it is.

    Attributes:
        level: ``OK``; ``WARN`` (works, but look at it); ``FAIL`` (will not work, or gives wrong results).
        check: what was looked at, e.g. ``mmcv`` or ``boxes``.
        message: what was found.
        fix: the exact thing to do; empty only where the level is OK.
    """

    level: str
    check: str
    message: str
    fix: str = ''

    def __post_init__(self) -> None:
        assert self.level in (OK, WARN, FAIL), self.level
        assert self.fix or self.level == OK, f'{self.check}: {self.level} without a fix'

    def lines(self) -> str:
        """For people: level, check, message, and the fix below."""
        text = f'{self.level:<5} {self.check:<16} {self.message}'
        return text + (f'\n      {"":<16} fix: {self.fix}' if self.fix and self.level != OK else '')


def guarded(check: str, fix: str, function: Callable[..., List[Finding]], *args: Any) -> List[Finding]:
    """The findings of ``function``; an exception becomes a FAIL, so that one broken part does not hide the others."""
    try:
        return function(*args)
    except Exception as error:  # whatever a broken installation raises
        text = str(error).strip() or type(error).__name__
        return [Finding(FAIL, check, f'{type(error).__name__}: {text}', fix)]


def summary(findings: List[Finding]) -> Dict[str, Any]:
    """JSON-ready: counts, whether all is well, and every finding."""
    counts = {level.lower(): sum(f.level == level for f in findings) for level in (OK, WARN, FAIL)}
    return dict(healthy=counts['fail'] == 0, **counts, findings=[asdict(f) for f in findings])
