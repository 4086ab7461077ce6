"""Shapes of what stands still: buildings, trees, street furniture, cones and barriers."""

from __future__ import annotations

import numpy as np

from .materials import FACADE_COLOURS, HOUSE_COLOURS, LEAF_COLOURS, LORRY_COLOURS, ROOF_COLOURS, pick
from .mesh import Mesh, ball, box, cylinder, make_mesh, merge

STEEL, DARK = (0.42, 0.43, 0.45), (0.13, 0.14, 0.14)


def tower(rng: np.random.Generator, x0: float, x1: float, y0: float, y1: float, z: float) -> Mesh:
    """A town house or office block on the plot: shop floor, storeys (windows come from the texture), parapet."""
    height = float(np.clip(rng.gamma(4.0, 3.2), 6, 38)) // 3.2 * 3.2 + 1.0
    wall = pick(rng, FACADE_COLOURS)
    shop = pick(rng, LORRY_COLOURS) * 0.7
    low = [
        box((x0, y0, z - 0.5), (x1, y1, z + 3.6), 'siding', shop * 0.5 + 0.15),
        box((x0 - 0.12, y0 - 0.12, z + 3.2), (x1 + 0.12, y1 + 0.12, z + 3.7), 'siding', shop),
    ]
    main = [
        box((x0, y0, z + 3.6), (x1, y1, z + height), 'facade', wall),
        box((x0 - 0.25, y0 - 0.25, z + height - 0.5), (x1 + 0.25, y1 + 0.25, z + height + 0.3), 'concrete', wall * 0.8),
    ]
    for x in np.arange(x0 + 1.0, x1 - 2.0, 3.6):  # shop windows on the two long fronts
        low.append(box((x, y0 - 0.04, z + 0.5), (x + 2.6, y1 + 0.04, z + 2.8), 'glass', (0.16, 0.18, 0.20)))
    for y in np.arange(y0 + 1.0, y1 - 2.0, 3.6):
        low.append(box((x0 - 0.04, y, z + 0.5), (x1 + 0.04, y + 2.6, z + 2.8), 'glass', (0.16, 0.18, 0.20)))
    if rng.random() < 0.4:
        main.append(
            box(
                (x0 + 1, y0 + 1, z + height), ((x0 + x1) / 2, (y0 + y1) / 2, z + height + 2.6), 'metal', (0.6, 0.6, 0.6)
            )
        )
    if height > 12 and rng.random() < 0.5:
        main.append(box((x0 + 2, y0 + 2, z + height), (x1 - 2, y1 - 2, z + height + 6.4), 'facade', wall * 0.9))
    return merge(low + main)


def gable_roof(x0: float, x1: float, y0: float, y1: float, z0: float, z1: float, colour: np.ndarray) -> Mesh:
    """A pitched roof whose ridge runs along the longer side."""
    if x1 - x0 >= y1 - y0:
        middle = (y0 + y1) / 2
        ridge = [(x0, middle, z1), (x1, middle, z1)]
    else:
        middle = (x0 + x1) / 2
        ridge = [(middle, y0, z1), (middle, y1, z1)]
    vertices = np.array([(x0, y0, z0), (x1, y0, z0), (x1, y1, z0), (x0, y1, z0), *ridge])
    if x1 - x0 >= y1 - y0:
        faces = [[0, 1, 5], [0, 5, 4], [2, 3, 4], [2, 4, 5], [3, 0, 4], [1, 2, 5], [0, 2, 1], [0, 3, 2]]
    else:
        faces = [[1, 2, 5], [1, 5, 4], [3, 0, 4], [3, 4, 5], [0, 1, 4], [2, 3, 5], [0, 2, 1], [0, 3, 2]]
    return make_mesh(vertices, np.array(faces), 'roof', colour)


