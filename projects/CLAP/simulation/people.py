"""Shapes of people and two-wheelers. Object frame: x forward, y left, z up, origin on the ground."""

from __future__ import annotations

import numpy as np

from .materials import CAR_COLOURS, CLOTH_COLOURS, SKIN_COLOURS, pick
from .mesh import Mesh, ball, box, cylinder, merge

VEST, HELMET = np.array([0.95, 0.60, 0.08]), np.array([0.95, 0.85, 0.15])
WALK_PHASES = (-1.0, 0.0, 1.0, 0.0)  # swing of the right leg over one double step


def _limb(top: tuple, bottom: tuple, radius: float, material: str, colour: np.ndarray) -> Mesh:
    return cylinder(top, bottom, radius, material, colour, end_radius=radius * 0.75, sections=5)


def _torso(waist: tuple, neck: tuple, radius: float, colour: np.ndarray, material: str = 'cloth') -> Mesh:
    trunk = cylinder(waist, neck, radius * 0.85, material, colour, end_radius=radius, sections=8)
    middle = np.array([0.0, (waist[1] + neck[1]) / 2, 0.0])
    flat = (trunk.vertices - middle) * [1.0, 1.35, 1.0] + middle
    return Mesh(flat, trunk.faces, trunk.material, trunk.colour)


def pedestrian(rng: np.random.Generator, kind: str = 'adult', moving: bool = True) -> list[Mesh]:
    """A person as four phases of a step (four equal meshes when standing)."""
    height = rng.uniform(1.05, 1.40) if kind == 'child' else rng.uniform(1.55, 1.92)
    s = height / 1.75
    top, legs = pick(rng, CLOTH_COLOURS), pick(rng, CLOTH_COLOURS) * 0.7
    skin, hair = pick(rng, SKIN_COLOURS), pick(rng, CLOTH_COLOURS) * 0.4
    worker = kind == 'construction_worker'
    top = VEST if worker else top
    extras = []
    if worker:
        extras.append(ball((0, 0, 1.72 * s), (0.14 * s, 0.13 * s, 0.09 * s), 'plastic', HELMET))
        extras.append(box((-0.14 * s, -0.22 * s, 1.18 * s), (0.14 * s, 0.22 * s, 1.24 * s), 'retro', (0.9, 0.9, 0.85)))
    else:
        extras.append(ball((-0.02 * s, 0, 1.66 * s), (0.115 * s, 0.105 * s, 0.11 * s), 'cloth', hair))
    if rng.random() < 0.35 and not worker:
        extras.append(
            box((-0.32 * s, -0.16 * s, 1.0 * s), (-0.13 * s, 0.16 * s, 1.42 * s), 'cloth', pick(rng, CLOTH_COLOURS))
        )
    if rng.random() < 0.2 and not worker:
        extras.append(
            box((-0.1 * s, 0.24 * s, 0.45 * s), (0.2 * s, 0.34 * s, 0.8 * s), 'cloth', pick(rng, CLOTH_COLOURS))
        )
    spread = 0.30 * s if moving else 0.03 * s
    phases = []
    for swing in WALK_PHASES if moving else (1.0,) * 4:
        step = swing * spread
        parts = [
            _torso((0, 0, 0.86 * s), (0, 0, 1.46 * s), 0.155 * s, top, 'cloth'),
            ball((0.01, 0, 1.61 * s), (0.10 * s, 0.09 * s, 0.125 * s), 'skin', skin),
        ]
        for side, move in ((-1, step), (1, -step)):
            parts.append(
                _limb((0, side * 0.10 * s, 0.90 * s), (move, side * 0.11 * s, 0.06 * s), 0.085 * s, 'cloth', legs)
            )
            parts.append(
                box(
                    (move - 0.08 * s, side * 0.11 * s - 0.05 * s, 0),
                    (move + 0.17 * s, side * 0.11 * s + 0.05 * s, 0.08 * s),
                    'rubber',
                    (0.08, 0.07, 0.07),
                )
            )
            hand = (-move * 0.8 + 0.03, side * 0.27 * s, 0.82 * s)
            parts.append(_limb((0, side * 0.22 * s, 1.42 * s), hand, 0.05 * s, 'cloth', top))
            parts.append(box(np.array(hand) - 0.045 * s, np.array(hand) + 0.045 * s, 'skin', skin))
        phases.append(merge(parts + extras))
    return phases


def _rim(x: float, radius: float, width: float) -> Mesh:
    """A narrow wheel with an open middle, as a ring of short cylinders."""
    angle = np.linspace(0, 2 * np.pi, 13)
    points = np.c_[x + radius * 0.93 * np.cos(angle), np.zeros(13), radius + radius * 0.93 * np.sin(angle)]
    ring = [cylinder(points[i], points[i + 1], width / 2, 'rubber', (0.07, 0.07, 0.07), sections=4) for i in range(12)]
    spokes = [cylinder(points[i], points[i + 6], 0.012, 'metal', (0.6, 0.6, 0.6), sections=3) for i in (0, 2, 4)]
    return merge(ring + spokes)


