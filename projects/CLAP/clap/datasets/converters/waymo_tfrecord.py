"""Reads the Waymo Open Dataset's version 1: one TFRecord file per segment, one ``Frame`` message per record."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Tuple

import numpy as np

from ...errors import DataError
from ...files.wire_format import Message, read_records
from .waymo_frame import TOP, CameraCalibration, Image, Label, LaserCalibration, Pixels, WaymoFrame, pixels_of


class WaymoRecords:
    """A segment's frames one by one; calibrations are those of the frame read last (they are the same in all)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.lasers: Dict[int, LaserCalibration] = {}
        self.cameras: Dict[int, CameraCalibration] = {}

    def frames(self) -> Iterator[WaymoFrame]:
        for number, record in enumerate(read_records(self._path)):
            yield self._frame(Message(record, f'{self._path}, record {number}'), f'{self._path}, record {number}')

    def _frame(self, frame: Message, name: str) -> WaymoFrame:
        context = frame.message(1)
        self.cameras = {each.integer(1): _camera_calibration(each) for each in context.messages(2)}
        self.lasers = {each.integer(1): _laser_calibration(each) for each in context.messages(3)}
        returns: Dict[int, List[Pixels]] = {}
        pixel_poses, semantics = np.zeros((0, 0, 6)), None
        for laser in frame.messages(5):
            number, first = laser.integer(1), laser.message(2)
            images = [_matrix_float(each.content(2), name) for each in (first, laser.message(3))]
            returns[number] = [pixels_of(image) for image in images if image is not None]
            if number == TOP:
                poses, classes = _matrix_float(first.content(4), name), first.content(6)
                pixel_poses = pixel_poses if poses is None else poses
                semantics = _matrix_int(classes, name)[..., 1] if classes else None
        images = {each.integer(1): _image(each) for each in frame.messages(4)}
        if set(returns) != set(self.lasers) or set(images) != set(self.cameras) or not pixel_poses.size:
            raise DataError(
                f'{name}: lasers {sorted(returns)} and cameras {sorted(images)}, calibrations of {sorted(self.lasers)} '
                f'and {sorted(self.cameras)}, poses of {pixel_poses.size // 6} pixels of laser {TOP}; expected data '
                'and calibration of each and a pose per pixel. Download the file again'
            )
        labels = [_label(each) for each in frame.messages(6)]
        return WaymoFrame(frame.integer(2), _transform(frame, 3), returns, pixel_poses, semantics, images, labels)


def _transform(message: Message, number: int) -> np.ndarray:
    return message.message(number).numbers(1).reshape(4, 4)


def _camera_calibration(message: Message) -> CameraCalibration:
    return CameraCalibration(message.numbers(2), _transform(message, 3), message.integer(4), message.integer(5))


def _image(message: Message) -> Image:
    return Image(message.content(2), _transform(message, 3), message.number(5) or 0.0)


def _laser_calibration(message: Message) -> LaserCalibration:
    beams = message.numbers(2)
    limits = message.number(3) or 0.0, message.number(4) or 0.0
    return LaserCalibration(_transform(message, 5), beams if len(beams) else None, limits)


def _matrix_float(content: bytes, name: str) -> Optional[np.ndarray]:
    """(H, W, C) float32, or None where it is absent."""
    if not content:
        return None
    matrix, shape = _unpacked(content, name)
    return matrix.floats(1).reshape(shape)


def _matrix_int(content: bytes, name: str) -> np.ndarray:
    matrix, shape = _unpacked(content, name)
    return matrix.integers(1).reshape(shape)


def _unpacked(content: bytes, name: str) -> Tuple[Message, np.ndarray]:
    try:
        matrix = Message(zlib.decompress(content), name)
    except zlib.error as error:
        raise DataError(f'{name}: damaged range image ({error}); download the file again') from None
    return matrix, matrix.message(2).integers(1)


def _label(message: Message) -> Label:
    box, motion = message.message(1), message.message(2)
    # Centre x, y, z; length 5, width 4, height 6; heading. Velocity x, y, z.
    sides = np.array([box.number(field) or 0.0 for field in (1, 2, 3, 5, 4, 6, 7)])
    velocity = np.array([np.nan if (v := motion.number(field)) is None else v for field in (1, 2, 5)])
    return Label(sides, message.integer(3), message.text(4), message.integer(7), message.integer(5), velocity)
