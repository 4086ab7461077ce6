"""Moves everything that moves: vehicles follow their lane, the vehicle ahead and the signals; walkers walk."""

from __future__ import annotations

import numpy as np

from .actors import SWEEP_DT, Actor, footprint
from .layout import Layout
from .noise import lattice
from .routes import STEP

LATERAL_ACCELERATION = 2.2  # m/s^2 in bends
COMFORT_BRAKE, HARD_BRAKE, ACCELERATION = 2.0, 7.0, 1.8
LOOK_AHEAD = np.arange(1.0, 36.0, 1.5)
PERIOD = 26.0
DECISION_STEPS = 2


class Signals:
    """Traffic lights: each crossing lets one axis go at a time. Crossings on the ego's way may be held green."""

    def __init__(self, salt: int) -> None:
        self._salt = salt
        self._held: dict[tuple[float, float], int] = {}

    def hold(self, crossing: tuple[float, float], axis: int) -> None:
        """Keep ``axis`` green at this crossing (the first call counts)."""
        self._held.setdefault(crossing, axis)

    def green(self, crossing: tuple[float, float], axis: int, time: float) -> bool:
        if crossing in self._held:
            return self._held[crossing] == axis
        offset = float(lattice(np.array([int(crossing[0])]), np.array([int(crossing[1])]), self._salt)[0]) * PERIOD
        phase = ((time + offset) % PERIOD) / PERIOD
        return 0.04 < phase < 0.46 if axis == 0 else 0.54 < phase < 0.96


def speed_limits(actor: Actor) -> np.ndarray:
    """(len(route.arc),) speed the bends allow, with early enough braking before them."""
    assert actor.route is not None
    limit = np.minimum(actor.speed, np.sqrt(LATERAL_ACCELERATION / np.maximum(actor.route.curvature, 1e-4)))
    for i in range(len(limit) - 2, -1, -1):
        limit[i] = min(limit[i], np.sqrt(limit[i + 1] ** 2 + 2 * COMFORT_BRAKE * STEP))
    return limit


def simulate(layout: Layout, actors: list[Actor], signals: Signals, steps: int) -> None:
    """Fill ``xy``, ``yaw`` and ``z`` of every moving actor for ``steps`` sweeps, in place.

    Drivers decide every ``DECISION_STEPS`` sweeps and keep their acceleration in between.
    """
    movers = [a for a in actors if not a.still]
    arcs = np.zeros((steps, len(movers)))
    for i, a in enumerate(movers):
        if a.walks:
            arcs[:, i] = a.start + a.speed * SWEEP_DT * np.arange(steps)
    drivers = [i for i, a in enumerate(movers) if not a.walks and a.leader is None]
    towed = [(i, movers.index(a.leader)) for i, a in enumerate(movers) if a.leader is not None]
    arc = np.array([a.start for a in movers])
    limits = {i: speed_limits(movers[i]) for i in drivers}
    speed = np.array([limits[i][_cell(a, a.start)] if i in limits else a.speed for i, a in enumerate(movers)])
    acceleration = np.zeros(len(movers))
    for step in range(steps):
        arcs[step, drivers] = arc[drivers]
        for i, leader in towed:
            arcs[step, i], speed[i] = arcs[step, leader] - movers[i].tow, speed[leader]
        if step % DECISION_STEPS == 0:
            acceleration = _decide(movers, arcs[step], speed, limits, dict(towed), signals, step * SWEEP_DT)
        speed[drivers] = np.maximum(speed[drivers] + acceleration[drivers] * SWEEP_DT, 0.0)
        arc += speed * SWEEP_DT
    for i, a in enumerate(movers):
        a.xy, a.yaw = a.route.pose(arcs[:, i], a.half_base)
        a.z = layout.height(a.xy[:, 0], a.xy[:, 1]) if a.walks else np.zeros(steps)


def _cell(actor: Actor, arc: float) -> int:
    return int(np.clip(arc / STEP, 0, len(actor.route.arc) - 1))


