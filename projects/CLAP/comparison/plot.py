"""Share of the labels against the plan's figure."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use('Agg')
import matplotlib.pyplot as plt

from .results import Results

PLOT = 'label_efficiency.svg'
#: Okabe and Ito's colours, which colour-blind readers can tell apart.
_COLOURS = ('#000000', '#E69F00', '#56B4E9', '#009E73', '#D55E00', '#0072B2', '#CC79A7')
_MARKERS, _LINES = 'osD^vP*', ('-', '--', ':', '-.')


def label_share_plot(results: Results, path: Path) -> None:
    """Mean of the plan's figure and its standard deviation over seeds: a line for every arm and length that has several
    shares, and a point for every arm of the headline."""
    settings = {'svg.hashsalt': results.plan.name, 'axes.spines.top': False, 'axes.spines.right': False}
    with plt.rc_context({**settings, 'font.size': 9}):
        figure, axes = plt.subplots(figsize=(7.2, 4.2), layout='constrained')
        _draw(axes, results)
        figure.savefig(path, metadata=dict(Date=None))
        plt.close(figure)


def _draw(axes: plt.Axes, results: Results) -> None:
    plan = results.plan
    cells = [cell for cell in plan.cells if not cell.frozen]
    for place, arm in enumerate(plan.arms):
        # Error bars beside each other, not on top of each other: the axis is logarithmic.
        shift = 1.035 ** (place - (len(plan.arms) - 1) / 2)
        for line, epochs in enumerate(dict.fromkeys(cell.epochs for cell in cells)):  # that of the headline first
            same = sorted((c for c in cells if c.epochs == epochs and results.cell(arm.name, c)), reverse=True)
            if len(same) < 2 and plan.headline not in same:
                continue
            values = [results.spread(plan.metric, arm.name, cell) for cell in same]
            axes.errorbar(
                [100 / cell.share * shift for cell in same],
                [value.mean for value in values],
                [value.std or 0.0 for value in values],
                capsize=2.5,
                label=f'{arm.title}, {epochs} epochs',
                color=_COLOURS[place % len(_COLOURS)],
                marker=_MARKERS[place % len(_MARKERS)],
                linestyle=_LINES[line % len(_LINES)],
                **dict(markersize=4.5, linewidth=1.2),
            )
    shares = [100 / share for share in sorted({cell.share for cell in cells})]
    axes.set(
        xscale='log', xlabel='share of the frames with labels', ylabel=f'{plan.metric_title} (points)', ylim=(0.0, None)
    )
    axes.set_xticks(shares, [f'{share:.3g} %' for share in shares])
    axes.minorticks_off()
    axes.grid(axis='y', linewidth=0.4, alpha=0.5)
    axes.legend(frameon=False, fontsize=8)
