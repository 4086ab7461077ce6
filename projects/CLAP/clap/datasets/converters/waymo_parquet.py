"""Reads the Waymo Open Dataset's version 2: one Parquet file per component and segment.

Rows belong together by their keys, never by their order. Large components are read row by row and side by side, so
that only the frames that are still incomplete are held.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ...errors import DataError
from .waymo_frame import CAMERAS, LASERS, TOP, CameraCalibration, Image, Label, LaserCalibration, WaymoFrame, pixels_of

#: Component -> class, the first part of its columns' names.
CLASSES = dict(
    lidar='LiDARComponent',
    lidar_pose='LiDARPoseComponent',
    lidar_segmentation='LiDARSegmentationLabelComponent',
    lidar_calibration='LiDARCalibrationComponent',
    lidar_box='LiDARBoxComponent',
    camera_image='CameraImageComponent',
    camera_calibration='CameraCalibrationComponent',
    vehicle_pose='VehiclePoseComponent',
)
#: Needed of every segment; boxes and classes of points are read where they are.
REQUIRED = ('lidar', 'lidar_pose', 'lidar_calibration', 'camera_image', 'camera_calibration', 'vehicle_pose')
TIME, LASER, CAMERA, OBJECT = (
    f'key.{name}' for name in ('frame_timestamp_micros', 'laser_name', 'camera_name', 'laser_object_id')
)
#: The second return has no shape of its own here: pyarrow cannot read a column of shapes where one is null.
RETURN_1 = ('range_image_return1.values', 'range_image_return1.shape')
INTRINSIC = ('f_u', 'f_v', 'c_u', 'c_v', 'k1', 'k2', 'p1', 'p2', 'k3')


class Component:
    """One Parquet file: its rows as dicts, the class left out of the names.

    Args:
        folder: of the split.
        tag: the component.
        context: the segment.
        columns: without the class.
        keys: besides the segment.
    """

    def __init__(self, folder: Path, tag: str, context: str, keys: Sequence[str], columns: Sequence[str]) -> None:
        self.path = folder / tag / f'{context}.parquet'
        self._prefix, self._context = f'[{CLASSES[tag]}].', context
        self._columns = ['key.segment_context_name', *keys, *(self._prefix + name for name in columns)]
        self.done = 0
        try:
            self._file = pq.ParquetFile(self.path)
        except FileNotFoundError:
            raise DataError(
                f'{self.path} does not exist: component {tag} of a segment is missing; download it'
            ) from None
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(error) from error
        missing = sorted(set(self._columns) - set(self._file.schema_arrow.names))
        if missing:
            raise DataError(f'{self.path}: no column {", ".join(missing)}; is it component {tag} of Waymo v2?')
        self.total = self._file.metadata.num_rows

    def __iter__(self) -> Iterator[Dict[str, Any]]:
        """Rows one by one; long lists stay arrays."""
        try:
            for batch in self._file.iter_batches(batch_size=1, columns=self._columns, use_threads=False):
                row = {name: _value(batch.column(i)) for i, name in enumerate(batch.schema.names)}
                context = row.pop('key.segment_context_name')
                if context != self._context:
                    raise DataError(f'{self.path} holds a row of segment {context}; download it again')
                self.done += 1
                yield {name.replace(self._prefix, ''): value for name, value in row.items()}
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> DataError:
        return DataError(f'{self.path}: truncated or no Parquet file ({error}); download it again')


def _value(column: pa.Array) -> Any:
    """The only value of a column: number, text, bytes, None, or array of numbers."""
    scalar = column[0]
    if not scalar.is_valid:
        return None
    return scalar.values.to_numpy(zero_copy_only=False) if isinstance(scalar, pa.ListScalar) else scalar.as_py()


def _number(key: Any, names: Dict[int, str]) -> int:
    """Of a laser or camera; early files hold its name."""
    return key if isinstance(key, int) else {name: number for number, name in names.items()}[key]


def _matrix(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, dtype=np.float64).reshape(4, 4)


class WaymoSegment:
    """A segment's calibrations, and its frames one by one in the order in which they become complete."""

    def __init__(self, folder: Path, context: str) -> None:
        self._folder, self._context = folder, context
        self.lasers: Dict[int, LaserCalibration] = {}
        limits = ['beam_inclination.min', 'beam_inclination.max', 'beam_inclination.values']
        for row in self._component('lidar_calibration', [LASER], ['extrinsic.transform', *limits]):
            low, high, values = (row[name] for name in limits)
            beams = None if values is None or not len(values) else np.asarray(values, dtype=np.float64)
            self.lasers[_number(row[LASER], LASERS)] = LaserCalibration(
                _matrix(row['extrinsic.transform']), beams, (low, high)
            )
        self.cameras: Dict[int, CameraCalibration] = {}
        intrinsic = [f'intrinsic.{name}' for name in INTRINSIC]
        for row in self._component(
            'camera_calibration', [CAMERA], [*intrinsic, 'extrinsic.transform', 'width', 'height']
        ):
            self.cameras[_number(row[CAMERA], CAMERAS)] = CameraCalibration(
                np.array([row[name] for name in intrinsic], dtype=np.float64),
                _matrix(row['extrinsic.transform']),
                row['width'],
                row['height'],
            )

    def _component(self, tag: str, keys: Sequence[str], columns: Sequence[str]) -> Component:
        return Component(self._folder, tag, self._context, keys, columns)

    def frames(self) -> Iterator[WaymoFrame]:
        """Every frame; ``DataError`` at the end names what an incomplete one lacks."""
        poses = {
            row[TIME]: _matrix(row['world_from_vehicle.transform'])
            for row in self._component('vehicle_pose', [TIME], ['world_from_vehicle.transform'])
        }
        labels, semantics = self._labels(), self._semantics()
        waiting: Dict[int, Dict[tuple, Any]] = defaultdict(dict)
        parts = {('lidar', number) for number in self.lasers} | {('image', number) for number in self.cameras}
        parts.add(('pose', TOP))
        for time, part, value in self._parts():
            if part not in parts:
                raise DataError(
                    f'{self._folder}, segment {self._context}: {part[0]} of number {part[1]} has no calibration; '
                    'the calibration of another segment?'
                )
            waiting[time][part] = value
            if len(waiting[time]) == len(parts) and time in poses:
                found = waiting.pop(time)
                yield WaymoFrame(
                    time,
                    poses[time],
                    {number: found['lidar', number] for number in self.lasers},
                    found['pose', TOP],
                    semantics.get(time),
                    {number: found['image', number] for number in self.cameras},
                    None if labels is None else labels.get(time, []),
                )
        for time in sorted(waiting):
            missing = [f'{kind} {number}' for kind, number in sorted(parts - set(waiting[time]))]
            missing += [] if time in poses else ['vehicle_pose']
            raise DataError(
                f'{self._folder}, segment {self._context}, frame {time}: no row of {", ".join(missing)}; download the '
                'components again'
            )

    def _parts(self) -> Iterator[tuple]:
        """(time, (kind, number), value) of the large components, all read at the same pace."""
        image = ['image', 'pose.transform', 'pose_timestamp']
        first, second = RETURN_1, 'range_image_return2.values'
        components = dict(
            lidar=self._component('lidar', [TIME, LASER], [*first, second]),
            pose=self._component('lidar_pose', [TIME, LASER], first),
            image=self._component('camera_image', [TIME, CAMERA], image),
        )
        rows = {kind: iter(component) for kind, component in components.items()}
        while rows:
            kind = min(rows, key=lambda kind: components[kind].done / max(components[kind].total, 1))
            row = next(rows[kind], None)
            if row is None:
                del rows[kind]
            elif kind == 'lidar':
                images = [_range_image(row)]
                if row[second] is not None and len(row[second]):
                    images.append(row[second].reshape(images[0].shape))
                pixels = [pixels_of(image) for image in images]
                yield row[TIME], (kind, _number(row[LASER], LASERS)), pixels
            elif kind == 'pose':
                yield row[TIME], (kind, _number(row[LASER], LASERS)), _range_image(row)
            else:
                value = Image(row['image'], _matrix(row['pose.transform']), float(row['pose_timestamp']))
                yield row[TIME], (kind, _number(row[CAMERA], CAMERAS)), value

    def _labels(self) -> Optional[Dict[int, List[Label]]]:
        """By frame; None without the component's folder."""
        if not (self._folder / 'lidar_box').is_dir():
            return None
        box = [f'box.{part}.{axis}' for part in ('center', 'size') for axis in 'xyz'] + ['box.heading']
        speed = [f'speed.{axis}' for axis in 'xyz']
        others = ['type', 'num_lidar_points_in_box', 'difficulty_level.detection']
        found: Dict[int, List[Label]] = defaultdict(list)
        for row in self._component('lidar_box', [TIME, OBJECT], [*box, *speed, *others]):
            kind, points, level = (row[name] for name in others)
            velocity = np.array([np.nan if row[name] is None else row[name] for name in speed])
            sides = np.array([row[name] for name in box], dtype=np.float64)
            found[row[TIME]].append(Label(sides, kind, row[OBJECT], points or 0, level or 0, velocity))
        return found

    def _semantics(self) -> Dict[int, np.ndarray]:
        if not (self._folder / 'lidar_segmentation' / f'{self._context}.parquet').is_file():
            return {}
        rows = self._component('lidar_segmentation', [TIME, LASER], RETURN_1)
        return {row[TIME]: _range_image(row)[..., 1] for row in rows if _number(row[LASER], LASERS) == TOP}


def _range_image(row: Dict[str, Any]) -> np.ndarray:
    values, shape = (row[name] for name in RETURN_1)
    return values.reshape(shape)
