"""Pictures of one frame, drawn without a display."""
from __future__ import annotations

from pathlib import Path
from typing import List

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .render_frame import FramePicture


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), layout='constrained')
    FigureCanvasAgg(figure)
    return figure


def cameras_figure(frame: FramePicture) -> Figure:
    """A row per camera: image, rendered colour, rendered range."""
    figure = _figure(12, 1.75 * len(frame.cameras) + 0.4)
    axes = figure.subplots(len(frame.cameras), 3, squeeze=False)
    far = max(float(np.percentile(c.rendered_range_m, 98)) for c in frame.cameras)
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


def cloud_figure(frame: FramePicture) -> Figure:
    """Bird's-eye views of the keyframe: range error, curvature weights, prototypes."""
    panels = ['range error', 'curvature'] + (['prototype'] if frame.prototype is not None else [])
    figure = _figure(5.2 * len(panels), 5)
    error = np.abs(frame.rendered_range_m - frame.range_m)
    for axis, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels):
        if panel == 'range error':
            values, options, label = error, dict(cmap='viridis', vmin=0, vmax=3), 'm'
            title = f'|rendered - observed range|, median {np.median(error):.2f} m'
        elif panel == 'curvature':
            top = float(np.percentile(frame.curvature, 98)) if len(frame.curvature) else 1.0
            values, options, label = frame.curvature, dict(cmap='magma', vmin=0, vmax=max(top, 1e-6)), '1/m'
            title = 'curvature of the learned surface (Eq. 12)'
        else:
            # Neighbouring indices must not look alike: spread them over the colour table.
            values, options, label = (frame.prototype * 97) % 256, dict(cmap='gist_rainbow', vmin=0, vmax=255), None
            title = f'prototype of the cell, {len(np.unique(frame.prototype))} in use'
        order = np.argsort(values)
        shown = axis.scatter(*frame.points[order, :2].T, c=values[order], s=0.4, linewidths=0, **options)
        axis.set_title(title, fontsize=9)
        axis.set_aspect('equal')
        axis.set_xlabel('x (m)')
        axis.set_ylabel('y (m)')
        if label:
            figure.colorbar(shown, ax=axis, shrink=0.7, label=label)
    return figure


def draw_frame(frame: FramePicture, folder: Path, stem: str) -> List[Path]:
    """Write ``stem_cameras.png`` (if there are cameras) and ``stem_cloud.png``; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = dict(cloud=cloud_figure(frame))
    if frame.cameras:
        figures['cameras'] = cameras_figure(frame)
    paths = []
    for name, figure in figures.items():
        figure.suptitle(frame.title, fontsize=8)
        paths.append(folder / f'{stem}_{name}.png')
        figure.savefig(paths[-1], dpi=110)
    return paths
