"""Paths through the street grid: lanes, turns at crossings, pavements."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .layout import CORNER_RADIUS, Block, Layout, Road

STEP = 0.25
STOP_LINE = CORNER_RADIUS + 3.6  # distance of a waiting front bumper from the crossing's edge
TURN_LEAD = 4.0  # a turn begins and ends this far from the crossing road's kerb line


@dataclass(frozen=True)
class Place:
    """A spot on a lane: road, driving direction (+1 / -1 along its axis), lane and coordinate along the axis."""

    road: Road
    direction: int
    lane: int
    along: float

    @property
    def heading(self) -> np.ndarray:
        """(2,) unit vector of travel."""
        return np.array([self.direction, 0.0] if self.road.axis == 0 else [0.0, self.direction])

    @property
    def right(self) -> np.ndarray:
        """(2,) unit vector to the right of travel."""
        return np.array([self.heading[1], -self.heading[0]])

    def point(self, along: float | None = None, to_right: float = 0.0) -> np.ndarray:
        """(2,) position at ``along``, ``to_right`` metres right of the lane's centre."""
        along = self.along if along is None else along
        base = np.array([along, self.road.centre] if self.road.axis == 0 else [self.road.centre, along])
        return base + self.right * (self.road.lane_offset(self.lane) + to_right)


@dataclass(frozen=True)
class StopLine:
    """Where a route meets a signalled crossing."""

    arc_m: float
    crossing: tuple[float, float]
    axis: int


class Route:
    """A smooth path with arc length, sampled every ``STEP`` metres.

    Args:
        points: (N, 2) corner points of a polyline, metres.
        stops: crossings on the way.
        straight: (N,) whether a corner point lies on a straight stretch away from crossings.
    """

    def __init__(self, points: np.ndarray, stops: list[StopLine] | None = None) -> None:
        keep = np.r_[True, np.linalg.norm(np.diff(points, axis=0), axis=1) > 1e-6]
        points = points[keep]
        arc = np.r_[0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))]
        self.length = float(arc[-1])
        self.arc = np.arange(0, self.length, STEP)
        self.points = np.stack([np.interp(self.arc, arc, points[:, k]) for k in (0, 1)], axis=1)
        self.stops = stops or []
        tangent = np.gradient(self.points, STEP, axis=0)
        angle = np.unwrap(np.arctan2(tangent[:, 1], tangent[:, 0]))
        kernel = np.ones(9) / 9
        self.curvature = np.abs(np.convolve(np.pad(np.gradient(angle, STEP), 4, mode='edge'), kernel, mode='valid'))

    def at(self, s: float | np.ndarray) -> np.ndarray:
        """(..., 2) position at arc length ``s``; extrapolated straight beyond both ends."""
        cell = np.asarray(s, dtype=float) / STEP
        low = np.clip(cell.astype(np.int64), 0, len(self.points) - 2)
        first = self.points[low]
        return first + (cell - low)[..., None] * (self.points[low + 1] - first)

    def pose(self, s: np.ndarray, half_base: float) -> tuple[np.ndarray, np.ndarray]:
        """Centre (..., 2) and yaw (...) of a body whose axles run ``half_base`` before and behind ``s`` on the path."""
        front, back = self.at(np.asarray(s) + half_base), self.at(np.asarray(s) - half_base)
        ahead = front - back
        return (front + back) / 2, np.arctan2(ahead[..., 1], ahead[..., 0])


def crossings_ahead(layout: Layout, place: Place, after: float) -> list[Road]:
    """Roads that ``place.road`` will still cross beyond ``after``, nearest first."""
    others = [r for r in layout.along(1 - place.road.axis) if (r.centre - after) * place.direction > 0]
    return sorted(others, key=lambda r: r.centre * place.direction)


def _turned(place: Place, other: Road, left: bool) -> Place:
    heading = place.heading
    new = np.array([-heading[1], heading[0]]) if left else np.array([heading[1], -heading[0]])
    direction = int(round(new[1] if other.axis == 1 else new[0]))
    return Place(other, direction, 0 if left else other.lanes - 1, 0.0)


