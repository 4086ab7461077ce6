"""Pictures of one frame, drawn without a display and without pyplot's global state."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence, Tuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from .colours import prototype_colours
from .render_frame import CameraPicture, FramePicture

#: Errors of the rendered range above this look alike, metres.
ERROR_SHOWN_M = 3.0


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), layout='constrained')
    FigureCanvasAgg(figure)
    return figure


def _board(frame: FramePicture, bevs: int) -> Tuple[Figure, Sequence[Axes], Sequence[Axes]]:
    """Bird's-eye panels on the left, cameras two a row on the right."""
    rows = -(-len(frame.cameras) // 2)
    widths = [4.6 * bevs, 6.4 if rows else 0.0]
    figure = _figure(sum(widths), max(5.0, 1.75 * rows))
    parts = figure.subfigures(1, 2, width_ratios=widths) if rows else [figure]
    upper = parts[0].subplots(1, bevs, squeeze=False)[0]
    lower = list(parts[1].subplots(rows, 2, squeeze=False).ravel()) if rows else []
    for axis in upper:
        axis.set_aspect('equal')
        axis.set_xlabel('x (m)', fontsize=8)
        axis.set_ylabel('y (m)', fontsize=8)
        axis.tick_params(labelsize=7)
    for axis in lower:
        axis.set_axis_off()
    return figure, upper, lower


def _scatter(axis: Axes, points: np.ndarray, values: np.ndarray, title: str, size: float = 0.6, **options: Any) -> Any:
    order = np.argsort(values) if values.ndim == 1 else slice(None)
    axis.set_title(title, fontsize=9)
    return axis.scatter(points[order, 0], points[order, 1], c=values[order], s=size, linewidths=0, **options)


def _photo(axis: Axes, camera: CameraPicture, dim: float = 1.0) -> None:
    """The image, faded to a share of its colour where something is drawn over it."""
    grey = camera.rgb.mean(-1, keepdims=True)
    axis.imshow(camera.rgb if dim == 1 else dim * camera.rgb + (1 - dim) * grey)
    axis.set_title(camera.name, fontsize=8)


def _top(values: np.ndarray) -> float:
    """Upper end of a colour scale: the 98th percentile, never zero."""
    finite = values[np.isfinite(values)]
    return max(float(np.percentile(finite, 98)), 1e-6) if len(finite) else 1.0


def cameras_figure(frame: FramePicture) -> Figure:
    """A row per camera: image, rendered colour, rendered range."""
    figure = _figure(12, 1.75 * max(len(frame.cameras), 1) + 0.4)
    axes = figure.subplots(len(frame.cameras), 3, squeeze=False)
    far = max(_top(c.rendered_range_m) for c in frame.cameras)
    for row, camera in zip(axes, frame.cameras):
        row[0].imshow(camera.rgb)
        row[0].set_ylabel(camera.name, fontsize=8)
        row[1].imshow(camera.rendered_rgb)
        shown = row[2].imshow(camera.rendered_range_m, cmap='turbo', vmin=0, vmax=far)
        for axis in row:
            axis.set_xticks([])
            axis.set_yticks([])
    for axis, title in zip(axes[0], ('image', 'rendered colour', 'rendered range')):
        axis.set_title(title, fontsize=9)
    figure.colorbar(shown, ax=axes[:, 2], shrink=0.6, label='m')
    return figure


def lidar_range_figure(frame: FramePicture) -> Figure:
    """Observed range, rendered range and their difference as the sensor sees them, and one against the other."""
    figure = _figure(12, 7)
    parts = figure.subfigures(1, 2, width_ratios=[2.6, 1])
    offset = frame.points - frame.origins
    azimuth = np.degrees(np.arctan2(offset[:, 1], offset[:, 0]))
    elevation = np.degrees(np.arctan2(offset[:, 2], np.linalg.norm(offset[:, :2], axis=1)))
    error = np.abs(frame.rendered_range_m - frame.range_m)
    far = _top(frame.range_m)
    median = f'median {np.median(error) if len(error) else 0:.2f} m'
    panels = [
        ('observed range', frame.range_m, 'turbo', far),
        ('rendered range', frame.rendered_range_m, 'turbo', far),
        (
            f"|rendered - observed|, {median} over these {len(error)} points, all shown to the encoder "
            "(the report's rays are not)",
            error,
            'magma',
            ERROR_SHOWN_M,
        ),
    ]
    for axis, (title, values, colours, top) in zip(parts[0].subplots(3, 1, sharex=True), panels):
        shown = _scatter(axis, np.stack([azimuth, elevation], 1), values, title, 1.5, cmap=colours, vmin=0, vmax=top)
        axis.set_facecolor('0.1')
        axis.set_xlim(180, -180)
        axis.set_ylabel('elevation (deg)', fontsize=8)
        parts[0].colorbar(shown, ax=axis, label=f'm; {top:.3g} or more alike', pad=0.01)
    axis.set_xlabel('azimuth from +x towards +y (deg)', fontsize=8)
    axis = parts[1].subplots()
    cells = axis.hexbin(
        frame.range_m,
        frame.rendered_range_m,
        gridsize=60,
        bins='log',
        cmap='viridis',
        mincnt=1,
        extent=(0, far, 0, far),
    )
    parts[1].colorbar(cells, ax=axis, shrink=0.5, location='bottom', label='points in a cell (logarithmic scale)')
    axis.plot([0, far], [0, far], color='tab:red', linewidth=1)
    axis.set_aspect('equal')
    axis.set_title('rendered against observed', fontsize=9)
    axis.set_xlabel('observed (m)', fontsize=8)
    axis.set_ylabel('rendered (m)', fontsize=8)
    return figure


def curvature_figure(frame: FramePicture) -> Figure:
    """Weights of curvature sampling on the cloud from above and on the pixels, each image on a scale of its own."""
    figure, (axis,), lower = _board(frame, 1)
    top = _top(frame.curvature)
    shown = _scatter(
        axis,
        frame.points,
        frame.curvature,
        'curvature of the learned surface (Eq. 12)',
        1.0,
        cmap='turbo',
        vmin=0,
        vmax=top,
    )
    axis.figure.colorbar(shown, ax=axis, shrink=0.7).set_label(
        f'1/m; red: {top:.3g} (98th percentile of the cloud) or more', fontsize=8
    )
    for axis, camera in zip(lower, frame.cameras):
        _photo(axis, camera, 0.35)
        own = _top(camera.curvature[camera.curvature > 0])
        share = np.clip(camera.curvature / own, 0, 1)
        axis.imshow(share, cmap='turbo', vmin=0, vmax=1, alpha=0.85 * np.minimum(share * 3, 1))
        axis.set_title(f'{camera.name} (1.0 = {own:.2g}/m)', fontsize=8)
    if frame.cameras:
        bar = lower[0].figure.colorbar(
            ScalarMappable(Normalize(0, 1), 'turbo'), ax=list(lower), location='bottom', shrink=0.6, aspect=40
        )
        bar.set_label(
            "a pixel's weight when rays are drawn; every image has a scale of its own\n"
            "(1.0 is the 98th percentile of the image's weights above 0)",
            fontsize=8,
        )
        bar.ax.tick_params(labelsize=7)
    return figure


def prototypes_figure(frame: FramePicture) -> Figure:
    """Prototypes of LiDAR points and pixels in one colour table (figure 1 of the paper's supplement)."""
    table = prototype_colours(frame.num_prototypes)
    figure, upper, lower = _board(frame, 2)
    for axis, name, index in zip(upper, ('LiDAR branch', 'camera branch'), (frame.prototype, frame.prototype_camera)):
        _scatter(
            axis,
            frame.points,
            table[index],
            f'points by the {name}: {len(np.unique(index))} of {frame.num_prototypes} prototypes',
            1.2,
        )
    for axis, camera in zip(lower, frame.cameras):
        height, width = camera.rgb.shape[:2]
        _photo(axis, camera, 0.0)
        axis.set_title(f'{camera.name}, by the camera branch', fontsize=8)
        axis.imshow(table[camera.prototype], alpha=0.6, extent=(0, width, height, 0), interpolation='nearest')
    agree = float(np.mean(frame.prototype == frame.prototype_camera)) if len(frame.points) else 0.0
    upper[0].figure.suptitle(
        f'A colour stands for a prototype, in all panels; the branches agree on {agree:.0%} of the points', fontsize=9
    )
    return figure


def rays_figure(frame: FramePicture) -> Figure:
    """The rays that the active sampler draws in one step."""
    figure, (axis,), lower = _board(frame, 1)
    _scatter(
        axis,
        frame.points,
        np.full((len(frame.points), 3), 0.75),
        f'{len(frame.drawn)} LiDAR rays by {frame.sampler}',
        0.4,
    )
    ends = np.stack([frame.drawn_origins[:, :2], frame.drawn[:, :2]], axis=1)
    axis.add_collection(LineCollection(list(ends), colors='tab:blue', linewidths=0.3, alpha=0.25))
    axis.scatter(frame.drawn[:, 0], frame.drawn[:, 1], s=2.5, c='tab:red', linewidths=0)
    for axis, camera in zip(lower, frame.cameras):
        _photo(axis, camera, 0.3)
        axis.scatter(camera.drawn[:, 1] + 0.5, camera.drawn[:, 0] + 0.5, s=2.5, c='tab:red', linewidths=0)
    return figure


def cloud_figure(frame: FramePicture) -> Figure:
    """Bird's-eye views side by side: range error, curvature weights, prototypes."""
    error = np.abs(frame.rendered_range_m - frame.range_m)
    median = float(np.median(error)) if len(error) else 0.0
    panels = [
        (
            error,
            f'|rendered - observed range|, median {median:.2f} m',
            dict(cmap='viridis', vmin=0, vmax=ERROR_SHOWN_M),
            'm',
        ),
        (
            frame.curvature,
            'curvature of the learned surface (Eq. 12)',
            dict(cmap='magma', vmin=0, vmax=_top(frame.curvature)),
            '1/m',
        ),
    ]
    if frame.prototype is not None:
        panels.append(
            (
                prototype_colours(frame.num_prototypes)[frame.prototype],
                f'prototype by the LiDAR branch, {len(np.unique(frame.prototype))} in use',
                {},
                None,
            )
        )
    figure = _figure(5.2 * len(panels), 5)
    for axis, (values, title, options, label) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels):
        shown = _scatter(axis, frame.points, values, title, **options)
        axis.set_aspect('equal')
        axis.set_xlabel('x (m)')
        axis.set_ylabel('y (m)')
        if label:
            figure.colorbar(shown, ax=axis, shrink=0.7, label=f'{label}; {options["vmax"]:.3g} or more alike')
    return figure


