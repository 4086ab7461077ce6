"""Pictures as plain arrays: a method fills them, the visualization draws them, and neither knows the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple, Union

import numpy as np

from ..structures import CameraViews


@dataclass(frozen=True)
class Quantity:
    """Numbers shown by colour, from zero to ``top``; without a colour map, categories with a colour each (-1: grey)."""

    values: np.ndarray  # of any shape; NaN is left out
    colour_map: str = ''  # one of matplotlib's; whole numbers are categories without
    top: float = 1.0  # everything above looks alike
    label: str = ''  # of the colour bar, with the unit; no bar without


@dataclass(frozen=True)
class Points:
    """A cloud from above or, where ``origins`` are given, as the sensor sees it."""

    title: str
    points: np.ndarray  # (N, 3) metres, LiDAR frame
    shown: Quantity  # (N,)
    size: float = 0.6  # area of a dot
    origins: Optional[np.ndarray] = None  # (N, 3) where the sensor was
    rays: Optional[np.ndarray] = None  # (M, 2, 3) start and end of rays, drawn as lines with a red end


@dataclass(frozen=True)
class Image:
    """An image, with a map over it or dots on it."""

    title: str
    rgb: np.ndarray  # (H, W, 3) in [0, 1]
    side: str = ''  # a second title, at the left
    kept: float = 1.0  # share of its colours; the rest is grey, to let stand out what is drawn over it
    over: Optional[Quantity] = None  # (h, w), stretched over the image
    alpha: Union[float, np.ndarray] = 1.0  # opacity of ``over``, one or (h, w)
    dots: Optional[np.ndarray] = None  # (K, 2) column and row in pixels; the later are drawn over the earlier
    dots_shown: Optional[Quantity] = None  # (K,); red without


@dataclass(frozen=True)
class Against:
    """How many points have which values of two quantities; a line shows where they are equal."""

    title: str
    x: np.ndarray  # (N,)
    y: np.ndarray  # (N,)
    x_label: str
    y_label: str
    top: float  # where both axes, which begin at zero, end


@dataclass(frozen=True)
class Block:
    """Panels of one size in rows; those with the same colours share a colour bar."""

    panels: Sequence[Union[Points, Image, Against]]
    columns: int = 1
    size: Tuple[float, float] = (4.6, 5.0)  # width and height of a panel, inches
    heading: str = ''


@dataclass(frozen=True)
class Picture:
    """One figure: blocks from left to right."""

    title: str
    blocks: Sequence[Block]


def top_of(values: np.ndarray) -> float:
    """Upper end of a scale of colours: the 98th percentile of what is finite, never zero."""
    finite = values[np.isfinite(values)]
    return max(float(np.percentile(finite, 98)), 1e-6) if len(finite) else 1.0


def title_of(meta: dict, *notes: str) -> str:
    """The file of a sample's sweep, and what else there is to say."""
    return '; '.join(filter(None, [str(meta.get('lidar_path', '')).rsplit('/', 1)[-1], *notes]))


def photos(views: Optional[CameraViews], meta: dict) -> List[Image]:
    """The images of one sample under the names of their cameras, none without ``views``."""
    rgb = [] if views is None else views.rgb.permute(0, 2, 3, 1).clamp(0, 1).cpu().numpy()
    names = meta.get('cam_names') or [f'camera {index}' for index in range(len(rgb))]
    return [Image(name, image) for name, image in zip(names, rgb)]
