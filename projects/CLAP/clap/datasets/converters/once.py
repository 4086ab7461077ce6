"""ONCE (native folder layout) -> mmdet3d 1.4 info files.

    ROOT/ImageSets/SPLIT.txt                       six-digit sequences, one a line
    ROOT/data/SEQ/SEQ.json                         calibration, poses, boxes
    ROOT/data/SEQ/lidar_roof/FRAME.bin             float32 x, y, z, intensity; FRAME is the time in milliseconds
    ROOT/data/SEQ/{cam01,cam03,...}/FRAME.jpg

``convert(root, out)`` writes ``OUT/once_infos_SPLIT.pkl`` and, of cameras with a distortion, undistorted images
``OUT/SEQ/FRAME_CAMERA.jpg``; points are read where they are.

**LiDAR frame**: ONCE's own, **x left, y back, z up** (``metainfo.lidar_axes``); boxes and cameras are of the same
frame, so that nothing is turned. **Ego frame**: the LiDAR's. Poses are relative to the first frame; a frame without
one has the identity as ``ego2global`` and ``has_pose=False``. One without labels has ``labelled=False``.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from ...errors import DataError, DatasetError
from ...files.atomic_file import write_atomic
from .conversion import Plan, Segment, convert_segments
from .frame_files import box_instance, count_points_in_boxes, stored_path
from .undistort import Undistorter

SPLITS = ('train', 'val', 'test', 'raw_small', 'raw_medium', 'raw_large')
CLASSES = ('Car', 'Bus', 'Truck', 'Pedestrian', 'Cyclist')
LIDAR_AXES = ('left', 'back', 'up')
NUM_FEATURES = 4
#: A quaternion that is shorter stands for a pose that is not known.
MIN_QUATERNION = 0.5


class Camera(NamedTuple):
    """``lidar2cam`` (4, 4); ``lens`` None: the image is used as it is, ``cam2img`` (3, 3) [pixels]."""

    lidar2cam: np.ndarray
    cam2img: np.ndarray
    lens: Optional[Undistorter]


def convert(
    root: Path, out: Path, splits: Optional[Sequence[str]] = None, jobs: int = 1, on_damaged: str = 'stop'
) -> Dict[str, Any]:
    """Converts every sequence of ``splits`` that is there; see :func:`convert_segments` for arguments and figures.

    ``intensity`` of the figures is the range in one sweep: it is documented nowhere.
    """
    root, out = Path(root), Path(out)
    segments = find_segments(root, splits)
    plan = Plan('once', CLASSES, out, dict(root=root.resolve()), dict(lidar_axes=LIDAR_AXES))
    figures = convert_segments(plan, segments, partial(convert_segment, root, out), jobs, on_damaged)
    sound = next(segment for segment in segments if segment.name not in figures['damaged'])
    intensity = read_sweep(next((root / 'data' / sound.name / 'lidar_roof').glob('*.bin')))[:, 3]
    return dict(figures, intensity=[float(intensity.min()), float(intensity.max())])


def find_segments(root: Path, splits: Optional[Sequence[str]] = None) -> List[Segment]:
    """Sequences in the order of their numbers; one may belong to several splits."""
    owners: Dict[str, List[str]] = {}
    lists = [split for split in splits or SPLITS if (root / 'ImageSets' / f'{split}.txt').is_file()]
    for split in lists:
        for name in (root / 'ImageSets' / f'{split}.txt').read_text().split():
            owners.setdefault(name, []).append(split)
    there = [name for name in sorted(owners) if (root / 'data' / name).is_dir()]
    if not there:
        raise DatasetError(
            f'no sequence of ONCE in {root}: expected ImageSets/{{{",".join(splits or SPLITS)}}}.txt and '
            'data/SEQUENCE/SEQUENCE.json; check --root and --split'
        )
    if len(there) < len(owners):
        print(f'{len(owners) - len(there)} of {len(owners)} sequences of {", ".join(lists)} are not in {root / "data"}')
    return [Segment(name, tuple(owners[name])) for name in there]


def convert_segment(root: Path, out: Path, segment: Segment) -> List[dict]:
    """Frames of a sequence in the order of time."""
    folder = root / 'data' / segment.name
    path = folder / f'{segment.name}.json'
    try:
        content = json.loads(path.read_text())
        cameras = read_cameras(content)
        frames = sorted(content['frames'], key=lambda frame: int(frame['frame_id']))
        return [_frame_info(frame, cameras, folder, root, out) for frame in frames]
    except FileNotFoundError as error:
        raise DataError(f'{error.filename} does not exist; unpack all archives of sequence {segment.name}') from None
    except DataError:
        raise
    except (LookupError, ValueError, TypeError, AttributeError, cv2.error) as error:
        raise DataError(f'{path}: not as expected ({type(error).__name__}: {error}); download it again') from error


def read_cameras(content: Mapping[str, Any]) -> Dict[str, Camera]:
    """Cameras by name from the JSON file of a sequence."""
    size = tuple(int(side) for side in content['meta_info']['image_size'])
    cameras = {}
    for name, calibration in sorted(content['calib'].items()):
        cam2img = np.array(calibration['cam_intrinsic'], dtype=np.float64).reshape(3, 3)
        distortion = np.array(calibration.get('distortion', ()), dtype=np.float64).reshape(-1)
        lidar2cam = np.linalg.inv(np.array(calibration['cam_to_velo'], dtype=np.float64).reshape(4, 4))
        if not all(np.isfinite(values).all() for values in (cam2img, distortion, lidar2cam)):
            raise ValueError(f'the calibration of {name} holds NaN or Inf')
        lens = Undistorter(cam2img, distortion, size, fill=True) if distortion.any() else None
        cameras[name] = Camera(lidar2cam, cam2img if lens is None else lens.cam2img, lens)
    return cameras


def read_sweep(path: Path) -> np.ndarray:
    """(N, 4) float32 x, y, z [m], intensity; ``DataError`` for a truncated or empty file."""
    size = path.stat().st_size
    if not size or size % (4 * NUM_FEATURES):
        raise DataError(f'{path} has {size} bytes, expected rows of {4 * NUM_FEATURES}: truncated, download it again')
    return np.fromfile(path, dtype=np.float32).reshape(-1, NUM_FEATURES)


def pose_of(values: Optional[Sequence[float]]) -> Optional[np.ndarray]:
    """(4, 4) LiDAR -> LiDAR of the first frame from qx, qy, qz, qw, tx, ty, tz; None where it is not known."""
    if values is None or not np.linalg.norm(values[:4]) > MIN_QUATERNION:
        return None
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_quat(values[:4]).as_matrix()
    matrix[:3, 3] = values[4:7]
    if not np.isfinite(matrix).all():
        raise ValueError('a pose holds NaN or Inf')
    return matrix


def _frame_info(frame: Mapping[str, Any], cameras: Mapping[str, Camera], folder: Path, root: Path, out: Path) -> dict:
    name, pose = str(frame['frame_id']), pose_of(frame.get('pose'))
    points = read_sweep(folder / 'lidar_roof' / f'{name}.bin')
    return dict(
        token=f'{folder.name}_{name}',
        sequence=folder.name,
        timestamp=int(name) / 1e3,
        ego2global=(np.eye(4) if pose is None else pose).tolist(),
        has_pose=pose is not None,
        labelled='annos' in frame,
        lidar_points=dict(
            num_pts_feats=NUM_FEATURES,
            lidar_path=stored_path(folder / 'lidar_roof' / f'{name}.bin', root, out),
            lidar2ego=np.eye(4).tolist(),
        ),
        images={key: _image_info(key, camera, folder, name, root, out) for key, camera in cameras.items()},
        instances=_instances(frame['annos'], points, name) if 'annos' in frame else [],
    )


def _image_info(key: str, camera: Camera, folder: Path, name: str, root: Path, out: Path) -> dict:
    path = folder / key / f'{name}.jpg'
    if camera.lens is None:
        stored = stored_path(path, root, out)
        path.stat()
    else:
        stored = f'{folder.name}/{name}_{key}.jpg'
        write_atomic(out / stored, camera.lens(path.read_bytes(), str(path)))
    return dict(img_path=stored, cam2img=camera.cam2img.tolist(), lidar2cam=camera.lidar2cam.tolist())


def _instances(annos: Mapping[str, Any], points: np.ndarray, name: str) -> List[dict]:
    names = annos['names'] if 'names' in annos else annos['name']  # the documentation has the second
    boxes = np.array(annos['boxes_3d'], dtype=np.float64).reshape(-1, 7)
    counts = annos.get('num_points_in_gt')
    counts = count_points_in_boxes(points, boxes) if counts is None else counts
    if not len(names) == len(boxes) == len(counts) or not np.isfinite(boxes).all():
        raise DataError(
            f'frame {name}: {len(names)} names, {len(boxes)} boxes (with NaN or Inf: '
            f'{int((~np.isfinite(boxes)).any(axis=1).sum())}), {len(counts)} numbers of points; take the labels anew'
        )
    return [
        box_instance(
            box, CLASSES.index(kind) if kind in CLASSES else -1, kind, int(count), np.full(2, np.nan), f'{name}_{index}'
        )
        for index, (kind, box, count) in enumerate(zip(names, boxes, counts))
    ]
