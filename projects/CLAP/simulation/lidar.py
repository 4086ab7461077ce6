"""A 32-beam spinning LiDAR.

Every sweep is taken at one instant (no motion within the sweep), so the points need no compensation: transforming
them by the sensor's pose at the sweep's timestamp puts them where the surfaces were at that time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import materials as m
from .layout import Layout
from .raycast import BACKGROUND, World
from .sensors import BEAM_ELEVATIONS_DEG
from .textures import window_mask

RANGE_NOISE_M = 0.02
MIN_RANGE_M, MAX_RANGE_M = 1.0, 100.0
SIGNAL_GAIN = 60.0  # a surface of 10 % reflectance at 70 m and normal incidence answers with probability 1 - exp(-6)


@dataclass(frozen=True)
class Sweep:
    """One sweep.

    Attributes:
        points: (N, 5) float32 x, y, z (sensor frame, m), intensity (0..255), ring (0 lowest .. 31).
        objects: (N,) object number that sent the return, ``BACKGROUND`` for scenery.
        material: (N,) material index.
    """

    points: np.ndarray
    objects: np.ndarray
    material: np.ndarray


def beam_directions(azimuth_steps: int, phase: float) -> tuple[np.ndarray, np.ndarray]:
    """Unit directions (R, 3) in the sensor frame and rings (R,), firing by firing, clockwise from behind."""
    azimuth = -np.pi + (np.arange(azimuth_steps) + phase) * 2 * np.pi / azimuth_steps
    elevation = np.radians(BEAM_ELEVATIONS_DEG)
    az, el = np.repeat(azimuth, len(elevation)), np.tile(elevation, azimuth_steps)
    directions = np.stack([np.sin(az) * np.cos(el), np.cos(az) * np.cos(el), np.sin(el)], axis=1)
    return directions, np.tile(np.arange(len(elevation)), azimuth_steps)


def take_sweep(
    world: World,
    layout: Layout,
    lidar_to_world: np.ndarray,
    azimuth_steps: int,
    rng: np.random.Generator,
    max_range_m: float = MAX_RANGE_M,
) -> Sweep:
    """Cast one sweep and turn the hits into returns with noise, intensity and losses; none beyond ``max_range_m``."""
    directions, ring = beam_directions(azimuth_steps, float(rng.random()))
    rays = directions @ lidar_to_world[:3, :3].T
    hits = world.cast(np.broadcast_to(lidar_to_world[:3, 3], rays.shape), rays)
    keep = np.flatnonzero(hits.hit & (hits.range_m > MIN_RANGE_M) & (hits.range_m < max_range_m))
    face, true_range = hits.face[keep], hits.range_m[keep].astype(float)
    material = world.material[face]
    where = lidar_to_world[:3, 3] + rays[keep] * true_range[:, None]
    incidence = np.abs(np.einsum('ij,ij->i', world.normal[face], rays[keep].astype(np.float32))).astype(float)
    reflectance = _reflectance(world, layout, face, where)
    loss = m.LOSS[material].copy()
    window = (material == m.MATERIAL_ID['facade']) & window_mask(where, world.normal[face])[0]
    reflectance[window], loss[window] = 0.08, 0.5
    signal = reflectance * np.maximum(incidence, 0.02)
    answered = 1 - np.exp(-SIGNAL_GAIN * signal / (true_range / 70.0) ** 2)
    draws = rng.random((2, len(keep)))
    returned = (draws[0] < answered) & (draws[1] >= loss)
    noise = rng.normal(0, RANGE_NOISE_M, len(keep)) + rng.exponential(1.0, len(keep)) * m.DEPTH_M[material]
    # Receivers compensate for distance, not for incidence; retro-reflectors saturate.
    intensity = 110 * reflectance * (0.3 + 0.7 * incidence) * rng.lognormal(0, 0.12, len(keep))
    points = np.column_stack(
        [directions[keep] * (true_range + noise)[:, None], np.clip(np.round(intensity), 0, 255), ring[keep]]
    )[returned]
    return Sweep(points.astype(np.float32), world.object[face][returned], material[returned])


def _reflectance(world: World, layout: Layout, face: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Share of light sent back at normal incidence, by material, colour and ground surface."""
    material = world.material[face]
    value = m.REFLECTANCE[material].copy()
    coloured = m.BY_COLOUR[material]
    value[coloured] *= 0.25 + 0.9 * m.brightness(world.colour[face[coloured]])
    ground = (material == m.MATERIAL_ID['ground']) & (world.object[face] == BACKGROUND)
    value[ground] = m.SURFACE_REFLECTANCE[layout.surface(where[ground, 0], where[ground, 1])]
    return value
