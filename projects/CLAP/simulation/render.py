"""Camera images: sun and sky light, hard shadows, textures, haze, sub-pixel averaging."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import materials as m
from .layout import Layout
from .noise import value_noise
from .raycast import BACKGROUND, World
from .sensors import Camera
from .textures import albedo

GAMMA = 2.2
EDGE = 0.05
_ENCODE = (np.linspace(0, 1, 4097) ** (1 / GAMMA)).astype(np.float32)


@dataclass(frozen=True)
class Light:
    """Weather and time of day of one scene; colours are linear RGB."""

    sun: np.ndarray  # (3,) unit vector towards the sun
    sun_colour: np.ndarray
    ambient: np.ndarray
    zenith: np.ndarray
    horizon: np.ndarray
    haze_m: float
    cloud: float


def make_light(rng: np.random.Generator) -> Light:
    """Draw a clear, hazy, overcast or low-sun day."""
    kind = rng.choice(['clear', 'hazy', 'overcast', 'low'], p=[0.45, 0.2, 0.2, 0.15])
    elevation = np.radians(rng.uniform(12, 22) if kind == 'low' else rng.uniform(30, 65))
    azimuth = rng.uniform(0, 2 * np.pi)
    sun = np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
    strength = {'clear': 1.05, 'hazy': 0.75, 'overcast': 0.12, 'low': 0.95}[str(kind)]
    tint = np.array([1.0, 0.72, 0.45]) if kind == 'low' else np.array([1.0, 0.96, 0.88])
    ambient = {
        'clear': (0.40, 0.46, 0.56),
        'hazy': (0.50, 0.53, 0.56),
        'overcast': (0.70, 0.73, 0.76),
        'low': (0.40, 0.41, 0.48),
    }[str(kind)]
    zenith = {
        'clear': (0.10, 0.26, 0.62),
        'hazy': (0.35, 0.48, 0.66),
        'overcast': (0.48, 0.51, 0.55),
        'low': (0.16, 0.26, 0.50),
    }[str(kind)]
    horizon = {
        'clear': (0.62, 0.74, 0.86),
        'hazy': (0.76, 0.79, 0.80),
        'overcast': (0.66, 0.68, 0.70),
        'low': (0.92, 0.66, 0.45),
    }[str(kind)]
    haze = {'clear': 900.0, 'hazy': 320.0, 'overcast': 450.0, 'low': 600.0}[str(kind)]
    return Light(
        sun, strength * tint, np.array(ambient), np.array(zenith), np.array(horizon), haze, float(rng.uniform(0.2, 0.9))
    )


def sky(light: Light, directions: np.ndarray) -> np.ndarray:
    """Linear RGB (N, 3) of the sky in world directions (N, 3)."""
    up = np.clip(directions[:, 2], 0, 1)[:, None]
    colour = light.horizon + (light.zenith - light.horizon) * up**0.45
    flat = directions[:, :2] / np.maximum(directions[:, 2:], 0.04)
    cover = value_noise(flat[:, 0] * 0.9, flat[:, 1] * 0.9, 41) * 0.65
    cover += value_noise(flat[:, 0] * 2.7, flat[:, 1] * 2.7, 43) * 0.35
    cloud = np.clip((cover - 1 + light.cloud) * 2.2, 0, 1)[:, None] * np.clip(up * 6, 0, 1)
    colour = colour * (1 - 0.75 * cloud) + 0.75 * cloud * (light.ambient * 0.5 + 0.62)
    glow = np.clip(directions @ light.sun, 0, 1)[:, None]
    return colour + light.sun_colour * (0.25 * glow**24 + 2.0 * (glow > 0.9994))


def render(
    world: World,
    layout: Layout,
    light: Light,
    camera: Camera,
    camera_to_world: np.ndarray,
    rng: np.random.Generator,
    supersample: int = 2,
) -> np.ndarray:
    """One image, (H, W, 3) uint8 RGB.

    Pixels at edges and fine texture (contrast to a neighbour above ``EDGE``) are averaged over ``supersample`` squared
    rays; the others take one ray through their centre.
    """
    columns, rows = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    centres = np.stack([columns, rows], axis=-1).reshape(-1, 2)
    image = _radiance(world, layout, light, camera, camera_to_world, centres)
    if supersample > 1:
        refine = np.flatnonzero(_edges(_encode(image).reshape(camera.height, camera.width, 3)))
        step = (np.arange(supersample) + 0.5) / supersample - 0.5
        offsets = np.stack(np.meshgrid(step, step), axis=-1).reshape(1, -1, 2)
        samples = _radiance(
            world, layout, light, camera, camera_to_world, (centres[refine, None] + offsets).reshape(-1, 2)
        )
        image[refine] = np.minimum(samples, 1.2).reshape(len(refine), -1, 3).mean(axis=1)
    encoded = _encode(image) + rng.normal(0, 0.008, image.shape).astype(np.float32)
    return (np.clip(encoded, 0, 1) * 255 + 0.5).astype(np.uint8).reshape(camera.height, camera.width, 3)


def _encode(linear: np.ndarray) -> np.ndarray:
    return _ENCODE[(np.clip(linear, 0, 1) * 4096).astype(np.int32)]


def _edges(image: np.ndarray) -> np.ndarray:
    """(H, W) bool: pixels that differ from one of their four neighbours by more than ``EDGE`` in any channel."""
    across = (np.abs(np.diff(image, axis=1)) > EDGE).any(axis=-1)
    down = (np.abs(np.diff(image, axis=0)) > EDGE).any(axis=-1)
    edge = np.zeros(image.shape[:2], dtype=bool)
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return edge


def _radiance(
    world: World, layout: Layout, light: Light, camera: Camera, camera_to_world: np.ndarray, pixels: np.ndarray
) -> np.ndarray:
    """Linear RGB (N, 3) seen through image positions (N, 2)."""
    directions = (camera.rays(pixels) @ camera_to_world[:3, :3].T).astype(np.float32)
    origin = camera_to_world[:3, 3].astype(np.float32)
    hits = world.cast(np.broadcast_to(origin, directions.shape), directions)
    linear = np.empty_like(directions)
    miss, seen = np.flatnonzero(~hits.hit), np.flatnonzero(hits.hit)
    linear[miss] = sky(light, directions[miss])
    pixel_angle = 1.0 / camera.intrinsic[0, 0]
    linear[seen] = _shade(
        world, layout, light, directions[seen], hits.range_m[seen], hits.face[seen], origin, pixel_angle
    )
    return linear


def _shade(
    world: World,
    layout: Layout,
    light: Light,
    directions: np.ndarray,
    range_m: np.ndarray,
    face: np.ndarray,
    origin: np.ndarray,
    pixel_angle: float,
) -> np.ndarray:
    points = origin + directions * range_m[:, None]
    normal, material = world.normal[face], world.material[face]
    facing = np.einsum('ij,ij->i', normal, directions)
    normal = np.where(facing[:, None] > 0, -normal, normal)
    footprint = range_m * pixel_angle / np.maximum(np.abs(facing), 0.08)
    colour, gloss = albedo(
        layout, material, world.colour[face], normal, points, footprint, world.object[face] == BACKGROUND
    )
    lambert = normal @ light.sun.astype(np.float32)
    lit = np.flatnonzero(lambert > 0)
    start = points[lit] + normal[lit] * (2e-3 + 1e-4 * range_m[lit])[:, None]
    shadow = world.blocked(start, np.broadcast_to(light.sun.astype(np.float32), start.shape))
    lambert = np.maximum(lambert, 0)
    lambert[lit[shadow]] = 0
    foliage = material == m.MATERIAL_ID['foliage']  # leaves let light through
    lambert[foliage] = 0.35 * lambert[foliage] + 0.25
    fill = (0.62 + 0.38 * normal[:, 2])[:, None] * light.ambient.astype(np.float32)
    base = colour ** np.float32(GAMMA)
    linear = base * (lambert[:, None] * light.sun_colour.astype(np.float32) + fill)
    mirror = np.flatnonzero(gloss > 0)
    if len(mirror):
        d, n = directions[mirror], normal[mirror]
        bounce = d - 2 * np.einsum('ij,ij->i', d, n)[:, None] * n
        fresnel = 0.25 + 0.75 * (1 - np.abs(facing[mirror])) ** 3
        dark = np.where(bounce[:, 2:] > 0.02, 1.0, 0.3)  # what lies below the horizon is street, not sky
        linear[mirror] += (gloss[mirror] * fresnel)[:, None] * sky(light, bounce) * dark * 0.6
    lamp = material == m.MATERIAL_ID['lamp']
    linear[lamp] += base[lamp] * 0.6
    clear = np.exp(-range_m / light.haze_m)[:, None]
    return linear * clear + light.horizon.astype(np.float32) * (1 - clear)
