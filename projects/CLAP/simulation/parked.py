"""Annotated objects that stand still: parked vehicles, bicycle racks, work zones, people waiting."""

from __future__ import annotations

import numpy as np

from . import people, scenery, vehicles
from .actors import Actor, standing
from .layout import CORNER_RADIUS, KERB_HEIGHT, Block, Road
from .mesh import Mesh
from .placement import Site
from .routes import Route


class Kerbside:
    """A frame at the right-hand kerb of the ego's route: ``along`` (travel) and ``across`` (from the road's centre)."""

    def __init__(self, site: Site, route: Route, arc_m: float) -> None:
        point, ahead = route.at(arc_m), route.at(arc_m + 0.5)
        heading = np.round((ahead - point) / np.linalg.norm(ahead - point))
        axis = 0 if heading[0] else 1
        self.road = min(site.layout.along(axis), key=lambda r: abs(r.centre - point[1 - axis]))
        self.heading, self.right = heading, np.array([heading[1], -heading[0]])
        self.origin = point.copy()
        self.origin[1 - axis] = self.road.centre
        self.yaw = float(np.arctan2(heading[1], heading[0]))

    def at(self, along: float, across: float) -> np.ndarray:
        return self.origin + along * self.heading + across * self.right

    def rectangle(self, a0: float, a1: float, c0: float, c1: float) -> tuple[float, float, float, float]:
        corners = np.array([self.at(a, c) for a in (a0, a1) for c in (c0, c1)])
        (x0, y0), (x1, y1) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
        return x0, x1, y0, y1


def straight_arcs(site: Site, route: Route, clearance: float) -> np.ndarray:
    """Arc lengths at which the route runs straight and at least ``clearance`` metres away from every crossing."""
    arcs = []
    for s in route.arc[::4]:
        point, tangent = route.at(s), route.at(s + 0.5) - route.at(s)
        if np.abs(tangent).min() > 0.02:
            continue
        axis = 0 if abs(tangent[0]) > abs(tangent[1]) else 1
        gaps = [abs(point[axis] - r.centre) - r.half_width for r in site.layout.along(1 - axis)]
        if min(gaps) > CORNER_RADIUS + clearance:
            arcs.append(float(s))
    return np.array(arcs)


def work_zone(site: Site, route: Route, arc_m: float, rng: np.random.Generator) -> tuple[list[Actor], list[Mesh]]:
    """A dig behind barriers, with cones on the road side, a machine, heaps of earth and workers."""
    k, half = Kerbside(site, route, arc_m), rng.uniform(3.8, 5.6)
    kerb, z = k.road.half_width, KERB_HEIGHT
    site.layout.earth.append(k.rectangle(-half, half, kerb + 0.3, kerb + 9))
    site.reserved.append(k.rectangle(-half - 4, half + 3, k.road.lanes_half, kerb + 11))
    actors, kind = [], int(rng.integers(3))
    for a in np.arange(-half, half + 0.1, 2.1):
        actors.append(
            standing(
                'movable_object.barrier',
                scenery.barrier(rng, kind),
                k.at(a, kerb + 0.45),
                k.yaw - np.pi / 2 + rng.normal(0, 0.03),
                z,
            )
        )
    for a in (-half - 0.8, half + 0.8):
        for c in np.arange(kerb + 2.0, kerb + 5.5, 2.2):
            actors.append(
                standing(
                    'movable_object.barrier', scenery.barrier(rng, kind), k.at(a, c), k.yaw + rng.normal(0, 0.05), z
                )
            )
    row = k.road.lanes_half + 0.35 if k.road.parking else kerb - 0.25
    for a in np.arange(-half - 3, half + 1, rng.uniform(2.4, 3.4)):
        slant = min(max((a + half + 3) / 4, 0), 1)  # the row starts at the kerb and swings out
        across = kerb - 0.3 + slant * (row - kerb + 0.3) + rng.normal(0, 0.05)
        turn = rng.uniform(0, 6.28)
        actors.append(standing('movable_object.trafficcone', scenery.cone(rng), k.at(a, across), turn, 0))
    machine = vehicles.construction_vehicle(rng)
    actors.append(
        standing(
            'vehicle.construction',
            machine,
            k.at(rng.uniform(-1.5, 1.5), kerb + 4.2),
            k.yaw + rng.choice([0, np.pi]) + rng.normal(0, 0.15),
            z,
        )
    )
    for a in (-half + 1.2, half - 1.4):
        shape = people.pedestrian(rng, 'construction_worker', moving=False)
        actors.append(
            standing(
                'human.pedestrian.construction_worker',
                shape,
                k.at(a, kerb + rng.uniform(1.4, 2.2)),
                rng.uniform(0, 6.28),
                z,
            )
        )
    heaps = [
        scenery.mound(rng, rng.uniform(1.0, 1.8), rng.uniform(0.9, 1.5), 'earth').moved((*k.at(a, kerb + 7.4), z))
        for a in (-half * 0.6, half * 0.55)
    ]
    return actors, heaps


