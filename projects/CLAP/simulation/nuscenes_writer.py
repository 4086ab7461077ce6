"""Writes one simulated scene as nuScenes v1.0 records and files.

What differs from the recorded dataset: all sensors of a keyframe fire at the same instant, sweeps are instantaneous,
cameras are stored at keyframes only, there is no radar (``num_radar_pts`` is 0), and every scene has a log and a map
of its own. Objects are annotated from the first to the last keyframe at which the LiDAR sees them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
from PIL import Image
from pyquaternion import Quaternion

from .annotate import Label
from .layout import Layout
from .noise import stream, token
from .nuscenes_tables import SCENE_TABLES, VERSION, attribute_token, category_token, sensor_token
from .scene import Scene
from .sensors import LIDAR_NAME, Rig, pose_matrix

SWEEP_US = 50_000
EPOCH_US = 1_530_000_000_000_000
MAP_RESOLUTION = 0.1  # metres per pixel, as the devkit expects
JPEG = {'quality': 92, 'subsampling': 0, 'optimize': False, 'progressive': False}


def quaternion(rotation: np.ndarray) -> list[float]:
    """(w, x, y, z) of a rotation matrix."""
    return [float(v) for v in Quaternion(matrix=rotation, rtol=1e-6, atol=1e-6).unit.elements]


def write_atomically(path: Path, data: bytes) -> None:
    """Write beside ``path`` and rename, so that an interrupted run leaves no half file under the final name."""
    temporary = path.with_name(path.name + '.tmp')
    temporary.write_bytes(data)
    os.replace(temporary, path)


def dump_json(path: Path, value: object) -> None:
    """Write JSON atomically."""
    write_atomically(path, json.dumps(value, indent=0).encode())


class SceneWriter:
    """Collects the records of one scene while its files are written below ``root``."""

    def __init__(self, root: Path, seed: int, name: str, scene: Scene, rig: Rig) -> None:
        self.root, self.seed, self.name, self.scene, self.rig = root, seed, name, scene, rig
        self.tables: dict[str, list[dict]] = {t: [] for t in SCENE_TABLES}
        number = int(name.split('-')[1])
        self.start_us = EPOCH_US + number * 86_400_000_000 // 4
        self.world_to_global = _global_frame(scene.layout, stream(seed, name, 'global frame'))
        self.logfile = f'sim-s{seed}-{name}'
        self._labels: list[list[Label]] = []
        self._calibrations()

    def token(self, *parts: object) -> str:
        return token(self.seed, self.name, *parts)

    def _calibrations(self) -> None:
        none = np.zeros((0, 0))
        sensors = [(LIDAR_NAME, self.rig.lidar_to_ego, none)]
        sensors += [(c.name, c.to_ego, c.intrinsic) for c in self.rig.cameras]
        for channel, to_ego, intrinsic in sensors:
            self.tables['calibrated_sensor'].append(
                {
                    'token': self.token('calibration', channel),
                    'sensor_token': sensor_token(channel),
                    'translation': to_ego[:3, 3].tolist(),
                    'rotation': quaternion(to_ego[:3, :3]),
                    'camera_intrinsic': intrinsic.tolist(),
                }
            )

    def add_sweep(self, step: int, points: np.ndarray, keyframe: int | None) -> None:
        """Store the points of a sweep; a keyframe goes to samples/, the others to sweeps/."""
        folder = 'sweeps' if keyframe is None else 'samples'
        filename = f'{folder}/{LIDAR_NAME}/{self._stem(LIDAR_NAME, step)}.pcd.bin'
        write_atomically(self.root / filename, np.ascontiguousarray(points, dtype='<f4').tobytes())
        self._sample_data(LIDAR_NAME, step, filename, 'pcd', keyframe, 0, 0)

    def add_classes(self, step: int, classes: np.ndarray) -> None:
        """Store the class of every point of a keyframe, as nuScenes-lidarseg does."""
        name = self.token('data', LIDAR_NAME, step)
        filename = f'lidarseg/{VERSION}/{name}_lidarseg.bin'
        write_atomically(self.root / filename, classes.astype(np.uint8).tobytes())
        self.tables['lidarseg'].append({'token': name, 'sample_data_token': name, 'filename': filename})

    def add_image(self, step: int, channel: str, image: np.ndarray, keyframe: int) -> None:
        """Store a camera image of a keyframe."""
        filename = f'samples/{channel}/{self._stem(channel, step)}.jpg'
        temporary = self.root / (filename + '.tmp')
        Image.fromarray(image).save(temporary, format='JPEG', **JPEG)
        os.replace(temporary, self.root / filename)
        self._sample_data(channel, step, filename, 'jpg', keyframe, image.shape[0], image.shape[1])

    def add_labels(self, labels: list[Label]) -> None:
        """Labels of the next keyframe."""
        self._labels.append(labels)

    def _stem(self, channel: str, step: int) -> str:
        return f'{self.logfile}__{channel}__{self.time_us(step)}'

    def time_us(self, step: int) -> int:
        return self.start_us + step * SWEEP_US

    def _sample_data(
        self, channel: str, step: int, filename: str, fileformat: str, keyframe: int | None, height: int, width: int
    ) -> None:
        # As in nuScenes, a sweep belongs to the sample that follows it.
        last = (self.scene.steps - 1) // 10
        sample = keyframe if keyframe is not None else min(step // 10 + 1, last)
        name = self.token('data', channel, step)
        pose = self.world_to_global @ pose_matrix(*self.scene.ego_pose(step))
        self.tables['ego_pose'].append(
            {
                'token': name,
                'timestamp': self.time_us(step),
                'rotation': quaternion(pose[:3, :3]),
                'translation': pose[:3, 3].tolist(),
            }
        )
        self.tables['sample_data'].append(
            {
                'token': name,
                'sample_token': self.token('sample', sample),
                'ego_pose_token': name,
                'calibrated_sensor_token': self.token('calibration', channel),
                'timestamp': self.time_us(step),
                'fileformat': fileformat,
                'is_key_frame': keyframe is not None,
                'height': height,
                'width': width,
                'filename': filename,
                'prev': '',
                'next': '',
            }
        )

    def finish(self, description: str) -> dict[str, list[dict]]:
        """Link the chains, write the map mask and return the scene's tables."""
        self._link_sample_data()
        count = len(self._labels)
        for k in range(count):
            self.tables['sample'].append(
                {
                    'token': self.token('sample', k),
                    'timestamp': self.time_us(10 * k),
                    'prev': self.token('sample', k - 1) if k else '',
                    'next': self.token('sample', k + 1) if k + 1 < count else '',
                    'scene_token': self.token('scene'),
                }
            )
        self.tables['scene'].append(
            {
                'token': self.token('scene'),
                'log_token': self.token('log'),
                'nbr_samples': count,
                'first_sample_token': self.token('sample', 0),
                'last_sample_token': self.token('sample', count - 1),
                'name': self.name,
                'description': description,
            }
        )
        self.tables['log'].append(
            {
                'token': self.token('log'),
                'logfile': self.logfile,
                'vehicle': 'sim',
                'date_captured': '2018-07-01',
                'location': f'sim-town-{self.name}',
            }
        )
        self._annotations()
        self._map()
        return self.tables

    def _link_sample_data(self) -> None:
        chains: dict[str, list[dict]] = {}
        for record in self.tables['sample_data']:
            chains.setdefault(record['calibrated_sensor_token'], []).append(record)
        for chain in chains.values():
            for before, after in zip(chain, chain[1:]):
                before['next'], after['prev'] = after['token'], before['token']

    def _annotations(self) -> None:
        seen: dict[int, list[int]] = {}
        for k, labels in enumerate(self._labels):
            for label in labels:
                if label.own_points > 0:
                    seen.setdefault(label.actor, []).append(k)
        chains: dict[int, list[tuple[int, Label]]] = {i: [] for i in seen}
        for k, labels in enumerate(self._labels):
            for label in labels:
                if label.actor in seen and seen[label.actor][0] <= k <= seen[label.actor][-1]:
                    chains[label.actor].append((k, label))
        for actor, chain in chains.items():
            tokens = [self.token('annotation', actor, k) for k, _ in chain]
            self.tables['instance'].append(
                {
                    'token': self.token('instance', actor),
                    'category_token': category_token(self.scene.actors[actor].category),
                    'nbr_annotations': len(chain),
                    'first_annotation_token': tokens[0],
                    'last_annotation_token': tokens[-1],
                }
            )
            for n, (k, label) in enumerate(chain):
                self.tables['sample_annotation'].append(
                    self._annotation(
                        label, k, tokens[n], tokens[n - 1] if n else '', tokens[n + 1] if n + 1 < len(chain) else ''
                    )
                )

    def _annotation(self, label: Label, keyframe: int, own: str, before: str, after: str) -> dict:
        pose = self.world_to_global @ pose_matrix(label.centre, label.yaw)
        length, width, height = (float(v) for v in label.size)
        return {
            'token': own,
            'sample_token': self.token('sample', keyframe),
            'instance_token': self.token('instance', label.actor),
            'visibility_token': label.visibility,
            'attribute_tokens': [attribute_token(label.attribute)] if label.attribute else [],
            'translation': pose[:3, 3].tolist(),
            'size': [width, length, height],
            'rotation': quaternion(pose[:3, :3]),
            'prev': before,
            'next': after,
            'num_lidar_pts': label.num_lidar_pts,
            'num_radar_pts': 0,
        }

    def _map(self) -> None:
        filename = f'maps/{self.token("map")}.png'
        temporary = self.root / (filename + '.tmp')
        Image.fromarray(map_mask(self.scene.layout, self.world_to_global)).save(temporary, format='PNG')
        os.replace(temporary, self.root / filename)
        self.tables['map'].append(
            {
                'token': self.token('map'),
                'category': 'semantic_prior',
                'filename': filename,
                'log_tokens': [self.token('log')],
            }
        )


