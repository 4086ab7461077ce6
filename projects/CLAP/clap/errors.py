"""Errors with a message for the user: what was expected, what came, what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Optional, Sequence


class CLAPError(Exception):
    """Raised on purpose: commands end with its message alone; every other error keeps its traceback."""


class ConfigError(CLAPError, ValueError):
    """A configuration that cannot be used: a key that nothing reads, a value out of range, parts that do not fit."""


class DataError(CLAPError, ValueError):
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


class CheckpointError(CLAPError, RuntimeError):
    """A checkpoint cannot be read, is not one, or cannot be written."""


class WorkDirBusyError(CLAPError, RuntimeError):
    """Another run writes to the same work directory."""


class NonFiniteLossError(CLAPError, RuntimeError):
    """A loss became NaN or infinite; the weights have not been touched.

    Args:
        losses: names and values of the losses that are not finite.
        saved: file with the inputs of the step, if they have been saved.
    """

    def __init__(self, losses: Dict[str, float], saved: Optional[Path] = None) -> None:
        self.losses, self.saved = losses, saved
        parts = ', '.join(f'{name} = {value}' for name, value in losses.items()) or 'their sum'
        super().__init__(
            f'non-finite loss: {parts}. The weights have not been updated by this step. '
            'Lower the learning rate or clip gradients if it follows a growing loss; look at the frame if it is sudden'
            + (f'. The inputs of the step are in {saved}' if saved else '')
        )
