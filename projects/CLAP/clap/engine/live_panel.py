"""A few lines at the bottom of a terminal that are drawn again and again, with ordinary output above them."""

from __future__ import annotations

import os
import time
from typing import Dict, Optional, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

_MIN_SECONDS = 0.1  # between two drawings


def duration(seconds: float) -> str:
    """``3725`` -> ``1:02:05``."""
    seconds = int(seconds)
    return f'{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}'


def short(value: float) -> str:
    """Three digits that fit into a column: ``12345`` -> ``12.3k``."""
    return f'{value / 1000:.1f}k' if value >= 10000 else f'{value:.3g}' if value < 100 else f'{value:.0f}'


class LivePanel:
    """Bar, parts of the loss, rates. Drawn from the caller's thread only: data workers may be forked at any time.

    Args:
        stream: terminal to draw on.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.console = Console(file=stream, highlight=False)
        self._live = Live(console=self.console, auto_refresh=False, redirect_stdout=True, redirect_stderr=True)
        self._drawn, self._owner, self._begun = 0.0, os.getpid(), time.perf_counter()

    def open(self) -> None:
        """Begin to draw."""
        self._live.start()
        self.console.show_cursor(True)  # a killed run must not leave the terminal without one

    def close(self) -> None:
        """Leave the last state on the screen and stop."""
        if os.getpid() == self._owner:
            self._live.stop()

    def lines_above(self) -> TextIO:
        """Stream whose lines appear above the panel."""
        return _Above(self.console)  # type: ignore[return-value]

    def show(
        self,
        title: str,
        done: int,
        total: int,
        left: Optional[float],
        losses: Dict[str, float],
        figures: Dict[str, float],
    ) -> None:
        """Draw one state.

        Args:
            title: what is being done.
            done, total: steps.
            left: seconds until the end of the run, None if unknown.
            losses: values to show, the total first.
            figures: rates (``samples_per_second`` ...) and ``memory_gib``.
        """
        now = time.perf_counter()
        if now - self._drawn < _MIN_SECONDS and done < total:
            return
        self._drawn = now
        bar = Table.grid(padding=(0, 1))
        count = Text(f'{done}/{total}')
        clock = duration(now - self._begun) + (f', {duration(left)} left' if left is not None else '')
        bar.add_row(Text(title, style='bold'), ProgressBar(total=total, completed=done, width=30), count, Text(clock))
        rows = [bar]
        if losses:
            rows.append(Text('  '.join(f'{name} {value:.4g}' for name, value in losses.items())))
        if figures:
            units = {name: name.replace('_per_second', '/s').replace('memory_gib', 'GiB memory') for name in figures}
            rates = [f'{short(value)} {units[name]}' for name, value in figures.items()]
            rows.append(Text('  '.join(rates), style='dim'))
        self._live.update(Group(*rows), refresh=True)


class _Above:
    """What a logging handler needs of a stream; rich places the lines above the panel."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def write(self, text: str) -> int:
        self._console.print(Text.from_ansi(text.rstrip('\n')), soft_wrap=True) if text.strip('\n') else None
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""
