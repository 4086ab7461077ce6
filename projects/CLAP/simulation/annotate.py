"""Ground truth of a keyframe: which objects are annotated, their points and their visibility."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .actors import Actor
from .lidar import Sweep
from .raycast import World
from .scene import Scene
from .sensors import Rig

SURFACE_SAMPLES = 40


@dataclass(frozen=True)
class Label:
    """One object at one keyframe, in the world frame.

    Attributes:
        actor: index into ``Scene.actors``.
        centre: (3,) box centre; yaw: rad; size: (3,) length, width, height.
        num_lidar_pts: points of the keyframe sweep inside the box, as stored in the file.
        own_points: points that this object itself sent back.
        visibility: nuScenes token '1'..'4' (share of its surface that no other thing hides from the cameras).
        attribute: nuScenes attribute name or ''.
    """

    actor: int
    centre: np.ndarray
    yaw: float
    size: np.ndarray
    num_lidar_pts: int
    own_points: int
    visibility: str
    attribute: str


def label_keyframe(
    scene: Scene, world: World, rig: Rig, ego_to_world: np.ndarray, sweep: Sweep, step: int
) -> list[Label]:
    """Labels of all actors within reach of the LiDAR."""
    lidar_to_world = ego_to_world @ rig.lidar_to_ego
    points = sweep.points[:, :3].astype(float) @ lidar_to_world[:3, :3].T + lidar_to_world[:3, 3]
    points = points[np.argsort(points[:, 0], kind='stable')]
    own = np.bincount(sweep.objects[sweep.objects >= 0], minlength=len(scene.actors))
    boxes = [a.box(step) for a in scene.actors]
    near = [i for i, (centre, _) in enumerate(boxes) if np.linalg.norm(centre - lidar_to_world[:3, 3]) < 110]
    share = _visible_share(scene, near, world, rig, ego_to_world, step)
    labels = []
    for i in near:
        (centre, yaw), actor = boxes[i], scene.actors[i]
        reach = np.hypot(*actor.size[:2]) / 2 + 0.01
        first, last = np.searchsorted(points[:, 0], [centre[0] - reach, centre[0] + reach])
        count = int(inside_box(points[first:last], centre, yaw, actor.size).sum())
        labels.append(
            Label(i, centre, yaw, actor.size, count, int(own[i]), visibility_token(share[i]), actor.attribute(step))
        )
    return labels


def inside_box(points: np.ndarray, centre: np.ndarray, yaw: float, size: np.ndarray) -> np.ndarray:
    """(N,) bool: points (N, 3) inside an upright box."""
    offset = points - centre
    c, s = np.cos(yaw), np.sin(yaw)
    local = np.stack([offset[:, 0] * c + offset[:, 1] * s, -offset[:, 0] * s + offset[:, 1] * c, offset[:, 2]], axis=1)
    return (np.abs(local) <= size / 2).all(axis=1)


def visibility_token(share: float) -> str:
    """nuScenes levels: '1' 0-40 %, '2' 40-60 %, '3' 60-80 %, '4' 80-100 %."""
    return str(1 + int(np.searchsorted([0.4, 0.6, 0.8], share, side='right')))


def _surface_samples(actor: Actor, step: int) -> np.ndarray:
    """(SURFACE_SAMPLES, 3) centres of faces spread over the posed mesh."""
    mesh = actor.posed(step)
    centres = mesh.vertices[mesh.faces].mean(axis=1)
    return centres[np.linspace(0, len(centres) - 1, SURFACE_SAMPLES).astype(int)]


def _visible_share(
    scene: Scene, near: list[int], world: World, rig: Rig, ego_to_world: np.ndarray, step: int
) -> dict[int, float]:
    """Share of each object's samples within the images that nothing else hides; 0 outside all images."""
    seen, total = np.zeros(len(scene.actors)), np.zeros(len(scene.actors))
    if not near:
        return {}
    samples = np.concatenate([_surface_samples(scene.actors[i], step) for i in near])
    owner = np.repeat(near, SURFACE_SAMPLES)
    for camera in rig.cameras:
        camera_to_world = ego_to_world @ camera.to_ego
        local = (samples - camera_to_world[:3, 3]) @ camera_to_world[:3, :3]
        pixel, depth = camera.project(local)
        inside = (depth > 0.3) & (pixel >= 0).all(axis=1) & (pixel < [camera.width, camera.height]).all(axis=1)
        if not inside.any():
            continue
        ray = samples[inside] - camera_to_world[:3, 3]
        distance = np.linalg.norm(ray, axis=1)
        hits = world.cast(np.broadcast_to(camera_to_world[:3, 3], ray.shape), ray / distance[:, None])
        mine = owner[inside]
        hidden = (hits.range_m < distance - 0.1) & (world.object[np.maximum(hits.face, 0)] != mine)
        np.add.at(total, mine, 1)
        np.add.at(seen, mine, ~hidden)
    return {i: float(seen[i] / total[i]) if total[i] else 0.0 for i in near}
