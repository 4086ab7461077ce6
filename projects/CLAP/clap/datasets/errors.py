"""Errors of the data side. Both are ``ValueError``, so a caller needs no import to catch them."""

from __future__ import annotations

from typing import List, Sequence


class DataError(ValueError):
    """One frame or file is unusable; the message names it, says what was expected and what to do."""


class DatasetError(DataError):
    """A data set as a whole is unusable (root, info file, or one or more of the files it refers to)."""

    @classmethod
    def from_problems(cls, title: str, problems: Sequence[str], advice: str, shown: int = 10) -> DatasetError:
        """All problems in one message: the first ``shown`` of them and the total count."""
        lines: List[str] = [f'{title}: {len(problems)} problem{"s" if len(problems) != 1 else ""} found']
        lines += [f'  - {problem}' for problem in problems[:shown]]
        if len(problems) > shown:
            lines.append(f'  ... and {len(problems) - shown} more')
        lines.append(advice)
        return cls('\n'.join(lines))
