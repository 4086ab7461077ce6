"""Triangle meshes that carry a material and a colour per face, and the primitives everything is composed of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Iterable, Sequence

import numpy as np
import trimesh

from .materials import MATERIAL_ID


@dataclass(frozen=True)
class Mesh:
    """A triangle soup with per-face attributes.

    Attributes:
        vertices: (V, 3) float64, metres.
        faces: (F, 3) int64, counter-clockwise seen from outside.
        material: (F,) int16, index into ``materials.MATERIALS``.
        colour: (F, 3) float32, sRGB in 0..1.
    """

    vertices: np.ndarray
    faces: np.ndarray
    material: np.ndarray
    colour: np.ndarray

    @property
    def bounds(self) -> np.ndarray:
        """(2, 3) lowest and highest corner."""
        return np.stack([self.vertices.min(axis=0), self.vertices.max(axis=0)])

    def moved(self, xyz: Sequence[float] = (0.0, 0.0, 0.0), yaw: float = 0.0) -> Mesh:
        """The mesh turned by ``yaw`` about z and then shifted."""
        return replace(self, vertices=self.vertices @ yaw_matrix(yaw).T + np.asarray(xyz, dtype=float))

    def turned(self, axis: Sequence[float], angle: float, about: Sequence[float] = (0.0, 0.0, 0.0)) -> Mesh:
        """The mesh turned by ``angle`` (rad) about ``axis`` through the point ``about``."""
        rotation = trimesh.transformations.rotation_matrix(angle, axis)[:3, :3]
        pivot = np.asarray(about, dtype=float)
        return replace(self, vertices=(self.vertices - pivot) @ rotation.T + pivot)

    def scaled(self, factors: Sequence[float]) -> Mesh:
        """The mesh scaled along x, y, z (positive factors)."""
        return replace(self, vertices=self.vertices * np.asarray(factors, dtype=float))


def yaw_matrix(yaw: float) -> np.ndarray:
    """(3, 3) rotation by ``yaw`` about +z."""
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def make_mesh(vertices: np.ndarray, faces: np.ndarray, material: str, colour: Sequence[float]) -> Mesh:
    """A mesh of one material and one colour (or one colour per face)."""
    faces = np.asarray(faces, dtype=np.int64).reshape(-1, 3)
    colours = np.broadcast_to(np.asarray(colour, dtype=np.float32), (len(faces), 3)).copy()
    return Mesh(
        np.asarray(vertices, dtype=float).reshape(-1, 3),
        faces,
        np.full(len(faces), MATERIAL_ID[material], dtype=np.int16),
        colours,
    )


def merge(meshes: Iterable[Mesh]) -> Mesh:
    """One mesh of all the given ones, in order."""
    meshes = list(meshes)
    offsets = np.cumsum([0] + [len(m.vertices) for m in meshes[:-1]])
    return Mesh(
        np.concatenate([m.vertices for m in meshes]),
        np.concatenate([m.faces + offset for m, offset in zip(meshes, offsets)]),
        np.concatenate([m.material for m in meshes]),
        np.concatenate([m.colour for m in meshes]),
    )


_BOX_FACES = np.array(
    [
        [0, 2, 1],
        [0, 3, 2],
        [4, 5, 6],
        [4, 6, 7],
        [0, 1, 5],
        [0, 5, 4],
        [1, 2, 6],
        [1, 6, 5],
        [2, 3, 7],
        [2, 7, 6],
        [3, 0, 4],
        [3, 4, 7],
    ]
)


def box(
    low: Sequence[float],
    high: Sequence[float],
    material: str,
    colour: Sequence[float],
    top_scale: Sequence[float] = (1.0, 1.0),
    top_shift: Sequence[float] = (0.0, 0.0),
) -> Mesh:
    """An axis-aligned box; its top may be narrower (``top_scale``) and shifted (``top_shift``), as in a cabin."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    cx, cy, hx, hy = (x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) / 2, (y1 - y0) / 2
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=float)
    bottom = square * [hx, hy] + [cx, cy]
    top = square * [hx * top_scale[0], hy * top_scale[1]] + [cx + top_shift[0], cy + top_shift[1]]
    vertices = np.concatenate([np.c_[bottom, np.full(4, z0)], np.c_[top, np.full(4, z1)]])
    return make_mesh(vertices, _BOX_FACES, material, colour)


