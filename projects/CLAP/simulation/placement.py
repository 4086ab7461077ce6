"""Fills the blocks and pavements with scenery that carries no annotation."""

from __future__ import annotations

import numpy as np

from . import scenery
from .layout import CORNER_RADIUS, KERB_HEIGHT, Block, Layout
from .mesh import Mesh, box, polygon_slab
from .routes import Route

DETAIL_RANGE = 130.0


class Site:
    """Where things may be put: close enough to the ego's route to matter and not on reserved ground."""

    def __init__(self, layout: Layout, route: Route) -> None:
        self.layout = layout
        self.reserved: list[tuple[float, float, float, float]] = []  # x0, x1, y0, y1
        self._route = route.points[::20]

    def distance(self, x: float, y: float) -> float:
        """Distance (m) to the ego's route."""
        return float(np.hypot(*(self._route - [x, y]).T).min())

    def near(self, x: float, y: float, limit: float = DETAIL_RANGE) -> bool:
        return self.distance(x, y) < limit

    def free(self, x0: float, x1: float, y0: float, y1: float) -> bool:
        return not any(x0 < b and x1 > a and y0 < d and y1 > c for a, b, c, d in self.reserved)

    def spot(self, x: float, y: float, margin: float = 0.4) -> bool:
        """Whether something small may stand at x, y."""
        return self.near(x, y) and self.free(x - margin, x + margin, y - margin, y + margin)


def ground(layout: Layout) -> list[Mesh]:
    """The road plane and the blocks as raised slabs."""
    edge = 900.0
    plane = box((-edge, -edge, -1.0), (layout.size[0] + edge, layout.size[1] + edge, 0.0), 'ground', (0.3, 0.3, 0.3))
    return [plane] + [polygon_slab(b.outline(), 0.0, KERB_HEIGHT, 'ground', (0.5, 0.5, 0.5)) for b in layout.blocks]


def scenery_of(site: Site, rng: np.random.Generator) -> list[Mesh]:
    """All unannotated scenery."""
    meshes = ground(site.layout)
    fillers = {'town': _town, 'houses': _houses, 'park': _park, 'lot': _lot}
    for block in site.layout.blocks:
        if not site.near((block.x0 + block.x1) / 2, (block.y0 + block.y1) / 2, DETAIL_RANGE + 60):
            continue
        meshes += fillers[block.kind](site, block, rng)
        meshes += _pavement(site, block, rng)
    meshes += _signals(site, rng)
    return meshes + _backdrop(site, rng)


def _town(site: Site, block: Block, rng: np.random.Generator) -> list[Mesh]:
    """Closed fronts of town houses around a yard."""
    p, depth = block.pavement, rng.uniform(11, 15)
    x0, x1, y0, y1 = block.x0 + p, block.x1 - p, block.y0 + p, block.y1 - p
    plots = []
    for a, b in ((y0, y0 + depth), (y1 - depth, y1)):
        plots += [(u, v, a, b) for u, v in _cut(rng, x0, x1, 10, 22)]
    for a, b in ((x0, x0 + depth), (x1 - depth, x1)):
        plots += [(a, b, u, v) for u, v in _cut(rng, y0 + depth, y1 - depth, 10, 22)]
    meshes = []
    for a, b, c, d in plots:
        if rng.random() < 0.93 and site.near((a + b) / 2, (c + d) / 2) and site.free(a, b, c, d):
            s = rng.uniform(0, 0.8)
            meshes.append(scenery.tower(rng, a + s, b - s * rng.integers(2), c + s, d - s, KERB_HEIGHT))
    return meshes


def _cut(rng: np.random.Generator, start: float, end: float, low: float, high: float) -> list[tuple[float, float]]:
    """Divide a front into plots."""
    pieces, at = [], start
    while end - at > low:
        width = min(float(rng.uniform(low, high)), end - at)
        if end - at - width < low * 0.6:
            width = end - at
        pieces.append((at, at + width))
        at += width
    return pieces


