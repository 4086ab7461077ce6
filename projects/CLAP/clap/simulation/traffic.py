"""Moves everything that moves: vehicles follow their lane, the vehicle ahead and the signals; walkers walk."""
from __future__ import annotations

import numpy as np

from .actors import SWEEP_DT, Actor, footprint
from .layout import Layout
from .noise import lattice

LATERAL_ACCELERATION = 2.2  # m/s^2 in bends
COMFORT_BRAKE, HARD_BRAKE, ACCELERATION = 2.0, 7.0, 1.8
LOOK_AHEAD = np.arange(1.0, 36.0, 1.5)
PERIOD = 26.0


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
    step = actor.route.arc[1] - actor.route.arc[0]
    for i in range(len(limit) - 2, -1, -1):
        limit[i] = min(limit[i], np.sqrt(limit[i + 1] ** 2 + 2 * COMFORT_BRAKE * step))
    return limit


def simulate(layout: Layout, actors: list[Actor], signals: Signals, steps: int) -> None:
    """Fill ``xy``, ``yaw`` and ``z`` of every moving actor for ``steps`` sweeps, in place."""
    movers = [a for a in actors if not a.still]
    arc = np.array([a.start for a in movers])
    limits = [None if a.walks else speed_limits(a) for a in movers]
    speed = np.array([a.speed if lim is None else lim[_cell(a, s)] for a, lim, s in zip(movers, limits, arc)])
    for a in movers:
        a.xy, a.yaw, a.z = np.zeros((steps, 2)), np.zeros(steps), np.zeros(steps)
    for step in range(steps):
        for i, a in enumerate(movers):
            if a.leader is not None:
                arc[i] = arc[movers.index(a.leader)] - a.tow
                speed[i] = speed[movers.index(a.leader)]
            a.xy[step], a.yaw[step] = a.route.pose(arc[i], a.half_base)
        acceleration = _accelerations(movers, arc, speed, limits, signals, step)
        speed = np.maximum(speed + acceleration * SWEEP_DT, 0.0)
        arc = arc + speed * SWEEP_DT
    for a in movers:
        if a.walks:
            a.z = layout.height(a.xy[:, 0], a.xy[:, 1])


def _cell(actor: Actor, arc: float) -> int:
    return int(np.clip(arc / (actor.route.arc[1] - actor.route.arc[0]), 0, len(actor.route.arc) - 1))


def _accelerations(movers: list[Actor], arc: np.ndarray, speed: np.ndarray, limits: list, signals: Signals,
                   step: int) -> np.ndarray:
    """Intelligent-driver accelerations (m/s^2); walkers and towed vehicles get 0."""
    discs = [footprint(a.xy[step], a.yaw[step], a.size[0], a.size[1]) for a in movers]
    centres = np.concatenate([d[0] for d in discs])
    owner = np.repeat(np.arange(len(movers)), [len(d[0]) for d in discs])
    radius = np.repeat([d[1] for d in discs], [len(d[0]) for d in discs])
    heading = np.stack([np.cos([a.yaw[step] for a in movers]), np.sin([a.yaw[step] for a in movers])], axis=1)
    result = np.zeros(len(movers))
    for i, a in enumerate(movers):
        if a.walks or a.leader is not None:
            continue
        half = a.size[0] / 2
        gap, lead = np.inf, 0.0
        close = (np.abs(centres - a.xy[step]).max(axis=1) < 45) & (owner != i)
        close &= np.array([movers[o].leader is not a for o in owner])
        if close.any():
            path = a.route.at(arc[i] + half + LOOK_AHEAD)
            apart = np.linalg.norm(path[:, None] - centres[close][None], axis=-1)
            hit = apart < a.size[1] / 2 + radius[close] + 0.05
            if hit.any():
                first = int(np.argmax(hit.any(axis=1)))
                other = int(owner[close][np.argmax(hit[first])])
                gap, lead = LOOK_AHEAD[first], max(float(heading[i] @ heading[other]) * speed[other], 0.0)
        for stop in a.route.stops:
            room = stop.arc_m - (arc[i] + half)
            if 0 < room < gap and room > speed[i] ** 2 / 9 and not signals.green(stop.crossing, stop.axis, step * SWEEP_DT):
                gap, lead = max(room, 0.1), 0.0
        wanted = max(limits[i][_cell(a, arc[i])], 0.3)
        closing = speed[i] * (speed[i] - lead) / (2 * np.sqrt(ACCELERATION * COMFORT_BRAKE))
        follow = 2.0 + max(speed[i] * 1.1 + closing, 0.0)
        result[i] = ACCELERATION * (1 - (speed[i] / wanted) ** 4 - (follow / max(gap, 0.2)) ** 2)
        result[i] = np.clip(result[i], -HARD_BRAKE, ACCELERATION)
    return result


def remove_collisions(actors: list[Actor], keep: Actor, steps: int, stride: int = 5) -> list[Actor]:
    """Drop moving actors that ever run into something; ``keep`` (the ego) never goes, what hits it does."""
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
                loser = b if a is keep else a
                dropped.add(order[id(loser)])
                if loser.leader is not None:
                    dropped.add(order[id(loser.leader)])
    gone = {id(actors[i]) for i in dropped}
    return [a for a in actors if id(a) not in gone and (a.leader is None or id(a.leader) not in gone)]