def house(rng: np.random.Generator, x0: float, x1: float, y0: float, y1: float, z: float) -> Mesh:
    """A family house with windows, a door, a pitched roof and sometimes a chimney."""
    eaves, wall, roof = z + rng.uniform(3.0, 5.6), pick(rng, HOUSE_COLOURS), pick(rng, ROOF_COLOURS)
    parts = [
        box((x0, y0, z - 0.3), (x1, y1, eaves), 'facade', wall),
        gable_roof(x0 - 0.4, x1 + 0.4, y0 - 0.4, y1 + 0.4, eaves - 0.05, eaves + rng.uniform(2.0, 3.6), roof),
    ]
    parts.append(
        box(
            ((x0 + x1) / 2 - 0.5, y0 - 0.05, z),
            ((x0 + x1) / 2 + 0.5, y1 + 0.05, z + 2.1),
            'siding',
            pick(rng, LORRY_COLOURS) * 0.8,
        )
    )
    if rng.random() < 0.6:
        parts.append(
            box((x0 + 1.2, y0 + 1.5, eaves), (x0 + 1.9, y0 + 2.2, eaves + 3.4), 'concrete', (0.50, 0.28, 0.22))
        )
    if rng.random() < 0.4:
        parts.append(box((x0 - 3.0, y0 + 0.5, z), (x0, y1 - 1, z + 2.6), 'siding', wall * 0.85))
    return merge(parts)


def shed(rng: np.random.Generator, x0: float, x1: float, y0: float, y1: float, z: float) -> Mesh:
    """A flat shop or warehouse with a coloured fascia."""
    height, wall, sign = rng.uniform(4.5, 7.5), pick(rng, HOUSE_COLOURS), pick(rng, LORRY_COLOURS)
    return merge(
        [
            box((x0, y0, z - 0.3), (x1, y1, z + height), 'siding', wall),
            box((x0 - 0.15, y0 - 0.15, z + height - 1.3), (x1 + 0.15, y1 + 0.15, z + height + 0.2), 'siding', sign),
            box((x0 + 2, y0 - 0.05, z + 0.2), (x1 - 2, y1 + 0.05, z + 2.8), 'glass', (0.16, 0.18, 0.20)),
        ]
    )


def tree(rng: np.random.Generator, size: float | None = None) -> Mesh:
    """A tree: a trunk with two limbs and a crown of rough blobs, or a conifer."""
    height, leaf = rng.uniform(4.5, 10.0) if size is None else size, pick(rng, LEAF_COLOURS)
    trunk = cylinder(
        (0, 0, -0.1),
        (0, 0, height * 0.55),
        rng.uniform(0.10, 0.20) + 0.008 * height,
        'bark',
        (0.30, 0.23, 0.17),
        end_radius=0.07,
        sections=7,
    )
    if rng.random() < 0.22:
        cones = [
            cylinder((0, 0, height * a), (0, 0, height * b), height * r, 'foliage', leaf * 0.8, 0.05, 9)
            for a, b, r in ((0.14, 0.52, 0.22), (0.36, 0.76, 0.17), (0.60, 1.0, 0.11))
        ]
        return merge([trunk, *[_roughened(c, rng, 0.08 * height**0.5) for c in cones]])
    parts, spread = [trunk], height * rng.uniform(0.20, 0.28)
    for _ in range(int(rng.integers(4, 7))):
        angle, out = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.75) * spread
        centre = (out * np.cos(angle), out * np.sin(angle), height * rng.uniform(0.55, 0.85))
        radius = spread * rng.uniform(0.50, 0.85)
        parts.append(
            ball(
                centre,
                (radius, radius, radius * rng.uniform(0.7, 0.95)),
                'foliage',
                leaf * rng.uniform(0.8, 1.15),
                1,
                0.22,
                rng,
            )
        )
    for angle in rng.uniform(0, 2 * np.pi, 2):
        tip = (spread * 0.6 * np.cos(angle), spread * 0.6 * np.sin(angle), height * 0.62)
        parts.append(cylinder((0, 0, height * 0.38), tip, 0.06, 'bark', (0.30, 0.23, 0.17), 0.03, 5))
    return merge(parts)


def _roughened(mesh: Mesh, rng: np.random.Generator, amount: float) -> Mesh:
    return Mesh(
        mesh.vertices + rng.uniform(-amount, amount, mesh.vertices.shape), mesh.faces, mesh.material, mesh.colour
    )


def bush(rng: np.random.Generator) -> Mesh:
    r = rng.uniform(0.4, 0.9)
    return ball(
        (0, 0, r * 0.6), (r, r * rng.uniform(0.8, 1.2), r * 0.8), 'foliage', pick(rng, LEAF_COLOURS), 1, 0.25, rng
    )


