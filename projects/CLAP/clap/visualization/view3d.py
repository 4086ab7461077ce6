"""Frames as a recording for the rerun viewer: coloured clouds, cameras with their images, boxes.

rerun is not a requirement of training; it is imported when a recording is made (``requirements/viewer.txt``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Iterable, Sequence, Tuple

import numpy as np

from ..pretrain.pictures import Image, Points
from .colours import to_rgba

_POINT_RADIUS_M = 0.06
_JPEG_QUALITY = 85


class ViewerNotInstalledError(ImportError):
    """The optional packages of the 3-D viewer are missing."""


def import_rerun() -> Any:
    """The rerun module.

    Raises:
        ViewerNotInstalledError: it is not installed or does not fit; says how to install it.
    """
    try:
        import rerun
    except ImportError as error:
        raise ViewerNotInstalledError(
            f'the 3-D viewer needs rerun, which could not be imported ({error}); install it into this environment: '
            'python -m pip install -r requirements/viewer.txt'
        ) from error
    return rerun


def pinhole_of(meta: dict, index: int) -> Tuple[np.ndarray, np.ndarray]:
    """Intrinsics (3, 3) of the augmented image, and camera -> augmented LiDAR frame (4, 4), of one camera."""
    cam2img = np.asarray(meta['cam2img'][index], dtype=np.float64)[:3, :3]
    aug = np.asarray(meta['img_aug_matrix'][index], dtype=np.float64)
    pixels = np.eye(3)
    pixels[:2, :2], pixels[:2, 2] = aug[:2, :2], aug[:2, 3]
    to_lidar = np.asarray(meta['lidar_aug_matrix'], np.float64) @ np.asarray(meta['cam2lidar'][index], np.float64)
    return pixels @ cam2img, to_lidar


class Recording:
    """A rerun recording that frames are added to.

    Args:
        out: the ``.rrd`` file; opens with ``rerun FILE`` or in the web viewer of the same or a later version.
        name: shown in the viewer.
    """

    def __init__(self, out: Path, name: str = 'clap') -> None:
        self.rr = import_rerun()
        out.parent.mkdir(parents=True, exist_ok=True)
        self.stream = self.rr.RecordingStream(name)
        self.stream.save(out)
        self._names: Dict[str, None] = {}  # of the clouds, in order
        self.stream.log('world', self.rr.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)

    def _blueprint(self) -> Any:
        blueprint = self.rr.blueprint
        shared = ['+ /world/cameras/**', '+ /world/boxes']
        views = [
            blueprint.Spatial3DView(origin='world', name=name, contents=[f'+ /world/{name}', *shared])
            for name in self._names
        ]
        return blueprint.Blueprint(blueprint.Tabs(*views), collapse_panels=True)

    def add(
        self,
        index: int,
        clouds: Dict[str, Points],
        photos: Sequence[Image],
        meta: dict,
        boxes: np.ndarray,
        labels: Iterable[str],
    ) -> None:
        """Add a frame at time ``index``.

        Args:
            index: position on the timeline ``frame``.
            clouds: each its own entity ``world/<name>`` and view.
            photos: the images, in the order of the calibration.
            meta: metainfo of its data sample (calibration).
            boxes: (M, 7) centre of gravity, size along x, y, z and yaw; un-augmented LiDAR frame, metres, radians.
            labels: class names of the boxes.
        """
        rr = self.rr
        self.stream.set_time('frame', sequence=index)
        self._names.update(dict.fromkeys(clouds))
        for name, cloud in clouds.items():
            colours = np.round(255 * to_rgba(cloud.shown)[:, :3]).astype(np.uint8)
            self.stream.log(f'world/{name}', rr.Points3D(cloud.points, colors=colours, radii=_POINT_RADIUS_M))
        self._add_cameras(photos, meta)
        self._add_boxes(np.asarray(boxes, np.float32), list(labels), np.asarray(meta['lidar_aug_matrix']))

    def _add_cameras(self, photos: Sequence[Image], meta: dict) -> None:
        rr = self.rr
        for index, photo in enumerate(photos):
            intrinsics, to_lidar = pinhole_of(meta, index)
            path = f'world/cameras/{photo.title}'
            height, width = photo.rgb.shape[:2]
            self.stream.log(path, rr.Transform3D(mat3x3=to_lidar[:3, :3], translation=to_lidar[:3, 3]))
            self.stream.log(
                path,
                rr.Pinhole(
                    image_from_camera=intrinsics,
                    resolution=[width, height],
                    camera_xyz=rr.ViewCoordinates.RDF,
                    image_plane_distance=3.0,
                ),
            )
            pixels = np.round(255 * photo.rgb).astype(np.uint8)
            self.stream.log(path, rr.Image(pixels).compress(jpeg_quality=_JPEG_QUALITY))

    def _add_boxes(self, boxes: np.ndarray, labels: list, lidar_aug: np.ndarray) -> None:
        rr, half = self.rr, boxes[:, 6] / 2
        turns = np.stack([np.zeros_like(half), np.zeros_like(half), np.sin(half), np.cos(half)], axis=1)
        self.stream.log('world/boxes', rr.Transform3D(mat3x3=lidar_aug[:3, :3], translation=lidar_aug[:3, 3]))
        self.stream.log(
            'world/boxes',
            rr.Boxes3D(
                centers=boxes[:, :3],
                sizes=boxes[:, 3:6],
                quaternions=turns,
                labels=labels or None,
                colors=(255, 170, 0),
            ),
        )

    def close(self) -> None:
        """Write everything to the file."""
        self.stream.send_blueprint(self._blueprint(), make_active=False)
        self.stream.flush()
        self.stream.disconnect()
