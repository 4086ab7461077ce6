"""The nuScenes v1.0 vocabulary that does not depend on a scene: categories, attributes, visibility, sensors."""

from __future__ import annotations

from .noise import token
from .semantics import LIDARSEG
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
    'lidarseg',
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
    assert name in LIDARSEG, name
    return token('category', name)


def attribute_token(name: str) -> str:
    assert name in ATTRIBUTES, name
    return token('attribute', name)


def sensor_token(channel: str) -> str:
    return token('sensor', channel)


def fixed_tables() -> dict[str, list[dict]]:
    """The tables that are the same for every simulated dataset."""
    return {
        'category': [  # as in nuScenes-lidarseg, where the index is the number of a class of points
            {'token': category_token(name), 'name': name, 'description': f'Simulated {name}.', 'index': index}
            for index, name in enumerate(LIDARSEG)
        ],
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