def _houses(site: Site, block: Block, rng: np.random.Generator) -> list[Mesh]:
    """Two or three rows of houses with gardens, hedges and fences."""
    p, z, meshes = block.pavement, KERB_HEIGHT, []
    x0, x1, y0, y1 = block.x0 + p, block.x1 - p, block.y0 + p, block.y1 - p
    for facing, edge in ((1, y0), (-1, y1)):
        for a, b in _cut(rng, x0 + 3, x1 - 3, 12, 17):
            setback, depth = rng.uniform(4, 7), rng.uniform(8, 10)
            c = edge + facing * setback
            c, d = min(c, c + facing * depth), max(c, c + facing * depth)
            if site.near((a + b) / 2, c) and site.free(a, b, c, d):
                meshes.append(scenery.house(rng, a + rng.uniform(1, 2.5), b - rng.uniform(1.5, 4), c, d, z))
            if site.spot(a + 5, edge + facing * 0.8, 4.5):
                border = scenery.hedge(rng, b - a - 4) if rng.random() < 0.6 else scenery.fence(rng, b - a - 4)
                meshes.append(border.moved((a + 3, edge + facing * 0.7, z)))
    for _ in range(int(rng.integers(10, 20))):
        x, y = rng.uniform(x0 + 2, x1 - 2), rng.uniform(y0 + 2, y1 - 2)
        clear = y - y0 > 19 and y1 - y > 19 or min(y - y0, y1 - y) < 3.5
        if clear and site.spot(x, y, 2.5):
            meshes.append((scenery.tree(rng) if rng.random() < 0.7 else scenery.bush(rng)).moved((x, y, z)))
    return meshes


def _park(site: Site, block: Block, rng: np.random.Generator) -> list[Mesh]:
    """Trees, bushes, benches and low hills."""
    z, meshes, inset = KERB_HEIGHT, [], block.pavement + 1.5
    area = (block.x1 - block.x0) * (block.y1 - block.y0)

    def anywhere() -> tuple[float, float]:
        return (
            float(rng.uniform(block.x0 + inset, block.x1 - inset)),
            float(rng.uniform(block.y0 + inset, block.y1 - inset)),
        )

    for _ in range(int(area / 170)):
        x, y = anywhere()
        if site.spot(x, y, 2.0):
            meshes.append(scenery.tree(rng, rng.uniform(6, 13)).moved((x, y, z), rng.uniform(0, 6.28)))
    for make, count in ((scenery.bush, 10), (scenery.bench, 5)):
        for _ in range(count):
            x, y = anywhere()
            if site.spot(x, y, 1.0):
                meshes.append(make(rng).moved((x, y, z), rng.uniform(0, 6.28)))
    for _ in range(3):
        x, y = anywhere()
        x, y = np.clip(x, block.x0 + 16, block.x1 - 16), np.clip(y, block.y0 + 16, block.y1 - 16)
        if site.spot(float(x), float(y), 11):
            meshes.append(scenery.mound(rng, rng.uniform(5, 9), rng.uniform(0.7, 1.6)).moved((x, y, z)))
    return meshes


def _lot(site: Site, block: Block, rng: np.random.Generator) -> list[Mesh]:
    """A shop behind a parking lot with lamps; the cars are annotated objects (``parked``)."""
    p, meshes, middle = block.pavement + 1.0, [], (block.y0 + block.y1) / 2
    x0, x1 = block.x0 + p, block.x1 - p
    for c, d in ((middle + 16, block.y1 - p), (block.y0 + p, middle - 16)):
        if d - c > 7 and site.near((x0 + x1) / 2, c) and site.free(x0, x1, c, d):
            meshes.append(scenery.shed(rng, x0 + rng.uniform(0, 12), x1 - rng.uniform(0, 12), c, d, KERB_HEIGHT))
    for x in np.arange(x0 + 6, x1, 22):
        if site.spot(x, middle, 1):
            meshes.append(scenery.lamp_post(rng).moved((x, middle, KERB_HEIGHT), rng.choice([0, np.pi / 2])))
    return meshes


