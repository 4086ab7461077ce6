"""Loading of camera images with their matrices, and of the keyframe LiDAR sweep."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Optional, Sequence, Tuple

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS
from mmdet3d.structures.points import LiDARPoints
from mmengine.fileio import get
from PIL import Image, UnidentifiedImageError

from ...errors import ConfigError, DataError
from ..plausible import cloud_problem, header_problem, image_problem, missing, mode_problem

FEATURE_DIMS = 5  # x, y, z, intensity, dt
INTENSITY_DIM, TIME_DIM = 3, 4


def homogeneous(matrix: Sequence, name: str = 'matrix') -> np.ndarray:
    """A 3x3, 3x4 or 4x4 matrix in the upper left of a 4x4 identity, float64."""
    given = np.asarray(matrix, dtype=np.float64)
    if given.shape not in ((3, 3), (3, 4), (4, 4)):
        raise DataError(f'{name} must be 3x3, 3x4 or 4x4, got shape {given.shape}; make the info file again')
    result = np.eye(4)
    result[: given.shape[0], : given.shape[1]] = given
    return result


def read_points(path: str, load_dim: int, backend_args: Optional[dict] = None) -> np.ndarray:
    """(N, load_dim) float32 from a raw file; ``DataError`` names a missing, truncated or empty file."""
    try:
        raw = get(path, backend_args=backend_args)
    except (FileNotFoundError, IsADirectoryError):
        raise DataError(f'point file {path} does not exist; check data_root and data_prefix') from None
    if len(raw) == 0:
        raise DataError(f'point file {path} is empty; expected float32 rows of {load_dim} numbers. Copy it again')
    if header_problem(raw):
        raise DataError(f'point file {path} {header_problem(raw)}')
    if len(raw) % (4 * load_dim):
        raise DataError(
            f'point file {path} has {len(raw)} bytes, not a multiple of {4 * load_dim} (float32 rows of '
            f'{load_dim} numbers): truncated copy, or load_dim is wrong'
        )
    return np.frombuffer(raw, dtype=np.float32).reshape(-1, load_dim).copy()


def check_columns(load_dim: int, use_dim: Sequence[int], nonfinite: str) -> None:
    """``ConfigError`` unless :func:`read_cloud` can be asked so."""
    if nonfinite not in ('error', 'drop'):
        raise ConfigError(f"nonfinite must be 'error' or 'drop', got {nonfinite!r}")
    if len(use_dim) != FEATURE_DIMS or max(use_dim) >= load_dim:
        raise ConfigError(
            f'use_dim must name the {FEATURE_DIMS} columns x, y, z, intensity, dt, each below '
            f'load_dim={load_dim}; got {use_dim!r}'
        )


def read_cloud(
    path: str,
    load_dim: int,
    use_dim: Sequence[int],
    nonfinite: str,
    backend_args: Optional[dict] = None,
    checked: bool = True,
) -> Tuple[np.ndarray, np.ndarray]:
    """Points (N, 5) of a file, and which of its M rows they are (M,); ``DataError`` if they are no points.

    With ``nonfinite='drop'`` rows that hold NaN or Inf, or (0, 0, 0), are directions without a return and left out.
    ``checked`` looks whether the numbers are possible.
    """
    rows = read_points(path, load_dim, backend_args)
    kept = np.isfinite(rows[:, use_dim]).all(axis=1)
    bad = len(rows) - int(np.count_nonzero(kept))
    if nonfinite == 'drop':
        kept &= ~missing(rows[:, use_dim[:3]])
    problem = cloud_problem(rows[kept] if nonfinite == 'drop' else rows, use_dim[:3]) if checked else None
    if problem:
        raise DataError(f'{path} {problem}')
    if bad and nonfinite == 'error':
        raise DataError(
            f'{path}: {bad} of {len(rows)} points hold NaN or Inf; repair the file, or set '
            "nonfinite='drop' of its loader to leave them out"
        )
    if not kept.any():
        raise DataError(
            f'{path}: all {len(rows)} points hold NaN or Inf or are (0, 0, 0); the file is unusable, convert or copy '
            'it again'
        )
    return rows[kept][:, use_dim], kept


@TRANSFORMS.register_module()
class CLAPLoadMultiViewImages(BaseTransform):
    """Loads every camera image as RGB (0..255) and stacks the cameras' matrices.

    Sets ``img`` (list of (H, W, 3) uint8), ``cam_names``, ``img_path``, ``ori_shape`` ((H, W), or a list of them when
    the cameras differ) and, all (N, 4, 4) float32 and free of augmentation: ``cam2img``, ``ori_cam2img``,
    ``lidar2cam``, ``cam2lidar``, ``lidar2img``.

    Args:
        backend_args: MMEngine file backend; None reads local files.
    """

    def __init__(self, backend_args: Optional[dict] = None) -> None:
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        names = list(results['images'])
        cameras = [results['images'][name] for name in names]
        images = [self._read(camera['img_path']) for camera in cameras]
        cam2img, lidar2cam = (
            np.stack([homogeneous(camera[key], f'{key} of {name}') for name, camera in zip(names, cameras)])
            for key in ('cam2img', 'lidar2cam')
        )
        shapes = [image.shape[:2] for image in images]
        results['img'] = images
        results['cam_names'] = names
        results['img_path'] = [camera['img_path'] for camera in cameras]
        results['ori_shape'] = shapes[0] if len(set(shapes)) == 1 else shapes
        results['img_shape'] = results['pad_shape'] = results['ori_shape']
        results['num_views'] = len(images)
        for key, value in (
            ('cam2img', cam2img),
            ('ori_cam2img', cam2img),
            ('lidar2cam', lidar2cam),
            ('cam2lidar', np.linalg.inv(lidar2cam)),
            ('lidar2img', cam2img @ lidar2cam),
        ):
            results[key] = value.astype(np.float32)
        return results

    def _read(self, path: str) -> np.ndarray:
        try:
            with Image.open(io.BytesIO(get(path, backend_args=self.backend_args))) as image:
                mode, pixels = image.mode, np.asarray(image.convert('RGB'))
        except FileNotFoundError:
            raise DataError(f'image {path} does not exist; check data_root and data_prefix') from None
        except (OSError, SyntaxError) as error:
            # PIL's own text names the address of a buffer, which differs every time.
            reason = 'in no format that is known' if isinstance(error, UnidentifiedImageError) else error
            raise DataError(
                f'image {path} cannot be decoded ({reason}): damaged or truncated, copy it again'
            ) from error
        problem = mode_problem(mode) or image_problem(pixels)
        if problem:
            raise DataError(f'image {path} {problem}')
        return pixels


@TRANSFORMS.register_module()
class CLAPLoadKeyframe(BaseTransform):
    """Loads the keyframe sweep; put it where ``LoadPointsFromFile`` stands, before the sweeps and all augmentation.

    Sets ``points`` (LiDARPoints, N x 5: x, y, z, intensity, dt; the keyframe's dt is 0, as in mmdet3d),
    ``keyframe_points`` ((M, 3) float32) and ``keyframe_origins`` ((M, 3) float32 where the info file names an
    ``origins_path``, else zeros (1, 3): the LiDAR's own origin). Both keep the file's order and stay un-augmented.
    Where the data set has ``semantic_classes``, also ``keyframe_classes`` ((M,) uint8, 255 ignored).

    Args:
        load_dim: numbers per point in the file.
        use_dim: columns to take, in the order x, y, z, intensity, dt.
        intensity_scale: what brings the file's intensities to 0..255.
        nonfinite: what NaN or Inf leads to: 'error', or 'drop' these points and (0, 0, 0), which stand for directions
            without a return (``num_dropped_points`` counts them).
        add_extra_lidar: append the points of ``extra_lidar_path`` (PandaSet's forward LiDAR) to ``points``. They come
            from another sensor, so they are never part of the keyframe's rays.
        backend_args: MMEngine file backend; None reads local files.
    """

    def __init__(
        self,
        load_dim: int = FEATURE_DIMS,
        use_dim: Sequence[int] = (0, 1, 2, 3, 4),
        intensity_scale: float = 1.0,
        nonfinite: str = 'error',
        add_extra_lidar: bool = False,
        backend_args: Optional[dict] = None,
    ) -> None:
        check_columns(load_dim, use_dim, nonfinite)
        self.load_dim, self.use_dim, self.nonfinite = load_dim, list(use_dim), nonfinite
        self.intensity_scale = intensity_scale
        self.add_extra_lidar, self.backend_args = add_extra_lidar, backend_args

    def transform(self, results: dict) -> dict:
        lidar = results['lidar_points']
        points, kept = self._read(lidar['lidar_path'])
        origins = self._read_origins(lidar, len(kept))
        results['num_dropped_points'] = int(np.count_nonzero(~kept))
        results['keyframe_points'] = points[:, :3].copy()
        results['keyframe_origins'] = origins[kept] if len(origins) == len(kept) else origins
        if 'semantic_table' in results:
            results['keyframe_classes'] = self._read_classes(lidar, len(kept), results['semantic_table'])[kept]
        if self.add_extra_lidar and 'extra_lidar_path' in lidar and Path(lidar['extra_lidar_path']).stat().st_size > 0:
            points = np.concatenate([points, self._read(lidar['extra_lidar_path'])[0]])
        results['points'] = LiDARPoints(points, points_dim=FEATURE_DIMS)
        return results

    def _read(self, path: str) -> Tuple[np.ndarray, np.ndarray]:
        points, kept = read_cloud(path, self.load_dim, self.use_dim, self.nonfinite, self.backend_args)
        points[:, INTENSITY_DIM] *= self.intensity_scale
        points[:, TIME_DIM] = 0.0
        return points, kept

    def _read_origins(self, lidar: dict, num_points: int) -> np.ndarray:
        if 'origins_path' not in lidar:
            return np.zeros((1, 3), dtype=np.float32)
        origins = read_points(lidar['origins_path'], 3, self.backend_args)
        if len(origins) != num_points or not np.isfinite(origins).all():
            raise DataError(
                f'{lidar["origins_path"]}: expected {num_points} finite sensor positions, one per point of '
                f'{lidar["lidar_path"]}; found {len(origins)}. Convert the data set again'
            )
        return origins

    def _read_classes(self, lidar: dict, num_points: int, table: np.ndarray) -> np.ndarray:
        path = lidar['semantic_path']
        try:
            stored = np.frombuffer(get(path, backend_args=self.backend_args), dtype=np.uint8)
        except (FileNotFoundError, IsADirectoryError):
            raise DataError(f'file of classes {path} does not exist; check data_root and data_prefix') from None
        if len(stored) != num_points:
            raise DataError(
                f'{path}: expected {num_points} classes (uint8), one per point of {lidar["lidar_path"]}; found '
                f'{len(stored)}. Convert the data set again'
            )
        return table[stored]
