"""From pictures to figures and files, without a display and without pyplot's global state."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Optional, Tuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, FigureBase

from ..pretrain.pictures import Against, Block, Image, Picture, Points, Quantity
from .colours import to_rgba


def draw(picture: Picture) -> Figure:
    """The blocks from left to right under the title."""
    widths = [block.columns * block.size[0] for block in picture.blocks]
    height = max(_rows(block) * block.size[1] for block in picture.blocks)
    figure = Figure(figsize=(sum(widths), height), layout='constrained')
    FigureCanvasAgg(figure)
    figure.suptitle(picture.title, fontsize=8)
    for part, block in zip(figure.subfigures(1, len(widths), squeeze=False, width_ratios=widths)[0], picture.blocks):
        _draw_block(part, block)
    return figure


def _rows(block: Block) -> int:
    return -(-len(block.panels) // block.columns)


def _draw_block(part: FigureBase, block: Block) -> None:
    axes = part.subplots(_rows(block), block.columns, squeeze=False).ravel()
    bars: Dict[Tuple, List[Axes]] = {}
    for axis, panel in zip(axes, block.panels):
        shown = _DRAW[type(panel)](axis, panel)
        if shown is not None and shown.label:
            bars.setdefault((shown.colour_map, shown.top, shown.label), []).append(axis)
    for axis in axes[len(block.panels) :]:
        axis.set_axis_off()
    for (colour_map, top, label), those in bars.items():
        below = block.columns > 1 and len(those) == len(block.panels)
        place = dict(location='bottom', shrink=0.6, aspect=40) if below else dict(shrink=0.8, pad=0.01)
        bar = part.colorbar(ScalarMappable(Normalize(0, top), colour_map), ax=those, **place)
        bar.set_label(label, fontsize=8)
        bar.ax.tick_params(labelsize=7)
    if block.heading:
        part.suptitle(block.heading, fontsize=9)


def _draw_points(axis: Axes, panel: Points) -> Quantity:
    order = np.argsort(panel.shown.values) if panel.shown.colour_map else slice(None)
    place = panel.points[:, :2] if panel.origins is None else _as_seen(panel.points - panel.origins)
    axis.scatter(*place[order].T, c=to_rgba(panel.shown)[order], s=panel.size, linewidths=0)
    axis.set_title(panel.title, fontsize=9)
    axis.tick_params(labelsize=7)
    names = ('x (m)', 'y (m)')
    if panel.origins is None:
        axis.set_aspect('equal')
    else:
        axis.set_facecolor('0.1')
        axis.set_xlim(180, -180)
        last = axis.get_subplotspec().is_last_row()
        axis.tick_params(labelbottom=last)
        names = ('azimuth from +x towards +y (deg)' if last else '', 'elevation (deg)')
    axis.set_xlabel(names[0], fontsize=8)
    axis.set_ylabel(names[1], fontsize=8)
    if panel.rays is not None:
        axis.add_collection(LineCollection(list(panel.rays[..., :2]), colors='tab:blue', linewidths=0.3, alpha=0.25))
        axis.scatter(*panel.rays[:, 1, :2].T, s=2.5, c='tab:red', linewidths=0)
    return panel.shown


def _as_seen(offsets: np.ndarray) -> np.ndarray:
    """(N, 2) azimuth and elevation, degrees, of points (N, 3) about the sensor."""
    azimuth = np.arctan2(offsets[:, 1], offsets[:, 0])
    elevation = np.arctan2(offsets[:, 2], np.linalg.norm(offsets[:, :2], axis=1))
    return np.degrees(np.stack([azimuth, elevation], axis=1))


def _draw_image(axis: Axes, panel: Image) -> Optional[Quantity]:
    height, width = panel.rgb.shape[:2]
    extent = (0, width, height, 0)
    grey = panel.rgb.mean(-1, keepdims=True)
    axis.imshow(panel.rgb if panel.kept == 1 else panel.kept * panel.rgb + (1 - panel.kept) * grey, extent=extent)
    if panel.over is not None:
        rgba = to_rgba(panel.over)
        rgba[..., 3] *= panel.alpha
        axis.imshow(rgba, extent=extent, interpolation='antialiased' if panel.over.colour_map else 'nearest')
    if panel.dots is not None:
        colours = dict(s=2.5, c='tab:red') if panel.dots_shown is None else dict(s=1.6, c=to_rgba(panel.dots_shown))
        axis.scatter(*panel.dots.T, linewidths=0, **colours)
    axis.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[], aspect='equal')
    axis.spines[:].set_visible(False)
    axis.set_title(panel.title, fontsize=8)
    axis.set_ylabel(panel.side, fontsize=8)
    return panel.over or panel.dots_shown


def _draw_against(axis: Axes, panel: Against) -> None:
    ends = (0, panel.top)
    cells = axis.hexbin(panel.x, panel.y, gridsize=60, bins='log', cmap='viridis', mincnt=1, extent=(*ends, *ends))
    axis.figure.colorbar(cells, ax=axis, shrink=0.5, location='bottom', label='points in a cell (logarithmic scale)')
    axis.plot(ends, ends, color='tab:red', linewidth=1)
    axis.set_aspect('equal')
    axis.set_title(panel.title, fontsize=9)
    axis.set_xlabel(panel.x_label, fontsize=8)
    axis.set_ylabel(panel.y_label, fontsize=8)


_DRAW = {Points: _draw_points, Image: _draw_image, Against: _draw_against}


def to_pixels(figure: Figure, dpi: int = 80) -> np.ndarray:
    """A figure as (H, W, 3) uint8 RGB."""
    figure.set_dpi(dpi)
    figure.canvas.draw()
    return np.array(figure.canvas.buffer_rgba())[..., :3].copy()


def save(pictures: Dict[str, Picture], folder: Path, stem: str) -> List[Path]:
    """Write every picture as ``stem_NAME.png``; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f'{stem}_{name}.png' for name in pictures]
    for path, picture in zip(paths, pictures.values()):
        draw(picture).savefig(path, dpi=110)
    return paths
