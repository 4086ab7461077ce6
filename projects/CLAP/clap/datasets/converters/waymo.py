"""Waymo Open Dataset (Parquet files of version 2, or TFRecords of version 1) -> mmdet3d 1.4 info files.

``convert(root, out)`` writes for every frame:

    OUT/CONTEXT/TIME.bin            float32 x, y, z, intensity (0..255), elongation (0..1): first returns of all LiDARs
    OUT/CONTEXT/TIME.origins.bin    float32 x, y, z: where the sensor was when it measured each of those points
    OUT/CONTEXT/TIME.second.bin     second returns, same columns as the first; for the encoder only
    OUT/CONTEXT/TIME.semantic.bin   uint8 class of each point of the first file, 255 none; where annotated
    OUT/CONTEXT/TIME.no_label.bin   float32 x, y, z of the points in no-label zones, for the metric; where there are any
    OUT/CONTEXT/TIME_CAMERA.jpg     undistorted image
    OUT/waymo_infos_{train,val,test}.pkl

A second return lies behind something that its ray has met before, so that it is not a target of that ray.

**LiDAR frame**: axes of Waymo's vehicle frame (x forward, y left, z up), origin at the LiDAR TOP. Points of TOP are
carried by the pose of their pixel into the frame's vehicle frame, as are the places from which they were measured.
**Ego frame**: Waymo's vehicle frame. Each image has the pose of its own time in ``lidar2cam``; that rows or columns of
an image differ in time is left out.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import cv2
import numpy as np

from ...errors import DataError, DatasetError
from ...files.atomic_file import write_atomic
from .conversion import Plan, Segment, convert_segments
from .frame_files import IGNORED_CLASS, box_instance, write_sweep
from .undistort import Undistorter
from .waymo_frame import (
    CAMERAS,
    TOP,
    CameraCalibration,
    Image,
    Label,
    LaserCalibration,
    WaymoFrame,
    points_in_vehicle,
)
from .waymo_parquet import REQUIRED, WaymoSegment
from .waymo_tfrecord import WaymoRecords

SPLITS = dict(train='training', val='validation', test='testing')
CLASSES = ('Vehicle', 'Pedestrian', 'Cyclist', 'Sign')
#: Waymo's number of a type -> class; others are ignored.
CLASS_OF_TYPE = {1: 'Vehicle', 2: 'Pedestrian', 3: 'Sign', 4: 'Cyclist'}
#: Classes of points; Waymo counts them from 1, 0 is undefined.
SEMANTIC_CLASSES = (
    'car', 'truck', 'bus', 'other_vehicle', 'motorcyclist', 'bicyclist', 'pedestrian', 'sign', 'traffic_light', 'pole',
    'construction_cone', 'bicycle', 'motorcycle', 'building', 'vegetation', 'tree_trunk', 'curb', 'road', 'lane_marker',
    'other_ground', 'walkable', 'sidewalk',
)  # fmt: skip
#: x right, y down, z forward of mmdet3d's cameras from Waymo's x forward, y left, z up.
CAMERA_AXES = np.array([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
MATRICES = ('lidar2cam', 'cam2img')
TFRECORD = 'segment-{}_with_camera_labels.tfrecord'


def convert(
    root: Path, out: Path, splits: Optional[Sequence[str]] = None, jobs: int = 1, on_damaged: str = 'stop'
) -> Dict[str, Any]:
    """Converts every segment below ``root``; see :func:`convert_segments` for arguments and figures."""
    root, out = Path(root), Path(out)
    segments = find_segments(root, splits)
    plan = Plan(
        'waymo',
        CLASSES,
        out,
        dict(root=root.resolve()),
        dict(semantic_classes={name: number for number, name in enumerate(SEMANTIC_CLASSES)}),
    )
    return convert_segments(plan, segments, partial(convert_segment, root, out), jobs, on_damaged)


def find_segments(root: Path, splits: Optional[Sequence[str]] = None) -> List[Segment]:
    """Segments by name: of every component's folder, or TFRecord files."""
    segments = []
    for split in splits or SPLITS:
        folder = root / SPLITS[split]
        found = {path.stem for tag in REQUIRED for path in (folder / tag).glob('*.parquet')}
        if split == 'test':  # among them are segments of images alone
            found &= {path.stem for path in (folder / 'lidar').glob('*.parquet')}
        before, after = TFRECORD.split('{}')
        found |= {path.name[len(before) : -len(after)] for path in folder.glob(TFRECORD.format('*'))}
        segments += [Segment(name, (split,)) for name in sorted(found)]
    if not segments:
        raise DatasetError(
            f'no segment of Waymo in {root}: expected {{training,validation,testing}}/lidar/CONTEXT.parquet (v2) '
            f'or {{training,validation,testing}}/{TFRECORD.format("CONTEXT")}; check --root and --split'
        )
    return segments


