"""A runner whose dumps go to the log file alone."""

from __future__ import annotations

import logging
import re
from typing import Any

from mmengine.logging import MMLogger
from mmengine.runner import Runner

#: Hundreds of lines each: what the machine is, the merged configuration, which hook runs when.
_DUMPS = re.compile(r'\n-+\nSystem environment:|Config:\n|Hooks will be executed in the following order:')


class _HideDumps(logging.Filter):
    """Keeps the dumps off a terminal; everything else passes, warnings whatever they say."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.INFO or not _DUMPS.match(record.getMessage())


class QuietRunner(Runner):
    """MMEngine's runner; environment, configuration and order of the hooks are written to the log file, not to the
    terminal, where they would hide the lines that matter."""

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """MMEngine's logger with a filter on its terminal handler."""
        logger = super().build_logger(*args, **kwargs)
        files = [handler.baseFilename for handler in logger.handlers if isinstance(handler, logging.FileHandler)]
        if files:  # never hide what is written nowhere else
            for handler in logger.handlers:
                if type(handler) is logging.StreamHandler:
                    handler.addFilter(_HideDumps())
            logger.info(f'environment, configuration and hooks are written to {files[0]}')
        return logger