def hedge(rng: np.random.Generator, length: float) -> Mesh:
    """A clipped hedge along x, as a row of rough lumps around a core."""
    height, leaf = rng.uniform(0.8, 1.5), pick(rng, LEAF_COLOURS)
    lumps = [
        ball((x, 0, height * 0.55), (0.55, 0.42, height * 0.5), 'foliage', leaf * rng.uniform(0.9, 1.1), 1, 0.15, rng)
        for x in np.arange(0.4, length, 0.8)
    ]
    return merge([box((0, -0.3, 0), (length, 0.3, height * 0.85), 'foliage', leaf), *lumps])


def fence(rng: np.random.Generator, length: float) -> Mesh:
    """A board fence along x."""
    height, colour = rng.uniform(1.0, 1.7), pick(rng, HOUSE_COLOURS) * 0.8
    posts = [box((x, -0.05, 0), (x + 0.1, 0.05, height + 0.1), 'bark', colour * 0.8) for x in np.arange(0, length, 2.0)]
    rails = [
        box((0, -0.02, z), (length, 0.02, z + 0.16), 'siding', colour) for z in np.arange(0.15, height - 0.1, 0.26)
    ]
    return merge(posts + rails)


def lamp_post(rng: np.random.Generator) -> Mesh:
    """A street lamp whose arm points along +x."""
    height = rng.uniform(6.5, 9.0)
    return merge(
        [
            cylinder((0, 0, 0), (0, 0, height), 0.09, 'metal', STEEL, 0.06),
            cylinder((0, 0, height - 0.1), (1.9, 0, height + 0.25), 0.05, 'metal', STEEL, 0.04, 5),
            box((1.5, -0.14, height + 0.12), (2.3, 0.14, height + 0.28), 'metal', (0.35, 0.35, 0.36)),
            cylinder((0, 0, 0), (0, 0, 0.7), 0.14, 'metal', DARK),
        ]
    )


def traffic_light(rng: np.random.Generator) -> Mesh:
    """A signal post; its heads face +x and the arm reaches out along -y."""
    parts = [
        cylinder((0, 0, 0), (0, 0, 5.6), 0.10, 'metal', STEEL, 0.07),
        cylinder((0, 0, 5.4), (0, -4.0, 5.7), 0.06, 'metal', STEEL, 0.05, 6),
    ]
    for y, z in ((0, 2.9), (-3.7, 5.2)):
        parts.append(box((0.05, y - 0.18, z - 0.5), (0.35, y + 0.18, z + 0.5), 'plastic', DARK))
        for k, colour in enumerate([(0.85, 0.08, 0.06), (0.55, 0.40, 0.05), (0.05, 0.45, 0.15)]):
            parts.append(cylinder((0.34, y, z + 0.3 - 0.3 * k), (0.42, y, z + 0.3 - 0.3 * k), 0.10, 'lamp', colour))
    return merge(parts)


def sign(rng: np.random.Generator) -> Mesh:
    """A traffic sign facing +x: disc, triangle, square or street-name plate."""
    height, kind = rng.uniform(2.1, 2.6), int(rng.integers(4))
    parts = [cylinder((0, 0, 0), (0, 0, height + 0.3), 0.035, 'metal', STEEL, sections=6)]
    at = (0.05, 0, height)
    if kind == 3:
        parts.append(box((0.03, -0.55, height), (0.07, 0.55, height + 0.28), 'retro', (0.08, 0.32, 0.16)))
    else:
        colour = ((0.75, 0.08, 0.08), (0.85, 0.68, 0.08), (0.08, 0.22, 0.62))[kind]
        sections = (8, 3, 4)[kind]
        parts.append(cylinder((0.03, 0, height), at, 0.40, 'retro', colour, sections=sections))
        parts.append(cylinder(at, (0.065, 0, height), 0.27, 'retro', (0.93, 0.93, 0.90), sections=sections))
    return merge(parts)


def bench(rng: np.random.Generator) -> Mesh:
    wood = (0.45, 0.30, 0.18)
    return merge(
        [
            box((-0.8, -0.2, 0.40), (0.8, 0.22, 0.46), 'bark', wood),
            box((-0.8, -0.26, 0.5), (0.8, -0.2, 0.9), 'bark', wood),
        ]
        + [box((x, -0.2, 0), (x + 0.08, 0.2, 0.42), 'metal', DARK) for x in (-0.7, 0.62)]
    )


