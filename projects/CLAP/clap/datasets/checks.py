"""Does a frame make sense? The questions that files and shapes cannot answer."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np
import torch
from mmdet3d.structures import Det3DDataSample
from mmengine.structures import BaseDataElement
from torch import Tensor

from ..encoders.camera_matrices import camera_matrices
from ..errors import DataError
from ..functional import project_points, transform_points
from ..functional.voxelize import cartesian, occupied_voxels

#: Shares of a frame's points (voxels) below (above) which it is no frame of the range's size.
LEAST_IN_RANGE, LEAST_FAR, MOST_CUT = 0.02, 0.03, 0.33
NEAR_M = 5.0

InGrid = Callable[[Tensor], Tensor]

_warned_cameras: set = set()


@dataclass(frozen=True)
class FrameReport:
    """What :func:`check_frame` found.

    Attributes:
        num_points: points of the encoder's cloud.
        in_range: share of the keyframe (where there is none, of the encoder's cloud) inside the point cloud range.
        visible: camera name -> share of the keyframe's points that project into its (augmented) image.
        num_bytes: of the sample's tensors, as a worker hands them over.
        remarks: what is legal and most often a mistake.
    """

    num_points: int
    in_range: float
    visible: Dict[str, float]
    num_bytes: int
    remarks: Tuple[str, ...] = ()


def check_frame(
    inputs: Dict[str, Tensor],
    data_sample: Det3DDataSample,
    point_cloud_range: Sequence[float],
    voxelize_cfg: Optional[Dict[str, Any]] = None,
    in_grid: InGrid = cartesian,
) -> FrameReport:
    """Checks one packed sample; ``DataError`` says what is wrong with it and what to do.

    Args:
        inputs: ``points`` (N, >=3), optionally ``keyframe_points`` (M, 3), ``keyframe_origins``, ``img`` (C, 3, H, W).
        data_sample: with the metainfo that ``CLAPPackInputs`` sets.
        point_cloud_range: x, y, z minimum and x, y, z maximum, metres, augmented LiDAR frame.
        voxelize_cfg: voxel_size, point_cloud_range and max_voxels, one number: counts the voxels that are cut off.
        in_grid: points (N, 3 or more) -> their place (N, 3) in the axes of the range and the voxels.

    A single camera without points is legal (its pixels are drawn uniformly): reported, and warned about once per name.
    """
    name = data_sample.metainfo.get('lidar_path', 'this frame')
    points = inputs['points'].float()
    _check_cloud(points, f'{name}: points')
    cloud = points[:, :3]  # the pipeline has left out what is not in range
    in_range = _check_range(cloud, point_cloud_range, name, in_grid)
    if 'keyframe_points' in inputs:
        _check_cloud(inputs['keyframe_points'], f'{name}: keyframe_points')
        _check_origins(inputs, name)
        aug = torch.as_tensor(data_sample.metainfo.get('lidar_aug_matrix', np.eye(4)), dtype=torch.float32)
        cloud = transform_points(inputs['keyframe_points'].float(), aug)
        in_range = _check_range(cloud, point_cloud_range, name, in_grid)
    remarks = [*_remarks(points, cloud), *_cut_voxels(in_grid(points), voxelize_cfg, name)]
    visible = _visible_shares(inputs, data_sample, name) if 'img' in inputs else {}
    num_bytes = tensor_bytes(inputs) + tensor_bytes(data_sample)
    return FrameReport(len(points), in_range, visible, num_bytes, tuple(remarks))


def check_dataset(
    dataset,
    num_frames: int = 1,
    point_cloud_range: Sequence[float] = (-54, -54, -5, 54, 54, 3),
    voxelize_cfg: Optional[Dict[str, Any]] = None,
    in_grid: InGrid = cartesian,
) -> List[FrameReport]:
    """Runs the pipeline on ``num_frames`` frames, spread evenly, and checks each; for a hook before training."""
    indices = np.unique(np.linspace(0, len(dataset) - 1, max(1, num_frames)).round().astype(int))
    numpy_state = np.random.get_state()
    with torch.random.fork_rng(devices=[]):  # looking at a frame must not change what training draws
        samples = [dataset[int(index)] for index in indices]
    np.random.set_state(numpy_state)
    return [check_frame(s['inputs'], s['data_samples'], point_cloud_range, voxelize_cfg, in_grid) for s in samples]


def _check_range(cloud: Tensor, point_cloud_range: Sequence[float], name: str, in_grid: InGrid) -> float:
    """The share of (N, 3) inside the range; ``DataError`` where it is no scene of the range's size."""
    low, high = (torch.as_tensor(point_cloud_range[part], dtype=torch.float32) for part in (slice(0, 3), slice(3, 6)))
    place = in_grid(cloud)
    in_range = float(((place >= low) & (place < high)).all(dim=1).float().mean())
    if in_range < LEAST_IN_RANGE:
        share = 'none' if in_range == 0.0 else f'{in_range:.1%}'
        raise DataError(
            f'{name}: {share} of {len(cloud)} points lies inside point_cloud_range {list(point_cloud_range)}; they '
            f'span {cloud.amin(0).tolist()} to {cloud.amax(0).tolist()}. Points in world coordinates, or in another '
            'unit (millimetres, centimetres)? Convert to the LiDAR frame in metres, or correct point_cloud_range'
        )
    reach, far = float((high - low)[:2].min()) / 2, float((cloud[:, :2].norm(dim=1) > NEAR_M).float().mean())
    if reach > 4 * NEAR_M and far < LEAST_FAR:
        raise DataError(
            f'{name}: {far:.1%} of {len(cloud)} points lie more than {NEAR_M:g} m away, and point_cloud_range reaches '
            f'{reach:g} m. Points in kilometres or scaled, float64 numbers read as float32, another number of columns '
            '(load_dim)? Write float32 metres; for a scene as small as that, make point_cloud_range small'
        )
    return in_range


def _remarks(points: Tensor, cloud: Tensor) -> List[str]:
    found = []
    spread = cloud.std(dim=0)
    if len(cloud) > 100 and spread[2] > spread[:2].max():
        found.append('points reach farther along z than along x and y: z has to be up; turn the LiDAR frame')
    if points.shape[1] > 3 and 0 < float(points[:, 3].max()) <= 1.0:
        found.append('intensities lie in 0..1, other data sets here have 0..255: multiply by 255, to share weights')
    if points.shape[1] > 3 and float(points[:, 3].max()) > 255.0:
        found.append(f'intensities reach {float(points[:, 3].max()):.0f}, expected 0..255: scale them')
    return found


def _cut_voxels(points: Tensor, cfg: Optional[Dict[str, Any]], name: str) -> List[str]:
    """What the limit of the voxels cuts off: a remark, and from a third on an error."""
    if cfg is None:
        return []
    occupied, most = occupied_voxels(points, cfg['voxel_size'], cfg['point_cloud_range']), cfg['max_voxels']
    cut = 1 - most / max(occupied, 1)
    told = (
        f'voxelize_cfg.max_voxels cuts off {cut:.0%} of {occupied} occupied voxels: raise its {most} to '
        f'{-(-occupied // 10000) * 10000} or more, or take fewer sweeps or larger voxels'
    )
    if cut > MOST_CUT:
        raise DataError(f'{name}: model.{told}')
    return [told] if cut > 0.01 else []


def tensor_bytes(value: Any) -> int:
    """Bytes of all tensors in nested containers, boxes and data elements."""
    if isinstance(value, (dict, list, tuple)):
        return sum(map(tensor_bytes, value.values() if isinstance(value, dict) else value))
    if isinstance(value, BaseDataElement):
        return sum(tensor_bytes(item) for _, item in value.all_items())
    value = getattr(value, 'tensor', value)  # boxes
    return value.numel() * value.element_size() if isinstance(value, Tensor) else 0


def _check_cloud(points: Tensor, name: str) -> None:
    if len(points) == 0:
        raise DataError(f'{name} is empty; leave the frame out, or check the file and the pipeline\'s filters')
    if not torch.isfinite(points).all():
        bad = int((~torch.isfinite(points)).any(dim=1).sum())
        raise DataError(
            f"{name} holds NaN or Inf in {bad} of {len(points)} rows; repair the file, or load it with "
            "CLAPLoadKeyframe(nonfinite='drop')"
        )


def _check_origins(inputs: Dict[str, Tensor], name: str) -> None:
    origins, points = inputs['keyframe_origins'], inputs['keyframe_points']
    if origins.shape not in ((1, 3), tuple(points.shape)) or not torch.isfinite(origins).all():
        raise DataError(
            f'{name}: keyframe_origins must be finite and of shape (1, 3) or {tuple(points.shape)}, got '
            f'{tuple(origins.shape)}; convert the data set again'
        )


def _visible_shares(inputs: Dict[str, Tensor], data_sample: Det3DDataSample, name: str) -> Dict[str, float]:
    meta = data_sample.metainfo
    cameras = camera_matrices([meta], len(inputs['img'])).sample(0, torch.zeros(()))
    if 'keyframe_points' in inputs:
        points = transform_points(inputs['keyframe_points'], cameras.lidar_aug)
    else:
        points = inputs['points'][:, :3].float()
    projected = project_points(points, cameras.lidar2img, cameras.img_aug, cameras.lidar_aug, inputs['img'].shape[-2:])
    shares = projected.visible.float().mean(dim=1).tolist()
    names = meta.get('cam_names', [str(index) for index in range(len(shares))])
    if max(shares) == 0.0:
        first = np.asarray(meta['lidar2img'])[0].round(3).tolist()
        raise DataError(
            f'{name}: no point projects into any of the cameras {", ".join(names)}. lidar2cam or cam2img is wrong '
            f'(inverted, or of another frame); lidar2img of {names[0]} is {first}. Correct the calibration in the info '
            'file, or convert the data again'
        )
    for camera, share in zip(names, shares):
        if share == 0.0 and camera not in _warned_cameras:
            _warned_cameras.add(camera)
            warnings.warn(f'{name}: camera {camera} sees no LiDAR point; its pixels will be drawn uniformly')
    return dict(zip(names, shares))