def convert_segment(root: Path, out: Path, segment: Segment) -> List[dict]:
    """Writes the files of a segment; returns its frames in the order of time."""
    folder = root / SPLITS[segment.splits[0]]
    records = folder / TFRECORD.format(segment.name)
    source = WaymoRecords(records) if records.is_file() else WaymoSegment(folder, segment.name)
    lenses: Dict[int, Undistorter] = {}
    frames = []
    try:
        for frame in source.frames():
            for number, camera in source.cameras.items():
                if number not in lenses:
                    lenses[number] = lens(camera)
            frames.append(_frame_info(frame, segment.name, source, lenses, out))
    except DataError:
        raise
    except (LookupError, ValueError, TypeError, cv2.error) as error:  # numbers that no calibration or pose can have
        raise DataError(
            f'{folder}, segment {segment.name}: not as expected ({type(error).__name__}: {error}); download it again'
        ) from error
    return sorted(frames, key=lambda info: info['timestamp'])


def lens(camera: CameraCalibration) -> Undistorter:
    """What undistorts the images of a camera, to its own focal length and principal point."""
    f_u, f_v, c_u, c_v = camera.intrinsic[:4]
    cam2img = np.array([[f_u, 0, c_u], [0, f_v, c_v], [0, 0, 1]])
    return Undistorter(cam2img, camera.intrinsic[4:], (camera.width, camera.height))


def lidar_to_ego(top: LaserCalibration) -> np.ndarray:
    """(4, 4) LiDAR frame -> vehicle: the axes of the vehicle, the place of TOP."""
    matrix = np.eye(4)
    matrix[:3, 3] = top.extrinsic[:3, 3]
    return matrix


def _frame_info(
    frame: WaymoFrame,
    name: str,
    source: Union[WaymoSegment, WaymoRecords],
    lenses: Mapping[int, Undistorter],
    out: Path,
) -> dict:
    lidar2ego = lidar_to_ego(source.lasers[TOP])
    stem = f'{name}/{frame.timestamp_us}'
    info = dict(
        token=f'{name}_{frame.timestamp_us}',
        sequence=name,
        timestamp=frame.timestamp_us / 1e6,
        ego2global=frame.pose.tolist(),
        lidar_points=dict(_write_points(frame, source.lasers, stem, out), lidar2ego=lidar2ego.tolist()),
        images={
            CAMERAS[number]: dict(
                camera_matrices(image, source.cameras[number], frame.pose, lidar2ego),
                img_path=_write_image(image, lenses[number], f'{stem}_{CAMERAS[number]}.jpg', out),
                cam2img=lenses[number].cam2img.tolist(),
            )
            for number, image in sorted(frame.images.items())
        },
        instances=[_instance(label, frame.pose, lidar2ego) for label in frame.labels or ()],
    )
    matrices = [info['ego2global'], *(camera[key] for camera in info['images'].values() for key in MATRICES)]
    if not all(np.isfinite(matrix).all() for matrix in matrices):
        raise ValueError(f'frame {frame.timestamp_us}: a pose or calibration holds NaN or Inf')
    return info


