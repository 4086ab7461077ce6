"""KITTI odometry with SemanticKITTI's labels -> mmdet3d 1.4 info files.

    ROOT/sequences/NN/{velodyne/NNNNNN.bin, image_2/NNNNNN.png, image_3/, calib.txt, times.txt}     KITTI odometry
    ROOT/sequences/NN/{labels/NNNNNN.label, poses.txt}                                              SemanticKITTI
    ROOT/poses/NN.txt                              KITTI's own poses, for sequences that have no poses.txt

``convert(root, out)`` writes for every scan

    OUT/lidar/NN/NNNNNN.bin            float32 x, y, z, intensity (0..255), age [s] (negative after the frame's time)
    OUT/lidar/NN/NNNNNN.origins.bin    float32 x, y, z: where the sensor was when it measured each point
    OUT/lidar/NN/NNNNNN.semantic.bin   uint8 class of each point, 255 ignored; where there are labels
    OUT/semantickitti_infos_{train,val,test}.pkl

**LiDAR frame**: the HDL-64E, x forward, y left, z up, at the moment at which it faces forward. The scans are
compensated to that moment, at which the images are taken too. The time of a point follows from its azimuth
(:func:`.kitti.firing_times`), the place of the sensor then from the poses: 0.5 m away at 10 m/s behind the car.
**Ego frame**: the LiDAR's.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from ...errors import DataError, DatasetError
from .cameras import Rig, image_entry
from .conversion import Plan, Segment, convert_segments
from .frame_files import earlier_sweeps, write_sweep
from .kitti import (
    SWEEP_S,
    Calibration,
    check_rigid,
    firing_times,
    frame_numbers,
    point_features,
    read_numbers,
    read_scan,
    rectified_camera,
    usable,
)
from .semantickitti_classes import CLASSES, read_classes
from .trajectory import Trajectory

SPLITS: Dict[str, Tuple[str, ...]] = {
    'train': ('00', '01', '02', '03', '04', '05', '06', '07', '09', '10'),
    'val': ('08',),
    'test': tuple(str(number) for number in range(11, 22)),
}
CAMERAS = ('image_2', 'image_3')


def convert(
    root: Path, out: Path, splits: Optional[Sequence[str]] = None, jobs: int = 1, on_damaged: str = 'stop'
) -> dict:
    """Converts the sequences that are there; figures as :func:`convert_segments` gives them.

    Args:
        root: folder that holds ``sequences/`` (KITTI's ``dataset``).
        out: folder for all that is written.
        splits: of ``train``, ``val``, ``test``; default: all that are there.
        jobs: processes.
        on_damaged: ``'stop'`` or ``'skip'``.
    """
    root, out = Path(root), Path(out)
    found = [
        Segment(name, (split,))
        for split, names in SPLITS.items()
        for name in names
        if split in (splits or SPLITS) and (root / 'sequences' / name / 'velodyne').is_dir()
    ]
    if not found:
        raise DatasetError(
            f'{root / "sequences"} holds no sequence of {", ".join(splits or SPLITS)} (sequences/00/velodyne, ...); '
            'unpack the Velodyne data of KITTI odometry, or correct --root: its folder is called dataset'
        )
    # every frame of an info file has the same cameras
    cameras = tuple(
        name for name in CAMERAS if any((root / 'sequences' / segment.name / name).is_dir() for segment in found)
    )
    stored = dict(semantic_classes={name: index for index, name in enumerate(CLASSES)})
    plan = Plan('semantickitti', CLASSES, out, dict(root=str(root.resolve()), cameras=cameras), stored)
    return convert_segments(plan, found, partial(convert_sequence, root, out, cameras), jobs, on_damaged)


def convert_sequence(root: Path, out: Path, cameras: Sequence[str], segment: Segment) -> List[dict]:
    """The frames of a sequence, in order."""
    folder = root / 'sequences' / segment.name
    names = frame_numbers(folder / 'velodyne', 6)
    lidar2cam0, rig = _read_rig(folder / 'calib.txt', cameras)
    trajectory = _read_trajectory(root, segment.name, lidar2cam0, int(names[-1]) + 1)
    labelled = (folder / 'labels').is_dir()
    frames: List[dict] = []
    for name in names:
        index = int(name)
        pose, time = trajectory.to_world[index], float(trajectory.times[index])
        scan = read_scan(folder / 'velodyne' / f'{name}.bin')
        keep = usable(scan)
        classes = read_classes(folder / 'labels' / f'{name}.label', len(scan))[keep] if labelled else None
        origins, times = sensor_places(scan[keep, :3], trajectory, time)
        files = write_sweep(
            out, f'lidar/{segment.name}/{name}.bin', point_features(scan[keep], times), origins, classes
        )
        frame = dict(
            token=f'{segment.name}_{name}',
            sequence=segment.name,
            timestamp=time,
            ego2global=pose.tolist(),
            lidar_points=dict(files, lidar2ego=np.eye(4).tolist()),
            images={
                side: image_entry(folder / side / f'{name}.png', camera, camera.pose, time, root, out)
                for side, camera in rig.items()
            },
            instances=[],
        )
        frame['lidar_sweeps'] = earlier_sweeps(frame, frames)
        frames.append(frame)
    return frames


def sensor_places(points: np.ndarray, trajectory: Trajectory, time: float) -> Tuple[np.ndarray, np.ndarray]:
    """Where the sensor was when it measured each point (N, 3) of a compensated scan, and when.

    Args:
        points: (N, 3) in the LiDAR frame at ``time``.
        trajectory: LiDAR -> world.
        time: of the frame [s].

    Returns:
        (N, 3) places in that frame [m], (N,) seconds after its time. The azimuth counts from the sensor's own place,
        so that it is taken twice: about the frame's origin, then about the places that follow from it.
    """
    path = trajectory.near(time - SWEEP_S, time + SWEEP_S)
    places = np.zeros_like(points, dtype=np.float64)
    for _ in range(2):
        times = firing_times(points - places)
        places = path.places_of(np.zeros(3), time + times, time)
    return places, times


def _read_rig(path: Path, cameras: Sequence[str]) -> Tuple[np.ndarray, Rig]:
    """LiDAR -> rectified camera 0 (4, 4), and the cameras with ``lidar2cam``."""
    calibration = Calibration(path)
    lidar2cam0 = np.eye(4)
    lidar2cam0[:3] = calibration.matrix('Tr', 3, 4)
    check_rigid(lidar2cam0, f'{path}: Tr')
    projections = {camera: calibration.matrix(f'P{camera[-1]}', 3, 4) for camera in cameras}
    return lidar2cam0, {camera: rectified_camera(matrix, lidar2cam0) for camera, matrix in projections.items()}


def _read_trajectory(root: Path, name: str, lidar2cam0: np.ndarray, number: int) -> Trajectory:
    """LiDAR -> world, of the first ``number`` frames; the files hold camera 0 -> world in camera axes."""
    folder = root / 'sequences' / name
    paths = [path for path in (folder / 'poses.txt', root / 'poses' / f'{name}.txt') if path.is_file()]
    if not paths:
        raise DataError(
            f'{folder / "poses.txt"} does not exist: the poses are part of SemanticKITTI\'s labels, and without them '
            'nobody knows where a ray starts'
        )
    rows, times = read_numbers(paths[0], 12), read_numbers(folder / 'times.txt', 1)[:, 0]
    if min(len(rows), len(times)) < number:
        raise DataError(
            f'{paths[0]} has {len(rows)} poses and {folder / "times.txt"} {len(times)} times, but there is a scan '
            f'{number - 1}; copy them again'
        )
    if (np.diff(times) <= 0).any():
        raise DataError(f'{folder / "times.txt"}: the times do not rise from line to line; copy the file again')
    poses = np.tile(np.eye(4), (number, 1, 1))
    poses[:, :3] = rows[:number].reshape(-1, 3, 4)
    check_rigid(poses, str(paths[0]))
    return Trajectory(np.linalg.inv(lidar2cam0) @ poses @ lidar2cam0, times[:number])
