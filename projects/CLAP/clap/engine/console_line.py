"""Log lines that fit a screen: the console shows a selection of a step's figures, the log file has all of them."""

from __future__ import annotations

import copy
import logging
import math
import re
from typing import Callable, Dict, List, Sequence

from .live_panel import short

#: What a line of the console has at most.
COLUMNS, FIGURES = 160, 8

#: MMEngine's line of figures: where the run is, then ``name: value`` again and again.
_LINE = re.compile(r'((?:Epoch|Iter)\((train|val|test)\) *(?:\[ *\d+(?:/\d+)?\] *)+)(.*\S) *\Z')
_FIGURE = re.compile(r'([^\s:]+): ((?:\d+ days?, )?\S+)')


class ConsoleFormatter(logging.Formatter):
    """Writes lines of figures short and leaves every other line to another formatter.

    Args:
        other: formatter of the lines without figures.
        wanted: names of figures of the model that are shown besides the losses; asked for every line, since the logger
            is built before the model.
    """

    def __init__(self, other: logging.Formatter, wanted: Callable[[], Sequence[str]]) -> None:
        super().__init__('%(asctime)s  %(message)s', '%m/%d %H:%M:%S')
        self.other, self.wanted = other, wanted

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of at most ``COLUMNS`` columns if it has figures."""
        line = _LINE.match(record.getMessage())
        if line is None:
            return self.other.format(record)
        place, mode, text = line.groups()
        figures = dict(_FIGURE.findall(text))
        short_record = copy.copy(record)
        short_record.args = ()
        shown = _of_a_step(figures, self.wanted()) if mode == 'train' else _of_an_evaluation(figures, self.wanted())
        while True:
            hidden = len(figures) - len(shown)
            more = f'  (+{hidden} in the log file)' if hidden and mode != 'train' else ''
            short_record.msg = '  '.join([place.strip(), *(_written(name, figures[name]) for name in shown)]) + more
            written = super().format(short_record)
            if len(written) <= COLUMNS or not shown:
                return written
            del shown[_least(shown, figures)]


def _of_a_step(figures: Dict[str, str], wanted: Sequence[str]) -> List[str]:
    """The loss, its largest parts, what the model wants shown, what is done per second, the time left."""
    rates = sorted((name for name in figures if name.endswith('_per_second')), key='samples_per_second'.__eq__)
    last = [name for name in (*wanted, *rates[:1], 'eta') if name in figures][1 - FIGURES :]
    parts = [name for name in figures if 'loss' in name and name != 'loss']
    parts.sort(key=lambda name: _number(figures[name], math.inf), reverse=True)
    return [name for name in ('loss', *parts[: FIGURES - 1 - len(last)], *last) if name in figures]


def _of_an_evaluation(figures: Dict[str, str], wanted: Sequence[str]) -> List[str]:
    """What the model wants shown, then the figures that are least broken down: ``nuscenes/mAP`` first."""
    order = sorted(figures, key=lambda name: (name.rpartition('/')[2] not in wanted, 'time' in name, name.count('/')))
    return order[:FIGURES]


def _least(shown: Sequence[str], figures: Dict[str, str]) -> int:
    """Place of the figure that is missed least: the smallest part of the loss, else the last."""
    parts = [place for place, name in enumerate(shown) if 'loss' in name and name != 'loss']
    return parts[-1] if parts else len(shown) - 1


def _number(text: str, without: float) -> float:
    """The number of a text; ``without`` where it is none or not a number."""
    try:
        return without if math.isnan(float(text)) else float(text)
    except ValueError:
        return without


def _written(name: str, text: str) -> str:
    if name == 'eta':
        return f'{text} left'
    value = _number(text, math.inf)
    if name.endswith('_per_second'):
        return f'{short(value)} {name[: -len("_per_second")]}/s'
    if abs(value) < math.inf:
        text = f'{value:.0f}' if abs(value) >= 1000 else f'{value:.4g}'
    return f'{name.replace("loss_", "")} {text}'
