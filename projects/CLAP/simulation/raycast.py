"""Ray casting against the still world and the posed moving objects with Embree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from embreex import rtcore_scene
from embreex.mesh_construction import TriangleMesh

from .mesh import Mesh

BACKGROUND = -1


@dataclass(frozen=True)
class Hits:
    """First hit of each ray.

    Attributes:
        range_m: (R,) float32, ``inf`` where nothing was hit.
        face: (R,) int64 index into the face attributes of the ``World`` that was cast, -1 where nothing was hit.
    """

    range_m: np.ndarray
    face: np.ndarray

    @property
    def hit(self) -> np.ndarray:
        """(R,) bool."""
        return self.face >= 0


class _Bvh:
    """One Embree scene. Embree works in float32: about 0.03 mm at 400 m from the origin."""

    def __init__(self, mesh: Mesh) -> None:
        self._scene = rtcore_scene.EmbreeScene()
        # A triangle soup is built faster than an indexed mesh, and there is a build per sweep.
        self._geometry = TriangleMesh(self._scene, mesh.vertices.astype(np.float32)[mesh.faces])

    def first(self, origins: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        result = self._scene.run(origins, directions, output=True)
        face = result['primID'].astype(np.int64)
        return np.where(face >= 0, result['tfar'], np.float32(np.inf)), face


class StaticWorld:
    """What never moves, with its acceleration structure built once. ``objects`` (F,) holds object numbers per face."""

    def __init__(self, mesh: Mesh, objects: np.ndarray) -> None:
        assert len(objects) == len(mesh.faces)
        self.mesh, self.objects = mesh, objects.astype(np.int32)
        self.normals = face_normals(mesh)
        self.bvh = _Bvh(mesh)


class FaceTable:
    """An attribute of the faces of the still and the moving mesh, indexed as if it were one array."""

    def __init__(self, still: np.ndarray, moving: np.ndarray | None) -> None:
        self._still, self._moving = still, moving

    def __getitem__(self, face: np.ndarray) -> np.ndarray:
        count = len(self._still)
        values = self._still[np.minimum(face, count - 1)]
        if self._moving is not None:
            moving = np.flatnonzero(face >= count)
            values[moving] = self._moving[face[moving] - count]
        return values


class World:
    """The still world with the moving objects in one pose: two casts, and the nearer hit counts.

    ``material``, ``colour``, ``normal`` and ``object`` are face tables, indexed by ``Hits.face``.

    Args:
        static: the still world.
        mesh: the posed moving objects, or None.
        objects: (F,) their object number per face.
    """

    def __init__(self, static: StaticWorld, mesh: Mesh | None, objects: np.ndarray | None) -> None:
        self.static = static
        self._moving = None if mesh is None else _Bvh(mesh)
        moving = (None,) * 4 if mesh is None else (mesh.material, mesh.colour, face_normals(mesh), objects)
        self.material = FaceTable(static.mesh.material, moving[0])
        self.colour = FaceTable(static.mesh.colour, moving[1])
        self.normal = FaceTable(static.normals, moving[2])
        self.object = FaceTable(static.objects, moving[3])

    def cast(self, origins: np.ndarray, directions: np.ndarray) -> Hits:
        """First hits of rays (R, 3), (R, 3) with unit directions."""
        origins = np.ascontiguousarray(origins, dtype=np.float32)
        directions = np.ascontiguousarray(directions, dtype=np.float32)
        range_m, face = self.static.bvh.first(origins, directions)
        if self._moving is not None:
            moving_range, moving_face = self._moving.first(origins, directions)
            nearer = moving_range < range_m
            range_m = np.where(nearer, moving_range, range_m)
            face = np.where(nearer, moving_face + len(self.static.objects), face)
        return Hits(range_m, face)

    def blocked(self, origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """(R,) bool: whether anything lies in the way of each ray."""
        return self.cast(origins, directions).hit


def face_normals(mesh: Mesh) -> np.ndarray:
    """(F, 3) float32 unit normals; zero for degenerate faces."""
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    return (normal / np.maximum(length, 1e-12)).astype(np.float32)
