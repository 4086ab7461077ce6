"""Shapes of motor vehicles. Object frame: x forward, y left, z up, origin on the ground under the box's centre."""

from __future__ import annotations

import numpy as np

from .materials import BUS_COLOURS, CAR_COLOURS, LORRY_COLOURS, MACHINE_COLOURS, pick
from .mesh import Mesh, box, cylinder, merge, prism

TYRE, HUB, BLACK = (0.06, 0.06, 0.065), (0.55, 0.56, 0.58), (0.05, 0.05, 0.06)
WINDOW, WHITE_LAMP, RED_LAMP, AMBER = (0.10, 0.13, 0.16), (0.95, 0.94, 0.85), (0.65, 0.05, 0.05), (0.95, 0.55, 0.05)


def wheel(x: float, y: float, radius: float, width: float) -> Mesh:
    """A tyre with a hub cap; ``y`` is the middle of the tyre."""
    side = np.sign(y) if y else 1.0
    return merge(
        [
            cylinder((x, y - width / 2, radius), (x, y + width / 2, radius), radius, 'rubber', TYRE, sections=12),
            cylinder(
                (x, y + side * width * 0.3, radius),
                (x, y + side * width * 0.53, radius),
                radius * 0.55,
                'metal',
                HUB,
                sections=8,
            ),
        ]
    )


def wheels(axles: list[float], half_track: float, radius: float, width: float) -> list[Mesh]:
    return [wheel(x, side * half_track, radius, width) for x in axles for side in (-1, 1)]


def lamps(front: float, back: float, half_width: float, z: float, size: float = 0.14) -> list[Mesh]:
    """Head lamps, tail lamps and number plates."""
    parts = []
    for side in (-1, 1):
        y = side * half_width * 0.78
        parts.append(
            box((front - 0.05, y - size, z - size / 2), (front + 0.02, y + size, z + size / 2), 'lamp', WHITE_LAMP)
        )
        parts.append(
            box(
                (back - 0.02, y - size, z - size / 2 + 0.1),
                (back + 0.05, y + size, z + size / 2 + 0.1),
                'retro',
                RED_LAMP,
            )
        )
    parts.append(box((back - 0.03, -0.26, z - 0.25), (back + 0.01, 0.26, z - 0.13), 'retro', (0.92, 0.92, 0.88)))
    return parts


