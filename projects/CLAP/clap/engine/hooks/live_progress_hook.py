"""How fast a run is, and a progress bar where somebody is watching."""

from __future__ import annotations

import atexit
import logging
import os
import re
import sys
import time
from collections import Counter, deque
from typing import Deque, Dict, Optional, Tuple

import torch
from mmdet3d.registry import HOOKS
from mmengine.dist import get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from ...errors import ConfigError
from ..live_panel import LivePanel
from ..unwrapped import unwrapped

#: Lines that the panel says better; they still go to the log file.
_ROUTINE = re.compile(r'(Epoch|Iter)\((train|val)\) .*\beta: |Exp name: ')


class _HideRoutine(logging.Filter):
    """Keeps the lines that the panel replaces off the terminal; results of an evaluation (they have no eta) stay."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.INFO or not _ROUTINE.match(record.getMessage())


def memory_gib(device: torch.device) -> float:
    """Peak of the GPU's allocator since the last log line, or what the process occupies now (Linux; 0 elsewhere)."""
    if device.type == 'cuda':
        return torch.cuda.max_memory_allocated(device) / 2**30
    try:
        with open('/proc/self/statm') as file:
            return int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE') / 2**30
    except OSError:
        return 0.0


@HOOKS.register_module()
class LiveProgressHook(Hook):
    """Samples per second, memory, and a live panel on a terminal.

    Every run gets ``samples_per_second``, ``memory_gib`` and the rate of whatever
    else its model counts (``step_counts``, e.g. ``rays_per_second``) in its log
    lines, ``scalars.json`` and TensorBoard. Where the standard output is a terminal, a panel with a bar,
    the parts of the loss, these figures and the time left takes the place of
    the routine log lines; the log file is the same either way.

    Args:
        window: steps that rates are averaged over.
        panel: ``'auto'`` draws the panel on a terminal, ``'off'`` never.
    """

    priority = 'NORMAL'  # before LoggerHook, which reads what is set here

    def __init__(self, window: int = 20, panel: str = 'auto') -> None:
        if window < 1:
            raise ConfigError(f'window must be at least 1, got {window}')
        if panel not in ('auto', 'off'):
            raise ConfigError(f"panel must be 'auto' or 'off', got {panel!r}")
        self.window, self.panel_mode = window, panel
        self.panel: Optional[LivePanel] = None
        self._steps: Deque[Tuple[float, Counter]] = deque(maxlen=window)  # seconds, what was worked on
        self._since = 0.0
        self._console: Optional[logging.StreamHandler] = None
        self._filter = _HideRoutine()

    # ------------------------------------------------------------ measuring

    def before_train(self, runner: Runner) -> None:
        """Open the panel."""
        if self.panel_mode == 'auto' and is_main_process() and _is_terminal():
            self._open(runner)

    def before_train_epoch(self, runner: Runner) -> None:
        """Time between epochs (evaluation, checkpoints) is not a step's."""
        self._since = time.perf_counter()

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Publish the rates of the last steps and draw them."""
        now = time.perf_counter()
        work = Counter(getattr(unwrapped(runner.model), 'step_counts', {}))
        work['samples'] = len(data_batch['data_samples']) if 'data_samples' in (data_batch or ()) else 0
        self._steps.append((now - self._since, work))
        self._since = now
        seconds, work = sum(spent for spent, _ in self._steps), sum((done for _, done in self._steps), Counter())
        device = next(runner.model.parameters()).device
        figures = {f'{name}_per_second': get_world_size() * count / seconds for name, count in work.items()}
        figures['memory_gib'] = memory_gib(device)
        for name, value in figures.items():
            runner.message_hub.update_scalar(f'train/{name}', value)
        if self.panel is not None:
            left = (runner.max_iters - runner.iter - 1) * seconds / len(self._steps)
            if isinstance(runner.train_loop, IterBasedTrainLoop):
                title, done, total = 'training', runner.iter + 1, runner.max_iters
            else:
                title = f'epoch {runner.epoch + 1}/{runner.max_epochs}'
                done, total = batch_idx + 1, len(runner.train_dataloader)
            self.panel.show(title, done, total, left, _losses(outputs), figures)

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Move the bar of an evaluation."""
        if self.panel is not None:
            self.panel.show('evaluation', batch_idx + 1, len(runner.val_dataloader), None, {}, {})

    def after_train(self, runner: Runner) -> None:
        """Give the terminal back."""
        self._close()

    # ------------------------------------------------------------ terminal

    def _open(self, runner: Runner) -> None:
        self._console = next((h for h in runner.logger.handlers if type(h) is logging.StreamHandler), None)
        self.panel = LivePanel(sys.stdout)
        self.panel.open()
        if self._console is not None:
            self._console.setStream(self.panel.lines_above())
            self._console.addFilter(self._filter)
        atexit.register(self._close)  # an error or Ctrl-C ends the run without after_train

    def _close(self) -> None:
        if self.panel is None:
            return
        if self._console is not None:
            self._console.removeFilter(self._filter)
            self._console.setStream(self.panel.stream)
        self.panel.close()
        self.panel = None
        atexit.unregister(self._close)


def _is_terminal() -> bool:
    return sys.stdout.isatty() and os.environ.get('TERM', 'dumb') != 'dumb'


def _losses(outputs: Optional[dict]) -> Dict[str, float]:
    """The total first, then its parts without their prefix."""
    values = {name: float(value.detach()) for name, value in (outputs or {}).items() if 'loss' in name}
    return {name.replace('loss_', ''): values[name] for name in sorted(values, key=lambda n: n != 'loss')}
