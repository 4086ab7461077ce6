"""Entries of an info file's ``images``, for recordings whose calibration and images are files of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, NamedTuple, Optional, Tuple

import numpy as np
from PIL import Image

from ...errors import DataError
from .frame_files import stored_path


class Camera(NamedTuple):
    """``cam2img`` (3, 3) in pixels, ``pose`` (4, 4), (width, height) of the calibrated image where that is known.

    What ``pose`` is, the converter says: LiDAR to camera where both are of one time, else camera to vehicle.
    """

    cam2img: np.ndarray
    pose: np.ndarray
    size: Optional[Tuple[int, int]] = None


Rig = Dict[str, Camera]


def image_entry(path: Path, camera: Camera, lidar2cam: np.ndarray, timestamp: float, root: Path, out: Path) -> dict:
    """Entry of ``images``; reads the header of the image alone.

    Raises:
        DataError: the image is missing, is none, or is not one that the calibration can be of.
    """
    try:
        with Image.open(path) as image:
            size = image.size
    except FileNotFoundError:
        raise DataError(f'{path} does not exist; download the images of this recording, or remove the sweep') from None
    except Exception as error:  # decoders of damaged files raise anything
        raise DataError(f'{path} is no image that can be read ({error}); download it again') from None
    if camera.size is not None and size != camera.size:
        raise DataError(
            f'{path} has {size[0]} x {size[1]} pixels, its calibration is of {camera.size[0]} x {camera.size[1]}: the '
            'calibration of another camera or day, or a resized image; download both again'
        )
    centre = camera.cam2img[:2, 2]
    if (centre <= 0).any() or (centre >= size).any():
        raise DataError(
            f'{path} has {size[0]} x {size[1]} pixels, its calibration a principal point at '
            f'({centre[0]:.0f}, {centre[1]:.0f}): the calibration of another camera, or a resized image'
        )
    return dict(
        img_path=stored_path(path, root, out),
        cam2img=camera.cam2img.tolist(),
        lidar2cam=lidar2cam.tolist(),
        timestamp=timestamp,
        height=size[1],
        width=size[0],
    )
