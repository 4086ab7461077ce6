"""KITTI raw (synchronised and rectified drives) -> mmdet3d 1.4 info files.

    ROOT/DATE/{calib_cam_to_cam.txt, calib_velo_to_cam.txt, calib_imu_to_velo.txt}
    ROOT/DATE/DATE_drive_NNNN_sync/velodyne_points/{data/NNNNNNNNNN.bin, timestamps.txt}
    ROOT/DATE/DATE_drive_NNNN_sync/image_02/data/NNNNNNNNNN.png     colour cameras 02 and 03
    ROOT/DATE/DATE_drive_NNNN_sync/oxts/data/NNNNNNNNNN.txt         optional: the vehicle's motion
    ROOT/DATE/DATE_drive_NNNN_sync/tracklet_labels.xml              optional: boxes

``convert(root, out)`` writes ``OUT/lidar/DRIVE/NNNNNNNNNN.bin`` (float32 x, y, z, intensity 0..255, age [s]) and
``OUT/kitti_raw_infos_{train,val}.pkl``.

**LiDAR frame**: the HDL-64E, x forward, y left, z up. Nothing is compensated: a point is where the LiDAR saw it, and
its ray starts at (0, 0, 0), but the scene is bent, by half a metre at the rear at 10 m/s. The images are taken when the
LiDAR faces forward, at the frame's time, and what they show is measured within 13 ms of it. **Ego frame**: the IMU.

**Split**: KITTI has none. 'val' is 2011_09_30_drive_0028, the drive behind SemanticKITTI's validation sequence, so that
nothing is pre-trained on it; where it is missing the last drive; with a single drive both hold it.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

import numpy as np

from ...errors import DataError, DatasetError
from .cameras import Rig, image_entry
from .conversion import Plan, Segment, convert_segments
from .frame_files import count_points_in_boxes, earlier_sweeps, write_sweep
from .kitti import (
    Calibration,
    firing_times,
    frame_numbers,
    point_features,
    read_scan,
    rectified_camera,
    usable,
)
from .kitti_oxts import read_poses
from .kitti_tracklets import MERGED, read_tracklets
from .labelled_boxes import CLASSES, make_instances, tracks_of

CAMERAS = ('image_02', 'image_03')
SPLITS = ('train', 'val')
VALIDATION_DRIVE = '2011_09_30_drive_0028_sync'
PERIOD_S = 0.1


def convert(
    root: Path, out: Path, splits: Optional[Sequence[str]] = None, jobs: int = 1, on_damaged: str = 'stop'
) -> dict:
    """Converts the drives that are there; figures as :func:`convert_segments` gives them.

    Args:
        root: folder that holds the folders of the days.
        out: folder for all that is written.
        splits: of ``train``, ``val``; default: both.
        jobs: processes.
        on_damaged: ``'stop'`` or ``'skip'``.
    """
    root, out = Path(root), Path(out)
    drives = sorted(folder.parent.name for folder in root.glob('*/*_drive_*_sync/velodyne_points'))
    if not drives:
        raise DatasetError(
            f'{root} holds no drive (2011_09_26/2011_09_26_drive_0001_sync/velodyne_points, ...); unpack synchronised '
            'and rectified drives, or correct --root: it is the folder above those of the days'
        )
    validation = VALIDATION_DRIVE if VALIDATION_DRIVE in drives else drives[-1]
    found = []
    for drive in drives:
        own = SPLITS if len(drives) == 1 else ('val' if drive == validation else 'train',)
        if set(own) & set(splits or SPLITS):
            found.append(Segment(drive, tuple(split for split in own if split in (splits or SPLITS))))
    # every frame of an info file has the same cameras
    cameras = tuple(name for name in CAMERAS if any((_folder(root, drive.name) / name).is_dir() for drive in found))
    plan = Plan('kitti_raw', CLASSES, out, dict(root=str(root.resolve()), cameras=cameras), {})
    return convert_segments(plan, found, partial(convert_drive, root, out, cameras), jobs, on_damaged)


def _folder(root: Path, drive: str) -> Path:
    return root / drive[:10] / drive  # the name begins with the day


def convert_drive(root: Path, out: Path, cameras: Sequence[str], segment: Segment) -> List[dict]:
    """The frames of a drive, in order."""
    folder = _folder(root, segment.name)
    names = frame_numbers(folder / 'velodyne_points' / 'data', 10)
    times = _read_times(folder / 'velodyne_points' / 'timestamps.txt', names)
    lidar2imu, poses = _read_motion(folder, names)
    rig = _read_rig(folder.parent, cameras)
    labelled = folder / 'tracklet_labels.xml'
    boxes = read_tracklets(labelled) if labelled.is_file() else {}
    worlds = np.tile(np.eye(4), (len(names), 1, 1)) if poses is None else poses @ lidar2imu
    own_boxes = [boxes.get(int(name), []) for name in names]
    tracks = {} if poses is None else tracks_of(zip(times, worlds, own_boxes))
    frames: List[dict] = []
    for index, name in enumerate(names):
        scan = read_scan(folder / 'velodyne_points' / 'data' / f'{name}.bin')
        scan = scan[usable(scan)]
        counts = count_points_in_boxes(scan, np.array([label.box for label in own_boxes[index]]).reshape(-1, 7))
        points = point_features(scan, firing_times(scan))
        frame = dict(
            token=f'{segment.name}_{name}',
            sequence=segment.name,
            timestamp=times[index],
            ego2global=(np.eye(4) if poses is None else poses[index]).tolist(),
            lidar_points=dict(
                write_sweep(out, f'lidar/{segment.name}/{name}.bin', points), lidar2ego=lidar2imu.tolist()
            ),
            images={
                side: image_entry(folder / side / 'data' / f'{name}.png', camera, camera.pose, times[index], root, out)
                for side, camera in rig.items()
            },
            instances=make_instances(own_boxes[index], counts, MERGED, tracks, times[index], worlds[index]),
        )
        frame['lidar_sweeps'] = [] if poses is None else earlier_sweeps(frame, frames)
        frames.append(frame)
    return frames


def _read_times(path: Path, names: Sequence[str]) -> List[float]:
    """Seconds of each frame: since 1970 by the file, or tenths from the first one where there is none."""
    if not path.is_file():
        return [PERIOD_S * int(name) for name in names]
    lines = path.read_text(errors='replace').splitlines()
    last = int(names[-1])
    if len(lines) <= last:
        raise DataError(f'{path} has {len(lines)} lines, the scans reach to number {last}; download the drive again')
    try:
        stamps = np.array([lines[int(name)].strip().replace(' ', 'T') for name in names], dtype='datetime64[ns]')
    except ValueError as error:
        raise DataError(f'{path}: expected a date and a time per line ({error}); download the drive again') from None
    if np.isnat(stamps).any():
        raise DataError(f'{path}: no time for scan {names[int(np.isnat(stamps).argmax())]}; download the drive again')
    return (stamps.astype(np.int64) / 1e9).tolist()


def _read_motion(folder: Path, names: Sequence[str]) -> Tuple[np.ndarray, Optional[np.ndarray]]:
    """LiDAR -> IMU (4, 4), and IMU -> world (F, 4, 4); identity and None where the drive has no oxts."""
    if not (folder / 'oxts').is_dir():
        return np.eye(4), None
    imu2lidar = Calibration(folder.parent / 'calib_imu_to_velo.txt').rigid('R', 'T')
    return np.linalg.inv(imu2lidar), read_poses(folder / 'oxts' / 'data', names)


def _read_rig(folder: Path, sides: Sequence[str]) -> Rig:
    """The cameras with ``lidar2cam``; calib_velo_to_cam leads to camera 0 before ``R_rect_00`` rectifies it."""
    if not sides:
        return {}
    calibration, rectify = Calibration(folder / 'calib_cam_to_cam.txt'), np.eye(4)
    rectify[:3, :3] = calibration.matrix('R_rect_00', 3, 3)
    lidar2cam0 = rectify @ Calibration(folder / 'calib_velo_to_cam.txt').rigid('R', 'T')
    rig = {}
    for side in sides:
        number, size = side[-2:], None
        if f'S_rect_{number}' in calibration.entries:
            width, height = calibration.matrix(f'S_rect_{number}', 1, 2)[0].astype(int)
            size = (int(width), int(height))
        rig[side] = rectified_camera(calibration.matrix(f'P_rect_{number}', 3, 4), lidar2cam0, size)
    return rig
