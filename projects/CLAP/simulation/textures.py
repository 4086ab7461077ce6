"""Colours of surfaces at hit points: ground, facades, foliage and the rest."""

from __future__ import annotations

import numpy as np

from . import materials as m
from .layout import Layout
from .noise import lattice, value_noise

STOREY, BAY = 3.2, 2.9  # spacing of windows on facades (m)


def window_mask(points: np.ndarray, normals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether points (N, 3) on upright walls lie on a window, and a random number per window (N,)."""
    upright = np.abs(normals[:, 2]) < 0.3
    u = np.where(np.abs(normals[:, 1]) > np.abs(normals[:, 0]), points[:, 0], points[:, 1])
    column, storey = u / BAY, (points[:, 2] - 0.4) / STOREY
    a, b = column - np.floor(column), storey - np.floor(storey)
    number = lattice(np.floor(column), np.floor(storey), 7)
    return upright & (a > 0.27) & (a < 0.73) & (b > 0.30) & (b < 0.80) & (storey > 0), number


def albedo(
    layout: Layout,
    material: np.ndarray,
    colour: np.ndarray,
    normal: np.ndarray,
    points: np.ndarray,
    footprint_m: np.ndarray,
    fixed: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """sRGB colour (N, 3) and gloss (N,) of hit points.

    Args:
        material: (N,) material index; colour: (N, 3) face colour; normal: (N, 3).
        points: (N, 3) world positions.
        footprint_m: (N,) size of a pixel on the surface; texture finer than that is faded out.
        fixed: (N,) bool, whether the surface stands still (moving surfaces carry no world-fixed noise).
    """
    rgb, gloss = colour.astype(np.float32).copy(), m.GLOSS[material].copy()
    ground = np.flatnonzero(material == m.MATERIAL_ID['ground'])
    if len(ground):
        rgb[ground] = _ground(layout, points[ground], footprint_m[ground])
    facade = np.flatnonzero(material == m.MATERIAL_ID['facade'])
    if len(facade):
        rgb[facade], gloss[facade] = _facade(points[facade], normal[facade], rgb[facade], footprint_m[facade])
    panel = np.flatnonzero(material == m.MATERIAL_ID['siding'])
    if len(panel):
        seam = np.abs((points[panel, 2] / 0.6) % 1 - 0.5) > 0.46
        rgb[panel] *= (1 - 0.22 * seam * np.clip(1 - footprint_m[panel] / 0.15, 0, 1))[:, None]
    rest = np.flatnonzero(fixed & (material != m.MATERIAL_ID['ground']))
    if len(rest):
        rgb[rest] *= _grain(points[rest], m.TEXTURE[material[rest]], footprint_m[rest])[:, None]
    return np.clip(rgb, 0, 1), gloss


def _ground(layout: Layout, points: np.ndarray, footprint: np.ndarray) -> np.ndarray:
    x, y = points[:, 0], points[:, 1]
    code = layout.surface(x, y)
    rgb = m.SURFACE_COLOUR[code].copy()
    amount = m.SURFACE_TEXTURE[code]
    fine = (value_noise(x * 9, y * 9, 3) - 0.5) * np.clip(1.3 - footprint * 9, 0, 1)
    middle = (value_noise(x * 1.7, y * 1.7, 5) - 0.5) * np.clip(1.3 - footprint * 1.7, 0, 1)
    coarse = value_noise(x * 0.16, y * 0.16, 11) - 0.5
    rgb *= (1 + amount * (1.6 * fine + 1.2 * middle + 1.1 * coarse))[:, None]
    paved = code == m.SURFACE_ID['pavement']
    joint = (np.abs((x / 0.8) % 1 - 0.5) > 0.47) | (np.abs((y / 0.8) % 1 - 0.5) > 0.47)
    rgb *= (1 - 0.25 * (paved & joint) * np.clip(1 - footprint / 0.12, 0, 1))[:, None]
    grass = code == m.SURFACE_ID['grass']
    dry = value_noise(x * 0.35, y * 0.35, 17)[grass, None]
    rgb[grass] += dry * np.array([0.10, 0.06, 0.02], dtype=np.float32)
    return rgb.astype(np.float32)


def _facade(
    points: np.ndarray, normals: np.ndarray, rgb: np.ndarray, footprint: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Walls with windows, frames and brick courses."""
    window, number = window_mask(points, normals)
    gloss = np.where(window, np.float32(0.5), np.float32(0))
    course = np.abs((points[:, 2] / 0.3) % 1 - 0.5) > 0.42
    rgb = rgb * (1 - 0.10 * course * np.clip(1 - footprint / 0.1, 0, 1))[:, None]
    dark, lit_room = np.array([[0.10, 0.13, 0.16], [0.52, 0.49, 0.38]], dtype=np.float32)
    pane = np.where(number[:, None] > 0.8, lit_room, dark)
    blind = (number > 0.45) & (number < 0.7)
    pane = np.where(blind[:, None], rgb * 0.55 + 0.3, pane)
    return np.where(window[:, None], pane, rgb).astype(np.float32), gloss


def _grain(points: np.ndarray, amount: np.ndarray, footprint: np.ndarray) -> np.ndarray:
    """Brightness noise for walls, leaves and wood from a slanted plane through the point."""
    u = points @ np.array([0.8, 0.6, 0.35], dtype=points.dtype)
    v = points @ np.array([-0.45, 0.5, 1.0], dtype=points.dtype)
    fine = (value_noise(u * 6, v * 6, 23) - 0.5) * np.clip(1.3 - footprint * 6, 0, 1)
    coarse = value_noise(u * 0.9, v * 0.9, 29) - 0.5
    return (1 + amount * (1.6 * fine + 0.9 * coarse)).astype(np.float32)
