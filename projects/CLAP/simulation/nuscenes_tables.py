"""The nuScenes v1.0 vocabulary that does not depend on a scene: categories, attributes, visibility, sensors."""

from __future__ import annotations

from .noise import token
from .sensors import CAMERA_NAMES, LIDAR_NAME

VERSION = 'v1.0-trainval'
SCENE_TABLES = (
    'instance',
    'calibrated_sensor',
    'ego_pose',
    'log',
    'scene',
    'sample',
    'sample_data',
    'sample_annotation',
    'map',
)
CATEGORIES = (
    'human.pedestrian.adult',
    'human.pedestrian.child',
    'human.pedestrian.wheelchair',
    'human.pedestrian.stroller',
    'human.pedestrian.personal_mobility',
    'human.pedestrian.police_officer',
    'human.pedestrian.construction_worker',
    'animal',
    'vehicle.car',
    'vehicle.motorcycle',
    'vehicle.bicycle',
    'vehicle.bus.bendy',
    'vehicle.bus.rigid',
    'vehicle.truck',
    'vehicle.construction',
    'vehicle.emergency.ambulance',
    'vehicle.emergency.police',
    'vehicle.trailer',
    'movable_object.barrier',
    'movable_object.trafficcone',
    'movable_object.pushable_pullable',
    'movable_object.debris',
    'static_object.bicycle_rack',
)
ATTRIBUTES = (
    'vehicle.moving',
    'vehicle.stopped',
    'vehicle.parked',
    'cycle.with_rider',
    'cycle.without_rider',
    'pedestrian.sitting_lying_down',
    'pedestrian.standing',
    'pedestrian.moving',
)
VISIBILITY = (('1', 'v0-40'), ('2', 'v40-60'), ('3', 'v60-80'), ('4', 'v80-100'))


def category_token(name: str) -> str:
    assert name in CATEGORIES, name
    return token('category', name)


def attribute_token(name: str) -> str:
    assert name in ATTRIBUTES, name
    return token('attribute', name)


def sensor_token(channel: str) -> str:
    return token('sensor', channel)


def fixed_tables() -> dict[str, list[dict]]:
    """The tables that are the same for every simulated dataset."""
    return {
        'category': [{'token': category_token(n), 'name': n, 'description': f'Simulated {n}.'} for n in CATEGORIES],
        'attribute': [{'token': attribute_token(n), 'name': n, 'description': f'Simulated {n}.'} for n in ATTRIBUTES],
        'visibility': [
            {'token': t, 'level': level, 'description': f'share of the object visible in the six images: {level} %'}
            for t, level in VISIBILITY
        ],
        'sensor': [
            {'token': sensor_token(c), 'channel': c, 'modality': 'lidar' if c == LIDAR_NAME else 'camera'}
            for c in (LIDAR_NAME, *CAMERA_NAMES)
        ],
    }
