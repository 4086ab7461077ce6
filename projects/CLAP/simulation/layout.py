"""The street plan: a grid of roads, the blocks between them, and what the ground is at a point.

Every road runs through the whole world. Between the roads lie blocks whose outline is the kerb (rounded at the
corners); a block's rim is pavement, its inside is built on, planted, or a parking lot.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .materials import SURFACE_ID
from .noise import lattice, value_noise

KERB_HEIGHT = 0.12
CORNER_RADIUS = 5.0
MARGIN = 75.0
BLOCK_KINDS = ('town', 'houses', 'park', 'lot')


@dataclass(frozen=True)
class Road:
    """A straight road. ``axis`` 0 runs along x at y = ``centre``, axis 1 runs along y at x = ``centre``."""

    axis: int
    centre: float
    lanes: int  # per direction
    lane_width: float
    parking: bool
    yellow: bool

    @property
    def lanes_half(self) -> float:
        """Half the width of the driven lanes."""
        return self.lanes * self.lane_width

    @property
    def half_width(self) -> float:
        """From the centre line to the kerb."""
        return self.lanes_half + (2.4 if self.parking else 0.5)

    def lane_offset(self, lane: int) -> float:
        """Distance of a lane's centre from the road's centre; lane 0 is the innermost."""
        return (lane + 0.5) * self.lane_width


@dataclass(frozen=True)
class Block:
    """The area between roads; x0..y1 is the kerb line."""

    x0: float
    x1: float
    y0: float
    y1: float
    kind: str
    pavement: float

    def outline(self, inset: float = 0.0) -> np.ndarray:
        """(N, 2) rounded rectangle, counter-clockwise, ``inset`` metres inside the kerb."""
        radius = max(CORNER_RADIUS - inset, 0.3)
        angle = np.linspace(0, np.pi / 2, 7)
        points = []
        for quarter, (cx, cy) in enumerate(
            [(self.x1, self.y1), (self.x0, self.y1), (self.x0, self.y0), (self.x1, self.y0)]
        ):
            sx, sy = (1, -1, -1, 1)[quarter], (1, 1, -1, -1)[quarter]
            centre = np.array([cx - sx * (radius + inset), cy - sy * (radius + inset)])
            turned = angle + quarter * np.pi / 2
            points.append(centre + radius * np.c_[np.cos(turned), np.sin(turned)])
        return np.concatenate(points)


@dataclass
class Layout:
    """The roads and blocks of one world, with the work zones cut into them later."""

    roads: list[Road]
    blocks: list[Block]
    size: tuple[float, float]
    salt: int
    earth: list[tuple[float, float, float, float]] = field(default_factory=list)  # x0, x1, y0, y1 of dug-up ground

    def along(self, axis: int) -> list[Road]:
        """The roads of one axis, by position."""
        return [r for r in self.roads if r.axis == axis]

    def inside_block(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Depth (m) inside the kerb of the block at each point; negative on the road."""
        depth = np.full(np.shape(x), np.inf)
        corner = []
        for axis, coordinate in ((1, x), (0, y)):
            nearest = np.full(np.shape(x), np.inf)
            for road in self.along(axis):
                nearest = np.minimum(nearest, np.abs(coordinate - road.centre) - road.half_width)
            corner.append(nearest)
            depth = np.minimum(depth, nearest)
        a, b = CORNER_RADIUS - corner[0], CORNER_RADIUS - corner[1]
        in_corner = (a > 0) & (b > 0)
        return np.where(in_corner, CORNER_RADIUS - np.hypot(np.maximum(a, 0), np.maximum(b, 0)), depth)

    def height(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Ground height (m): 0 on the road, the kerb's height on the blocks (mounds in parks are objects)."""
        x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        world = (x >= 0) & (y >= 0) & (x <= self.size[0]) & (y <= self.size[1])
        return np.where(world & (self.inside_block(x, y) > 0), KERB_HEIGHT, 0.0)

    def surface(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Code of the ground's surface (``materials.SURFACES``) at each point, int8."""
        x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        depth = self.inside_block(x, y)
        code = np.full(x.shape, SURFACE_ID['asphalt'], dtype=np.int8)
        on_road = np.flatnonzero(depth.ravel() <= 0)
        flat = code.reshape(-1)
        flat[on_road] = self._road_surface(x.ravel()[on_road], y.ravel()[on_road])
        for block in self.blocks:
            inside = (x > block.x0) & (x < block.x1) & (y > block.y0) & (y < block.y1) & (depth > 0)
            if inside.any():
                code[inside] = _block_surface(block, x[inside], y[inside], depth[inside], self.salt)
        for x0, x1, y0, y1 in self.earth:
            code[(x > x0) & (x < x1) & (y > y0) & (y < y1) & (depth > 0.25)] = SURFACE_ID['earth']
        outside = (x < 0) | (y < 0) | (x > self.size[0]) | (y > self.size[1])
        code[outside & (depth > 0)] = SURFACE_ID['grass']
        return code

    def _road_surface(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        code = np.full(x.shape, SURFACE_ID['asphalt'], dtype=np.int8)
        code[value_noise(x / 9, y / 2.6, self.salt) > 0.86] = SURFACE_ID['patch']
        crossing = np.zeros(x.shape, dtype=bool)
        for road in self.roads:
            across, along = (x - road.centre, y) if road.axis == 1 else (y - road.centre, x)
            on = np.abs(across) < road.half_width
            gap = np.full(x.shape, np.inf)
            towards = np.zeros(x.shape)
            for other in self.along(1 - road.axis):
                distance = np.abs(along - other.centre) - other.half_width
                towards = np.where(distance < gap, np.sign(other.centre - along), towards)
                gap = np.minimum(gap, distance)
            crossing |= on & (gap <= 0)
            paint = on & (gap > 0) & ~crossing
            code[paint] = _marked(road, across[paint], along[paint], gap[paint], towards[paint], code[paint])
        return code


def _marked(
    road: Road, across: np.ndarray, along: np.ndarray, gap: np.ndarray, towards: np.ndarray, code: np.ndarray
) -> np.ndarray:
    """Lane markings of one road.

    ``gap`` is the distance along the road to the nearest crossing's edge, ``towards`` the sign of the way there.
    """
    code = code.copy()
    side = np.abs(across)
    open_road = gap > CORNER_RADIUS + 3.2
    white, yellow = SURFACE_ID['white_line'], SURFACE_ID['yellow_line']
    centre = (side > 0.06) & (side < 0.20) if road.yellow else (side < 0.08) & (along % 6 < 3)
    code[open_road & centre] = yellow if road.yellow else white
    for lane in range(1, road.lanes):
        code[open_road & (np.abs(side - lane * road.lane_width) < 0.07) & (along % 9 < 3)] = white
    code[open_road & (np.abs(side - road.lanes_half) < 0.06)] = white
    if road.parking:
        bay = open_road & (side > road.lanes_half) & (side < road.half_width - 0.1)
        code[bay & (np.abs((along % 6.5) - 3.25) < 0.05)] = white
    zebra = (gap > CORNER_RADIUS - 1.0) & (gap < CORNER_RADIUS + 2.0) & (side < road.half_width - 0.3)
    code[zebra & ((across + 50) % 1.1 < 0.55)] = white
    # Traffic keeps right; only the lanes that run towards the crossing carry the stop line.
    driving = np.sign(across) if road.axis == 1 else -np.sign(across)
    stop = (gap > CORNER_RADIUS + 2.8) & (gap < CORNER_RADIUS + 3.2) & (driving == towards)
    code[stop & (side > 0.2) & (side < road.lanes_half)] = white
    return code


def _block_surface(block: Block, x: np.ndarray, y: np.ndarray, depth: np.ndarray, salt: int) -> np.ndarray:
    """Pavement rim and what the inside of a block is covered with."""
    inside = {'town': 'pavement', 'houses': 'grass', 'park': 'grass', 'lot': 'parking'}[block.kind]
    code = np.full(x.shape, SURFACE_ID[inside], dtype=np.int8)
    if block.kind == 'park':
        waist = np.abs((x - block.x0) / (block.x1 - block.x0) - (y - block.y0) / (block.y1 - block.y0)) * 30
        code[waist < 1.2 + 0.5 * value_noise(x / 3, y / 3, salt)] = SURFACE_ID['path']
    elif block.kind == 'lot':
        middle = (block.y0 + block.y1) / 2
        bay = (np.abs(np.abs(y - middle) - 8) < 2.6) & (np.abs((x % 2.7) - 1.35) < 0.05)
        code[bay] = SURFACE_ID['white_line']
    elif block.kind == 'houses':
        drive = (lattice((x // 12).astype(int), (y // 60).astype(int), salt) > 0.4) & (np.abs(x % 12 - 2.2) < 1.3)
        code[drive] = SURFACE_ID['path']
    code[depth < block.pavement] = SURFACE_ID['pavement']
    if block.kind in ('houses', 'park'):
        code[(depth > 0.3) & (depth < 1.5)] = SURFACE_ID['grass']
    code[depth < 0.25] = SURFACE_ID['kerb']
    return code


def make_layout(rng: np.random.Generator) -> Layout:
    """Draw a street plan: four roads each way, 75 to 115 m apart."""
    roads, extent = [], []
    for axis in (0, 1):
        position = MARGIN
        for _ in range(4):
            lanes = int(rng.random() < 0.4) + 1
            roads.append(
                Road(
                    axis,
                    float(position),
                    lanes,
                    float(rng.uniform(3.2, 3.6)),
                    bool(rng.random() < (0.85 if lanes == 1 else 0.6)),
                    bool(rng.random() < 0.6),
                )
            )
            position += rng.uniform(75, 115)
        extent.append(roads[-1].centre + MARGIN)
    size = (float(extent[1]), float(extent[0]))  # axis 1 roads are placed along x
    cuts = []
    for axis, length in ((1, size[0]), (0, size[1])):
        edges = [0.0]
        for road in [r for r in roads if r.axis == axis]:
            edges += [road.centre - road.half_width, road.centre + road.half_width]
        cuts.append(edges + [length])
    kinds = rng.choice(BLOCK_KINDS, p=[0.42, 0.26, 0.18, 0.14], size=(5, 5))
    blocks = [
        Block(
            cuts[0][2 * i],
            cuts[0][2 * i + 1],
            cuts[1][2 * j],
            cuts[1][2 * j + 1],
            str(kinds[i, j]),
            float(rng.uniform(3.0, 4.2)),
        )
        for i in range(5)
        for j in range(5)
    ]
    return Layout(roads, blocks, size, int(rng.integers(1 << 20)))