def _global_frame(layout: Layout, rng: np.random.Generator) -> np.ndarray:
    """(4, 4) world -> global: a turn about z and a shift that keeps all coordinates positive, as map masks need."""
    yaw = float(rng.uniform(-np.pi, np.pi))
    turn = pose_matrix(np.zeros(3), yaw)
    corners = np.array([[x, y, 0.0] for x in (0, layout.size[0]) for y in (0, layout.size[1])])
    lowest = (corners @ turn[:3, :3].T).min(axis=0)
    return pose_matrix(np.array([20 - lowest[0], 20 - lowest[1], 0.0]), yaw)


def map_mask(layout: Layout, world_to_global: np.ndarray) -> np.ndarray:
    """(H, W) uint8 image seen from above: 255 on roads and pavements; row 0 is the largest y (devkit convention)."""
    coarse = 0.4
    corners = np.array([[x, y, 0.0] for x in (0, layout.size[0]) for y in (0, layout.size[1])])
    extent = (corners @ world_to_global[:3, :3].T + world_to_global[:3, 3]).max(axis=0) + 20
    columns, rows = int(np.ceil(extent[0] / coarse)), int(np.ceil(extent[1] / coarse))
    x, y = np.meshgrid((np.arange(columns) + 0.5) * coarse, (rows - np.arange(rows) - 0.5) * coarse)
    to_world = np.linalg.inv(world_to_global)
    wx = to_world[0, 0] * x + to_world[0, 1] * y + to_world[0, 3]
    wy = to_world[1, 0] * x + to_world[1, 1] * y + to_world[1, 3]
    inside = (wx >= 0) & (wy >= 0) & (wx <= layout.size[0]) & (wy <= layout.size[1])
    foreground = inside & (layout.inside_block(wx, wy) < min(b.pavement for b in layout.blocks))
    factor = int(round(coarse / MAP_RESOLUTION))
    return np.kron(foreground.astype(np.uint8) * 255, np.ones((factor, factor), dtype=np.uint8))
