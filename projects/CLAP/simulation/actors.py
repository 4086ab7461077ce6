"""Annotated objects, moving or not: shape, box, pose over time, category and attribute."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .mesh import Mesh, yaw_matrix
from .routes import Route

SWEEP_DT = 0.05  # seconds between LiDAR sweeps; one step of the simulation
BOX_MARGIN = 0.03  # boxes are drawn this much wider and higher than the shape, as an annotator does
MOVING_SPEED = 0.3


@dataclass(eq=False)  # compared by identity
class Actor:
    """One annotated object.

    Attributes:
        category: nuScenes category name.
        phases: the shape; several meshes are the phases of a walk. Object frame: x forward, z up, origin on the ground.
        route: path of a moving object, None for one that stands still.
        start: arc length on the route at time 0 (m).
        speed: speed it likes to go (m/s).
        leader: the vehicle that tows this one, ``tow`` metres ahead on the same route.
        rider: for two-wheelers, whether somebody sits on it.
        xy, yaw: (T, 2), (T,) pose at every sweep; T = 1 for objects that stand still.
    """

    category: str
    phases: list[Mesh]
    route: Route | None = None
    start: float = 0.0
    speed: float = 0.0
    leader: Actor | None = None
    tow: float = 0.0
    rider: bool = False
    xy: np.ndarray = field(default_factory=lambda: np.zeros((1, 2)))
    yaw: np.ndarray = field(default_factory=lambda: np.zeros(1))
    z: np.ndarray = field(default_factory=lambda: np.zeros(1))

    def __post_init__(self) -> None:
        bounds = np.stack([m.bounds for m in self.phases])
        low, high = bounds[:, 0].min(axis=0), bounds[:, 1].max(axis=0)
        low[:2] -= BOX_MARGIN
        high += BOX_MARGIN
        low[2] = min(low[2], 0.0)
        self.size = high - low  # length, width, height
        self.box_centre = (low + high) / 2  # object frame

    @property
    def still(self) -> bool:
        """Whether it never moves."""
        return self.route is None

    @property
    def walks(self) -> bool:
        return self.category.startswith('human.')

    @property
    def half_base(self) -> float:
        """Half the distance between the points of the route that give its heading."""
        return float(np.clip(self.size[0] * 0.3, 0.25, 3.5))

    def index(self, step: int) -> int:
        return 0 if self.still else step

    def pose(self, step: int) -> tuple[np.ndarray, float]:
        """Origin (3,) and yaw at a sweep."""
        k = self.index(step)
        return np.array([*self.xy[k], self.z[k]]), float(self.yaw[k])

    def box(self, step: int) -> tuple[np.ndarray, float]:
        """Centre (3,) and yaw of its box at a sweep."""
        origin, yaw = self.pose(step)
        return origin + yaw_matrix(yaw) @ self.box_centre, yaw

    def posed(self, step: int) -> Mesh:
        """Its mesh at a sweep; walkers change phase every quarter of a double step (1.4 m)."""
        origin, yaw = self.pose(step)
        phase = 0
        if len(self.phases) > 1 and not self.still:
            walked = np.linalg.norm(np.diff(self.xy[: self.index(step) + 1], axis=0), axis=1).sum() + self.start
            phase = int(walked / 0.35) % len(self.phases)
        return self.phases[phase].moved(origin, yaw)

    def speed_at(self, step: int) -> float:
        """Speed over the neighbouring sweeps (m/s)."""
        if self.still or len(self.xy) < 2:
            return 0.0
        low, high = max(step - 1, 0), min(step + 1, len(self.xy) - 1)
        return float(np.linalg.norm(self.xy[high] - self.xy[low]) / ((high - low) * SWEEP_DT))

    def attribute(self, step: int) -> str:
        """nuScenes attribute name, '' where the category has none."""
        if self.category.startswith('movable_object.'):
            return ''
        moving = self.speed_at(step) > MOVING_SPEED
        if self.walks:
            return 'pedestrian.moving' if moving else 'pedestrian.standing'
        if self.category in ('vehicle.bicycle', 'vehicle.motorcycle'):
            return 'cycle.with_rider' if self.rider else 'cycle.without_rider'
        if moving:
            return 'vehicle.moving'
        return 'vehicle.parked' if self.still else 'vehicle.stopped'

    def discs(self, step: int) -> tuple[np.ndarray, float]:
        """Its footprint as discs along its length: centres (D, 2) and their radius."""
        origin, yaw = self.box(step)
        return footprint(origin[:2], yaw, self.size[0], self.size[1])


def footprint(xy: np.ndarray, yaw: float, length: float, width: float) -> tuple[np.ndarray, float]:
    """Discs that cover a rectangle's middle line: centres (D, 2) and radius (half the shorter side)."""
    if width > length:
        length, width, yaw = width, length, yaw + np.pi / 2
    count = max(int(np.ceil(length / width)), 1)
    along = np.linspace(-1, 1, count) * (length - width) / 2 if count > 1 else np.zeros(1)
    return xy + along[:, None] * np.array([np.cos(yaw), np.sin(yaw)]), float(width / 2)


def standing(
    category: str, mesh: Mesh | list[Mesh], xy: np.ndarray, yaw: float, z: float, rider: bool = False
) -> Actor:
    """An object that stands still for the whole scene."""
    phases = mesh if isinstance(mesh, list) else [mesh]
    return Actor(
        category,
        phases[:1],
        xy=np.asarray(xy, dtype=float).reshape(1, 2),
        yaw=np.array([yaw]),
        z=np.array([z]),
        rider=rider,
    )
