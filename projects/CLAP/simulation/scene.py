"""Builds one scene: street plan, scenery, actors and their motion, ready to be cast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import parked, population
from .actors import Actor
from .layout import Layout, make_layout
from .mesh import merge
from .noise import stream
from .placement import Site, scenery_of
from .raycast import BACKGROUND, StaticWorld, World
from .traffic import Signals, remove_collisions, simulate

SWEEPS_PER_KEYFRAME = 10
MOVING_RANGE = 125.0  # moving objects further from the ego than this (m, per axis) are not drawn


@dataclass
class Scene:
    """One simulated scene.

    Attributes:
        layout: the street plan.
        actors: annotated objects; the index is the object number of their faces.
        static: the still world, annotated still objects included.
        ego_xy, ego_yaw: (T, 2), (T,) pose of the ego frame (rear axle, on the ground) at every sweep.
        steps: number of sweeps T.
    """

    layout: Layout
    actors: list[Actor]
    static: StaticWorld
    ego_xy: np.ndarray
    ego_yaw: np.ndarray
    steps: int

    def world(self, step: int) -> World:
        """Everything in its pose at a sweep."""
        here = self.ego_xy[step]
        moving = [
            (i, a.posed(step))
            for i, a in enumerate(self.actors)
            if not a.still and np.abs(a.xy[step] - here).max() < MOVING_RANGE
        ]
        if not moving:
            return World(self.static, None, None)
        return World(
            self.static,
            merge([m for _, m in moving]),
            np.concatenate([np.full(len(m.faces), i, dtype=np.int32) for i, m in moving]),
        )

    def ego_pose(self, step: int) -> tuple[np.ndarray, float]:
        """Position (3,) and yaw of the ego frame in the world frame."""
        return np.array([*self.ego_xy[step], 0.0]), float(self.ego_yaw[step])


def build_scene(seed: int, name: str, keyframes: int) -> Scene:
    """The scene ``name`` of the world ``seed`` with ``keyframes`` samples at 2 Hz; depends on nothing else."""
    steps = (keyframes - 1) * SWEEPS_PER_KEYFRAME + 1
    seconds = steps * 0.05
    layout = make_layout(stream(seed, name, 'layout'))
    rng = stream(seed, name, 'ego')
    start = population.ego_start(layout, rng)
    ego = population.make_ego(layout, rng, start, seconds)
    site = Site(layout, ego.route)
    still, heaps = _still_objects(site, ego, stream(seed, name, 'still'), ego.speed * seconds)
    moving = population.companions(layout, stream(seed, name, 'companions'), start, seconds)
    moving += population.traffic(site, stream(seed, name, 'traffic'), start, seconds)
    moving += population.walkers(site, stream(seed, name, 'walkers'), seconds)
    moving += population.crossers(site, stream(seed, name, 'crossers'), ego.route, seconds)
    signals, rng = Signals(layout.salt), stream(seed, name, 'signals')
    for stop in ego.route.stops:
        if rng.random() < 0.7:
            signals.hold(stop.crossing, stop.axis)
    simulate(layout, [ego, *moving], signals, steps)
    actors = remove_collisions([ego, *still, *moving], steps)
    assert actors[0] is ego, 'the ego ran into something that stands still'
    actors = actors[1:]
    meshes = scenery_of(site, stream(seed, name, 'scenery')) + heaps
    objects = [np.full(len(m.faces), BACKGROUND) for m in meshes]
    for i, actor in enumerate(actors):
        if actor.still:
            mesh = actor.posed(0)
            meshes.append(mesh)
            objects.append(np.full(len(mesh.faces), i))
    static = StaticWorld(merge(meshes), np.concatenate(objects))
    back = np.stack([np.cos(ego.yaw), np.sin(ego.yaw)], axis=1) * population.EGO_REAR_AXLE
    return Scene(layout, actors, static, ego.xy - back, ego.yaw, steps)


def _still_objects(site: Site, ego: Actor, rng: np.random.Generator, driven: float) -> tuple[list[Actor], list]:
    """Work zones and bicycle racks along the ego's way, then parked vehicles and people around them."""
    arcs = parked.straight_arcs(site, ego.route, 10.0)
    arcs = arcs if len(arcs) else np.array([ego.route.length / 4])
    zone = _nearest(arcs, rng.uniform(9, 13 + 0.8 * driven))
    actors, heaps = parked.work_zone(site, ego.route, zone, rng)
    rack = _nearest(
        arcs[np.abs(arcs - zone) > 14] if (np.abs(arcs - zone) > 14).any() else arcs + 18,
        rng.uniform(4, 20 + 0.8 * driven),
    )
    actors += parked.bicycle_rack(site, ego.route, rack, rng)
    far = arcs[(np.abs(arcs - zone) > 60) & (np.abs(arcs - rack) > 14)]
    if len(far) and rng.random() < 0.5:
        more, mounds = parked.work_zone(site, ego.route, float(rng.choice(far)), rng)
        actors, heaps = actors + more, heaps + mounds
    actors += parked.kerb_parking(site, rng)
    for block in site.layout.blocks:
        if block.kind == 'lot':
            actors += parked.lot_parking(site, block, rng)
    return actors + parked.waiting_people(site, rng, 20), heaps


def _nearest(values: np.ndarray, wanted: float) -> float:
    return float(values[np.argmin(np.abs(values - wanted))])
