"""Shapes of motor vehicles. Object frame: x forward, y left, z up, origin on the ground under the box's centre."""
from __future__ import annotations

import numpy as np

from .materials import BUS_COLOURS, CAR_COLOURS, LORRY_COLOURS, MACHINE_COLOURS, pick
from .mesh import Mesh, box, cylinder, merge, prism

TYRE, HUB, BLACK = (.06, .06, .065), (.55, .56, .58), (.05, .05, .06)
WINDOW, WHITE_LAMP, RED_LAMP, AMBER = (.10, .13, .16), (.95, .94, .85), (.65, .05, .05), (.95, .55, .05)


def wheel(x: float, y: float, radius: float, width: float) -> Mesh:
    """A tyre with a hub cap; ``y`` is the middle of the tyre."""
    side = np.sign(y) if y else 1.0
    return merge([cylinder((x, y - width / 2, radius), (x, y + width / 2, radius), radius, 'rubber', TYRE, sections=12),
                  cylinder((x, y + side * width * 0.3, radius), (x, y + side * width * 0.53, radius), radius * 0.55,
                           'metal', HUB, sections=8)])


def wheels(axles: list[float], half_track: float, radius: float, width: float) -> list[Mesh]:
    return [wheel(x, side * half_track, radius, width) for x in axles for side in (-1, 1)]


def lamps(front: float, back: float, half_width: float, z: float, size: float = 0.14) -> list[Mesh]:
    """Head lamps, tail lamps and number plates."""
    parts = []
    for side in (-1, 1):
        y = side * half_width * 0.78
        parts.append(box((front - .05, y - size, z - size / 2), (front + .02, y + size, z + size / 2), 'lamp',
                         WHITE_LAMP))
        parts.append(box((back - .02, y - size, z - size / 2 + .1), (back + .05, y + size, z + size / 2 + .1), 'retro',
                         RED_LAMP))
    parts.append(box((back - .03, -.26, z - .25), (back + .01, .26, z - .13), 'retro', (.92, .92, .88)))
    return parts


def car(rng: np.random.Generator) -> Mesh:
    """A passenger car: saloon, hatchback, estate, SUV or van, by its side profile."""
    kind = rng.choice(['saloon', 'hatchback', 'suv', 'estate', 'van'], p=[.32, .26, .24, .10, .08])
    length, width, height = {'saloon': (4.65, 1.82, 1.45), 'hatchback': (4.05, 1.75, 1.48), 'suv': (4.65, 1.90, 1.70),
                             'estate': (4.70, 1.82, 1.48), 'van': (4.90, 1.93, 1.95)}[str(kind)]
    length, width, height = np.array([length, width, height]) * rng.uniform(0.94, 1.06, 3)
    paint, h = pick(rng, CAR_COLOURS), length / 2
    sill, belt, radius = 0.18 * height, 0.60 * height, 0.215 * height
    bonnet = belt - 0.03 * height
    body = prism([(-h, sill), (h * .97, sill), (h, sill + .2), (h * .99, bonnet - .16), (h * .90, bonnet - .04),
                  (h * .42, belt), (-h * .9, belt), (-h, belt - .1)], -width / 2, width / 2, 'paint', paint)
    # The cabin is glass up to the roof: two tapered boxes keep the pillars' colour apart from the panes'.
    front, back = {'saloon': (.42, -.68), 'hatchback': (.44, -.92), 'suv': (.46, -.93), 'estate': (.42, -.96),
                   'van': (.74, -.97)}[str(kind)]
    rear_slope = {'saloon': .30, 'hatchback': .16, 'suv': .08, 'estate': .08, 'van': .03}[str(kind)]
    x0, x1 = h * back, h * front
    span = x1 - x0
    lean_front = {'van': .28}.get(str(kind), .24) * span
    top0, top1 = x0 + rear_slope * span, x1 - lean_front
    glass = box((x0, -width * .465, belt - .01), (x1, width * .465, height - .05), 'glass', WINDOW,
                top_scale=((top1 - top0) / span, .84), top_shift=((top0 + top1 - x0 - x1) / 2, 0))
    roof = box((top0 - .03, -width * .40, height - .06), (top1 + .03, width * .40, height), 'paint', paint, (.9, .9))
    parts = [body, glass, roof]
    for share in (.30, .62):  # pillars
        x = x0 + span * share
        parts.append(box((x - .05, -width * .468, belt), (x + .05, width * .468, height - .05), 'paint', paint * .9,
                         top_scale=(1, .845)))
    for side in (-1, 1):
        y = side * width * .5
        parts.append(box((x1 - .42, y - .09, belt), (x1 - .25, y + .09, belt + .14), 'plastic', BLACK))
    parts.append(box((h * .96, -width * .42, sill), (h * 1.01, width * .42, sill + .22), 'plastic', BLACK))
    parts.append(box((-h * 1.01, -width * .45, sill), (-h * .97, width * .45, sill + .2), 'plastic', (.12, .12, .12)))
    parts += wheels([h * .62, -h * .60], width / 2 - .1, radius, .21)
    return merge(parts + lamps(h * .985, -h, width / 2, belt - .18))