def _pavement(site: Site, block: Block, rng: np.random.Generator) -> list[Mesh]:
    """Lamps, trees, signs, bins, benches and shelters along the four kerbs of a block."""
    meshes, z = [], KERB_HEIGHT
    trees, clear = rng.random() < 0.6, CORNER_RADIUS + 3
    for side in range(4):
        length = (block.x1 - block.x0) if side % 2 == 0 else (block.y1 - block.y0)
        outward = (-np.pi / 2, 0.0, np.pi / 2, np.pi)[side]  # direction from the pavement to the road
        at = clear + rng.uniform(0, 6)
        lamp_due = rng.uniform(0, 12)
        while at < length - clear:
            inset = 0.75
            x, y = (
                (block.x0 + at, block.y0 + inset),
                (block.x1 - inset, block.y0 + at),
                (block.x0 + at, block.y1 - inset),
                (block.x0 + inset, block.y0 + at),
            )[side]
            if site.spot(x, y, 1.0) and 0 < x < site.layout.size[0] and 0 < y < site.layout.size[1]:
                if lamp_due <= 0:
                    meshes.append(scenery.lamp_post(rng).moved((x, y, z), outward))
                    lamp_due = 26.0
                else:
                    meshes += _item(rng, trees, x, y, z, outward)
            step = rng.uniform(4.5, 9)
            at, lamp_due = at + step, lamp_due - step
    return meshes


def _item(rng: np.random.Generator, trees: bool, x: float, y: float, z: float, outward: float) -> list[Mesh]:
    """At most one piece of street furniture."""
    draw = rng.random()
    if trees and draw < 0.55:
        return [scenery.tree(rng, rng.uniform(4.5, 7.5)).moved((x, y, z), rng.uniform(0, 6.28))]
    if draw < 0.68:
        return [scenery.sign(rng).moved((x, y, z), outward + rng.choice([-1, 1]) * np.pi / 2)]
    if draw < 0.76:
        return [scenery.bin_(rng).moved((x, y, z))]
    if draw < 0.82:
        return [
            scenery.bench(rng).moved((x - 0.5 * np.cos(outward), y - 0.5 * np.sin(outward), z), outward - np.pi / 2)
        ]
    if draw < 0.86:
        inward = 1.1
        return [
            scenery.bus_shelter(rng).moved(
                (x - inward * np.cos(outward), y - inward * np.sin(outward), z), outward + np.pi / 2
            )
        ]
    return []


def _signals(site: Site, rng: np.random.Generator) -> list[Mesh]:
    """A signal post on the right of every approach to every crossing."""
    meshes = []
    for across in site.layout.along(1):  # runs along y
        for along in site.layout.along(0):  # runs along x
            if not site.near(across.centre, along.centre, 110):
                continue
            for heading in range(4):
                h = np.array([np.cos(heading * np.pi / 2), np.sin(heading * np.pi / 2)]).round()
                right = np.array([h[1], -h[0]])
                own, other = (along, across) if h[0] else (across, along)
                base = np.array([across.centre, along.centre])
                spot = base - h * (other.half_width + CORNER_RADIUS + 2.4) + right * (own.half_width + 0.6)
                if site.spot(*spot):
                    meshes.append(scenery.traffic_light(rng).moved((*spot, KERB_HEIGHT), (heading + 2) * np.pi / 2))
    return meshes


def _backdrop(site: Site, rng: np.random.Generator) -> list[Mesh]:
    """Trees and blocks beyond the edge of the world, so that streets do not end in nothing."""
    meshes, (width, depth) = [], site.layout.size
    for axis, length in ((0, width), (1, depth)):
        for low in (True, False):
            for at in np.arange(-20, length + 20, 15):
                if any(abs(at - r.centre) < r.half_width + 12 for r in site.layout.along(1 - axis)):
                    continue
                out = -rng.uniform(14, 24) if low else (depth if axis == 0 else width) + rng.uniform(14, 24)
                x, y = (at, out) if axis == 0 else (out, at)
                if not site.near(x, y, 190):
                    continue
                if rng.random() < 0.5:
                    meshes.append(scenery.tree(rng, rng.uniform(8, 14)).moved((x, y, 0)))
                else:
                    meshes.append(scenery.shed(rng, x - 6, x + 6, y - 6, y + 6, 0))
    return meshes
