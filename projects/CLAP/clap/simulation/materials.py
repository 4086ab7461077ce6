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
SURFACE_COLOUR = np.array([[.27, .27, .285], [.86, .86, .84], [.83, .66, .20], [.60, .585, .56], [.70, .69, .67],
                           [.28, .37, .16], [.62, .55, .44], [.33, .33, .34], [.46, .36, .26], [.21, .21, .225]],
                          dtype=np.float32)
SURFACE_REFLECTANCE = np.array([.10, .60, .45, .28, .34, .30, .26, .13, .22, .07])
SURFACE_TEXTURE = np.array([.10, .10, .10, .10, .06, .38, .16, .10, .30, .08], dtype=np.float32)

CAR_COLOURS = np.array([[.92, .92, .92], [.75, .76, .78], [.45, .46, .48], [.10, .10, .11], [.08, .10, .12],
                        [.55, .07, .07], [.70, .10, .08], [.07, .13, .34], [.12, .28, .52], [.08, .24, .16],
                        [.62, .55, .42], [.82, .60, .10], [.33, .20, .13], [.30, .36, .42]])
LORRY_COLOURS = np.array([[.90, .90, .90], [.12, .22, .55], [.65, .08, .08], [.10, .40, .22], [.85, .45, .08],
                          [.55, .56, .58], [.20, .21, .24], [.78, .72, .58]])
BUS_COLOURS = np.array([[.75, .10, .10], [.10, .30, .62], [.90, .90, .88], [.15, .45, .25], [.86, .55, .08]])
MACHINE_COLOURS = np.array([[.90, .66, .05], [.92, .52, .05], [.80, .72, .10]])
CLOTH_COLOURS = np.array([[.10, .10, .12], [.18, .20, .30], [.55, .12, .12], [.12, .32, .20], [.80, .78, .74],
                          [.45, .42, .38], [.70, .52, .15], [.38, .22, .42], [.20, .42, .62], [.85, .45, .50],
                          [.30, .18, .12], [.60, .62, .64]])
SKIN_COLOURS = np.array([[.85, .67, .55], [.74, .55, .42], [.52, .36, .25], [.35, .23, .16]])
FACADE_COLOURS = np.array([[.62, .36, .27], [.72, .62, .50], [.78, .75, .70], [.55, .53, .50], [.60, .45, .34],
                           [.45, .48, .52], [.82, .72, .55], [.50, .30, .24], [.68, .70, .72], [.40, .37, .35]])
HOUSE_COLOURS = np.array([[.86, .83, .76], [.70, .78, .82], [.82, .74, .58], [.60, .32, .24], [.74, .80, .70],
                          [.90, .88, .86], [.68, .60, .66]])
ROOF_COLOURS = np.array([[.42, .20, .14], [.28, .27, .28], [.36, .30, .26], [.20, .22, .26], [.50, .30, .20]])
LEAF_COLOURS = np.array([[.16, .30, .09], [.22, .36, .11], [.28, .40, .13], [.20, .33, .17], [.42, .42, .12],
                         [.13, .25, .11]])


def pick(rng: np.random.Generator, palette: np.ndarray, jitter: float = 0.04) -> np.ndarray:
    """A colour of the palette, slightly changed; (3,) in 0..1."""
    colour = palette[rng.integers(len(palette))]
    return np.clip(colour * rng.uniform(1 - 2 * jitter, 1 + 2 * jitter) + rng.uniform(-jitter, jitter, 3) * 0.5, 0, 1)


def brightness(colour: np.ndarray) -> np.ndarray:
    """Luma of sRGB colours (..., 3) -> (...)."""
    return colour @ np.array([0.30, 0.59, 0.11])