def bicycle_rack(site: Site, route: Route, arc_m: float, rng: np.random.Generator) -> list[Actor]:
    """A row of parked bicycles and a motorcycle at the inner edge of the pavement."""
    k, actors = Kerbside(site, route, arc_m), []
    across = k.road.half_width + 1.5
    for i in range(int(rng.integers(2, 5))):
        actors.append(
            standing(
                'vehicle.bicycle',
                people.bicycle(rng, False),
                k.at(i * 0.75, across),
                k.yaw + np.pi / 2 + rng.normal(0, 0.1),
                KERB_HEIGHT,
            )
        )
    actors.append(
        standing(
            'vehicle.motorcycle',
            people.motorcycle(rng, False),
            k.at(-2.2, across),
            k.yaw + rng.normal(0.4, 0.2),
            KERB_HEIGHT,
        )
    )
    site.reserved.append(k.rectangle(-3.5, 4, k.road.half_width, across + 1))
    return actors


def kerb_parking(site: Site, rng: np.random.Generator, reach: float = 75.0) -> list[Actor]:
    """Vehicles in the parking strips of all roads near the route."""
    actors = []
    for road in site.layout.roads:
        if not road.parking:
            continue
        busy = rng.uniform(0.4, 0.95)
        for direction in (-1, 1):
            length = site.layout.size[0] if road.axis == 0 else site.layout.size[1]
            for slot in np.arange(6.5, length - 6.5, 6.5):
                if rng.random() < busy:
                    actors += _parked_at(site, road, direction, slot + rng.normal(0, 0.2), reach, rng)
    return actors


def _parked_at(
    site: Site, road: Road, direction: int, along: float, reach: float, rng: np.random.Generator
) -> list[Actor]:
    heading = np.array([direction, 0.0] if road.axis == 0 else [0.0, direction])
    right = np.array([heading[1], -heading[0]])
    centre = np.array([along, road.centre] if road.axis == 0 else [road.centre, along])
    xy = centre + right * (road.lanes_half + 1.22 + rng.normal(0, 0.05))
    gap = min(abs(along - r.centre) - r.half_width for r in site.layout.along(1 - road.axis))
    free = site.free(xy[0] - 2.5, xy[0] + 2.5, xy[1] - 2.5, xy[1] + 2.5)
    if gap < CORNER_RADIUS + 7 or not site.near(*xy, reach) or not free:
        return []
    yaw = float(np.arctan2(heading[1], heading[0]) + rng.normal(0, 0.02))
    draw = rng.random()
    if draw < 0.86:
        return [standing('vehicle.car', vehicles.car(rng), xy, yaw, 0)]
    if draw < 0.93:
        return [standing('vehicle.truck', vehicles.pickup(rng), xy, yaw, 0)]
    return [
        standing('vehicle.motorcycle', people.motorcycle(rng, False), xy + right * 0.3, yaw + rng.normal(0, 0.3), 0)
    ]


def lot_parking(site: Site, block: Block, rng: np.random.Generator) -> list[Actor]:
    """Cars in the two rows of a parking lot, and now and then a lorry or a lone trailer."""
    actors, middle, p = [], (block.y0 + block.y1) / 2, block.pavement + 3
    for row in (-8, 8):
        for x in np.arange(np.ceil((block.x0 + p) / 2.7) * 2.7 + 0.0, block.x1 - p - 1.4, 2.7):
            free = site.free(x - 1, x + 1, middle + row - 2, middle + row + 2)
            if rng.random() < 0.42 and site.near(x, middle + row, 75) and free:
                yaw = rng.choice([-1, 1]) * np.pi / 2 + rng.normal(0, 0.03)
                actors.append(standing('vehicle.car', vehicles.car(rng), np.array([x, middle + row]), yaw, KERB_HEIGHT))
    if block.x1 - block.x0 > 40 and site.near((block.x0 + block.x1) / 2, middle, 75):
        x = rng.uniform(block.x0 + p + 8, block.x1 - p - 8)
        make, category = ((vehicles.trailer, 'vehicle.trailer'), (vehicles.truck, 'vehicle.truck'))[
            int(rng.integers(2))
        ]
        if site.free(x - 7, x + 7, middle + 11.5, middle + 15):
            actors.append(standing(category, make(rng), np.array([x, middle + 13.3]), rng.normal(0, 0.03), KERB_HEIGHT))
    return actors


def waiting_people(site: Site, rng: np.random.Generator, count: int) -> list[Actor]:
    """People who stand on the pavement near the route, alone or in small groups."""
    actors, blocks = [], [b for b in site.layout.blocks if site.near((b.x0 + b.x1) / 2, (b.y0 + b.y1) / 2, 80)]
    for _ in range(count):
        block = blocks[int(rng.integers(len(blocks)))]
        outline = block.outline(inset=rng.uniform(1.5, block.pavement))
        at = outline[int(rng.integers(len(outline)))] if rng.random() < 0.3 else _along_outline(outline, rng)
        if not site.spot(*at, 1.2) or not site.near(*at, 60):
            continue
        for i in range(int(rng.integers(1, 4))):
            angle = rng.uniform(0, 2 * np.pi)
            kind = str(rng.choice(['adult', 'child', 'police_officer'], p=[0.86, 0.10, 0.04]))
            shape = people.pedestrian(rng, 'adult' if kind == 'police_officer' else kind, moving=False)
            xy = at + 0.55 * i * np.array([np.cos(angle), np.sin(angle)])
            actors.append(standing(f'human.pedestrian.{kind}', shape, xy, rng.uniform(0, 6.28), KERB_HEIGHT))
    return actors


def _along_outline(outline: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    closed = np.concatenate([outline, outline[:1]])
    arc = np.r_[0, np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))]
    at = rng.uniform(0, arc[-1])
    return np.array([np.interp(at, arc, closed[:, k]) for k in (0, 1)])