def car(rng: np.random.Generator) -> Mesh:
    """A passenger car: saloon, hatchback, estate, SUV or van, by its side profile."""
    kind = rng.choice(['saloon', 'hatchback', 'suv', 'estate', 'van'], p=[0.32, 0.26, 0.24, 0.10, 0.08])
    length, width, height = {
        'saloon': (4.65, 1.82, 1.45),
        'hatchback': (4.05, 1.75, 1.48),
        'suv': (4.65, 1.90, 1.70),
        'estate': (4.70, 1.82, 1.48),
        'van': (4.90, 1.93, 1.95),
    }[str(kind)]
    length, width, height = np.array([length, width, height]) * rng.uniform(0.94, 1.06, 3)
    paint, h = pick(rng, CAR_COLOURS), length / 2
    sill, belt, radius = 0.18 * height, 0.60 * height, 0.215 * height
    bonnet = belt - 0.03 * height
    body = prism(
        [
            (-h, sill),
            (h * 0.97, sill),
            (h, sill + 0.2),
            (h * 0.99, bonnet - 0.16),
            (h * 0.90, bonnet - 0.04),
            (h * 0.42, belt),
            (-h * 0.9, belt),
            (-h, belt - 0.1),
        ],
        -width / 2,
        width / 2,
        'paint',
        paint,
    )
    # The cabin is glass up to the roof: two tapered boxes keep the pillars' colour apart from the panes'.
    front, back = {
        'saloon': (0.42, -0.68),
        'hatchback': (0.44, -0.92),
        'suv': (0.46, -0.93),
        'estate': (0.42, -0.96),
        'van': (0.74, -0.97),
    }[str(kind)]
    rear_slope = {'saloon': 0.30, 'hatchback': 0.16, 'suv': 0.08, 'estate': 0.08, 'van': 0.03}[str(kind)]
    x0, x1 = h * back, h * front
    span = x1 - x0
    lean_front = {'van': 0.28}.get(str(kind), 0.24) * span
    top0, top1 = x0 + rear_slope * span, x1 - lean_front
    glass = box(
        (x0, -width * 0.465, belt - 0.01),
        (x1, width * 0.465, height - 0.05),
        'glass',
        WINDOW,
        top_scale=((top1 - top0) / span, 0.84),
        top_shift=((top0 + top1 - x0 - x1) / 2, 0),
    )
    roof = box(
        (top0 - 0.03, -width * 0.40, height - 0.06), (top1 + 0.03, width * 0.40, height), 'paint', paint, (0.9, 0.9)
    )
    parts = [body, glass, roof]
    for share in (0.30, 0.62):  # pillars
        x = x0 + span * share
        parts.append(
            box(
                (x - 0.05, -width * 0.468, belt),
                (x + 0.05, width * 0.468, height - 0.05),
                'paint',
                paint * 0.9,
                top_scale=(1, 0.845),
            )
        )
    for side in (-1, 1):
        y = side * width * 0.5
        parts.append(box((x1 - 0.42, y - 0.09, belt), (x1 - 0.25, y + 0.09, belt + 0.14), 'plastic', BLACK))
    parts.append(box((h * 0.96, -width * 0.42, sill), (h * 1.01, width * 0.42, sill + 0.22), 'plastic', BLACK))
    parts.append(
        box((-h * 1.01, -width * 0.45, sill), (-h * 0.97, width * 0.45, sill + 0.2), 'plastic', (0.12, 0.12, 0.12))
    )
    parts += wheels([h * 0.62, -h * 0.60], width / 2 - 0.1, radius, 0.21)
    return merge(parts + lamps(h * 0.985, -h, width / 2, belt - 0.18))


def pickup(rng: np.random.Generator) -> Mesh:
    """A pick-up (nuScenes counts it as a truck)."""
    length, width, height = np.array([5.4, 1.95, 1.85]) * rng.uniform(0.95, 1.05, 3)
    paint, h = pick(rng, CAR_COLOURS), length / 2
    belt = height * 0.58
    parts = [
        box((-h, -width / 2, 0.42), (h, width / 2, belt - 0.1), 'paint', paint),
        box((h * 0.45, -width / 2, belt - 0.1), (h * 0.98, width / 2, belt), 'paint', paint, (0.94, 0.95)),
        box(
            (-h * 0.1, -width * 0.47, belt - 0.1), (h * 0.5, width * 0.47, height - 0.05), 'glass', WINDOW, (0.68, 0.85)
        ),
        box((h * 0.0, -width * 0.39, height - 0.06), (h * 0.40, width * 0.39, height), 'paint', paint),
    ]
    for y in (-width / 2, width / 2 - 0.08):
        parts.append(box((-h, y, belt - 0.1), (-h * 0.1, y + 0.08, belt + 0.08), 'paint', paint))
    parts.append(box((-h, -width / 2, belt - 0.1), (-h + 0.08, width / 2, belt + 0.08), 'paint', paint))
    return merge(
        parts + wheels([h * 0.62, -h * 0.58], width / 2 - 0.12, 0.38, 0.25) + lamps(h, -h, width / 2, belt - 0.25)
    )


