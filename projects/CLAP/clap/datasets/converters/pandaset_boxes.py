"""PandaSet cuboids -> mmdet3d ``instances`` in the LiDAR frame.

PandaSet gives a cuboid's centre in the world, its size as (width, length, height) along its own (x, y, z) and the yaw
of its frame; the vehicle looks along its *y* axis. mmdet3d's info files hold (x, y, z, l, w, h, yaw) with (x, y, z) the
centre of gravity (``NuScenesDataset`` reads them with origin (.5, .5, .5)) and yaw the direction of the length, counted
from +x towards +y. Hence l = dimensions.y, w = dimensions.x, yaw = PandaSet's yaw + 90 degrees.
"""

from __future__ import annotations

from typing import Dict, List, Mapping, Tuple

import numpy as np
import pandas as pd

from .frame_files import box_instance, count_points_in_boxes

# nuScenes' ten detection classes, in NuScenesDataset's order.
CLASSES = (
    'car',
    'truck',
    'trailer',
    'bus',
    'construction_vehicle',
    'bicycle',
    'motorcycle',
    'pedestrian',
    'traffic_cone',
    'barrier',
)
# PandaSet labels that have no counterpart (animals, trams, signs, emergency vehicles, ...) get the label -1: 'ignore'.
CLASS_OF_LABEL: Dict[str, str] = {
    'Car': 'car',
    'Pickup Truck': 'truck',
    'Medium-sized Truck': 'truck',
    'Semi-truck': 'truck',
    'Towed Object': 'trailer',
    'Bus': 'bus',
    'Other Vehicle - Construction Vehicle': 'construction_vehicle',
    'Bicycle': 'bicycle',
    'Motorcycle': 'motorcycle',
    'Motorized Scooter': 'motorcycle',
    'Pedestrian': 'pedestrian',
    'Pedestrian with Object': 'pedestrian',
    'Cones': 'traffic_cone',
    'Pylons': 'traffic_cone',
    'Road Barriers': 'barrier',
    'Temporary Construction Barriers': 'barrier',
}
MAX_TRACK_GAP_S = 1.0
Track = Dict[str, List[Tuple[float, np.ndarray]]]


def lidar_cuboids(table: pd.DataFrame) -> pd.DataFrame:
    """Drops the twins that were drawn around the forward LiDAR's points (sensor_id 1), which sees an object later."""
    return table[table['cuboids.sensor_id'] != 1] if 'cuboids.sensor_id' in table.columns else table


def collect_tracks(tables: Mapping[float, pd.DataFrame]) -> Track:
    """World positions over time for every object: uuid -> [(time_s, position (3,)), ...]."""
    tracks: Track = {}
    for time in sorted(tables):
        table = lidar_cuboids(tables[time])
        for uuid, position in zip(table['uuid'], table[['position.x', 'position.y', 'position.z']].to_numpy()):
            tracks.setdefault(str(uuid), []).append((time, position))
    return tracks


def world_velocity(track: List[Tuple[float, np.ndarray]], time: float) -> np.ndarray:
    """(vx, vy) [m/s] by central difference over the nearest sightings; NaN when none is near enough in time."""
    index = next(i for i, (seen, _) in enumerate(track) if seen == time)
    (start, first), (stop, last) = track[max(index - 1, 0)], track[min(index + 1, len(track) - 1)]
    if not 0 < stop - start <= 2 * MAX_TRACK_GAP_S:
        return np.full(2, np.nan)
    return (last - first)[:2] / (stop - start)


def make_instances(
    table: pd.DataFrame, world_to_lidar: np.ndarray, points: np.ndarray, tracks: Track, time: float
) -> List[dict]:
    """``instances`` of one frame.

    Args:
        table: cuboids of the frame, world frame.
        world_to_lidar: (4, 4).
        points: (N, >=3) the frame's points, LiDAR frame; counted into ``num_lidar_pts``.
        tracks: from :func:`collect_tracks`; gives the velocities.
        time: time [s] under which the frame stands in ``tracks``.
    """
    table = lidar_cuboids(table)
    rotation = world_to_lidar[:3, :3]
    centres = table[['position.x', 'position.y', 'position.z']].to_numpy() @ rotation.T + world_to_lidar[:3, 3]
    width, length, height = (table[f'dimensions.{axis}'].to_numpy() for axis in 'xyz')
    yaw_world = table['yaw'].to_numpy() + np.pi / 2
    heading = np.stack([np.cos(yaw_world), np.sin(yaw_world), np.zeros_like(yaw_world)], axis=1) @ rotation.T
    boxes = np.column_stack([centres, length, width, height, np.arctan2(heading[:, 1], heading[:, 0])])
    counts = count_points_in_boxes(points, boxes)
    instances = []
    for row, (box, count) in enumerate(zip(boxes, counts)):
        label, uuid = str(table['label'].iloc[row]), str(table['uuid'].iloc[row])
        class_index = CLASSES.index(CLASS_OF_LABEL[label]) if label in CLASS_OF_LABEL else -1
        velocity = rotation[:2, :2] @ world_velocity(tracks[uuid], time)
        instances.append(box_instance(box, class_index, label, int(count), velocity, uuid))
    return instances
