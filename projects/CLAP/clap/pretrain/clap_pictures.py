"""What CLAP shows of a frame: its rendering, its curvature, its prototypes, its rays."""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from .clap_frame import Camera, Frame
from .pictures import Against, Block, Image, Picture, Points, Quantity, top_of

#: Names of the pictures, as in :data:`_PICTURES`, and what a report calls them.
TITLES = dict(
    cameras='Image, rendered colour, rendered range',
    lidar_range='LiDAR range against rendered range',
    curvature='Curvature weights',
    prototypes='Prototypes',
    rays='Rays that are drawn',
    cloud='Overview from above',
)
#: Errors of the rendered range above this look alike, metres.
ERROR_SHOWN_M = 3.0
_CAMERA_INCHES = (3.2, 1.75)


def pictures(frame: Frame, names: Sequence[str]) -> Dict[str, Picture]:
    """The named pictures of a frame, without those that its model cannot give (no camera, no prototypes)."""
    blocks = {name: _PICTURES[name](frame) for name in names}
    return {name: Picture(frame.title, [b for b in some if b.panels]) for name, some in blocks.items() if some}


def clouds(frame: Frame) -> Dict[str, Points]:
    """Clouds of the 3-D viewer: the frame's points by each quantity that its model has, and the rendered ones."""
    top = top_of(frame.curvature)
    shown = dict(
        curvature=Quantity(frame.curvature, 'turbo', top),
        range_error=Quantity(frame.error_m, 'inferno', ERROR_SHOWN_M),
    )
    for name in ('prototype', 'prototype_camera'):
        if getattr(frame, name) is not None:
            shown[name] = Quantity(getattr(frame, name))
    found = {name: Points(name, frame.points, quantity) for name, quantity in shown.items()}
    direction = (frame.points - frame.origins) / np.maximum(frame.range_m, 1e-6)[:, None]
    ends = frame.origins + frame.rendered_range_m[:, None] * direction
    return {**found, 'rendered': Points('rendered', ends, Quantity(np.full(len(ends), 0.6), 'Blues'))}


def _scaled(values: np.ndarray, unit: str, colour_map: str, top: Optional[float] = None) -> Quantity:
    top = top_of(values) if top is None else top
    return Quantity(values, colour_map, top, f'{unit}; {top:.3g} or more alike')


def _median(frame: Frame) -> str:
    return f'median {np.median(frame.error_m) if len(frame.points) else 0:.2f} m'


def _photos(frame: Frame, kept: float) -> List[Tuple[Camera, Image]]:
    return [(camera, replace(camera.photo, kept=kept)) for camera in frame.cameras]


def _cameras(frame: Frame) -> List[Block]:
    """A row per camera: image, rendered colour, rendered range."""
    far = max((top_of(camera.rendered_range_m) for camera in frame.cameras), default=1.0)
    panels = []
    for row, camera in enumerate(frame.cameras):
        titles = ('', '', '') if row else ('image', 'rendered colour', 'rendered range')
        range_m = Quantity(camera.rendered_range_m, 'turbo', far, 'm')
        panels += [
            Image(titles[0], camera.photo.rgb, side=camera.photo.title),
            Image(titles[1], camera.rendered_rgb),
            Image(titles[2], np.ones_like(camera.rendered_rgb), over=range_m),
        ]
    return [Block(panels, 3, (4.0, 1.85))] if panels else []


def _lidar_range(frame: Frame) -> List[Block]:
    """Observed range, rendered range and their difference as the sensor sees them, and one against the other."""
    far = top_of(frame.range_m)
    about = (
        f'|rendered - observed|, {_median(frame)} over these {len(frame.points)} points, all shown to the encoder '
        "(the report's rays are not)"
    )
    shown = {
        'observed range': _scaled(frame.range_m, 'm', 'turbo', far),
        'rendered range': _scaled(frame.rendered_range_m, 'm', 'turbo', far),
        about: _scaled(frame.error_m, 'm', 'magma', ERROR_SHOWN_M),
    }
    seen = [Points(title, frame.points, quantity, 1.5, frame.origins) for title, quantity in shown.items()]
    against = Against(
        'rendered against observed', frame.range_m, frame.rendered_range_m, 'observed (m)', 'rendered (m)', far
    )
    return [Block(seen, size=(8.7, 2.3)), Block([against], size=(3.3, 7.0))]


