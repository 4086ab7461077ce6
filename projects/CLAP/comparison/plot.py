"""Share of the labels, and length of fine-tuning, against mAP."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

import matplotlib

matplotlib.use('Agg')
import matplotlib.pyplot as plt
from matplotlib.ticker import FixedLocator, NullLocator

from .plan import share_percent
from .results import Results

#: Okabe and Ito's colours, which colour-blind readers can tell apart.
_COLOURS = ('#000000', '#E69F00', '#56B4E9', '#009E73', '#D55E00', '#0072B2', '#CC79A7')
_MARKERS = 'osD^vP*'


def label_share_plot(results: Results, path: Path) -> None:
    """Mean mAP with its standard deviation over seeds, one line per arm; points of a share stand side by side.

    A second panel shows the study of the schedule, if the plan has one: mAP at the headline share against the number
    of iterations, over the seeds that a line has at every length.
    """
    plan = results.plan
    settings = {'svg.hashsalt': plan.name, 'font.size': 9, 'axes.spines.top': False, 'axes.spines.right': False}
    panels = 2 if plan.schedule else 1
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
        _shares_panel(axes[0, 0], results)
        if panels == 2:
            _lengths_panel(axes[0, 1], results)
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


def _shares_panel(axes: plt.Axes, results: Results) -> None:
    plan = results.plan
    for place, arm in enumerate(plan.arms):
        points = []
        for interval in sorted(plan.shares, reverse=True):
            value = results.spread('mAP', 'finetune', arm.name, interval)
            if value.mean is not None:
                points.append((share_percent(interval), value.mean, value.std or 0.0))
        if not points:
            continue
        # Error bars beside each other, not on top of each other: the axis is logarithmic.
        shift = 1.035 ** (place - (len(plan.arms) - 1) / 2)
        axes.errorbar(
            [x * shift for x, *_ in points],
            [y for _, y, _ in points],
            [e for _, _, e in points],
            capsize=2.5,
            label=arm.title,
            **_look(place),
        )
    axes.set_xscale('log')
    shares = [share_percent(interval) for interval in plan.shares]
    axes.xaxis.set_major_locator(FixedLocator(shares))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f'{share:.3g} %' for share in shares])
    axes.set_xlabel('share of the frames with labels')
    axes.set_title(f'{plan.title}: mean ± standard deviation over seeds', fontsize=9, loc='left')
    axes.legend(frameon=False, fontsize=8)


def _lengths_panel(axes: plt.Axes, results: Results) -> None:
    plan = results.plan
    for place, arm in enumerate(plan.arms):
        cells = [
            results.cell('schedule', arm.name, plan.headline, epochs)
            for epochs in results.lengths()
            if arm.name in results.arms_of_length(epochs)
        ]
        cells = [cell for cell in cells if cell]
        seeds = sorted(set.intersection(*map(set, cells))) if len(cells) > 1 else []
        if not seeds:
            continue
        axes.plot(
            [cell[seeds[0]]['iterations'] for cell in cells],
            [100.0 * sum(cell[seed]['metrics']['mAP'] for seed in seeds) / len(seeds) for cell in cells],
            label=f'{len(seeds)} seed{"s" if len(seeds) > 1 else ""}',
            **_look(place),
        )
    axes.set_xlabel('iterations of fine-tuning')
    axes.set_title(f'{share_percent(plan.headline):.3g} % of the labels', fontsize=9, loc='left')
    if axes.lines:
        axes.legend(frameon=False, fontsize=8, loc='lower right')