#: What can be drawn of a frame, by name. Names become file names: no slash.
FIGURES: Dict[str, Callable[[FramePicture], Figure]] = dict(
    cameras=cameras_figure,
    lidar_range=lidar_range_figure,
    curvature=curvature_figure,
    prototypes=prototypes_figure,
    rays=rays_figure,
    cloud=cloud_figure,
)


def frame_figures(frame: FramePicture, names: Sequence[str]) -> Dict[str, Figure]:
    """The named figures of a frame, without those that its model cannot give (no camera, no prototypes)."""
    impossible = ({'cameras'} if not frame.cameras else set()) | ({'prototypes'} if frame.prototype is None else set())
    figures = {}
    for name in names:
        if name not in impossible:
            figures[name] = FIGURES[name](frame)
            figures[name].suptitle(frame.title, fontsize=8)
    return figures


def to_pixels(figure: Figure, dpi: int = 80) -> np.ndarray:
    """A figure as (H, W, 3) uint8 RGB."""
    figure.set_dpi(dpi)
    figure.canvas.draw()
    return np.array(figure.canvas.buffer_rgba())[..., :3].copy()


def draw_frame(frame: FramePicture, folder: Path, stem: str, names: Sequence[str] = tuple(FIGURES)) -> List[Path]:
    """Write ``stem_NAME.png`` for every figure that the frame can give; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, figure in frame_figures(frame, names).items():
        paths.append(folder / f'{stem}_{name}.png')
        figure.savefig(paths[-1], dpi=110)
    return paths
