"""Puts moving vehicles and walkers on the roads and pavements around the ego's route."""

from __future__ import annotations

import numpy as np

from . import people, vehicles
from .actors import Actor
from .layout import CORNER_RADIUS, Layout
from .mesh import Mesh, box
from .placement import Site
from .routes import Place, Route, make_route, pavement_route

EGO_SIZE = (4.08, 1.73, 1.56)
EGO_REAR_AXLE = 1.0  # the ego frame's origin lies this far behind the middle of the car (m)
CYCLIST_OFFSET = 1.05


def ego_start(layout: Layout, rng: np.random.Generator) -> Place:
    """A spot on a lane in the middle of the grid with some way to go before the next crossing."""
    axis = int(rng.integers(2))
    road = layout.along(axis)[int(rng.integers(1, 3))]
    direction, lane = int(rng.choice([-1, 1])), int(rng.integers(road.lanes))
    crossings = layout.along(1 - axis)
    behind = crossings[1] if direction > 0 else crossings[2]
    along = behind.centre + direction * (behind.half_width + CORNER_RADIUS + rng.uniform(6, 18))
    return Place(road, direction, lane, float(along))


def make_ego(layout: Layout, rng: np.random.Generator, start: Place, seconds: float) -> Actor:
    """The measuring car as an actor that drives like the others but is neither drawn nor annotated."""
    speed = float(rng.uniform(6.0, 10.5))
    route = make_route(layout, rng, start, speed * seconds + 80, turns=0.45, stay_inside=True)
    length, width, height = EGO_SIZE
    shape = box((-length / 2, -width / 2, 0.1), (length / 2, width / 2, height), 'paint', (0.9, 0.9, 0.9))
    return Actor('ego', [shape], route=route, start=0.0, speed=speed)


def _vehicle(rng: np.random.Generator, kind: str) -> tuple[str, Mesh, tuple[float, float], bool]:
    """Category, shape, range of speeds and rider flag."""
    make = {
        'car': ('vehicle.car', vehicles.car, (6.5, 12.5), False),
        'truck': ('vehicle.truck', vehicles.truck, (6, 10), False),
        'bus': ('vehicle.bus.rigid', vehicles.bus, (5.5, 9), False),
        'tractor': ('vehicle.truck', vehicles.tractor, (5.5, 9), False),
        'motorcycle': ('vehicle.motorcycle', lambda r: people.motorcycle(r, True), (7, 12), True),
        'bicycle': ('vehicle.bicycle', lambda r: people.bicycle(r, True), (3.2, 6), True),
        'machine': ('vehicle.construction', vehicles.construction_vehicle, (2, 4), False),
    }
    category, build, speeds, rider = make[kind]
    return category, build(rng), speeds, rider


def drive(layout: Layout, rng: np.random.Generator, place: Place, kind: str, reach: float) -> list[Actor]:
    """One vehicle (an articulated lorry is two) that starts at ``place``."""
    category, shape, speeds, rider = _vehicle(rng, kind)
    large = kind in ('bus', 'tractor', 'truck')
    offset = 0.0
    if kind == 'bicycle':
        place = Place(place.road, place.direction, place.road.lanes - 1, place.along)
        offset = CYCLIST_OFFSET
    lead_in = 12.0  # so that a trailer's route exists behind its tractor
    back = Place(place.road, place.direction, place.lane, place.along - place.direction * lead_in)
    route = make_route(layout, rng, back, reach + lead_in, turns=0.15 if large else 0.35, to_right=offset)
    actor = Actor(category, [shape], route=route, start=lead_in, speed=float(rng.uniform(*speeds)), rider=rider)
    if kind != 'tractor':
        return [actor]
    load = vehicles.trailer(rng)
    towed = Actor('vehicle.trailer', [load], route=route, leader=actor)
    towed.tow = towed.size[0] / 2 - 0.35
    towed.start = actor.start - towed.tow
    return [actor, towed]


