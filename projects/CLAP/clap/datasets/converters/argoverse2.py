"""Argoverse 2 (sensor data set, LiDAR data set) -> mmdet3d 1.4 info files; the layout stands in argoverse2_reader.py.

``convert(root, out)`` writes for every sweep of ``ROOT/{train,val,test}/LOG``

    OUT/lidar/SPLIT/LOG/TS.bin            float32 x, y, z, intensity (0..255), age [s] (0 to -0.1: TS begins the sweep)
    OUT/lidar/SPLIT/LOG/TS.origins.bin    float32 x, y, z: where the point's own LiDAR was when it measured it
    OUT/argoverse2_infos_{train,val,test}.pkl

**LiDAR frame**: axes of the vehicle (x forward, y left, z up), origin at the upper LiDAR when the sweep begins. Two
LiDARs are merged in a sweep, both compensated to its beginning: each point has its own origin, from its laser number
and its offset. **Ego frame**: Argoverse's vehicle, the middle of the rear axle. **Cameras**: the seven of the ring,
each image the nearest to the sweep's beginning, with the vehicle's motion in between.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np
from mmengine.logging import print_log

from ...errors import DataError, DatasetError
from .argoverse2_reader import SWEEP, file_stamps, read_boxes, read_poses, read_rig, read_sensors, read_table
from .cameras import Rig, image_entry
from .conversion import Plan, Segment, convert_segments
from .frame_files import earlier_sweeps, write_sweep
from .labelled_boxes import CLASSES, LabelledBox, make_instances, tracks_of
from .pandaset_boxes import Track
from .trajectory import Trajectory

SPLITS = ('train', 'val', 'test')
# The order of nuScenes' info files: front, front right, front left, rear, sides.
CAMERAS = tuple(
    f'ring_{place}'
    for place in ('front_center', 'front_right', 'front_left', 'rear_left', 'rear_right', 'side_left', 'side_right')
)
#: Lasers of the upper LiDAR; the others are the lower one's.
UPPER_LASERS = 32
#: Longest offset of a point after its sweep's time, and largest distance of an image from it (20 Hz leave 25 ms).
SWEEP_S, MAX_IMAGE_GAP_S = 0.11, 0.05
#: Poses nearer to each other are one.
SAME_POSE_NS = 1000
#: Riders are cyclists. What stands without one (BICYCLE, MOTORCYCLE, WHEELED_DEVICE) is ignored: where somebody rides
#: it, its box lies in the rider's. So are signs, cones, animals, strollers and small trailers.
MERGED: Dict[str, str] = {
    **dict.fromkeys(
        (
            'REGULAR_VEHICLE',
            'LARGE_VEHICLE',
            'BUS',
            'ARTICULATED_BUS',
            'SCHOOL_BUS',
            'BOX_TRUCK',
            'TRUCK',
            'TRUCK_CAB',
            'VEHICULAR_TRAILER',
            'RAILED_VEHICLE',
        ),
        'vehicle',
    ),
    **dict.fromkeys(('PEDESTRIAN', 'OFFICIAL_SIGNALER'), 'pedestrian'),
    **dict.fromkeys(('BICYCLIST', 'MOTORCYCLIST', 'WHEELED_RIDER'), 'cyclist'),
}


def convert(
    root: Path, out: Path, splits: Optional[Sequence[str]] = None, jobs: int = 1, on_damaged: str = 'stop'
) -> dict:
    """Converts the logs that are there; figures as :func:`convert_segments` gives them.

    Args:
        root: folder that holds ``train/``, ``val/``, ``test/``.
        out: folder for all that is written.
        splits: of these; default: all that are there.
        jobs: processes.
        on_damaged: ``'stop'`` or ``'skip'``.
    """
    root, out = Path(root), Path(out)
    found = [
        Segment(f'{split}/{folder.parents[1].name}', (split,))
        for split in splits or SPLITS
        for folder in sorted(root.glob(f'{split}/*/sensors/lidar'))
    ]
    if not found:
        raise DatasetError(
            f'{root} holds no log of {", ".join(splits or SPLITS)} (train/LOG/sensors/lidar, ...); correct --root: '
            'it is the folder of the splits'
        )
    # every frame of an info file has the same cameras
    cameras = tuple(
        name for name in CAMERAS if any((root / log.name / 'sensors' / 'cameras' / name).is_dir() for log in found)
    )
    plan = Plan('argoverse2', CLASSES, out, dict(root=str(root.resolve()), cameras=cameras), {})
    return convert_segments(plan, found, partial(convert_log, root, out, cameras), jobs, on_damaged)


@dataclass(frozen=True)
class Log:
    """What the frames of a log share; seconds count from its first pose."""

    folder: Path
    first_ns: int
    trajectory: Trajectory
    sensors: Dict[str, np.ndarray]
    rig: Rig
    image_stamps: Dict[str, np.ndarray]
    boxes: Dict[int, Tuple[List[LabelledBox], List[int]]]
    tracks: Track

    def seconds(self, stamps: np.ndarray) -> np.ndarray:
        """Nanoseconds, int64, to seconds since the first pose."""
        return (np.asarray(stamps) - self.first_ns) / 1e9

    @property
    def lidar2ego(self) -> np.ndarray:
        """Axes of the vehicle, origin at the upper LiDAR."""
        matrix = np.eye(4)
        matrix[:3, 3] = self.sensors['up_lidar'][:3, 3]
        return matrix

    def nearest_images(self, stamp: int) -> Dict[str, int]:
        """Camera -> stamp of its image nearest to ``stamp``."""
        return {name: int(stamps[np.abs(stamps - stamp).argmin()]) for name, stamps in self.image_stamps.items()}


def convert_log(root: Path, out: Path, cameras: Sequence[str], segment: Segment) -> List[dict]:
    """The frames of a log, in order; sweeps that poses or images do not reach (first and last ones) are left out."""
    log = read_log(root / segment.name, cameras)
    frames: List[dict] = []
    for stamp in file_stamps(log.folder / 'sensors' / 'lidar', '.feather').tolist():
        time, images = float(log.seconds(stamp)), log.nearest_images(stamp)
        late = [name for name, taken in images.items() if abs(taken - stamp) > MAX_IMAGE_GAP_S * 1e9]
        if late or not 0 <= time <= log.trajectory.times[-1] - SWEEP_S:
            print_log(f'{segment.name}: sweep {stamp} left out: no {", ".join(late) or "pose"} at its time', 'current')
            continue
        path = log.trajectory.near(time - MAX_IMAGE_GAP_S, time + SWEEP_S)
        pose = path.at(np.array([time]))[0]
        files = write_sweep(out, f'lidar/{segment.name}/{stamp}.bin', *read_sweep(log, stamp, path))
        boxes, counts = log.boxes.get(stamp, ([], []))
        frame = dict(
            token=f'{segment.name}/{stamp}',
            sequence=segment.name,
            timestamp=stamp / 1e9,
            ego2global=pose.tolist(),
            lidar_points=dict(files, lidar2ego=log.lidar2ego.tolist()),
            images={name: _image(log, name, taken, path, time, root, out) for name, taken in images.items()},
            instances=make_instances(boxes, counts, MERGED, log.tracks, time, pose @ log.lidar2ego),
        )
        frame['lidar_sweeps'] = earlier_sweeps(frame, frames)
        frames.append(frame)
    return frames


def read_log(folder: Path, cameras: Sequence[str]) -> Log:
    """All tables of a log but its sweeps."""
    stamps, poses = read_poses(folder)
    apart = np.diff(stamps, prepend=stamps[0] - 2 * SAME_POSE_NS) > SAME_POSE_NS
    trajectory = Trajectory(poses[apart], (stamps[apart] - stamps[0]) / 1e9)
    sensors = read_sensors(folder)
    log = Log(
        folder,
        int(stamps[0]),
        trajectory,
        sensors,
        read_rig(folder, cameras, sensors),
        {name: file_stamps(folder / 'sensors' / 'cameras' / name, '.jpg') for name in cameras},
        read_boxes(folder, sensors['up_lidar'][:3, 3]),
        {},
    )
    labelled = sorted(log.boxes)
    times = log.seconds(labelled)
    worlds = trajectory.at(times) @ log.lidar2ego
    log.tracks.update(tracks_of(zip(times.tolist(), worlds, (log.boxes[stamp][0] for stamp in labelled))))
    return log


def read_sweep(log: Log, stamp: int, path: Trajectory) -> Tuple[np.ndarray, np.ndarray]:
    """Points (N, 5) and the place (N, 3) of each one's LiDAR when it was measured, both in the LiDAR frame.

    Args:
        log: that the sweep belongs to.
        stamp: of the sweep [ns].
        path: vehicle -> city around its time.
    """
    table = read_table(log.folder / 'sensors' / 'lidar' / f'{stamp}.feather', SWEEP)
    points = table[['x', 'y', 'z']].to_numpy(np.float32)
    finite = np.isfinite(points).all(axis=1)
    table, points = table[finite], points[finite]
    time, offsets = float(log.seconds(stamp)), table['offset_ns'].to_numpy() / 1e9
    if not len(points) or offsets.min() < 0 or offsets.max() > SWEEP_S:
        raise DataError(
            f'{log.folder}: sweep {stamp}.feather must have finite points from 0 to {SWEEP_S} s after it began; it has '
            f'{len(points)}. Download it again, or remove it'
        )
    upper, lower = (
        path.places_of(log.sensors[name][:3, 3], time + offsets, time) for name in ('up_lidar', 'down_lidar')
    )
    origins = np.where(table[['laser_number']].to_numpy() < UPPER_LASERS, upper, lower)
    centre = log.lidar2ego[:3, 3]
    return np.column_stack([points - centre, table['intensity'], -offsets]), origins - centre


def _image(log: Log, name: str, taken: int, path: Trajectory, time: float, root: Path, out: Path) -> dict:
    """Entry of ``images``: through the vehicle's pose at the sweep's time to its pose at the image's."""
    camera, later = log.rig[name], path.seen_from(log.seconds([taken]), time)[0]
    lidar2cam = np.linalg.inv(later @ camera.pose) @ log.lidar2ego
    file = log.folder / 'sensors' / 'cameras' / name / f'{taken}.jpg'
    return image_entry(file, camera, lidar2cam, taken / 1e9, root, out)