def pickup(rng: np.random.Generator) -> Mesh:
    """A pick-up (nuScenes counts it as a truck)."""
    length, width, height = np.array([5.4, 1.95, 1.85]) * rng.uniform(.95, 1.05, 3)
    paint, h = pick(rng, CAR_COLOURS), length / 2
    belt = height * .58
    parts = [box((-h, -width / 2, .42), (h, width / 2, belt - .1), 'paint', paint),
             box((h * .45, -width / 2, belt - .1), (h * .98, width / 2, belt), 'paint', paint, (.94, .95)),
             box((-h * .1, -width * .47, belt - .1), (h * .5, width * .47, height - .05), 'glass', WINDOW, (.68, .85)),
             box((h * .0, -width * .39, height - .06), (h * .40, width * .39, height), 'paint', paint)]
    for y in (-width / 2, width / 2 - .08):
        parts.append(box((-h, y, belt - .1), (-h * .1, y + .08, belt + .08), 'paint', paint))
    parts.append(box((-h, -width / 2, belt - .1), (-h + .08, width / 2, belt + .08), 'paint', paint))
    return merge(parts + wheels([h * .62, -h * .58], width / 2 - .12, .38, .25) + lamps(h, -h, width / 2, belt - .25))


def _cab(x0: float, x1: float, width: float, height: float, paint: np.ndarray) -> list[Mesh]:
    """A lorry's cab between ``x0`` and ``x1`` (front), with windscreen and side windows."""
    waist = height * .52
    return [box((x0, -width / 2, .55), (x1, width / 2, waist), 'paint', paint),
            box((x0, -width / 2, waist), (x1, width / 2, height), 'paint', paint, (.90, .94), (-.08, 0)),
            box((x1 - .12, -width * .44, waist + .05), (x1 + .01, width * .44, height * .86), 'glass', WINDOW,
                top_shift=(-.12, 0)),
            box((x0 + .45, -width * .505, waist + .08), (x1 - .35, width * .505, height * .84), 'glass', WINDOW,
                (.9, .95)),
            box((x1 - .02, -width * .46, .45), (x1 + .06, width * .46, .80), 'plastic', BLACK)]


def truck(rng: np.random.Generator) -> Mesh:
    """A rigid lorry with a box, a tipping body or a flat bed; sometimes a pick-up."""
    kind = rng.choice(['box', 'tipper', 'flat', 'pickup'], p=[.5, .15, .1, .25])
    if kind == 'pickup':
        return pickup(rng)
    length, width = rng.uniform(6.2, 9.0), rng.uniform(2.25, 2.5)
    height, cab_height = rng.uniform(2.9, 3.6), rng.uniform(2.4, 2.8)
    h, cab_length, paint = length / 2, 1.9, pick(rng, LORRY_COLOURS)
    rear = h - cab_length - .15
    load = pick(rng, LORRY_COLOURS)
    parts = _cab(h - cab_length, h, width, cab_height, paint)
    parts.append(box((-h, -width * .3, .55), (h - cab_length, width * .3, .95), 'metal', (.16, .16, .17)))
    if kind == 'box':
        parts.append(box((-h, -width / 2, .95), (rear, width / 2, height), 'siding', load))
        parts.append(box((-h - .02, -width * .44, 1.05), (-h + .01, width * .44, height - .1), 'metal', load * .8))
    elif kind == 'tipper':
        parts.append(box((-h, -width * .42, .95), (rear, width * .42, 2.1), 'metal', load, (1.04, 1.18)))
        parts.append(box((-h * .9, -width * .4, 2.05), (rear * .9, width * .4, 2.35), 'earth', (.45, .36, .27),
                         (.5, .4)))
    else:
        parts.append(box((-h, -width / 2, .95), (rear, width / 2, 1.12), 'metal', (.35, .30, .25)))
        parts.append(box((rear - .12, -width / 2, 1.1), (rear, width / 2, 2.2), 'metal', load))
        for x in np.linspace(-h + .6, rear - 1.2, 3):
            parts.append(box((x, -.8, 1.12), (x + 1.0, .8, rng.uniform(1.6, 2.1)), 'plastic', pick(rng, LORRY_COLOURS)))
    axles = [h - .95, -h * .62] + ([-h * .38] if length > 8 else [])
    return merge(parts + wheels(axles, width / 2 - .16, .48, .30) + lamps(h, -h, width / 2, .95))


