"""Share of the labels, and length of fine-tuning, against mAP."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List

import matplotlib

matplotlib.use('Agg')
import matplotlib.pyplot as plt
from matplotlib.ticker import FixedLocator, NullLocator

from .plan import Cell
from .results import Results

PLOT = 'label_efficiency.svg'
#: Okabe and Ito's colours, which colour-blind readers can tell apart.
_COLOURS = ('#000000', '#E69F00', '#56B4E9', '#009E73', '#D55E00', '#0072B2', '#CC79A7')
_MARKERS, _LINES = 'osD^vP*', ('-', '--', ':', '-.')


def label_share_plot(results: Results, path: Path) -> None:
    """Mean mAP with its standard deviation over seeds against the share of the labels, a line per arm and length; and
    against the iterations at the headline share, over the seeds that an arm has at every length."""
    plan = results.plan
    tuned = [cell for cell in plan.cells if not cell.frozen]
    assert plan.headline is not None
    lengths = sorted((cell for cell in tuned if cell.share == plan.headline.share), key=lambda cell: cell.epochs)
    panels = 2 if len(lengths) > 1 else 1
    settings = {'svg.hashsalt': plan.name, 'font.size': 9, 'axes.spines.top': False, 'axes.spines.right': False}
    with plt.rc_context(settings):
        figure, axes = plt.subplots(
            1,
            panels,
            figsize=(6.4 if panels == 1 else 9.2, 3.8),
            width_ratios=[1.8, 1][:panels],
            sharey=True,
            squeeze=False,
            layout='constrained',
        )
        _shares_panel(axes[0, 0], results, tuned)
        if panels == 2:
            _lengths_panel(axes[0, 1], results, lengths)
        axes[0, 0].set_ylabel('mAP (points)')
        axes[0, 0].set_ylim(bottom=0.0)
        for panel in axes[0]:
            panel.grid(axis='y', linewidth=0.4, alpha=0.5)
        figure.savefig(path, metadata=dict(Date=None))
        plt.close(figure)


def _look(place: int) -> Dict[str, Any]:
    """Colour and marker of the arm at a place of the plan."""
    return dict(
        color=_COLOURS[place % len(_COLOURS)], marker=_MARKERS[place % len(_MARKERS)], markersize=4.5, linewidth=1.2
    )


def _shares_panel(axes: plt.Axes, results: Results, cells: List[Cell]) -> None:
    """A line for every arm and length with several shares, and a point for every arm of the headline."""
    plan = results.plan
    lengths = list(dict.fromkeys(cell.epochs for cell in cells))  # that of the headline first
    for place, arm in enumerate(plan.arms):
        # Error bars beside each other, not on top of each other: the axis is logarithmic.
        shift = 1.035 ** (place - (len(plan.arms) - 1) / 2)
        for line, epochs in enumerate(lengths):
            same = sorted((c for c in cells if c.epochs == epochs and results.cell(arm.name, c)), reverse=True)
            if len(same) < 2 and plan.headline not in same:
                continue
            values = [results.spread('mAP', arm.name, cell) for cell in same]
            axes.errorbar(
                [100 / cell.share * shift for cell in same],
                [value.mean for value in values],
                [value.std or 0.0 for value in values],
                capsize=2.5,
                label=f'{arm.title}, {epochs} epochs',
                **dict(_look(place), linestyle=_LINES[line % len(_LINES)]),
            )
    shares = [100 / share for share in sorted({cell.share for cell in cells})]
    axes.set_xscale('log')
    axes.xaxis.set_major_locator(FixedLocator(shares))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f'{share:.3g} %' for share in shares])
    axes.set_xlabel('share of the frames with labels')
    axes.set_title('mean ± standard deviation over seeds', fontsize=9, loc='left')
    axes.legend(frameon=False, fontsize=8)


def _lengths_panel(axes: plt.Axes, results: Results, lengths: List[Cell]) -> None:
    for place, arm in enumerate(results.plan.arms):
        found = [records for records in (results.cell(arm.name, cell) for cell in lengths) if records]
        seeds = sorted(set.intersection(*map(set, found))) if len(found) > 1 else []
        if seeds:
            axes.plot(
                [records[seeds[0]]['iterations'] for records in found],
                [100.0 * sum(records[seed]['metrics']['mAP'] for seed in seeds) / len(seeds) for records in found],
                label=f'{len(seeds)} seed{"s" if len(seeds) > 1 else ""}',
                **_look(place),
            )
    axes.set_xlabel('iterations of fine-tuning')
    axes.set_title(f'{100 / lengths[0].share:.3g} % of the labels', fontsize=9, loc='left')
    if axes.lines:
        axes.legend(frameon=False, fontsize=8, loc='lower right')