def prism(profile_xz: Sequence[Sequence[float]], y0: float, y1: float, material: str, colour: Sequence[float]) -> Mesh:
    """A convex side profile, (x, z) counter-clockwise seen from -y, extruded from ``y0`` to ``y1``."""
    profile = np.asarray(profile_xz, dtype=float)
    n = len(profile)
    near = np.c_[profile[:, 0], np.full(n, y0), profile[:, 1]]
    far = np.c_[profile[:, 0], np.full(n, y1), profile[:, 1]]
    faces = [[0, i, i + 1] for i in range(1, n - 1)] + [[n, n + i + 1, n + i] for i in range(1, n - 1)]
    for i in range(n):
        j = (i + 1) % n
        faces += [[i, n + i, n + j], [i, n + j, j]]
    return make_mesh(np.concatenate([near, far]), np.array(faces), material, colour)


def cylinder(
    start: Sequence[float],
    end: Sequence[float],
    radius: float,
    material: str,
    colour: Sequence[float],
    end_radius: float | None = None,
    sections: int = 8,
) -> Mesh:
    """A closed cylinder, or a cone frustum when ``end_radius`` differs, between two points."""
    start, end = np.asarray(start, dtype=float), np.asarray(end, dtype=float)
    end_radius = radius if end_radius is None else end_radius
    axis = (end - start) / np.linalg.norm(end - start)
    helper = np.array([1.0, 0.0, 0.0]) if abs(axis[0]) < 0.9 else np.array([0.0, 1.0, 0.0])
    u = np.cross(axis, helper)
    u /= np.linalg.norm(u)
    v = np.cross(axis, u)
    angle = np.arange(sections) * 2 * np.pi / sections
    ring = np.cos(angle)[:, None] * u + np.sin(angle)[:, None] * v
    vertices = np.concatenate([start + ring * radius, end + ring * end_radius, start[None], end[None]])
    faces = []
    for i in range(sections):
        j = (i + 1) % sections
        faces += [
            [i, j, sections + j],
            [i, sections + j, sections + i],
            [j, i, 2 * sections],
            [sections + i, sections + j, 2 * sections + 1],
        ]
    return make_mesh(vertices, np.array(faces), material, colour)


@lru_cache(maxsize=None)
def _unit_sphere(subdivisions: int) -> tuple[np.ndarray, np.ndarray]:
    sphere = trimesh.creation.icosphere(subdivisions=subdivisions, radius=1.0)
    return np.array(sphere.vertices), np.array(sphere.faces)


def ball(
    centre: Sequence[float],
    radii: Sequence[float],
    material: str,
    colour: Sequence[float],
    subdivisions: int = 1,
    roughness: float = 0.0,
    rng: np.random.Generator | None = None,
) -> Mesh:
    """An ellipsoid from an icosphere; ``roughness`` moves each vertex by up to that share of its radius."""
    vertices, faces = _unit_sphere(subdivisions)
    if roughness > 0:
        assert rng is not None, 'a rough ball needs a random generator'
        vertices = vertices * (1 + rng.uniform(-roughness, roughness, (len(vertices), 1)))
    return make_mesh(
        vertices * np.asarray(radii, dtype=float) + np.asarray(centre, dtype=float), faces, material, colour
    )


def polygon_slab(outline: np.ndarray, z0: float, z1: float, material: str, colour: Sequence[float]) -> Mesh:
    """A convex outline (N, 2), counter-clockwise, as a slab with a top and a side, without a bottom."""
    n = len(outline)
    centre = outline.mean(axis=0)
    vertices = np.concatenate([np.c_[outline, np.full(n, z0)], np.c_[outline, np.full(n, z1)], [[*centre, z1]]])
    faces = []
    for i in range(n):
        j = (i + 1) % n
        faces += [[i, j, n + j], [i, n + j, n + i], [n + i, n + j, 2 * n]]
    return make_mesh(vertices, np.array(faces), material, colour)