def _write_points(frame: WaymoFrame, lasers: Mapping[int, LaserCalibration], stem: str, out: Path) -> dict:
    """Keys of ``lidar_points``."""
    first, second = (_cloud(frame, lasers, number) for number in (0, 1))
    semantics = None
    if frame.semantics is not None:
        classes = [
            frame.semantics[pixels[0].rows, pixels[0].columns] if number == TOP else np.zeros(len(pixels[0].rows))
            for number, pixels in sorted(frame.returns.items())
        ]
        semantics = np.concatenate(classes).astype(np.int64)
        semantics = np.where(semantics > 0, semantics - 1, IGNORED_CLASS)
    keys = write_sweep(out, f'{stem}.bin', first[0], first[1], semantics)
    keys['extra_lidar_path'] = f'{stem}.second.bin'
    write_atomic(out / keys['extra_lidar_path'], second[0].astype(np.float32).tobytes())
    unlabelled = np.concatenate([each[0][each[2], :3] for each in (first, second)])
    if len(unlabelled):
        keys['no_label_path'] = f'{stem}.no_label.bin'
        write_atomic(out / keys['no_label_path'], unlabelled.astype(np.float32).tobytes())
    return keys


def _cloud(
    frame: WaymoFrame, lasers: Mapping[int, LaserCalibration], number: int
) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points (N, 5), origins (N, 3), LiDAR frame, and which are in a no-label zone (N,): first or second returns."""
    points, origins, values = [np.zeros((0, 3))], [np.zeros((0, 3))], [np.zeros((0, 4))]
    for laser, pixels in sorted(frame.returns.items()):
        if number < len(pixels):
            poses = frame.pixel_poses if laser == TOP else None
            found = points_in_vehicle(pixels[number], lasers[laser], poses, frame.pose)
            for own, new in zip((points, origins, values), (*found, pixels[number].values)):
                own.append(new)
    offset = lasers[TOP].extrinsic[:3, 3]
    measured = np.concatenate(values)
    columns = [np.concatenate(points) - offset, np.tanh(measured[:, 1:3]) * [255, 1]]
    cloud, places = np.concatenate(columns, axis=1), np.concatenate(origins) - offset
    if not (np.isfinite(cloud).all() and np.isfinite(places).all()):
        raise ValueError(f'frame {frame.timestamp_us}: a point or a pose of a pixel holds NaN or Inf')
    return cloud, places, measured[:, 3] > 0


def camera_matrices(
    image: Image, camera: CameraCalibration, frame_pose: np.ndarray, lidar2ego: np.ndarray
) -> Dict[str, Any]:
    """``lidar2cam`` from the LiDAR at the frame's time to the camera at the image's, ``cam2ego``, time and size."""
    vehicle2cam = CAMERA_AXES @ np.linalg.inv(camera.extrinsic)
    return dict(
        lidar2cam=(vehicle2cam @ np.linalg.inv(image.pose) @ frame_pose @ lidar2ego).tolist(),
        cam2ego=np.linalg.inv(vehicle2cam).tolist(),
        timestamp=image.timestamp,
        height=camera.height,
        width=camera.width,
    )


def _write_image(image: Image, straighten: Undistorter, path: str, out: Path) -> str:
    write_atomic(out / path, straighten(image.jpeg, path))
    return path


def _instance(label: Label, pose: np.ndarray, lidar2ego: np.ndarray) -> dict:
    box = label.box.copy()
    box[:3] -= lidar2ego[:3, 3]
    if not np.isfinite(box).all():
        raise ValueError(f'object {label.id}: its box holds NaN or Inf')
    velocity = (pose[:3, :3].T @ np.nan_to_num(label.velocity))[:2]
    instance = box_instance(
        box,
        CLASSES.index(CLASS_OF_TYPE[label.type]) if label.type in CLASS_OF_TYPE else -1,
        CLASS_OF_TYPE.get(label.type, 'unknown'),
        label.num_points,
        velocity if np.isfinite(label.velocity[:2]).all() else np.full(2, np.nan),
        label.id,
    )
    return dict(instance, difficulty=label.level)
