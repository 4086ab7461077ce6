"""Does a frame make sense? The questions that files and shapes cannot answer."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Dict, List, Sequence

import numpy as np
import torch
from mmdet3d.structures import Det3DDataSample
from mmengine.structures import BaseDataElement
from torch import Tensor

from ..encoders.camera_matrices import camera_matrices
from ..errors import DataError
from ..functional import project_points, transform_points

_warned_cameras: set = set()


@dataclass(frozen=True)
class FrameReport:
    """What :func:`check_frame` found.

    Attributes:
        num_points: points of the encoder's cloud.
        in_range: share of them inside the point cloud range.
        visible: camera name -> share of the keyframe's points that project into its (augmented) image.
        num_bytes: of the sample's tensors, as a worker hands them over.
    """

    num_points: int
    in_range: float
    visible: Dict[str, float]
    num_bytes: int


def check_frame(
    inputs: Dict[str, Tensor], data_sample: Det3DDataSample, point_cloud_range: Sequence[float]
) -> FrameReport:
    """Checks one packed sample; ``DataError`` says what is wrong with it and what to do.

    Args:
        inputs: ``points`` (N, >=3), optionally ``keyframe_points`` (M, 3), ``keyframe_origins``, ``img`` (C, 3, H, W).
        data_sample: with the metainfo that ``CLAPPackInputs`` sets.
        point_cloud_range: x, y, z minimum and x, y, z maximum, metres, augmented LiDAR frame.

    A single camera without points is legal (its pixels are drawn uniformly): reported, and warned about once per name.
    """
    name = data_sample.metainfo.get('lidar_path', 'this frame')
    points = inputs['points'].float()
    _check_cloud(points, f'{name}: points')
    if 'keyframe_points' in inputs:
        _check_cloud(inputs['keyframe_points'], f'{name}: keyframe_points')
        _check_origins(inputs, name)
    low, high = (torch.as_tensor(point_cloud_range[part], dtype=torch.float32) for part in (slice(0, 3), slice(3, 6)))
    in_range = float(((points[:, :3] >= low) & (points[:, :3] < high)).all(dim=1).float().mean())
    if in_range == 0.0:
        raise DataError(
            f'{name}: none of {len(points)} points lies inside point_cloud_range {list(point_cloud_range)}; they span '
            f'{points[:, :3].amin(0).tolist()} to {points[:, :3].amax(0).tolist()}. Points in world coordinates or in '
            'another unit? Convert to the LiDAR frame in metres, or correct point_cloud_range'
        )
    visible = _visible_shares(inputs, data_sample, name) if 'img' in inputs else {}
    return FrameReport(len(points), in_range, visible, tensor_bytes(inputs) + tensor_bytes(data_sample))


def check_dataset(
    dataset, num_frames: int = 1, point_cloud_range: Sequence[float] = (-54, -54, -5, 54, 54, 3)
) -> List[FrameReport]:
    """Runs the pipeline on ``num_frames`` frames, spread evenly, and checks each; for a hook before training."""
    indices = np.unique(np.linspace(0, len(dataset) - 1, max(1, num_frames)).round().astype(int))
    numpy_state = np.random.get_state()
    with torch.random.fork_rng(devices=[]):  # looking at a frame must not change what training draws
        samples = [dataset[int(index)] for index in indices]
    np.random.set_state(numpy_state)
    return [check_frame(sample['inputs'], sample['data_samples'], point_cloud_range) for sample in samples]


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
