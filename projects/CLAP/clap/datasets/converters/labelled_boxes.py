"""Labelled boxes of three merged classes -> mmdet3d ``instances``, with the velocity from each object's track."""

from __future__ import annotations

from typing import Iterable, List, Mapping, NamedTuple, Tuple

import numpy as np

from .frame_files import box_instance
from .pandaset_boxes import Track, world_velocity

#: What the data sets with other classes than nuScenes' have in common; the data set's own name stays in each box.
CLASSES = ('vehicle', 'pedestrian', 'cyclist')


class LabelledBox(NamedTuple):
    """``box`` (7,) x, y, z of the centre of gravity, length, width, height [m], yaw [rad]; LiDAR frame."""

    track: str
    native_class: str
    box: np.ndarray


def tracks_of(frames: Iterable[Tuple[float, np.ndarray, List[LabelledBox]]]) -> Track:
    """World positions over time of every object, from (time [s], LiDAR -> world (4, 4), boxes) in order of time."""
    tracks: Track = {}
    for time, lidar2world, boxes in frames:
        for label in boxes:
            place = lidar2world[:3, :3] @ label.box[:3] + lidar2world[:3, 3]
            tracks.setdefault(label.track, []).append((time, place))
    return tracks


def make_instances(
    boxes: List[LabelledBox],
    counts: Iterable[int],
    merged: Mapping[str, str],
    tracks: Track,
    time: float,
    lidar2world: np.ndarray,
) -> List[dict]:
    """``instances`` of one frame.

    Args:
        boxes: of the frame.
        counts: LiDAR points in each.
        merged: native class -> one of ``CLASSES``; others get -1, which a detector ignores.
        tracks: from :func:`tracks_of`; empty where the vehicle's own motion is unknown, which leaves velocities NaN.
        time: under which the frame stands in ``tracks`` [s].
        lidar2world: (4, 4).
    """
    instances = []
    for label, count in zip(boxes, counts):
        velocity = np.full(2, np.nan)
        if label.track in tracks:
            velocity = lidar2world[:2, :2].T @ world_velocity(tracks[label.track], time)
        name = merged.get(label.native_class)
        index = CLASSES.index(name) if name else -1
        instances.append(box_instance(label.box, index, label.native_class, int(count), velocity, label.track))
    return instances
