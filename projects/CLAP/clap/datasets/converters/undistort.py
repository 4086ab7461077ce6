"""Images without the distortion of their lens: the info file's matrices describe a pinhole camera."""

from __future__ import annotations

from typing import Optional, Tuple

import cv2
import numpy as np

from ...errors import DataError

JPEG_QUALITY = 95


class Undistorter:
    """Maps the images of one camera to those of a pinhole camera of the same size.

    Args:
        cam2img: (3, 3) [pixels]; pixel i covers [i, i + 1).
        distortion: k1, k2, p1, p2, k3, ... in OpenCV's order and meaning.
        size: width and height [pixels].
        fill: choose the pinhole camera so that no pixel of its image lies outside the recorded one (OpenCV's optimal
            matrix with alpha 0); else it has the camera's own matrix.

    Attributes:
        cam2img: (3, 3) of the pinhole camera, pixel i covers [i, i + 1).
    """

    def __init__(self, cam2img: np.ndarray, distortion: np.ndarray, size: Tuple[int, int], fill: bool = False) -> None:
        # OpenCV's pixel i is centred at i.
        half = np.zeros((3, 3))
        half[:2, 2] = 0.5
        own, distortion = np.asarray(cam2img, dtype=np.float64) - half, np.asarray(distortion, dtype=np.float64)
        pinhole = cv2.getOptimalNewCameraMatrix(own, distortion, size, 0)[0] if fill else own
        self._size = size
        self._maps = cv2.initUndistortRectifyMap(own, distortion, None, pinhole, size, cv2.CV_16SC2)
        self.cam2img = pinhole + half

    def __call__(self, encoded: bytes, name: str) -> bytes:
        """An encoded image -> the undistorted one as JPEG; ``DataError`` names one that is damaged or does not fit."""
        image: Optional[np.ndarray] = (
            cv2.imdecode(np.frombuffer(encoded, dtype=np.uint8), cv2.IMREAD_COLOR) if encoded else None
        )
        if image is None:
            raise DataError(f'{name}: the image cannot be decoded; download its file again')
        if image.shape[1::-1] != tuple(self._size):
            raise DataError(
                f'{name}: the image has {image.shape[1]} x {image.shape[0]} pixels, its calibration is of '
                f'{self._size[0]} x {self._size[1]}: the calibration of another camera?'
            )
        straight = cv2.remap(image, *self._maps, cv2.INTER_LINEAR)
        return cv2.imencode('.jpg', straight, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()
