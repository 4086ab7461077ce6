"""Earlier sweeps of the LiDAR, carried into the keyframe's frame."""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS
from mmdet3d.structures.points import LiDARPoints

from ...errors import ConfigError
from .loading import FEATURE_DIMS, INTENSITY_DIM, TIME_DIM, check_columns, homogeneous, read_cloud

CLOSE_M = 1.0


def to_keyframe(points: np.ndarray, lidar2sensor: Sequence) -> np.ndarray:
    """Carries points of another sweep into the keyframe's LiDAR frame: (p - t) R.

    ``lidar2sensor`` is the rigid motion p_sweep = R p_keyframe + t. The sweep's sensor is where (0, 0, 0) goes.

    Args:
        points: (N, 3) metres, LiDAR frame of the sweep.
        lidar2sensor: (4, 4), keyframe's LiDAR -> sweep's LiDAR, as in the info file.

    Returns:
        (N, 3) float32, LiDAR frame of the keyframe.
    """
    matrix = homogeneous(lidar2sensor, 'lidar2sensor')
    return ((points.astype(np.float64) - matrix[:3, 3]) @ matrix[:3, :3]).astype(np.float32)


@TRANSFORMS.register_module()
class CLAPLoadSweeps(BaseTransform):
    """Adds earlier sweeps to ``points``; their fifth number becomes their age in seconds.

    mmdetection3d's ``LoadPointsFromMultiSweeps`` under the same keys, except that it takes p R - t for (p - t) R, which
    is the same only while the vehicle does not turn: at 8 m/s and 20 degrees/s poles of the oldest of nine sweeps are
    0.56 m off, at 10 m/s and 30 degrees/s 1.06 m.

    Args:
        sweeps_num: sweeps to add, from the frame's ``lidar_sweeps``; 0 adds none.
        load_dim: numbers per point in the files.
        use_dim: columns to take, in the order x, y, z, intensity, dt.
        pad_empty_sweeps: a frame without earlier sweeps gets its keyframe ``sweeps_num`` times.
        remove_close: leave out points of a sweep that lie within 1 m of its sensor in x and y.
        test_mode: take the nearest sweeps in time instead of drawing among those of the frame.
        nonfinite, intensity_scale: as in :class:`CLAPLoadKeyframe`.
        target_sweeps: so many sweeps before the keyframe, the nearest in time, give rays to compare rendering with, as
            the keyframe does; 0 is the paper's preset. What moves leaves ghosts in them. Sets ``sweep_points`` ((K, 3)
            float32, each sweep's own LiDAR frame, order of the files), ``sweep_lengths`` ((S,) int64, points of each)
            and ``sweep_to_keyframe`` ((S, 4, 4) float32); the sensor was at the origin of its own frame.
        backend_args: MMEngine file backend; None reads local files.
    """

    def __init__(
        self,
        sweeps_num: int = 9,
        load_dim: int = FEATURE_DIMS,
        use_dim: Sequence[int] = (0, 1, 2, 3, 4),
        pad_empty_sweeps: bool = False,
        remove_close: bool = False,
        test_mode: bool = False,
        nonfinite: str = 'error',
        intensity_scale: float = 1.0,
        target_sweeps: int = 0,
        backend_args: Optional[dict] = None,
    ) -> None:
        for name, number in (('sweeps_num', sweeps_num), ('target_sweeps', target_sweeps)):
            if not isinstance(number, int) or number < 0:
                raise ConfigError(f'{name} must be a whole number of at least 0, got {number!r}')
        check_columns(load_dim, use_dim, nonfinite)
        self.sweeps_num, self.load_dim, self.use_dim = sweeps_num, load_dim, list(use_dim)
        self.pad_empty_sweeps, self.remove_close = pad_empty_sweeps, remove_close
        self.test_mode, self.nonfinite, self.target_sweeps = test_mode, nonfinite, target_sweeps
        self.intensity_scale, self.backend_args = intensity_scale, backend_args

    def transform(self, results: dict) -> dict:
        keyframe = results['points'].tensor
        sweeps = results.get('lidar_sweeps') or []
        chosen = [sweeps[index] for index in self._choose(len(sweeps))]
        # One look a frame is enough to see files of another kind.
        clouds = [torch.from_numpy(self._read(sweep, results, index == 0)) for index, sweep in enumerate(chosen)]
        if not sweeps and self.pad_empty_sweeps:
            clouds = [self._without_close(keyframe)] * self.sweeps_num
        results['points'] = LiDARPoints(torch.cat([keyframe, *clouds]), points_dim=FEATURE_DIMS)
        if self.target_sweeps:
            nearest = sorted(sweeps, key=lambda sweep: sweep['timestamp'], reverse=True)[: self.target_sweeps]
            results.update(self._targets([sweep['lidar_points'] for sweep in nearest]))
        return results

    def _targets(self, sweeps: List[dict]) -> Dict[str, np.ndarray]:
        """Whole files: which points are held back goes by their place in the file."""
        read = [self._load(sweep['lidar_path'])[:, :3] for sweep in sweeps]
        motions = [np.linalg.inv(homogeneous(sweep['lidar2sensor'], 'lidar2sensor')) for sweep in sweeps]
        return dict(
            sweep_points=np.concatenate([np.zeros((0, 3), np.float32), *read]),
            sweep_lengths=np.array([len(points) for points in read], dtype=np.int64),
            sweep_to_keyframe=np.reshape(motions, (-1, 4, 4)).astype(np.float32),
        )

    def _choose(self, available: int) -> Sequence[int]:
        if self.test_mode or available <= self.sweeps_num:
            return range(min(available, self.sweeps_num))
        return torch.randperm(available)[: self.sweeps_num].tolist()

    def _read(self, sweep: dict, results: dict, checked: bool) -> np.ndarray:
        points = self._without_close(self._load(sweep['lidar_points']['lidar_path'], checked))
        points[:, :3] = to_keyframe(points[:, :3], sweep['lidar_points']['lidar2sensor'])
        points[:, INTENSITY_DIM] *= self.intensity_scale
        points[:, TIME_DIM] = results['timestamp'] - sweep['timestamp']
        return points

    def _load(self, path: str, checked: bool = False) -> np.ndarray:
        return read_cloud(path, self.load_dim, self.use_dim, self.nonfinite, self.backend_args, checked)[0]

    def _without_close(self, points):
        if not self.remove_close:
            return points
        return points[(abs(points[:, 0]) >= CLOSE_M) | (abs(points[:, 1]) >= CLOSE_M)]