def tractor(rng: np.random.Generator) -> Mesh:
    """The tractor of an articulated lorry (a truck in nuScenes)."""
    h, width = 3.0, 2.5
    paint = pick(rng, LORRY_COLOURS)
    parts = _cab(h - 2.3, h, width, 3.2, paint)
    parts.append(box((h - 2.2, -width * .42, 3.2), (h - .6, width * .42, 3.75), 'paint', paint, (.75, .9), (-.2, 0)))
    parts.append(box((-h, -.45, .6), (h - 2.2, .45, 1.0), 'metal', (.14, .14, .15)))
    parts.append(cylinder((-h * .45, 0, 1.0), (-h * .45, 0, 1.18), .5, 'metal', (.25, .25, .26)))
    return merge(parts + wheels([h - .95, -h * .40, -h * .78], width / 2 - .17, .5, .32) + lamps(h, -h, width / 2, .95))


def trailer(rng: np.random.Generator) -> Mesh:
    """A semi-trailer: box, curtain-sided or tank."""
    length, width, height = rng.uniform(9.0, 12.5), 2.5, rng.uniform(3.4, 3.9)
    h, colour = length / 2, pick(rng, LORRY_COLOURS)
    parts = [box((-h, -.5, .9), (h, .5, 1.2), 'metal', (.15, .15, .16))]
    if rng.random() < .75:
        parts.append(box((-h, -width / 2, 1.2), (h, width / 2, height), 'siding', colour))
        parts.append(box((-h - .02, -width * .47, 1.25), (-h + .01, width * .47, height - .05), 'metal', colour * .75))
        parts.append(box((-h * .7, -width / 2 - .01, 1.9), (h * .3, width / 2 + .01, 2.9), 'siding',
                         pick(rng, LORRY_COLOURS)))
    else:
        parts.append(cylinder((-h, 0, 2.35), (h, 0, 2.35), 1.15, 'metal', (.75, .76, .78), sections=14))
    for side in (-1, 1):
        parts.append(box((h * .45, side * .8 - .08, .1), (h * .45 + .16, side * .8 + .08, 1.2), 'metal', (.2, .2, .2)))
    parts += wheels([-h * .45, -h * .60, -h * .75], width / 2 - .17, .48, .32)
    return merge(parts + lamps(h, -h, width / 2, 1.0)[1::2])


def bus(rng: np.random.Generator) -> Mesh:
    """A city bus."""
    length, width, height = rng.uniform(10.5, 12.3), 2.55, rng.uniform(3.0, 3.3)
    h, paint = length / 2, pick(rng, BUS_COLOURS)
    parts = [box((-h, -width / 2, .35), (h, width / 2, 1.35), 'paint', paint),
             box((-h + .02, -width * .495, 1.35), (h - .02, width * .495, 2.55), 'glass', WINDOW, (.99, .98)),
             box((-h, -width / 2, 2.5), (h, width / 2, height), 'paint', paint * .55 + .42, (.985, .94)),
             box((h - .05, -width * .35, 2.6), (h + .02, width * .35, 2.9), 'lamp', (.95, .65, .1)),
             box((-h * .3, -width * .3, height), (h * .3, width * .3, height + .22), 'metal', (.7, .7, .7), (.9, .9))]
    for x in np.linspace(-h + .1, h - .9, 8):
        parts.append(box((x, -width * .5, 1.3), (x + .14, width * .5, 2.55), 'paint', paint * .8, (1, .98)))
    return merge(parts + wheels([h - 2.6, -h + 3.0], width / 2 - .14, .48, .29) + lamps(h, -h, width / 2, .85, .2))


