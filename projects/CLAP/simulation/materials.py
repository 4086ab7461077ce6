"""Materials: what a surface is made of, how it answers the laser, and the palettes colours are drawn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Material:
    """One material.

    Attributes:
        name: key used by the shape builders.
        reflectance: share of the laser light sent back at normal incidence (0..1); coloured materials are scaled by
            the brightness of their colour where ``by_colour``.
        by_colour: whether the face colour's brightness modulates ``reflectance``.
        loss: probability that the return is lost whatever the range (glass, polished paint).
        depth_m: mean depth to which the beam enters the surface before it returns (foliage).
        texture: amplitude of the brightness noise of the image texture.
        gloss: strength of the mirrored sky in the image.
    """

    name: str
    reflectance: float
    by_colour: bool = False
    loss: float = 0.01
    depth_m: float = 0.0
    texture: float = 0.08
    gloss: float = 0.0


MATERIALS = (
    Material('ground', 0.15),  # colour and reflectance come from the layout at the hit point
    Material('paint', 0.55, by_colour=True, loss=0.06, texture=0.02, gloss=0.18),
    Material('glass', 0.08, loss=0.55, texture=0.0, gloss=0.55),
    Material('rubber', 0.06, loss=0.08, texture=0.06),
    Material('metal', 0.45, by_colour=True, loss=0.04, texture=0.04, gloss=0.10),
    Material('plastic', 0.40, by_colour=True, loss=0.02, texture=0.05),
    Material('facade', 0.35, by_colour=True, loss=0.02, texture=0.10),
    Material('roof', 0.25, by_colour=True, texture=0.16),
    Material('foliage', 0.32, loss=0.05, depth_m=0.12, texture=0.45),
    Material('bark', 0.22, texture=0.35),
    Material('cloth', 0.35, by_colour=True, loss=0.02, texture=0.10),
    Material('skin', 0.40, texture=0.04),
    Material('concrete', 0.40, by_colour=True, texture=0.14),
    Material('retro', 1.60, loss=0.0, texture=0.0),
    Material('lamp', 0.50, loss=0.05, texture=0.0),
    Material('earth', 0.24, texture=0.40),
    Material('siding', 0.35, by_colour=True, loss=0.01, texture=0.05),
)
MATERIAL_ID = {m.name: i for i, m in enumerate(MATERIALS)}
REFLECTANCE = np.array([m.reflectance for m in MATERIALS])
BY_COLOUR = np.array([m.by_colour for m in MATERIALS])
LOSS = np.array([m.loss for m in MATERIALS])
DEPTH_M = np.array([m.depth_m for m in MATERIALS])
TEXTURE = np.array([m.texture for m in MATERIALS], dtype=np.float32)
GLOSS = np.array([m.gloss for m in MATERIALS], dtype=np.float32)

# Ground surfaces, in the order of the codes that Layout.surface returns.
SURFACES = ('asphalt', 'white_line', 'yellow_line', 'pavement', 'kerb', 'grass', 'path', 'parking', 'earth', 'patch')
SURFACE_ID = {name: i for i, name in enumerate(SURFACES)}
SURFACE_COLOUR = np.array(
    [
        [0.27, 0.27, 0.285],
        [0.86, 0.86, 0.84],
        [0.83, 0.66, 0.20],
        [0.60, 0.585, 0.56],
        [0.70, 0.69, 0.67],
        [0.28, 0.37, 0.16],
        [0.62, 0.55, 0.44],
        [0.33, 0.33, 0.34],
        [0.46, 0.36, 0.26],
        [0.21, 0.21, 0.225],
    ],
    dtype=np.float32,
)
SURFACE_REFLECTANCE = np.array([0.10, 0.60, 0.45, 0.28, 0.34, 0.30, 0.26, 0.13, 0.22, 0.07])
SURFACE_TEXTURE = np.array([0.10, 0.10, 0.10, 0.10, 0.06, 0.38, 0.16, 0.10, 0.30, 0.08], dtype=np.float32)

CAR_COLOURS = np.array(
    [
        [0.92, 0.92, 0.92],
        [0.75, 0.76, 0.78],
        [0.45, 0.46, 0.48],
        [0.10, 0.10, 0.11],
        [0.08, 0.10, 0.12],
        [0.55, 0.07, 0.07],
        [0.70, 0.10, 0.08],
        [0.07, 0.13, 0.34],
        [0.12, 0.28, 0.52],
        [0.08, 0.24, 0.16],
        [0.62, 0.55, 0.42],
        [0.82, 0.60, 0.10],
        [0.33, 0.20, 0.13],
        [0.30, 0.36, 0.42],
    ]
)
LORRY_COLOURS = np.array(
    [
        [0.90, 0.90, 0.90],
        [0.12, 0.22, 0.55],
        [0.65, 0.08, 0.08],
        [0.10, 0.40, 0.22],
        [0.85, 0.45, 0.08],
        [0.55, 0.56, 0.58],
        [0.20, 0.21, 0.24],
        [0.78, 0.72, 0.58],
    ]
)
BUS_COLOURS = np.array(
    [[0.75, 0.10, 0.10], [0.10, 0.30, 0.62], [0.90, 0.90, 0.88], [0.15, 0.45, 0.25], [0.86, 0.55, 0.08]]
)
MACHINE_COLOURS = np.array([[0.90, 0.66, 0.05], [0.92, 0.52, 0.05], [0.80, 0.72, 0.10]])
CLOTH_COLOURS = np.array(
    [
        [0.10, 0.10, 0.12],
        [0.18, 0.20, 0.30],
        [0.55, 0.12, 0.12],
        [0.12, 0.32, 0.20],
        [0.80, 0.78, 0.74],
        [0.45, 0.42, 0.38],
        [0.70, 0.52, 0.15],
        [0.38, 0.22, 0.42],
        [0.20, 0.42, 0.62],
        [0.85, 0.45, 0.50],
        [0.30, 0.18, 0.12],
        [0.60, 0.62, 0.64],
    ]
)
SKIN_COLOURS = np.array([[0.85, 0.67, 0.55], [0.74, 0.55, 0.42], [0.52, 0.36, 0.25], [0.35, 0.23, 0.16]])
FACADE_COLOURS = np.array(
    [
        [0.62, 0.36, 0.27],
        [0.72, 0.62, 0.50],
        [0.78, 0.75, 0.70],
        [0.55, 0.53, 0.50],
        [0.60, 0.45, 0.34],
        [0.45, 0.48, 0.52],
        [0.82, 0.72, 0.55],
        [0.50, 0.30, 0.24],
        [0.68, 0.70, 0.72],
        [0.40, 0.37, 0.35],
    ]
)
HOUSE_COLOURS = np.array(
    [
        [0.86, 0.83, 0.76],
        [0.70, 0.78, 0.82],
        [0.82, 0.74, 0.58],
        [0.60, 0.32, 0.24],
        [0.74, 0.80, 0.70],
        [0.90, 0.88, 0.86],
        [0.68, 0.60, 0.66],
    ]
)
ROOF_COLOURS = np.array(
    [[0.42, 0.20, 0.14], [0.28, 0.27, 0.28], [0.36, 0.30, 0.26], [0.20, 0.22, 0.26], [0.50, 0.30, 0.20]]
)
LEAF_COLOURS = np.array(
    [
        [0.16, 0.30, 0.09],
        [0.22, 0.36, 0.11],
        [0.28, 0.40, 0.13],
        [0.20, 0.33, 0.17],
        [0.42, 0.42, 0.12],
        [0.13, 0.25, 0.11],
    ]
)


def pick(rng: np.random.Generator, palette: np.ndarray, jitter: float = 0.04) -> np.ndarray:
    """A colour of the palette, slightly changed; (3,) in 0..1."""
    colour = palette[rng.integers(len(palette))]
    return np.clip(colour * rng.uniform(1 - 2 * jitter, 1 + 2 * jitter) + rng.uniform(-jitter, jitter, 3) * 0.5, 0, 1)


def brightness(colour: np.ndarray) -> np.ndarray:
    """Luma of sRGB colours (..., 3) -> (...)."""
    return colour @ np.array([0.30, 0.59, 0.11])