def _rider(rng: np.random.Generator, seat: tuple, bar: tuple, foot: tuple, helmet: bool) -> list[Mesh]:
    top, legs, skin = pick(rng, CLOTH_COLOURS), pick(rng, CLOTH_COLOURS) * 0.7, pick(rng, SKIN_COLOURS)
    neck = (seat[0] + 0.22, 0, seat[2] + 0.52)
    head = (neck[0] + 0.05, 0, neck[2] + 0.17)
    parts = [
        _torso(seat, neck, 0.17, top),
        ball(head, (0.125, 0.115, 0.14), 'plastic' if helmet else 'skin', pick(rng, CAR_COLOURS) if helmet else skin),
    ]
    for side in (-1, 1):
        knee = (seat[0] + 0.36, side * 0.14, (seat[2] + foot[2]) / 2 + 0.12 * side * 0.6)
        parts += [
            _limb((seat[0], side * 0.1, seat[2]), knee, 0.09, 'cloth', legs),
            _limb(knee, (foot[0], side * 0.13, foot[2] + 0.08 * side), 0.07, 'cloth', legs),
            _limb((neck[0], side * 0.2, neck[2] - 0.06), (bar[0], side * 0.26, bar[2]), 0.055, 'cloth', top),
        ]
    return parts


def bicycle(rng: np.random.Generator, rider: bool) -> Mesh:
    """A bicycle with or without its rider."""
    paint, radius = pick(rng, CAR_COLOURS), rng.uniform(0.32, 0.36)
    seat, bar, crank = (-0.22, 0, 0.95), (0.42, 0, 1.02), (-0.05, 0, 0.32)
    tubes = [
        ((-0.52, 0, radius), crank),
        (crank, (-0.2, 0, 0.88)),
        ((-0.18, 0, 0.82), (0.40, 0, 0.80)),
        (crank, (0.40, 0, 0.78)),
        ((0.52, 0, radius), (0.40, 0, 1.0)),
        ((-0.52, 0, radius), (-0.19, 0, 0.84)),
    ]
    parts = [_rim(-0.52, radius, 0.05), _rim(0.52, radius, 0.05)]
    parts += [cylinder(a, b, 0.024, 'paint', paint, sections=5) for a, b in tubes]
    parts += [
        cylinder((0.42, -0.28, 1.02), (0.42, 0.28, 1.02), 0.02, 'metal', (0.3, 0.3, 0.3), sections=5),
        box((-0.34, -0.07, 0.9), (-0.08, 0.07, 0.96), 'rubber', (0.08, 0.08, 0.08)),
        box((-0.60, -0.03, 0.60), (-0.56, 0.03, 0.68), 'retro', (0.7, 0.08, 0.08)),
    ]
    return merge(parts + (_rider(rng, seat, bar, (0.02, 0, 0.22), rng.random() < 0.6) if rider else []))


def motorcycle(rng: np.random.Generator, rider: bool) -> Mesh:
    """A motorcycle or scooter with or without its rider."""
    paint, dark = pick(rng, CAR_COLOURS), (0.10, 0.10, 0.11)
    scooter, radius = rng.random() < 0.4, 0.31
    parts = [
        cylinder((x, -0.07, radius), (x, 0.07, radius), radius, 'rubber', (0.06, 0.06, 0.06), sections=12)
        for x in (-0.68, 0.70)
    ]
    parts += [
        box(
            (-0.35, -0.17, 0.32),
            (0.30, 0.17, 0.72),
            'metal' if not scooter else 'paint',
            dark if not scooter else paint,
        ),
        box((-0.05, -0.17, 0.70), (0.42, 0.17, 0.95), 'paint', paint, (0.8, 0.7)),
        box((-0.85, -0.15, 0.70), (-0.02, 0.15, 0.82), 'rubber', (0.08, 0.08, 0.08), (0.95, 0.9)),
        box((0.50, -0.20, 0.62), (0.72, 0.20, 1.10), 'paint', paint, (0.6, 0.7), (-0.08, 0)),
        cylinder((0.70, 0, radius), (0.50, 0, 1.0), 0.05, 'metal', (0.5, 0.5, 0.5), sections=5),
        cylinder((0.42, -0.36, 1.05), (0.42, 0.36, 1.05), 0.02, 'metal', (0.2, 0.2, 0.2), sections=5),
        cylinder((-0.85, -0.2, 0.38), (-0.1, -0.22, 0.32), 0.06, 'metal', (0.6, 0.6, 0.6), sections=6),
        box((0.70, -0.09, 0.85), (0.76, 0.09, 1.0), 'lamp', (0.95, 0.94, 0.85)),
        box((-0.92, -0.08, 0.72), (-0.86, 0.08, 0.80), 'retro', (0.7, 0.06, 0.06)),
    ]
    return merge(parts + (_rider(rng, (-0.30, 0, 0.80), (0.42, 0, 1.05), (0.10, 0, 0.32), True) if rider else []))
