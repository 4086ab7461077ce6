"""Warnings of libraries that say nothing about a run; exactly these are kept quiet, every other one is shown."""

from __future__ import annotations

import contextlib
import logging
import re
import warnings
from typing import Iterator

#: torch says it once whenever it compiles; nobody here asks whether something is traced.
_FX = re.compile(r'is_fx_tracing will return true for both')
#: MMEngine's schedulers are told about the optimiser by a wrapper, which they do not recognise after a resume.
_SCHEDULER = r'Seems like `optimizer\.step\(\)` has been overridden after parameter value scheduler'
#: MMEngine's own checkpoint hook uses what MMEngine calls deprecated.
_FILES = re.compile(r'"(FileClient|HardDiskBackend)" (will be deprecated|is the alias)')


class _Hide(logging.Filter):
    def __init__(self, pattern: re.Pattern) -> None:
        super().__init__()
        self.pattern = pattern

    def filter(self, record: logging.LogRecord) -> bool:
        return not self.pattern.match(record.getMessage())


def hide_known_warnings() -> None:
    """For a whole command."""
    warnings.filterwarnings('ignore', message=_SCHEDULER, category=UserWarning)
    logger = logging.getLogger('torch.fx._symbolic_trace')
    if not any(isinstance(known, _Hide) for known in logger.filters):
        logger.addFilter(_Hide(_FX))


@contextlib.contextmanager
def without_file_warnings(logger: logging.Logger) -> Iterator[None]:
    """While MMEngine's checkpoint hook sets itself up."""
    hide = _Hide(_FILES)
    logger.addFilter(hide)
    try:
        yield
    finally:
        logger.removeFilter(hide)
