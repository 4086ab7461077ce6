"""Share of the labels against mAP."""

from __future__ import annotations

from pathlib import Path

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
    """Mean mAP with its standard deviation over seeds, one line per arm; points of a share stand side by side."""
    plan = results.plan
    settings = {'svg.hashsalt': plan.name, 'font.size': 9, 'axes.spines.top': False, 'axes.spines.right': False}
    with plt.rc_context(settings):
        figure, axes = plt.subplots(figsize=(6.4, 3.8), layout='constrained')
        for place, arm in enumerate(plan.arms):
            points = []
            for interval in sorted(plan.shares, reverse=True):
                value = results.spread('mAP', 'finetune', arm.name, interval)
                if value.mean is not None:
                    points.append((share_percent(interval), value.mean, value.std or 0.0, value.count))
            if not points:
                continue
            # Error bars beside each other, not on top of each other: the axis is logarithmic.
            shift = 1.035 ** (place - (len(plan.arms) - 1) / 2)
            axes.errorbar(
                [x * shift for x, *_ in points],
                [y for _, y, *_ in points],
                [e for _, _, e, _ in points],
                color=_COLOURS[place % len(_COLOURS)],
                marker=_MARKERS[place % len(_MARKERS)],
                markersize=4.5,
                linewidth=1.2,
                capsize=2.5,
                label=arm.title,
            )
        axes.set_xscale('log')
        shares = [share_percent(interval) for interval in plan.shares]
        axes.xaxis.set_major_locator(FixedLocator(shares))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticklabels([f'{share:.3g} %' for share in shares])
        axes.set_xlabel('share of the frames with labels')
        axes.set_ylabel('mAP (points)')
        axes.set_ylim(bottom=0.0)
        axes.grid(axis='y', linewidth=0.4, alpha=0.5)
        axes.set_title(f'{plan.title}: mean ± standard deviation over seeds', fontsize=9, loc='left')
        axes.legend(frameon=False, fontsize=8)
        figure.savefig(path, metadata=dict(Date=None))
        plt.close(figure)
