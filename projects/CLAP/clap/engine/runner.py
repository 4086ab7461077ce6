"""A runner whose dumps and long lines go to the log file alone."""

from __future__ import annotations

import contextlib
import io
import logging
import re
from typing import Any, Dict, Optional, Sequence, Union

from mmengine.dist import broadcast
from mmengine.logging import MMLogger
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from .checkpoint.backbone import init_model
from .checkpoint.resume import obey_configuration
from .config.check import HOOKS_OF_MMENGINE
from .console_line import ConsoleFormatter
from .hooks.transfer_report_hook import TransferReportHook
from .loader_errors import LOADER_TIMEOUT_S
from .unwrapped import unwrapped

_LOADED = 'what loading the checkpoint printed:\n'
#: Hundreds of lines each: what the machine is, the merged configuration, which hook runs when, keys without weights.
_DUMPS = re.compile(rf'\n-+\nSystem environment:|Config:\n|Hooks will be executed in the following order:|{_LOADED}')
#: mmdet's word on a backbone without weights of its own; with ``load_from`` the transfer table says what it got, and a
#: checkpoint that is resumed has everything.
_NO_WEIGHTS = re.compile(r'No pre-trained weights for \w+, training start from scratch')


class _HideDumps(logging.Filter):
    """Keeps the dumps off a terminal; everything else passes, warnings whatever they say, but for ``_NO_WEIGHTS``."""

    def __init__(self, loads_weights: bool) -> None:
        super().__init__()
        self.loads_weights = loads_weights

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno > logging.INFO:
            return not (self.loads_weights and _NO_WEIGHTS.match(record.getMessage()))
        return not _DUMPS.match(record.getMessage())


class QuietRunner(Runner):
    """MMEngine's runner; environment, configuration, order of the hooks, and the keys that a checkpoint has not are
    written to the log file, not to the terminal, where they would hide the lines that matter. Of the figures of a step
    the terminal shows a selection, see :mod:`.console_line`."""

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """MMEngine's logger with a filter and a formatter of ours on its terminal handler."""
        logger = super().build_logger(*args, **kwargs)
        files = [handler.baseFilename for handler in logger.handlers if isinstance(handler, logging.FileHandler)]
        if files:  # never hide what is written nowhere else
            for handler in logger.handlers:
                if type(handler) is logging.StreamHandler:
                    handler.addFilter(_HideDumps(bool(self.cfg.get('load_from') or self.cfg.get('resume'))))
                    handler.setFormatter(ConsoleFormatter(handler.formatter, self._console_figures))
            logger.info(f'environment, configuration and hooks are written to {files[0]}')
        return logger

    def _console_figures(self) -> Sequence[str]:
        return getattr(unwrapped(self.model), 'console_figures', ())

    @staticmethod
    def build_dataloader(
        dataloader: Union[DataLoader, Dict[str, Any]], seed: Optional[int] = None, diff_rank_seed: bool = False
    ) -> DataLoader:
        """As the parent; for workers that hang it waits ``timeout`` seconds, not for ever."""
        if isinstance(dataloader, dict):
            timeout = dataloader.get('timeout', LOADER_TIMEOUT_S) if dataloader.get('num_workers') else 0
            dataloader = {**dataloader, 'timeout': timeout}
        return Runner.build_dataloader(dataloader, seed, diff_rank_seed)

    def register_default_hooks(self, hooks: Optional[Dict[str, Any]] = None) -> None:
        """As the parent, but ``None`` leaves out a hook of any name, not only of MMEngine's own."""
        kept = {name: hook for name, hook in (hooks or {}).items() if hook is not None or name in HOOKS_OF_MMENGINE}
        # By name: a configuration that was written down has its keys sorted, and must run its hooks in the same order.
        super().register_default_hooks(dict(sorted(kept.items())))

    def _init_model_weights(self) -> None:
        """As the parent, with the image backbone's own weights checked."""
        model = unwrapped(self.model)
        init_model(model)
        for value in model.state_dict().values():
            broadcast(value)

    def load_checkpoint(self, *args: Any, **kwargs: Any) -> dict:
        """As the parent; where a table of the transfer follows, MMEngine's list of missing keys is for the log file.

        Raises:
            CheckpointError: a checkpoint to go on from was written under a configuration that this one cannot follow.
        """
        if self._resume or not any(isinstance(hook, TransferReportHook) for hook in self.hooks):
            checkpoint = super().load_checkpoint(*args, **kwargs)
            if self._resume:
                checkpoint['meta'].pop('config', None)  # MMEngine would run what is in it
                obey_configuration(self, checkpoint)
            return checkpoint
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said):
                checkpoint = super().load_checkpoint(*args, **kwargs)
        except Exception:
            print(said.getvalue(), end='')
            raise
        self.logger.info(_LOADED + said.getvalue())
        return checkpoint