def bin_(rng: np.random.Generator) -> Mesh:
    colour = ((0.12, 0.30, 0.18), (0.25, 0.25, 0.27), (0.15, 0.22, 0.45))[int(rng.integers(3))]
    return merge(
        [
            cylinder((0, 0, 0), (0, 0, 0.9), 0.26, 'plastic', colour, 0.30),
            cylinder((0, 0, 0.9), (0, 0, 1.0), 0.32, 'plastic', DARK),
        ]
    )


def bus_shelter(rng: np.random.Generator) -> Mesh:
    """A glazed shelter along x, open towards -y."""
    return merge(
        [
            box((-2, 0.75, 0.2), (2, 0.80, 2.3), 'glass', (0.35, 0.42, 0.45)),
            box((-2.1, -0.7, 2.35), (2.1, 0.95, 2.5), 'metal', (0.30, 0.32, 0.34)),
            box((-1.2, 0.35, 0.42), (1.0, 0.7, 0.50), 'bark', (0.45, 0.32, 0.2)),
            box((1.9, -0.5, 0.3), (2.0, 0.75, 2.2), 'lamp', pick(rng, LORRY_COLOURS)),
        ]
        + [
            cylinder((x, y, 0), (x, y, 2.4), 0.05, 'metal', DARK, sections=6)
            for x in (-1.95, 1.95)
            for y in (-0.5, 0.8)
        ]
    )


def mound(rng: np.random.Generator, radius: float, height: float, material: str = 'ground') -> Mesh:
    """A low hill: a flattened rough dome sunk into the ground."""
    return ball(
        (0, 0, -0.15), (radius, radius * rng.uniform(0.7, 1.1), height), material, (0.46, 0.36, 0.26), 2, 0.05, rng
    )


def cone(rng: np.random.Generator) -> Mesh:
    """A traffic cone with two reflecting bands."""
    height = rng.uniform(0.65, 0.95)
    r = height * 0.22
    rings, parts = [0.04, 0.35, 0.52, 0.66, 0.80, 1.0], []
    for k in range(5):
        a, b = rings[k] * height, rings[k + 1] * height
        ra, rb = r * (1.05 - rings[k] * 0.85), r * (1.05 - rings[k + 1] * 0.85)
        white = k in (1, 3)
        parts.append(
            cylinder(
                (0, 0, a),
                (0, 0, b),
                ra,
                'retro' if white else 'plastic',
                (0.93, 0.93, 0.92) if white else (0.93, 0.35, 0.06),
                rb,
                9,
            )
        )
    return merge([box((-r * 1.25, -r * 1.25, 0), (r * 1.25, r * 1.25, 0.05), 'rubber', (0.12, 0.11, 0.10)), *parts])


def barrier(rng: np.random.Generator, kind: int) -> Mesh:
    """A barrier element, long side along y (nuScenes' width): concrete, red-white plastic, or a trestle."""
    if kind == 0:
        return box((-0.30, -1.0, 0), (0.30, 1.0, 0.85), 'concrete', (0.66, 0.65, 0.62), (0.45, 0.99))
    if kind == 1:
        colour = (0.85, 0.16, 0.10) if rng.random() < 0.5 else (0.92, 0.92, 0.90)
        return merge(
            [
                box((-0.25, -0.75, 0), (0.25, 0.75, 0.35), 'plastic', colour),
                box((-0.15, -0.72, 0.3), (0.15, 0.72, 1.0), 'plastic', colour),
            ]
        )
    boards = [
        box(
            (-0.03, -0.9 + 0.45 * k, z),
            (0.03, -0.45 + 0.45 * k, z + 0.25),
            'retro' if k % 2 else 'plastic',
            (0.93, 0.93, 0.9) if k % 2 else (0.9, 0.35, 0.06),
        )
        for k in range(4)
        for z in (0.45, 0.85)
    ]
    legs = [
        cylinder((dx, y, 0), (0, y, 1.1), 0.03, 'metal', STEEL, sections=5) for y in (-0.7, 0.7) for dx in (-0.25, 0.25)
    ]
    return merge(boards + legs)