def companions(layout: Layout, rng: np.random.Generator, start: Place, seconds: float) -> list[Actor]:
    """Vehicles around the ego's start so that every moving class is met in every scene."""
    actors: list[Actor] = []
    oncoming = [str(k) for k in rng.permutation(['bus', 'tractor'])]
    oncoming += [str(k) for k in rng.permutation(['motorcycle', 'bicycle', 'car'])]
    ahead = rng.uniform(10, 18)
    for kind in oncoming:
        spot = start.along + start.direction * ahead
        lane = int(rng.integers(start.road.lanes))
        actors += drive(layout, rng, Place(start.road, -start.direction, lane, spot), kind, 13 * seconds + 60)
        ahead += {'bus': 17, 'tractor': 25, 'bicycle': 7}.get(kind, 9) + rng.uniform(0, 5)
    gap = rng.uniform(16, 45)
    for kind, probability in zip(rng.permutation(['truck', 'car', 'bicycle']), (0.8, 0.6, 0.3)):
        if rng.random() < probability:
            spot = start.along + start.direction * gap
            actors += drive(
                layout, rng, Place(start.road, start.direction, start.lane, spot), str(kind), 13 * seconds + 60
            )
            gap += rng.uniform(16, 24)
    behind = Place(start.road, start.direction, start.lane, start.along - start.direction * rng.uniform(13, 22))
    return actors + drive(layout, rng, behind, 'car', 13 * seconds + 60)


def traffic(site: Site, rng: np.random.Generator, start: Place, seconds: float, reach: float = 85.0) -> list[Actor]:
    """Vehicles on all lanes near the route, except around the ego's start (``companions``)."""
    actors: list[Actor] = []
    kinds = ['car', 'truck', 'bus', 'tractor', 'motorcycle', 'bicycle', 'machine']
    for road in site.layout.roads:
        length = site.layout.size[0] if road.axis == 0 else site.layout.size[1]
        for direction in (-1, 1):
            for lane in range(road.lanes):
                at = rng.uniform(4, 40)
                while at < length - 4:
                    place = Place(road, direction, lane, float(at))
                    own = road is start.road and abs(at - start.along) < 85
                    if not own and site.near(*place.point(), reach):
                        kind = str(rng.choice(kinds, p=[0.74, 0.07, 0.04, 0.04, 0.05, 0.055, 0.005]))
                        actors += drive(site.layout, rng, place, kind, 13 * seconds + 30)
                    at += rng.uniform(13, 42)
    return actors


def walkers(site: Site, rng: np.random.Generator, seconds: float, reach: float = 60.0) -> list[Actor]:
    """People who walk on the pavements of the blocks along the route."""
    actors = []
    for block in site.layout.blocks:
        outline = block.outline()
        if not any(site.near(*p, reach) for p in outline[::3]):
            continue
        for _ in range(int(rng.integers(12, 22))):
            route = pavement_route(block, rng, float(rng.random()), 2.2 * seconds + 8)
            if route.length < 2.2 * seconds or not site.near(*route.points[0], reach) or not _clear(site, route):
                continue
            kind = str(rng.choice(['adult', 'child', 'police_officer'], p=[0.88, 0.09, 0.03]))
            shape = people.pedestrian(rng, 'child' if kind == 'child' else 'adult')
            actors.append(
                Actor(f'human.pedestrian.{kind}', shape, route=route, start=1.0, speed=float(rng.uniform(0.8, 1.8)))
            )
    return actors


def crossers(site: Site, rng: np.random.Generator, ego_route: Route, seconds: float) -> list[Actor]:
    """A few people who cross the street at a zebra crossing that the ego meets."""
    actors = []
    for stop in ego_route.stops[:3]:
        crossing_x, crossing_y = stop.crossing
        for _ in range(int(rng.integers(0, 4))):
            axis, side = int(rng.integers(2)), int(rng.choice([-1, 1]))
            road = min(site.layout.along(axis), key=lambda r: abs(r.centre - stop.crossing[1 - axis]))
            other = min(site.layout.along(1 - axis), key=lambda r: abs(r.centre - stop.crossing[axis]))
            along = stop.crossing[axis] + side * (other.half_width + CORNER_RADIUS + rng.uniform(-0.6, 1.6))
            reach, way = road.half_width + 3 + 2 * seconds, int(rng.choice([-1, 1]))
            ends = np.array([[along, road.centre - way * reach], [along, road.centre + way * reach]])
            route = Route(ends if axis == 0 else ends[:, ::-1])
            start = reach - road.half_width - rng.uniform(-4, 2.5)
            actors.append(
                Actor(
                    'human.pedestrian.adult',
                    people.pedestrian(rng),
                    route=route,
                    start=float(start),
                    speed=float(rng.uniform(1.0, 1.7)),
                )
            )
    return actors


def _clear(site: Site, route: Route) -> bool:
    """Whether a walk avoids reserved ground."""
    return all(site.free(x - 0.4, x + 0.4, y - 0.4, y + 0.4) for x, y in route.points[::4])
