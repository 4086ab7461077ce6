"""The doctor's findings: made of what raises, printed as lines, summed up for programs."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, List

if TYPE_CHECKING:
    from projects.CLAP.clap.findings import BAD, GOOD, WATCH, Finding
else:
    # The record of the package by itself: importing the package needs everything that the doctor looks for.
    _SPEC = importlib.util.spec_from_file_location(
        f'{__package__}._record', Path(__file__).resolve().parents[1] / 'clap' / 'findings.py'
    )
    _RECORD = sys.modules[_SPEC.name] = importlib.util.module_from_spec(_SPEC)
    _SPEC.loader.exec_module(_RECORD)
    BAD, GOOD, WATCH, Finding = _RECORD.BAD, _RECORD.GOOD, _RECORD.WATCH, _RECORD.Finding

__all__ = ['BAD', 'GOOD', 'WATCH', 'WORDS', 'Finding', 'guarded', 'lines', 'summary']
#: Levels as they are printed.
WORDS = {GOOD: 'OK', WATCH: 'WARN', BAD: 'FAIL'}


def lines(finding: Finding) -> str:
    """For people: level, what was looked at, verdict, and the remedy below."""
    text = f'{WORDS[finding.level]:<5} {finding.title:<16} {finding.verdict}'
    return text + (f'\n      {"":<16} fix: {finding.remedy}' if finding.remedy and finding.level != GOOD else '')


def guarded(title: str, remedy: str, function: Callable[..., List[Finding]], *args: Any) -> List[Finding]:
    """The findings of ``function``; an exception becomes a bad one, and the other parts are still looked at."""
    try:
        return function(*args)
    except Exception as error:  # whatever a broken installation raises
        text = str(error).strip() or type(error).__name__
        return [Finding(BAD, title, f'{type(error).__name__}: {text}', remedy)]


def summary(findings: List[Finding]) -> Dict[str, Any]:
    """JSON-ready: counts, whether all is well, and every finding."""
    counts = {word.lower(): sum(f.level == level for f in findings) for level, word in WORDS.items()}
    rows = [dict(level=WORDS[f.level], check=f.title, message=f.verdict, fix=f.remedy) for f in findings]
    return dict(healthy=counts['fail'] == 0, **counts, findings=rows)