def _arc(place: Place, turned: Place, other: Road, to_right: float) -> tuple[np.ndarray, Place, float]:
    """Points of the turn from ``place.road`` into ``turned.road``, the place after it, and where it begins."""
    start_along = other.centre - place.direction * (other.half_width + TURN_LEAD)
    end_along = place.road.centre + turned.direction * (place.road.half_width + TURN_LEAD)
    start, end = place.point(start_along, to_right), turned.point(end_along, to_right)
    corner = start + place.heading * abs(float((end - start) @ place.heading))
    t = np.linspace(0, 1, 40)[:, None]
    # A cubic whose handles reach 55 % to the corner is within a few centimetres of a circle's arc.
    a, b = start + 0.55 * (corner - start), end + 0.55 * (corner - end)
    curve = (1 - t) ** 3 * start + 3 * (1 - t) ** 2 * t * a + 3 * (1 - t) * t**2 * b + t**3 * end
    return curve, Place(turned.road, turned.direction, turned.lane, end_along), start_along


def make_route(
    layout: Layout,
    rng: np.random.Generator,
    place: Place,
    length: float,
    turns: float = 0.5,
    to_right: float = 0.0,
    stay_inside: bool = False,
) -> Route:
    """Drive from ``place`` for ``length`` metres.

    Args:
        turns: probability of turning where the lane allows it.
        to_right: offset from the lane's centre (cyclists keep right).
        stay_inside: always turn before the last road of the grid (for the ego vehicle).
    """
    points, stops = [place.point(to_right=to_right)[None]], []
    driven, along = 0.0, place.along
    while driven < length:
        ahead = crossings_ahead(layout, place, along + place.direction * 12)
        if not ahead:
            end = (layout.size[0] if place.road.axis == 0 else layout.size[1]) if place.direction > 0 else 0.0
            points.append(place.point(end, to_right)[None])
            break
        other = ahead[0]
        stop_along = other.centre - place.direction * (other.half_width + STOP_LINE)
        crossing = (other.centre, place.road.centre) if place.road.axis == 0 else (place.road.centre, other.centre)
        if (stop_along - along) * place.direction > 0:
            stops.append(StopLine(driven + abs(stop_along - along), crossing, place.road.axis))
        left = _choose(layout, rng, place, other, len(ahead), turns, stay_inside)
        if left is None:
            beyond = other.centre + place.direction * (other.half_width + TURN_LEAD)
            points.append(place.point(beyond, to_right)[None])
            driven, along = driven + abs(beyond - along), beyond
            continue
        curve, after, begin = _arc(place, _turned(place, other, left), other, to_right)
        points += [place.point(begin, to_right)[None], curve]
        driven += abs(begin - along) + float(np.linalg.norm(np.diff(curve, axis=0), axis=1).sum())
        place, along = after, after.along
    return Route(np.concatenate(points), stops)


def _choose(
    layout: Layout, rng: np.random.Generator, place: Place, other: Road, left_over: int, turns: float, stay_inside: bool
) -> bool | None:
    """None: straight on; True: left; False: right."""
    forced = stay_inside and left_over == 1
    options = []
    for left in (True, False):
        turned = _turned(place, other, left)
        allowed = forced or place.lane == (0 if left else place.road.lanes - 1)
        if allowed and (not stay_inside or crossings_ahead(layout, turned, place.road.centre + turned.direction)):
            options.append(left)
    if not options or (not forced and rng.random() >= turns):
        return None
    return options[int(rng.integers(len(options)))]


def pavement_route(block: Block, rng: np.random.Generator, start: float, length: float) -> Route:
    """A walk around a block on its pavement, from the share ``start`` of the way round, either way."""
    outline = block.outline(inset=float(rng.uniform(1.0, block.pavement - 0.6)))
    if rng.random() < 0.5:
        outline = outline[::-1]
    loop = np.concatenate([outline, outline, outline[:1]])
    arc = np.r_[0, np.cumsum(np.linalg.norm(np.diff(loop, axis=0), axis=1))]
    begin = start * arc[len(outline)]
    s = np.arange(begin, min(begin + length, arc[-1] - 1e-3), 0.5)
    return Route(np.stack([np.interp(s, arc, loop[:, k]) for k in (0, 1)], axis=1))