def _cab(x0: float, x1: float, width: float, height: float, paint: np.ndarray) -> list[Mesh]:
    """A lorry's cab between ``x0`` and ``x1`` (front), with windscreen and side windows."""
    waist = height * 0.52
    return [
        box((x0, -width / 2, 0.55), (x1, width / 2, waist), 'paint', paint),
        box((x0, -width / 2, waist), (x1, width / 2, height), 'paint', paint, (0.90, 0.94), (-0.08, 0)),
        box(
            (x1 - 0.12, -width * 0.44, waist + 0.05),
            (x1 + 0.01, width * 0.44, height * 0.86),
            'glass',
            WINDOW,
            top_shift=(-0.12, 0),
        ),
        box(
            (x0 + 0.45, -width * 0.505, waist + 0.08),
            (x1 - 0.35, width * 0.505, height * 0.84),
            'glass',
            WINDOW,
            (0.9, 0.95),
        ),
        box((x1 - 0.02, -width * 0.46, 0.45), (x1 + 0.06, width * 0.46, 0.80), 'plastic', BLACK),
    ]


def truck(rng: np.random.Generator) -> Mesh:
    """A rigid lorry with a box, a tipping body or a flat bed; sometimes a pick-up."""
    kind = rng.choice(['box', 'tipper', 'flat', 'pickup'], p=[0.5, 0.15, 0.1, 0.25])
    if kind == 'pickup':
        return pickup(rng)
    length, width = rng.uniform(6.2, 9.0), rng.uniform(2.25, 2.5)
    height, cab_height = rng.uniform(2.9, 3.6), rng.uniform(2.4, 2.8)
    h, cab_length, paint = length / 2, 1.9, pick(rng, LORRY_COLOURS)
    rear = h - cab_length - 0.15
    load = pick(rng, LORRY_COLOURS)
    parts = _cab(h - cab_length, h, width, cab_height, paint)
    parts.append(box((-h, -width * 0.3, 0.55), (h - cab_length, width * 0.3, 0.95), 'metal', (0.16, 0.16, 0.17)))
    if kind == 'box':
        parts.append(box((-h, -width / 2, 0.95), (rear, width / 2, height), 'siding', load))
        parts.append(
            box((-h - 0.02, -width * 0.44, 1.05), (-h + 0.01, width * 0.44, height - 0.1), 'metal', load * 0.8)
        )
    elif kind == 'tipper':
        parts.append(box((-h, -width * 0.42, 0.95), (rear, width * 0.42, 2.1), 'metal', load, (1.04, 1.18)))
        parts.append(
            box(
                (-h * 0.9, -width * 0.4, 2.05), (rear * 0.9, width * 0.4, 2.35), 'earth', (0.45, 0.36, 0.27), (0.5, 0.4)
            )
        )
    else:
        parts.append(box((-h, -width / 2, 0.95), (rear, width / 2, 1.12), 'metal', (0.35, 0.30, 0.25)))
        parts.append(box((rear - 0.12, -width / 2, 1.1), (rear, width / 2, 2.2), 'metal', load))
        for x in np.linspace(-h + 0.6, rear - 1.2, 3):
            parts.append(
                box((x, -0.8, 1.12), (x + 1.0, 0.8, rng.uniform(1.6, 2.1)), 'plastic', pick(rng, LORRY_COLOURS))
            )
    axles = [h - 0.95, -h * 0.62] + ([-h * 0.38] if length > 8 else [])
    return merge(parts + wheels(axles, width / 2 - 0.16, 0.48, 0.30) + lamps(h, -h, width / 2, 0.95))


def tractor(rng: np.random.Generator) -> Mesh:
    """The tractor of an articulated lorry (a truck in nuScenes)."""
    h, width = 3.0, 2.5
    paint = pick(rng, LORRY_COLOURS)
    parts = _cab(h - 2.3, h, width, 3.2, paint)
    parts.append(
        box((h - 2.2, -width * 0.42, 3.2), (h - 0.6, width * 0.42, 3.75), 'paint', paint, (0.75, 0.9), (-0.2, 0))
    )
    parts.append(box((-h, -0.45, 0.6), (h - 2.2, 0.45, 1.0), 'metal', (0.14, 0.14, 0.15)))
    parts.append(cylinder((-h * 0.45, 0, 1.0), (-h * 0.45, 0, 1.18), 0.5, 'metal', (0.25, 0.25, 0.26)))
    return merge(
        parts + wheels([h - 0.95, -h * 0.40, -h * 0.78], width / 2 - 0.17, 0.5, 0.32) + lamps(h, -h, width / 2, 0.95)
    )