def _curvature(frame: Frame) -> List[Block]:
    """Weights of curvature sampling on the cloud from above and on the pixels, each image on a scale of its own."""
    top, images = top_of(frame.curvature), []
    unit = frame.curvature_unit
    shown = Quantity(frame.curvature, 'turbo', top, f'{unit}; red: {top:.3g} (98th percentile of the cloud) or more')
    about = (
        "a pixel's weight when rays are drawn; every image has a scale of its own\n"
        "(1.0 is the 98th percentile of the image's weights above 0)"
    )
    for camera, photo in _photos(frame, 0.35):
        own = top_of(camera.curvature[camera.curvature > 0])
        share = np.clip(camera.curvature / own, 0, 1)
        title, alpha = f'{photo.title} (1.0 = {own:.2g} {unit})', 0.85 * np.minimum(share * 3, 1)
        images.append(replace(photo, title=title, over=Quantity(share, 'turbo', 1.0, about), alpha=alpha))
    above = Points('curvature of the learned surface (Eq. 12)', frame.points, shown, 1.0)
    return [Block([above]), Block(images, 2, _CAMERA_INCHES)]


def _prototypes(frame: Frame) -> List[Block]:
    """Prototypes of LiDAR points and pixels in one colour table (figure 1 of the paper's supplement)."""
    if frame.prototype is None:
        return []
    points = [
        Points(
            f'points by the {branch}: {len(np.unique(index))} of {frame.num_prototypes} prototypes',
            frame.points,
            Quantity(index),
            1.2,
        )
        for branch, index in (('LiDAR branch', frame.prototype), ('camera branch', frame.prototype_camera))
    ]
    images = [
        replace(photo, title=f'{photo.title}, by the camera branch', over=Quantity(camera.prototype), alpha=0.6)
        for camera, photo in _photos(frame, 0.0)
    ]
    agree = float(np.mean(frame.prototype == frame.prototype_camera)) if len(frame.points) else 0.0
    heading = f'A colour stands for a prototype, in all panels; the branches agree on {agree:.0%} of the points'
    return [Block(points, 2, heading=heading), Block(images, 2, _CAMERA_INCHES)]


def _rays(frame: Frame) -> List[Block]:
    """The rays that the active sampler draws in one step."""
    grey = Quantity(np.full(len(frame.points), 0.75), 'gray')
    above = Points(f'{len(frame.rays)} LiDAR rays by {frame.sampler}', frame.points, grey, 0.4, rays=frame.rays)
    images = [replace(photo, dots=camera.drawn[:, ::-1] + 0.5) for camera, photo in _photos(frame, 0.3)]
    return [Block([above]), Block(images, 2, _CAMERA_INCHES)]


def _cloud(frame: Frame) -> List[Block]:
    """Bird's-eye views side by side: range error, curvature weights, prototypes."""
    shown = {
        f'|rendered - observed range|, {_median(frame)}': _scaled(frame.error_m, 'm', 'viridis', ERROR_SHOWN_M),
        'curvature of the learned surface (Eq. 12)': _scaled(frame.curvature, frame.curvature_unit, 'magma'),
    }
    if frame.prototype is not None:
        used = len(np.unique(frame.prototype))
        shown[f'prototype by the LiDAR branch, {used} in use'] = Quantity(frame.prototype)
    return [Block([Points(title, frame.points, q) for title, q in shown.items()], len(shown), (5.2, 5.0))]


_PICTURES = dict(
    cameras=_cameras, lidar_range=_lidar_range, curvature=_curvature, prototypes=_prototypes, rays=_rays, cloud=_cloud
)
