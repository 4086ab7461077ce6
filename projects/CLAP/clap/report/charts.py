"""Line charts as inline SVG: no library, no network, readable without a script."""

from __future__ import annotations

import json
import math
from html import escape
from typing import Dict, List, Sequence, Tuple

from .gather import Curve

WIDTH, HEIGHT = 420, 200
LEFT, RIGHT, TOP, BOTTOM = 52, 10, 8, 24
COLOURS = ('#1f6feb', '#d1570a', '#2f8132', '#8250df', '#b8860b', '#0f7b8a', '#c2255c', '#6e7781')
#: More points than a chart has pixels only cost size.
MAX_POINTS = 400


def ticks(low: float, high: float, count: int = 4) -> List[float]:
    """Round numbers within [low, high], about ``count`` of them."""
    if not high > low:
        return [low]
    step = 10.0 ** math.floor(math.log10((high - low) / count))
    step *= min((1, 2, 5, 10), key=lambda factor: abs((high - low) / (factor * step) - count))
    first = math.ceil(low / step - 1e-9)
    return [round((first + i) * step, 12) for i in range(int((high - first * step) / step + 1e-9) + 1)]


def number(value: float) -> str:
    """A number for a label."""
    if value == int(value) and abs(value) < 1e5:
        return str(int(value))
    return f'{value:.3g}'


def thin(curve: Curve, most: int = MAX_POINTS) -> Curve:
    """At most ``most`` points of a curve, its last one among them."""
    stride = -(-len(curve) // most)
    return curve if stride <= 1 else curve[(len(curve) - 1) % stride :: stride]


def _span(curves: Sequence[Curve]) -> Tuple[float, float, float, float]:
    xs = [x for curve in curves for x, _ in curve]
    ys = [y for curve in curves for _, y in curve if math.isfinite(y)] or [0.0]
    x0, x1, y0, y1 = min(xs), max(xs), min(ys), max(ys)
    pad = 0.06 * (y1 - y0) or max(abs(y1) * 0.1, 1e-3)
    # A chart that nearly reaches zero shows zero: differences look their size.
    y0 = 0.0 if 0 <= y0 < 0.4 * y1 else y0 - pad
    return x0, max(x1, x0 + 1), y0, y1 + pad


def chart(title: str, curves: Dict[str, Curve], marks: Sequence[int] = (), points: bool = False) -> str:
    """A figure element with one line per curve; non-finite values leave a gap.

    Args:
        title: heading.
        curves: legend -> points; must not be empty.
        marks: iterations with a dashed vertical line.
        points: draw the points too, for curves of few.
    """
    curves = {name: thin(curve) for name, curve in curves.items()}
    x0, x1, y0, y1 = _span(list(curves.values()))

    def px(x: float) -> float:
        return round(LEFT + (x - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT), 1)

    def py(y: float) -> float:
        return round(HEIGHT - BOTTOM - (y - y0) / (y1 - y0) * (HEIGHT - TOP - BOTTOM), 1)

    parts = _axes(x0, x1, y0, y1, px, py)
    parts += [
        f'<line class="mark" x1="{px(x)}" x2="{px(x)}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
        for x in marks
        if x0 <= x <= x1
    ]
    for (_, curve), colour in zip(curves.items(), COLOURS):
        parts += [f'<polyline points="{run}" stroke="{colour}"/>' for run in _runs(curve, px, py)]
        if points or len(curve) == 1:
            parts += [
                f'<circle cx="{px(x)}" cy="{py(y)}" r="3" fill="{colour}"/>' for x, y in curve if math.isfinite(y)
            ]
    legend = (
        ''.join(
            f'<span><i style="background:{colour}"></i>{escape(name)}</span>' for name, colour in zip(curves, COLOURS)
        )
        if len(curves) > 1
        else ''
    )
    data = dict(
        frame=[LEFT, RIGHT, WIDTH],
        span=[x0, x1],
        names=list(curves),
        curves=[[[x, y if math.isfinite(y) else None] for x, y in curve] for curve in curves.values()],
    )
    return (
        f'<figure class="chart" data-chart="{escape(json.dumps(data, allow_nan=False))}">'
        f'<figcaption>{escape(title)}{legend}<output></output></figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">{"".join(parts)}'
        f'<line class="cursor" y1="{TOP}" y2="{HEIGHT - BOTTOM}" x1="0" x2="0"/></svg></figure>'
    )


def _axes(x0: float, x1: float, y0: float, y1: float, px, py) -> List[str]:
    parts = []
    for y in ticks(y0, y1):
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{py(y)}" y2="{py(y)}"/>'
            f'<text x="{LEFT - 6}" y="{py(y) + 3.5}" text-anchor="end">{number(y)}</text>'
        )
    for x in ticks(x0, x1, 5):
        parts.append(f'<text x="{px(x)}" y="{HEIGHT - 8}" text-anchor="middle">{number(x)}</text>')
    return parts


def _runs(curve: Curve, px, py) -> List[str]:
    """Polyline strings of the stretches of finite values."""
    runs, current = [], []
    for x, y in curve:
        if math.isfinite(y):
            current.append(f'{px(x)},{py(y)}')
        elif current:
            runs.append(current)
            current = []
    return [' '.join(run) for run in [*runs, current] if len(run) > 1]
