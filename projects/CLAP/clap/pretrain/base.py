"""What every pre-training method of driving frames shares: encoders, masking, targets, views."""

from __future__ import annotations

import inspect
from typing import Any, Callable, ClassVar, Dict, List, Optional, Sequence, Set

import torch
from torch import Tensor, nn

from ..encoders import CLAPEncoderBase
from ..encoders.camera_matrices import camera_matrices, lidar_augmentations
from ..errors import ConfigError
from ..functional import transform_points
from ..structures import CameraViews, EncoderOutput, KeyframeSweep
from .masking import InputMasking
from .method import Method


class Pretrainer(Method, CLAPEncoderBase):
    """A way of training the encoders without labels; a method is a registered subclass.

    A subclass has ``loss``, and whatever of the following it needs: ``predict`` for evaluation, ``facts`` and
    ``declare`` (how its figures are judged and drawn), ``pictures``, ``stages``, ``variants``. Whatever it adds besides
    the encoders is dropped when weights are exported.

    Args:
        masking: arguments of :class:`InputMasking` besides range and voxel size; None encodes the whole input.
        depth_source: which points the view transform takes its depth from, ``'masked'`` or ``'all'`` (with all points
            the answer leaks to the camera branch).
        heldout_ratio: share of every keyframe sweep that the loss never sees, for evaluation.
        ego_box: (x0, y0, z0, x1, y1, z1) of the own vehicle, metres, LiDAR frame without augmentation: points inside
            are no targets. The encoders see them.
        min_range_m: points nearer to the sensor are no targets either: on nuScenes a quarter of the returns in range
            are its own vehicle's. CLAP's samplers have their own.
        encoders: arguments of :class:`CLAPEncoderBase`.
    """

    #: Whether images are targets of a model that has no image branch, too.
    images_as_targets: ClassVar[bool] = False

    def __init__(
        self,
        masking: Optional[dict] = None,
        depth_source: str = 'masked',
        heldout_ratio: float = 0.02,
        ego_box: Optional[Sequence[float]] = None,
        min_range_m: float = 2.5,
        **encoders: Any,
    ) -> None:
        super().__init__(**encoders)
        if depth_source not in ('masked', 'all'):
            raise ConfigError(f"depth_source must be 'masked' or 'all', got {depth_source!r}")
        if not 0.0 <= heldout_ratio < 1.0:
            raise ConfigError(f'heldout_ratio must be in [0, 1), got {heldout_ratio}')
        if ego_box is not None and not (len(ego_box) == 6 and all(a < b for a, b in zip(ego_box, ego_box[3:]))):
            raise ConfigError(f'ego_box must be (x0, y0, z0, x1, y1, z1), each first below its second, got {ego_box}')
        cfg = self.voxelize_cfg or {}
        geometry = {key: cfg[key] for key in ('point_cloud_range', 'voxel_size') if key in cfg}
        self.masking = InputMasking(**geometry, **masking) if masking is not None else None
        self.depth_source, self.heldout_ratio = depth_source, heldout_ratio
        self.ego_box, self.min_range_m = ego_box, min_range_m
        #: Is shown the losses of a step, before they are summed, and the maps that it encoded; GradientShareHook.
        self.on_losses: Optional[Callable[[Dict[str, Any], List[EncoderOutput]], None]] = None
        self._encoded: List[EncoderOutput] = []

    @classmethod
    def option_keys(cls) -> Dict[str, Set[str]]:
        """Keys of options that are dicts without a type."""
        masking = set(inspect.signature(InputMasking).parameters) - {'point_cloud_range', 'voxel_size'}
        return {**super().option_keys(), 'masking': masking}

    # ---------------------------------------------------------------- encoding

    def forward(self, inputs: Dict, data_samples: Optional[List] = None, mode: str = 'tensor', **unused: Any) -> Any:
        """As the parent; losses are shown to ``on_losses`` while their graph is there."""
        result = super().forward(inputs, data_samples, mode, **unused)
        if self.on_losses is not None and mode == 'loss':
            encoded, self._encoded = self._encoded, []
            with torch.autocast(device_type=next(self.parameters()).device.type, enabled=False):
                self.on_losses(result, encoded)
        return result

    def encode(self, *args: Any, **kwargs: Any) -> EncoderOutput:
        """As the parent."""
        encoded = super().encode(*args, **kwargs)
        if self.on_losses is not None:
            self._encoded.append(encoded)
        return encoded

    def encode_masked(
        self, inputs: Dict, metas: List[dict], draws: Optional[List[torch.Generator]] = None
    ) -> EncoderOutput:
        """Eqs. 1-3 on the masked input; in evaluation mode on all of it."""
        points, imgs = inputs['points'], inputs.get('imgs')
        seen = points
        if self.training and self.masking is not None:
            draws = draws or self.sample_generators(len(points))
            seen = [self.masking.points(cloud, draw) for cloud, draw in zip(points, draws)]
            if imgs is not None:
                imgs = torch.stack([self.masking.images(views, draw)[0] for views, draw in zip(imgs, draws)])
        depth_points = seen if self.depth_source == 'masked' else points
        return self.encode(seen, imgs, depth_points, metas)

    def norm_modules(self) -> List[nn.Module]:
        """All of the model: its heads see the encoders' output in evaluation, too."""
        return [self]

    def forward_norms(self, inputs: Dict, metas: List[dict]) -> None:
        """Every batch norm of the model sees a batch (in evaluation mode, so nothing is masked)."""
        self.encode_masked(inputs, metas)

    def _forward(self, batch_inputs_dict: Dict, batch_data_samples: Optional[List] = None, **unused) -> EncoderOutput:
        """Encoder features (mode ``tensor``)."""
        metas = [sample.metainfo for sample in batch_data_samples or []]
        return self.encode(
            batch_inputs_dict['points'], batch_inputs_dict.get('imgs'), batch_inputs_dict['points'], metas
        )

    # ---------------------------------------------------------------- targets

    def sweeps(self, inputs: Dict, metas: List[dict]) -> List[KeyframeSweep]:
        """Keyframe sweeps carried into the augmented LiDAR frame."""
        augmentations = lidar_augmentations(metas)
        keyframes = zip(inputs['keyframe_points'], inputs['keyframe_origins'], augmentations)
        return [self._sweep(points, origins, lidar_aug) for points, origins, lidar_aug in keyframes]

    def with_earlier(self, keyframes: List[KeyframeSweep], inputs: Dict, metas: List[dict]) -> List[KeyframeSweep]:
        """The sweeps of :meth:`sweeps` with those before them, as far as ``target_sweeps`` of the pipeline loaded any.

        An earlier sweep may be the keyframe of another frame: of each the same points are held back as there.
        The own vehicle is taken out where it was then. What has moved since leaves ghosts.
        """
        if 'sweep_points' not in inputs:
            return keyframes
        earlier = (inputs[name] for name in ('sweep_points', 'sweep_lengths', 'sweep_to_keyframe'))
        result = []
        for keyframe, lidar_aug, points, lengths, motions in zip(keyframes, lidar_augmentations(metas), *earlier):
            parts = [keyframe] + [
                self._sweep(cloud, cloud.new_zeros(1, 3), motion, lidar_aug)
                for cloud, motion in zip(points.split(lengths.tolist()), motions)
            ]
            fields = vars(keyframe)
            result.append(KeyframeSweep(**{name: torch.cat([getattr(p, name) for p in parts]) for name in fields}))
        return result

    def _sweep(self, points: Tensor, origins: Tensor, *motions: Tensor) -> KeyframeSweep:
        """Points (N, 3) and origins (N or 1, 3) of the sensor's own frame, carried by the motions (4, 4) in turn."""
        heldout, own = self.heldout(points), self.own_vehicle(points)
        for motion in motions:
            points, origins = (transform_points(places, motion.to(points)) for places in (points, origins))
        return KeyframeSweep(points, origins.expand(len(points), 3), heldout, own)

    def own_vehicle(self, points: Tensor) -> Tensor:
        """(N,) bool: points (N, 3) of the un-augmented LiDAR frame inside ``ego_box``."""
        if self.ego_box is None:
            return torch.zeros_like(points[:, 0], dtype=torch.bool)
        low, high = points.new_tensor(self.ego_box).view(2, 3)
        return ((points >= low) & (points <= high)).all(-1)

    def heldout(self, points: Tensor) -> Tensor:
        """(N,) bool, always the same points of a sweep: a hash of their place in the file.

        Knuth's multiplicative hash spreads them over the sweep, so that they do
        not follow a beam or an azimuth.
        """
        index = torch.arange(len(points), device=points.device, dtype=torch.int64)
        return (index * 2654435761) % 2**32 < self.heldout_ratio * 2**32

    @staticmethod
    def hold_back(inputs: Dict, sweeps: Sequence[KeyframeSweep]) -> Dict:
        """The inputs without the held-back points in the encoders' clouds, for evaluation."""
        clouds = zip(inputs['points'], sweeps)
        return {**inputs, 'points': [without_points(cloud, sweep.points[sweep.heldout]) for cloud, sweep in clouds]}

    def inside(self, sweep: KeyframeSweep) -> Tensor:
        """(N,) bool: points in range and off the own vehicle, whether held back or not."""
        low, high = sweep.points.new_tensor(self.voxelize_cfg['point_cloud_range']).view(2, 3)
        return sweep.within(low, high, self.min_range_m)

    def images(self, inputs: Dict) -> Tensor:
        """Normalised images (B, N, 3, H, W); ``ConfigError`` if the pipeline loads none."""
        if inputs.get('imgs') is None:
            raise ConfigError(f'{type(self).__name__} compares points with pixels: the pipeline has to load images')
        return inputs['imgs']

    def views(self, inputs: Dict, metas: List[dict]) -> List[Optional[CameraViews]]:
        """Unmasked images with their calibration, None for a model that has no use for them."""
        if not (self.has_camera or self.images_as_targets) or inputs.get('imgs') is None:
            return [None] * len(metas)
        views, images = [], self.data_preprocessor.denormalise(inputs['imgs'])
        cameras = camera_matrices(metas, images.shape[1])
        for index, (rgb, meta) in enumerate(zip(images, metas)):
            height, width = meta.get('img_shape', rgb.shape[-2:])[:2]
            rgb = rgb[..., :height, :width]  # what the preprocessor padded shows nothing
            sizes = torch.as_tensor(meta['ori_shape'], device=rgb.device).reshape(-1, 2).expand(len(rgb), 2)
            views.append(CameraViews(**vars(cameras.sample(index, rgb)), rgb=rgb, original_size=sizes))
        return views


def without_points(cloud: Tensor, removed: Tensor) -> Tensor:
    """A cloud (N, 3 + d) without the points whose coordinates equal, bit for bit, one of ``removed`` (M, 3).

    Holds for points that went through the same arithmetic: the evaluation
    pipelines, which do not augment. Others are left as they are.
    """

    def keys(points: Tensor) -> Tensor:
        bits = points[:, :3].float().contiguous().view(torch.int32).long()
        return bits[:, 0] * 73856093 ^ bits[:, 1] * 19349663 ^ bits[:, 2] * 83492791

    return cloud[~torch.isin(keys(cloud), keys(removed))]
