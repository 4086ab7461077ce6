"""Shapes of people and two-wheelers. Object frame: x forward, y left, z up, origin on the ground."""
from __future__ import annotations

import numpy as np

from .materials import CAR_COLOURS, CLOTH_COLOURS, SKIN_COLOURS, pick
from .mesh import Mesh, ball, box, cylinder, merge

VEST, HELMET = np.array([.95, .60, .08]), np.array([.95, .85, .15])
WALK_PHASES = (-1.0, 0.0, 1.0, 0.0)  # swing of the right leg over one double step


def _limb(top: tuple, bottom: tuple, radius: float, material: str, colour: np.ndarray) -> Mesh:
    return cylinder(top, bottom, radius, material, colour, end_radius=radius * .75, sections=5)


def _torso(waist: tuple, neck: tuple, radius: float, colour: np.ndarray, material: str = 'cloth') -> Mesh:
    trunk = cylinder(waist, neck, radius * .85, material, colour, end_radius=radius, sections=8)
    middle = np.array([0.0, (waist[1] + neck[1]) / 2, 0.0])
    flat = (trunk.vertices - middle) * [1.0, 1.35, 1.0] + middle
    return Mesh(flat, trunk.faces, trunk.material, trunk.colour)


def pedestrian(rng: np.random.Generator, kind: str = 'adult', moving: bool = True) -> list[Mesh]:
    """A person as four phases of a step (four equal meshes when standing)."""
    height = rng.uniform(1.05, 1.40) if kind == 'child' else rng.uniform(1.55, 1.92)
    s = height / 1.75
    top, legs = pick(rng, CLOTH_COLOURS), pick(rng, CLOTH_COLOURS) * .7
    skin, hair = pick(rng, SKIN_COLOURS), pick(rng, CLOTH_COLOURS) * .4
    worker = kind == 'construction_worker'
    top = VEST if worker else top
    extras = []
    if worker:
        extras.append(ball((0, 0, 1.72 * s), (.14 * s, .13 * s, .09 * s), 'plastic', HELMET))
        extras.append(box((-.14 * s, -.22 * s, 1.18 * s), (.14 * s, .22 * s, 1.24 * s), 'retro', (.9, .9, .85)))
    else:
        extras.append(ball((-.02 * s, 0, 1.66 * s), (.115 * s, .105 * s, .11 * s), 'cloth', hair))
    if rng.random() < .35 and not worker:
        extras.append(box((-.32 * s, -.16 * s, 1.0 * s), (-.13 * s, .16 * s, 1.42 * s), 'cloth',
                          pick(rng, CLOTH_COLOURS)))
    if rng.random() < .2 and not worker:
        extras.append(box((-.1 * s, .24 * s, .45 * s), (.2 * s, .34 * s, .8 * s), 'cloth', pick(rng, CLOTH_COLOURS)))
    spread = .30 * s if moving else .03 * s
    phases = []
    for swing in WALK_PHASES if moving else (1.0,) * 4:
        step = swing * spread
        parts = [_torso((0, 0, .86 * s), (0, 0, 1.46 * s), .155 * s, top, 'cloth'),
                 ball((0.01, 0, 1.61 * s), (.10 * s, .09 * s, .125 * s), 'skin', skin)]
        for side, move in ((-1, step), (1, -step)):
            parts.append(_limb((0, side * .10 * s, .90 * s), (move, side * .11 * s, .06 * s), .085 * s, 'cloth', legs))
            parts.append(box((move - .08 * s, side * .11 * s - .05 * s, 0),
                             (move + .17 * s, side * .11 * s + .05 * s, .08 * s),
                             'rubber', (.08, .07, .07)))
            hand = (-move * .8 + .03, side * .27 * s, .82 * s)
            parts.append(_limb((0, side * .22 * s, 1.42 * s), hand, .05 * s, 'cloth', top))
            parts.append(box(np.array(hand) - .045 * s, np.array(hand) + .045 * s, 'skin', skin))
        phases.append(merge(parts + extras))
    return phases


def _rim(x: float, radius: float, width: float) -> Mesh:
    """A narrow wheel with an open middle, as a ring of short cylinders."""
    angle = np.linspace(0, 2 * np.pi, 13)
    points = np.c_[x + radius * .93 * np.cos(angle), np.zeros(13), radius + radius * .93 * np.sin(angle)]
    ring = [cylinder(points[i], points[i + 1], width / 2, 'rubber', (.07, .07, .07), sections=4) for i in range(12)]
    spokes = [cylinder(points[i], points[i + 6], .012, 'metal', (.6, .6, .6), sections=3) for i in (0, 2, 4)]
    return merge(ring + spokes)