def trailer(rng: np.random.Generator) -> Mesh:
    """A semi-trailer: box, curtain-sided or tank."""
    length, width, height = rng.uniform(9.0, 12.5), 2.5, rng.uniform(3.4, 3.9)
    h, colour = length / 2, pick(rng, LORRY_COLOURS)
    parts = [box((-h, -0.5, 0.9), (h, 0.5, 1.2), 'metal', (0.15, 0.15, 0.16))]
    if rng.random() < 0.75:
        parts.append(box((-h, -width / 2, 1.2), (h, width / 2, height), 'siding', colour))
        parts.append(
            box((-h - 0.02, -width * 0.47, 1.25), (-h + 0.01, width * 0.47, height - 0.05), 'metal', colour * 0.75)
        )
        parts.append(
            box(
                (-h * 0.7, -width / 2 - 0.01, 1.9), (h * 0.3, width / 2 + 0.01, 2.9), 'siding', pick(rng, LORRY_COLOURS)
            )
        )
    else:
        parts.append(cylinder((-h, 0, 2.35), (h, 0, 2.35), 1.15, 'metal', (0.75, 0.76, 0.78), sections=14))
    for side in (-1, 1):
        parts.append(
            box((h * 0.45, side * 0.8 - 0.08, 0.1), (h * 0.45 + 0.16, side * 0.8 + 0.08, 1.2), 'metal', (0.2, 0.2, 0.2))
        )
    parts += wheels([-h * 0.45, -h * 0.60, -h * 0.75], width / 2 - 0.17, 0.48, 0.32)
    return merge(parts + lamps(h, -h, width / 2, 1.0)[1::2])


def bus(rng: np.random.Generator) -> Mesh:
    """A city bus."""
    length, width, height = rng.uniform(10.5, 12.3), 2.55, rng.uniform(3.0, 3.3)
    h, paint = length / 2, pick(rng, BUS_COLOURS)
    parts = [
        box((-h, -width / 2, 0.35), (h, width / 2, 1.35), 'paint', paint),
        box((-h + 0.02, -width * 0.495, 1.35), (h - 0.02, width * 0.495, 2.55), 'glass', WINDOW, (0.99, 0.98)),
        box((-h, -width / 2, 2.5), (h, width / 2, height), 'paint', paint * 0.55 + 0.42, (0.985, 0.94)),
        box((h - 0.05, -width * 0.35, 2.6), (h + 0.02, width * 0.35, 2.9), 'lamp', (0.95, 0.65, 0.1)),
        box(
            (-h * 0.3, -width * 0.3, height),
            (h * 0.3, width * 0.3, height + 0.22),
            'metal',
            (0.7, 0.7, 0.7),
            (0.9, 0.9),
        ),
    ]
    for x in np.linspace(-h + 0.1, h - 0.9, 8):
        parts.append(box((x, -width * 0.5, 1.3), (x + 0.14, width * 0.5, 2.55), 'paint', paint * 0.8, (1, 0.98)))
    return merge(parts + wheels([h - 2.6, -h + 3.0], width / 2 - 0.14, 0.48, 0.29) + lamps(h, -h, width / 2, 0.85, 0.2))


def _tracks(half_length: float, half_width: float) -> list[Mesh]:
    profile = [
        (-half_length * 0.75, 0),
        (half_length * 0.75, 0),
        (half_length, 0.35),
        (half_length * 0.8, 0.75),
        (-half_length * 0.8, 0.75),
        (-half_length, 0.35),
    ]
    return [
        prism(profile, side * half_width - 0.25, side * half_width + 0.25, 'metal', (0.14, 0.13, 0.12))
        for side in (-1, 1)
    ]


