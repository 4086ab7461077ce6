"""Reads the feather tables of an Argoverse 2 log.

    LOG/sensors/lidar/TS.feather                          x, y, z float16 [m], intensity, laser_number, offset_ns
    LOG/sensors/cameras/NAME/TS.jpg                       sensor data set only
    LOG/city_SE3_egovehicle.feather                       poses, by timestamp_ns
    LOG/calibration/{egovehicle_SE3_sensor,intrinsics}.feather
    LOG/annotations.feather                               boxes; neither in the LiDAR data set nor in the test split

Times are whole nanoseconds: they are subtracted before they become seconds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Sequence, Tuple

import numpy as np
import pandas as pd
from pyarrow import feather
from scipy.spatial.transform import Rotation

from ...errors import DataError
from .cameras import Camera
from .labelled_boxes import LabelledBox

QUATERNION, PLACE = ['qx', 'qy', 'qz', 'qw'], ['tx_m', 'ty_m', 'tz_m']
POSE = [*QUATERNION, *PLACE]
BOX = ['timestamp_ns', 'track_uuid', 'category', 'length_m', 'width_m', 'height_m', *POSE, 'num_interior_pts']
#: Columns that are text and that are whole numbers; the others are numbers.
TEXT = {'sensor_name', 'track_uuid', 'category'}
WHOLE = {'timestamp_ns', 'offset_ns', 'laser_number', 'intensity', 'num_interior_pts'}
SWEEP = ['x', 'y', 'z', 'intensity', 'laser_number', 'offset_ns']


def read_table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Columns of a feather file; ``DataError`` for a file that is missing or damaged, or lacks one of them."""
    try:
        table = feather.read_table(path, memory_map=False).to_pandas(ignore_metadata=True)
    except FileNotFoundError:
        raise DataError(f'{path} does not exist; it is part of every log, download the log again') from None
    except Exception as error:  # a damaged file can raise anything
        raise DataError(
            f'{path} cannot be read ({type(error).__name__}: {error}): truncated? Download it again'
        ) from None
    missing = [name for name in columns if name not in table]
    if missing:
        raise DataError(f'{path}: no column {", ".join(missing)}; it has {", ".join(map(str, table))}')
    for name in set(columns) - TEXT:
        kind = pd.api.types.is_integer_dtype if name in WHOLE else pd.api.types.is_numeric_dtype
        if not kind(table[name]):
            raise DataError(f'{path}: column {name} holds no {"whole " * (name in WHOLE)}numbers; download it again')
    return table[list(columns)]


def pose_matrices(table: pd.DataFrame, path: Path) -> np.ndarray:
    """(N, 4, 4) from quaternions and translations."""
    numbers = table[POSE].to_numpy(dtype=np.float64)
    if not np.isfinite(numbers).all() or (np.abs(np.linalg.norm(numbers[:, :4], axis=1) - 1) > 1e-3).any():
        raise DataError(f'{path}: quaternions must have length 1 and places be finite; download the file again')
    poses = np.tile(np.eye(4), (len(table), 1, 1))
    poses[:, :3, :3] = Rotation.from_quat(numbers[:, :4]).as_matrix()
    poses[:, :3, 3] = numbers[:, 4:]
    return poses


def read_sensors(log: Path) -> Dict[str, np.ndarray]:
    """Sensor -> (4, 4) its frame to the vehicle's."""
    path = log / 'calibration' / 'egovehicle_SE3_sensor.feather'
    table = read_table(path, ['sensor_name', *POSE])
    sensors = dict(zip(table['sensor_name'], pose_matrices(table, path)))
    missing = {'up_lidar', 'down_lidar'} - set(sensors)
    if missing:
        raise DataError(f'{path}: no {" and no ".join(sorted(missing))}; it has {", ".join(sensors)}')
    return sensors


def read_rig(log: Path, names: Sequence[str], sensors: Dict[str, np.ndarray]) -> Dict[str, Camera]:
    """Cameras with camera -> vehicle as ``pose``. The images are undistorted already: k1, k2, k3 are not for them."""
    if not names:
        return {}
    path = log / 'calibration' / 'intrinsics.feather'
    numbers = ['fx_px', 'fy_px', 'cx_px', 'cy_px', 'width_px', 'height_px']
    table = read_table(path, ['sensor_name', *numbers]).set_index('sensor_name')
    rig = {}
    for name in names:
        if name not in table.index or name not in sensors:
            raise DataError(f'{log / "calibration"}: no calibration of {name}, whose images are there')
        fx, fy, cx, cy, width, height = (float(value) for value in table.loc[name, numbers])
        cam2img = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
        rig[name] = Camera(cam2img, sensors[name], (int(width), int(height)))
    return rig


def read_poses(log: Path) -> Tuple[np.ndarray, np.ndarray]:
    """Time stamps (P,) int64 [ns], rising, and vehicle -> city (P, 4, 4)."""
    path = log / 'city_SE3_egovehicle.feather'
    table = read_table(path, ['timestamp_ns', *POSE]).sort_values('timestamp_ns')
    if len(table) < 2:
        raise DataError(f'{path} has {len(table)} poses; at least two say how the vehicle moves. Download it again')
    return table['timestamp_ns'].to_numpy(np.int64), pose_matrices(table, path)


def file_stamps(folder: Path, ending: str) -> np.ndarray:
    """(N,) int64 [ns], rising: the names of the files of a sensor."""
    names = [path.stem for path in folder.glob(f'*{ending}')]
    if not names or not all(name.isdigit() for name in names):
        raise DataError(f'{folder}: expected files named by their nanoseconds{ending}; download the log again')
    return np.sort(np.array(names, dtype=np.int64))


def read_boxes(log: Path, lidar_place: np.ndarray) -> Dict[int, Tuple[List[LabelledBox], List[int]]]:
    """Time stamp -> boxes in the LiDAR frame and the points in each; {} without labels.

    Args:
        log: folder.
        lidar_place: (3,) of the LiDAR frame's origin in the vehicle's frame, whose axes it has.
    """
    path = log / 'annotations.feather'
    if not path.is_file():
        return {}
    table = read_table(path, BOX)
    yaws = 2 * np.arctan2(table['qz'], table['qw']).to_numpy()
    sizes = table[['length_m', 'width_m', 'height_m']].to_numpy()
    boxes = np.column_stack([table[PLACE].to_numpy() - lidar_place, sizes, np.arctan2(np.sin(yaws), np.cos(yaws))])
    if not np.isfinite(boxes).all():
        raise DataError(f'{path} holds NaN or Inf; download it again')
    found: Dict[int, Tuple[List[LabelledBox], List[int]]] = {}
    columns = (table[name].tolist() for name in ('timestamp_ns', 'track_uuid', 'category', 'num_interior_pts'))
    for box, (stamp, track, category, count) in zip(boxes, zip(*columns)):
        labels, counts = found.setdefault(stamp, ([], []))
        labels.append(LabelledBox(track, category, box))
        counts.append(count)
    return found
