"""The class of every LiDAR point, with the names and numbers of nuScenes-lidarseg."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import materials as m
from .layout import Layout
from .lidar import Sweep

#: Categories of nuScenes-lidarseg; the place is the number.
LIDARSEG = (
    'noise',
    'animal',
    'human.pedestrian.adult',
    'human.pedestrian.child',
    'human.pedestrian.construction_worker',
    'human.pedestrian.personal_mobility',
    'human.pedestrian.police_officer',
    'human.pedestrian.stroller',
    'human.pedestrian.wheelchair',
    'movable_object.barrier',
    'movable_object.debris',
    'movable_object.pushable_pullable',
    'movable_object.trafficcone',
    'static_object.bicycle_rack',
    'vehicle.bicycle',
    'vehicle.bus.bendy',
    'vehicle.bus.rigid',
    'vehicle.car',
    'vehicle.construction',
    'vehicle.emergency.ambulance',
    'vehicle.emergency.police',
    'vehicle.motorcycle',
    'vehicle.trailer',
    'vehicle.truck',
    'flat.driveable_surface',
    'flat.other',
    'flat.sidewalk',
    'flat.terrain',
    'static.manmade',
    'static.other',
    'static.vegetation',
    'vehicle.ego',
)
_NUMBER = {name: number for number, name in enumerate(LIDARSEG)}
_OF_SURFACE = {
    'flat.driveable_surface': ('asphalt', 'white_line', 'yellow_line', 'parking', 'patch'),
    'flat.sidewalk': ('pavement', 'kerb', 'path'),
    'flat.terrain': ('grass', 'earth'),
}
_OF_MATERIAL = {'static.vegetation': ('foliage', 'bark'), 'flat.terrain': ('earth',)}  # what else stands is made by men


def _numbers(groups: dict[str, tuple[str, ...]], names: Sequence[str], rest: str) -> np.ndarray:
    of_name = {name: category for category, members in groups.items() for name in members}
    return np.array([_NUMBER[of_name.get(name, rest)] for name in names], dtype=np.uint8)


_SURFACES = _numbers(_OF_SURFACE, m.SURFACES, 'flat.other')
_MATERIALS = _numbers(_OF_MATERIAL, [material.name for material in m.MATERIALS], 'static.manmade')


def point_classes(sweep: Sweep, layout: Layout, lidar_to_world: np.ndarray, categories: Sequence[str]) -> np.ndarray:
    """(N,) uint8 number in ``LIDARSEG`` of every point of a sweep.

    Args:
        sweep: of N points.
        layout: of the town.
        lidar_to_world: (4, 4) pose of the sensor.
        categories: of the actors, by object number.
    """
    classes = _MATERIALS[sweep.material]
    ground = (sweep.material == m.MATERIAL_ID['ground']) & (sweep.objects < 0)
    where = sweep.points[ground, :3] @ lidar_to_world[:2, :3].T + lidar_to_world[:2, 3]
    classes[ground] = _SURFACES[layout.surface(where[:, 0], where[:, 1])]
    actor = sweep.objects >= 0
    classes[actor] = np.array([_NUMBER[name] for name in categories], dtype=np.uint8)[sweep.objects[actor]]
    return classes
