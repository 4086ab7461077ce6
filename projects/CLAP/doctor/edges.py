"""Do edges of the points lie on edges of the images? They do with the right calibration and with hardly any other.

Where a near surface ends, the range jumps from one direction to the next; in the image there is an edge. The share of
edge under those points is compared with the same points moved sideways (a moved pattern meets the same kind of image:
road below, horizon in the middle), and with the same points under other matrices.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, List, Tuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

WIDTH = 480  # columns that images are reduced to
STEP, REACH = 8, 72  # pixels of the reduced image
SHIFTS = np.arange(-REACH, REACH + 1, STEP)
MAX_QUERIES, MAX_EDGES = 40000, 12000
MIN_POINTS = 150  # edge points in an image; fewer say nothing
_HERE = int(np.nonzero(SHIFTS == 0)[0][0])


@dataclass
class Agreement:
    """Edge strength (0..1, rank among the image's pixels) under the edge points, moved sideways by ``SHIFTS``; sums.

    Attributes:
        strength, count: (S,) sums over frames of the strength, and number of points, for each shift.
    """

    strength: Array = field(default_factory=lambda: np.zeros(len(SHIFTS)))
    count: Array = field(default_factory=lambda: np.zeros(len(SHIFTS)))

    @property
    def points(self) -> int:
        """Points in the images when nothing is moved."""
        return int(self.count[_HERE])

    @property
    def profile(self) -> Array:
        """(S,) mean strength for each shift."""
        mean: Array = self.strength / np.maximum(self.count, 1)
        return mean

    @property
    def here(self) -> float:
        """Mean strength where the calibration puts the points."""
        return float(self.profile[_HERE])

    @property
    def gain(self) -> float:
        """What that is above the mean of the moved points."""
        return self.here - float(self.profile[np.abs(SHIFTS) > STEP].mean())

    @property
    def certainty(self) -> float:
        """``gain`` in standard deviations of the moved points."""
        return self.gain / (float(self.profile[np.abs(SHIFTS) > STEP].std()) + 1e-3)

    @property
    def better_shift(self) -> int:
        """Columns (of ``WIDTH``) by which the points would have to move to meet clearly more edges; mostly 0."""
        profile, best = self.profile, int(self.profile.argmax())
        others = profile[np.abs(SHIFTS - SHIFTS[best]) > STEP]
        clear = profile[best] - others.mean() > 3.5 * (others.std() + 1e-3) and profile[best] > self.here + 0.03
        return int(SHIFTS[best]) if clear and abs(SHIFTS[best]) > STEP and self.count.min() >= MIN_POINTS else 0

    def beats(self, other: Agreement, strongly: bool = False) -> bool:
        """Whether these matrices fit the images better than ``other``'s, beyond doubt if ``strongly``."""
        step, certain = (0.05, 3.0) if strongly else (0.02, 2.0)
        return (
            self.points >= MIN_POINTS
            and self.certainty >= certain
            and other.certainty < 2.5
            and self.here >= max(other.here + step, other.profile.max())
            and self.gain >= other.gain + 0.8 * step
        )


def edge_points(points: Array) -> Array:
    """Points (K, 3) of a sweep (N, >=3) at the rim of something nearer than what is beside it, LiDAR frame, metres."""
    from projects.CLAP.clap.neighbours import neighbour_indices

    rng = np.random.default_rng(0)
    distance = np.linalg.norm(points[:, :3], axis=1)
    near = (distance > 2.0) & (distance < 50.0)
    points, distance = points[near, :3].astype(np.float64), distance[near]
    if len(points) < 9:
        return points[:0]
    direction = points / distance[:, None]
    asked = np.arange(len(points))
    if len(asked) > MAX_QUERIES:
        asked = rng.choice(asked, MAX_QUERIES, replace=False)
    beside = neighbour_indices(direction, 9, direction[asked])
    jump = distance[beside].max(axis=1) - distance[asked]
    rim: Array = points[asked[jump > np.maximum(1.0, 0.1 * distance[asked])]]
    return rim if len(rim) <= MAX_EDGES else rim[rng.choice(len(rim), MAX_EDGES, replace=False)]


def edge_map(image: Any) -> Array:
    """Edge strength of a PIL image, reduced to ``WIDTH`` columns, as a rank in 0..1."""
    from scipy.ndimage import gaussian_filter, sobel

    scale = WIDTH / image.width
    grey = np.asarray(image.convert('L').resize((WIDTH, max(1, round(image.height * scale)))), dtype=np.float32)
    grey = gaussian_filter(grey, 1.0)
    strength = np.hypot(sobel(grey, 0), sobel(grey, 1))
    sample = np.sort(strength.ravel()[::16])
    ranked: Array = gaussian_filter(np.searchsorted(sample, strength) / len(sample), 1.0)
    return ranked


def agreement(rim: Array, edges: Array, scale: float, cam2img: Array, lidar2cam: Array) -> Agreement:
    """Edge strength under ``rim`` (K, 3) as the matrices project it.

    ``edges`` are of :func:`edge_map`, ``scale`` is ``WIDTH`` over the width of the image as stored.
    """
    found = Agreement()
    camera = rim @ lidar2cam[:3, :3].T + lidar2cam[:3, 3]
    camera = camera[camera[:, 2] > 1.0]
    pixels = (camera @ cam2img[:3, :3].T)[:, :2] / np.maximum(camera[:, 2:], 1e-6) * scale
    rows = np.floor(np.clip(pixels[:, 1], -1, edges.shape[0])).astype(int)
    columns = np.floor(np.clip(pixels[:, 0], -2 * WIDTH, 3 * WIDTH)).astype(int)
    columns, rows = columns[(rows >= 0) & (rows < edges.shape[0])], rows[(rows >= 0) & (rows < edges.shape[0])]
    for index, shift in enumerate(SHIFTS):
        inside = (columns + shift >= 0) & (columns + shift < edges.shape[1])
        found.strength[index] = edges[rows[inside], columns[inside] + shift].sum()
        found.count[index] = inside.sum()
    return found


def add(total: Dict[str, Agreement], name: str, part: Agreement) -> None:
    """Sum over frames."""
    held = total.setdefault(name, Agreement())
    held.strength += part.strength
    held.count += part.count


def together(parts: Iterable[Agreement]) -> Agreement:
    """The sum over cameras."""
    total: Dict[str, Agreement] = {'': Agreement()}
    for part in parts:
        add(total, '', part)
    return total['']


def best_of(found: Dict[str, Agreement], given: str, names: List[str]) -> Tuple[str, bool]:
    """The name whose matrices beat the given ones ('' if none), and whether they do beyond doubt."""
    better = [name for name in names if name in found and found[name].beats(found[given])]
    if not better:
        return '', False
    best = max(better, key=lambda name: found[name].here + found[name].gain)
    return best, found[best].beats(found[given], strongly=True)