def _decide(
    movers: list[Actor],
    arc: np.ndarray,
    speed: np.ndarray,
    limits: dict[int, np.ndarray],
    towed: dict[int, int],
    signals: Signals,
    time: float,
) -> np.ndarray:
    """Accelerations (m/s^2) of the drivers (those with ``limits``) by the intelligent-driver model; 0 for the rest."""
    poses = [a.route.pose(s, a.half_base) for a, s in zip(movers, arc)]
    xy, yaw = np.stack([p[0] for p in poses]), np.array([p[1] for p in poses])
    discs = [footprint(p, angle, a.size[0], a.size[1]) for a, p, angle in zip(movers, xy, yaw)]
    centres = np.concatenate([d[0] for d in discs])
    owner = np.repeat(np.arange(len(movers)), [len(d[0]) for d in discs])
    radius = np.repeat([d[1] for d in discs], [len(d[0]) for d in discs])
    heading = np.stack([np.cos(yaw), np.sin(yaw)], axis=1)
    pulled_by = np.array([towed.get(int(o), -1) for o in owner])
    result = np.zeros(len(movers))
    for i, limit in limits.items():
        a, half = movers[i], movers[i].size[0] / 2
        gap, lead = np.inf, 0.0
        close = np.flatnonzero((np.abs(centres - xy[i]).max(axis=1) < 45) & (owner != i) & (pulled_by != i))
        if len(close):
            path = a.route.at(arc[i] + half + LOOK_AHEAD)
            depth = a.size[1] / 2 + radius[close] + 0.05 - np.linalg.norm(path[:, None] - centres[close][None], axis=-1)
            hit = depth > 0
            if hit.any():
                first = int(np.argmax(hit.any(axis=1)))
                other = int(owner[close][np.argmax(hit[first])])
                entered = min(float(depth[first].max()), LOOK_AHEAD[1] - LOOK_AHEAD[0])
                gap, lead = LOOK_AHEAD[first] - entered, max(float(heading[i] @ heading[other]) * speed[other], 0.0)
        for stop in a.route.stops:
            room = stop.arc_m - (arc[i] + half)
            can_stop = room > speed[i] ** 2 / 9
            if 0 < room < gap and can_stop and not signals.green(stop.crossing, stop.axis, time):
                gap, lead = room, 0.0
        wanted = max(limit[_cell(a, arc[i])], 1e-3)
        closing = speed[i] * (speed[i] - lead) / (2 * np.sqrt(ACCELERATION * COMFORT_BRAKE))
        follow = 2.0 + max(speed[i] * 1.1 + closing, 0.0)
        wish = ACCELERATION * (1 - (speed[i] / wanted) ** 4 - (follow / max(gap, 0.1)) ** 2)
        result[i] = np.clip(wish, -HARD_BRAKE, ACCELERATION)
    return result


def remove_collisions(actors: list[Actor], steps: int, stride: int = 5) -> list[Actor]:
    """Drop moving actors that ever run into something: of two that move, the later one in the list."""
    dropped: set[int] = set()
    order = {id(a): i for i, a in enumerate(actors)}
    for step in range(0, steps, stride):
        alive = [a for a in actors if order[id(a)] not in dropped]
        discs = [a.discs(step) for a in alive]
        centres = np.concatenate([d[0] for d in discs])
        radius = np.repeat([d[1] for d in discs], [len(d[0]) for d in discs])
        owner = np.repeat(np.arange(len(alive)), [len(d[0]) for d in discs])
        for i, a in enumerate(alive):
            if a.still:
                continue
            mine = owner == i
            near = ~mine & (np.abs(centres - a.xy[step]).max(axis=1) < 16)
            apart = np.linalg.norm(centres[mine][:, None] - centres[near][None], axis=-1)
            touching = apart < radius[mine][:, None] + radius[near][None] - 0.02
            for j in np.unique(owner[near][touching.any(axis=0)]):
                b = alive[j]
                if b.leader is a or a.leader is b:
                    continue
                loser = a if b.still or order[id(a)] > order[id(b)] else b
                dropped.add(order[id(loser)])
                if loser.leader is not None:
                    dropped.add(order[id(loser.leader)])
    gone = {id(actors[i]) for i in dropped}
    return [a for a in actors if id(a) not in gone and (a.leader is None or id(a.leader) not in gone)]