def _rider(rng: np.random.Generator, seat: tuple, bar: tuple, foot: tuple, helmet: bool) -> list[Mesh]:
    top, legs, skin = pick(rng, CLOTH_COLOURS), pick(rng, CLOTH_COLOURS) * .7, pick(rng, SKIN_COLOURS)
    neck = (seat[0] + .22, 0, seat[2] + .52)
    head = (neck[0] + .05, 0, neck[2] + .17)
    parts = [_torso(seat, neck, .17, top),
             ball(head, (.125, .115, .14), 'plastic' if helmet else 'skin', pick(rng, CAR_COLOURS) if helmet else skin)]
    for side in (-1, 1):
        knee = (seat[0] + .36, side * .14, (seat[2] + foot[2]) / 2 + .12 * side * .6)
        parts += [_limb((seat[0], side * .1, seat[2]), knee, .09, 'cloth', legs),
                  _limb(knee, (foot[0], side * .13, foot[2] + .08 * side), .07, 'cloth', legs),
                  _limb((neck[0], side * .2, neck[2] - .06), (bar[0], side * .26, bar[2]), .055, 'cloth', top)]
    return parts


def bicycle(rng: np.random.Generator, rider: bool) -> Mesh:
    """A bicycle with or without its rider."""
    paint, radius = pick(rng, CAR_COLOURS), rng.uniform(.32, .36)
    seat, bar, crank = (-.22, 0, .95), (.42, 0, 1.02), (-.05, 0, .32)
    tubes = [((-.52, 0, radius), crank), (crank, (-.2, 0, .88)), ((-.18, 0, .82), (.40, 0, .80)),
             (crank, (.40, 0, .78)),
             ((.52, 0, radius), (.40, 0, 1.0)), ((-.52, 0, radius), (-.19, 0, .84))]
    parts = [_rim(-.52, radius, .05), _rim(.52, radius, .05)]
    parts += [cylinder(a, b, .024, 'paint', paint, sections=5) for a, b in tubes]
    parts += [cylinder((.42, -.28, 1.02), (.42, .28, 1.02), .02, 'metal', (.3, .3, .3), sections=5),
              box((-.34, -.07, .9), (-.08, .07, .96), 'rubber', (.08, .08, .08)),
              box((-.60, -.03, .60), (-.56, .03, .68), 'retro', (.7, .08, .08))]
    return merge(parts + (_rider(rng, seat, bar, (.02, 0, .22), rng.random() < .6) if rider else []))


def motorcycle(rng: np.random.Generator, rider: bool) -> Mesh:
    """A motorcycle or scooter with or without its rider."""
    paint, dark = pick(rng, CAR_COLOURS), (.10, .10, .11)
    scooter, radius = rng.random() < .4, .31
    parts = [cylinder((x, -.07, radius), (x, .07, radius), radius, 'rubber', (.06, .06, .06), sections=12)
             for x in (-.68, .70)]
    parts += [box((-.35, -.17, .32), (.30, .17, .72), 'metal' if not scooter else 'paint',
                  dark if not scooter else paint),
              box((-.05, -.17, .70), (.42, .17, .95), 'paint', paint, (.8, .7)),
              box((-.85, -.15, .70), (-.02, .15, .82), 'rubber', (.08, .08, .08), (.95, .9)),
              box((.50, -.20, .62), (.72, .20, 1.10), 'paint', paint, (.6, .7), (-.08, 0)),
              cylinder((.70, 0, radius), (.50, 0, 1.0), .05, 'metal', (.5, .5, .5), sections=5),
              cylinder((.42, -.36, 1.05), (.42, .36, 1.05), .02, 'metal', (.2, .2, .2), sections=5),
              cylinder((-.85, -.2, .38), (-.1, -.22, .32), .06, 'metal', (.6, .6, .6), sections=6),
              box((.70, -.09, .85), (.76, .09, 1.0), 'lamp', (.95, .94, .85)),
              box((-.92, -.08, .72), (-.86, .08, .80), 'retro', (.7, .06, .06))]
    return merge(parts + (_rider(rng, (-.30, 0, .80), (.42, 0, 1.05), (.10, 0, .32), True) if rider else []))