def _tracks(half_length: float, half_width: float) -> list[Mesh]:
    profile = [(-half_length * .75, 0), (half_length * .75, 0), (half_length, .35), (half_length * .8, .75),
               (-half_length * .8, .75), (-half_length, .35)]
    return [prism(profile, side * half_width - .25, side * half_width + .25, 'metal', (.14, .13, .12))
            for side in (-1, 1)]


def construction_vehicle(rng: np.random.Generator) -> Mesh:
    """An excavator, a wheel loader or a bulldozer."""
    paint, kind = pick(rng, MACHINE_COLOURS), rng.choice(['excavator', 'loader', 'dozer'], p=[.5, .3, .2])
    if kind == 'excavator':
        lift, reach = rng.uniform(3.2, 4.4), rng.uniform(3.4, 4.2)
        elbow, wrist = (2.6, 0, lift), (2.6 + reach * .55, 0, 1.9)
        parts = _tracks(1.9, 1.05)
        parts += [box((-1.9, -1.2, .95), (1.2, 1.2, 1.9), 'paint', paint, (.97, .95)),
                  box((-.1, .25, 1.85), (1.2, 1.15, 3.0), 'glass', WINDOW, (.9, .9)),
                  box((-.15, .2, 2.95), (1.2, 1.2, 3.06), 'paint', paint),
                  box((-2.2, -1.15, 1.0), (-1.7, 1.15, 1.8), 'metal', (.18, .18, .18)),
                  cylinder((.9, -.3, 1.6), (elbow[0], -.3, elbow[2]), .24, 'paint', paint, .18),
                  cylinder((elbow[0], -.3, elbow[2]), (wrist[0], -.3, wrist[2]), .17, 'paint', paint, .13),
                  box((wrist[0] - .55, -.85, 1.1), (wrist[0] + .35, .25, 1.95), 'metal', (.25, .24, .23), (.55, .9))]
        return _centred(merge(parts))
    if kind == 'loader':
        parts = wheels([1.3, -1.3], .95, .72, .5)
        parts += [box((-2.6, -.9, .8), (-.2, .9, 1.9), 'paint', paint, (.95, .95)),
                  box((-.4, -.75, 1.2), (.9, .75, 3.1), 'glass', WINDOW, (.85, .85)),
                  box((-.4, -.8, 3.05), (.8, .8, 3.18), 'paint', paint),
                  box((.5, -.6, .7), (1.9, .6, 1.3), 'paint', paint)]
        parts += [cylinder((1.2, side * .55, 1.5), (2.9, side * .55, .7), .14, 'paint', paint) for side in (-1, 1)]
        parts.append(box((2.7, -1.25, .15), (3.5, 1.25, 1.1), 'metal', (.3, .29, .27), (.5, 1), (-.15, 0)))
        return _centred(merge(parts))
    parts = _tracks(1.7, .95)
    parts += [box((-1.5, -.7, .7), (1.5, .7, 1.7), 'paint', paint),
              box((-1.2, -.7, 1.7), (.2, .7, 3.0), 'glass', WINDOW, (.9, .9)),
              box((-1.3, -.75, 2.95), (.3, .75, 3.08), 'paint', paint),
              box((2.0, -1.5, .1), (2.3, 1.5, 1.3), 'metal', paint * .7, top_shift=(.15, 0))]
    parts += [cylinder((.4, side * 1.1, .7), (2.1, side * 1.1, .5), .1, 'metal', paint) for side in (-1, 1)]
    return _centred(merge(parts))


def _centred(mesh: Mesh) -> Mesh:
    """Shift in the plane so that the origin lies under the bounding box's centre."""
    low, high = mesh.bounds
    return mesh.moved((-(low[0] + high[0]) / 2, -(low[1] + high[1]) / 2, 0))