def construction_vehicle(rng: np.random.Generator) -> Mesh:
    """An excavator, a wheel loader or a bulldozer."""
    paint, kind = pick(rng, MACHINE_COLOURS), rng.choice(['excavator', 'loader', 'dozer'], p=[0.5, 0.3, 0.2])
    if kind == 'excavator':
        lift, reach = rng.uniform(3.2, 4.4), rng.uniform(3.4, 4.2)
        elbow, wrist = (2.6, 0, lift), (2.6 + reach * 0.55, 0, 1.9)
        parts = _tracks(1.9, 1.05)
        parts += [
            box((-1.9, -1.2, 0.95), (1.2, 1.2, 1.9), 'paint', paint, (0.97, 0.95)),
            box((-0.1, 0.25, 1.85), (1.2, 1.15, 3.0), 'glass', WINDOW, (0.9, 0.9)),
            box((-0.15, 0.2, 2.95), (1.2, 1.2, 3.06), 'paint', paint),
            box((-2.2, -1.15, 1.0), (-1.7, 1.15, 1.8), 'metal', (0.18, 0.18, 0.18)),
            cylinder((0.9, -0.3, 1.6), (elbow[0], -0.3, elbow[2]), 0.24, 'paint', paint, 0.18),
            cylinder((elbow[0], -0.3, elbow[2]), (wrist[0], -0.3, wrist[2]), 0.17, 'paint', paint, 0.13),
            box((wrist[0] - 0.55, -0.85, 1.1), (wrist[0] + 0.35, 0.25, 1.95), 'metal', (0.25, 0.24, 0.23), (0.55, 0.9)),
        ]
        return _centred(merge(parts))
    if kind == 'loader':
        parts = wheels([1.3, -1.3], 0.95, 0.72, 0.5)
        parts += [
            box((-2.6, -0.9, 0.8), (-0.2, 0.9, 1.9), 'paint', paint, (0.95, 0.95)),
            box((-0.4, -0.75, 1.2), (0.9, 0.75, 3.1), 'glass', WINDOW, (0.85, 0.85)),
            box((-0.4, -0.8, 3.05), (0.8, 0.8, 3.18), 'paint', paint),
            box((0.5, -0.6, 0.7), (1.9, 0.6, 1.3), 'paint', paint),
        ]
        parts += [cylinder((1.2, side * 0.55, 1.5), (2.9, side * 0.55, 0.7), 0.14, 'paint', paint) for side in (-1, 1)]
        parts.append(box((2.7, -1.25, 0.15), (3.5, 1.25, 1.1), 'metal', (0.3, 0.29, 0.27), (0.5, 1), (-0.15, 0)))
        return _centred(merge(parts))
    parts = _tracks(1.7, 0.95)
    parts += [
        box((-1.5, -0.7, 0.7), (1.5, 0.7, 1.7), 'paint', paint),
        box((-1.2, -0.7, 1.7), (0.2, 0.7, 3.0), 'glass', WINDOW, (0.9, 0.9)),
        box((-1.3, -0.75, 2.95), (0.3, 0.75, 3.08), 'paint', paint),
        box((2.0, -1.5, 0.1), (2.3, 1.5, 1.3), 'metal', paint * 0.7, top_shift=(0.15, 0)),
    ]
    parts += [cylinder((0.4, side * 1.1, 0.7), (2.1, side * 1.1, 0.5), 0.1, 'metal', paint) for side in (-1, 1)]
    return _centred(merge(parts))


def _centred(mesh: Mesh) -> Mesh:
    """Shift in the plane so that the origin lies under the bounding box's centre."""
    low, high = mesh.bounds
    return mesh.moved((-(low[0] + high[0]) / 2, -(low[1] + high[1]) / 2, 0))
