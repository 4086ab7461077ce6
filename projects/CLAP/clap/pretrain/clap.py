"""The CLAP pre-trainer: masked encoding, rendering of sampled rays, prototypes (Eq. 4)."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
import torch
from mmdet3d.registry import MODELS, TASK_UTILS
from mmengine.dist import get_dist_info
from torch import Tensor

from ..encoders.encoder_base import CLAPEncoderBase
from ..errors import ConfigError
from ..functional import transform_points
from ..modules import BoundField
from ..structures import CameraViews, EncoderOutput, KeyframeSweep, RayBundle
from . import clap_pictures
from .clap_frame import render_frame
from .masking import InputMasking
from .pictures import Picture, Points
from .samplers.base import lidar_rays, valid_pixels


@MODELS.register_module()
class CLAP(CLAPEncoderBase):
    """Joint pre-training of the LiDAR, camera and fusion encoders without labels.

    The encoders come from :class:`CLAPEncoderBase` and carry the names that the
    BEVFusion detector gives them; everything else (``render_head``,
    ``prototype_head``) is dropped after pre-training.

    Args:
        data_preprocessor: config of the data preprocessor.
        voxelize_cfg: voxel size, range and caps, see :class:`CLAPEncoderBase`.
        pts_middle_encoder, img_backbone, img_neck, view_transform, fusion_layer,
            pts_backbone, pts_neck: the encoders, see :class:`CLAPEncoderBase`.
        render_head: config of :class:`NeuSRenderHead`.
        ray_sampler: config of the sampler that is used after the warm-up.
        prototype_head: config of :class:`PrototypeHead`; None trains by rendering alone.
        warmup_sampler: config of the sampler of the warm-up. It takes its numbers
            of rays from ``ray_sampler`` unless it names its own.
        masking: arguments of :class:`InputMasking` besides range and voxel size;
            None encodes the whole input.
        depth_source: which points the view transform takes its depth from,
            ``'masked'`` or ``'all'`` (with all points the answer leaks to the camera branch).
        heldout_ratio: share of every keyframe sweep that the loss never sees and
            the rendered range is measured on.
        grey_images: whether evaluation also renders the same pixels from grey images, which tells
            whether the camera branch carries anything; costs a second encoding of images and fusion.
    """

    def __init__(
        self,
        data_preprocessor: dict,
        voxelize_cfg: dict,
        render_head: dict,
        ray_sampler: dict,
        pts_middle_encoder: Optional[dict] = None,
        img_backbone: Optional[dict] = None,
        img_neck: Optional[dict] = None,
        view_transform: Optional[dict] = None,
        fusion_layer: Optional[dict] = None,
        pts_backbone: Optional[dict] = None,
        pts_neck: Optional[dict] = None,
        prototype_head: Optional[dict] = None,
        warmup_sampler: Optional[dict] = None,
        masking: Optional[dict] = None,
        depth_source: str = 'masked',
        heldout_ratio: float = 0.02,
        grey_images: bool = True,
    ) -> None:
        super().__init__(
            data_preprocessor=data_preprocessor,
            voxelize_cfg=voxelize_cfg,
            pts_middle_encoder=pts_middle_encoder,
            img_backbone=img_backbone,
            img_neck=img_neck,
            view_transform=view_transform,
            fusion_layer=fusion_layer,
            pts_backbone=pts_backbone,
            pts_neck=pts_neck,
        )
        if depth_source not in ('masked', 'all'):
            raise ConfigError(f"depth_source must be 'masked' or 'all', got {depth_source!r}")
        if not 0.0 <= heldout_ratio < 1.0:
            raise ConfigError(f'heldout_ratio must be in [0, 1), got {heldout_ratio}')
        if prototype_head is not None and (pts_middle_encoder is None or img_backbone is None):
            raise ConfigError(
                'prototype_head associates two modalities and needs pts_middle_encoder and img_backbone; '
                'set prototype_head=None to pre-train one modality'
            )
        if list(render_head['point_cloud_range']) != list(voxelize_cfg['point_cloud_range']):
            raise ConfigError(
                'render_head.point_cloud_range and voxelize_cfg.point_cloud_range must be the same box: the volume is '
                f'made of the BEV map. Got {render_head["point_cloud_range"]} and {voxelize_cfg["point_cloud_range"]}'
            )
        self.render_head = MODELS.build(render_head)
        self.prototype_head = MODELS.build(prototype_head) if prototype_head else None
        self.ray_sampler = TASK_UTILS.build(ray_sampler)
        counts = {k: ray_sampler[k] for k in ('num_lidar_rays', 'num_camera_rays', 'min_range_m') if k in ray_sampler}
        warmup = dict(type='UniformRaySampler', **counts) if warmup_sampler is None else {**counts, **warmup_sampler}
        self.warmup_sampler = TASK_UTILS.build(warmup)
        geometry = dict(point_cloud_range=voxelize_cfg['point_cloud_range'], voxel_size=voxelize_cfg['voxel_size'])
        self.masking = InputMasking(**geometry, **masking) if masking else None
        self.depth_source, self.heldout_ratio, self.grey_images = depth_source, heldout_ratio, grey_images
        self.warming_up = False  # SamplingWarmupHook decides
        self._generator: Optional[torch.Generator] = None

    # ---------------------------------------------------------------- randomness

    def set_step_seed(self, seed: int) -> None:
        """Seed everything this model draws until the next call (masks, rays, jitter).

        :class:`StepSeedHook` calls it before every iteration with a number made
        of the run's seed and the iteration, the same on all ranks. So no random
        state needs saving for an exact resume.
        """
        device = next(self.render_head.parameters()).device
        if self._generator is None or self._generator.device != device:
            self._generator = torch.Generator(device)
        self._generator.manual_seed(seed)

    @property
    def generator(self) -> torch.Generator:
        """Source of all draws of this model."""
        if self._generator is None:
            self.set_step_seed(int(torch.randint(2**62, ()).item()))
        return self._generator

    def sample_generators(self, num: int) -> List[torch.Generator]:
        """One source of draws for each of this rank's samples, keyed by the sample's place in the global batch.

        Samples of W ranks are dealt out in turn (rank 0, 1, ..., W - 1, 0, ...),
        so W ranks draw what one process draws for the same batch, and no two
        ranks draw the same rays.
        """
        rank, world_size = get_dist_info()
        base = int(torch.randint(2**62, (), generator=self.generator, device=self.generator.device))
        places = [index * world_size + rank for index in range(num)]
        return [
            torch.Generator(self.generator.device).manual_seed((base + 0x9E3779B97F4A7C15 * place) % 2**62)
            for place in places
        ]

    @property
    def active_sampler(self):
        """The sampler in use: the warm-up's or the main one."""
        return self.warmup_sampler if self.warming_up else self.ray_sampler

    # ---------------------------------------------------------------- the step

    def loss(self, batch_inputs_dict: Dict, batch_data_samples: List, **unused) -> Dict[str, Tensor]:
        """One pre-training step (Eq. 4): named losses and health figures.

        Args:
            batch_inputs_dict: what :class:`CLAPDataPreprocessor` gives.
            batch_data_samples: samples whose metainfo holds the calibration.
        """
        metas = [sample.metainfo for sample in batch_data_samples]
        sweeps = self.sweeps(batch_inputs_dict, metas)
        views = self.views(batch_inputs_dict, metas)
        draws = self.sample_generators(len(metas))
        encoded = self.encode_masked(batch_inputs_dict, metas, draws)
        fields = self.render_head.decode(encoded.fused_bev)
        lidar, camera, stats = self.sample_rays(fields, sweeps, views, draws)
        losses = self.render_head.loss(fields, lidar, camera, draws)
        if self.prototype_head is not None:
            losses.update(self.prototype_head.loss(encoded.lidar_bev, encoded.camera_bev))
        losses.update(stats)
        return losses

    def encode_masked(
        self, inputs: Dict, metas: List[dict], draws: Optional[List[torch.Generator]] = None
    ) -> EncoderOutput:
        """Eqs. 1-3 on the masked input; in evaluation mode on all of it."""
        points, imgs = inputs['points'], inputs.get('imgs')
        seen = points
        if self.training and self.masking is not None:
            draws = draws or self.sample_generators(len(points))
            seen = [self.masking.points([cloud], draw)[0] for cloud, draw in zip(points, draws)]
            if imgs is not None:
                imgs = torch.stack([self.masking.images(views, draw)[0] for views, draw in zip(imgs, draws)])
        depth_points = seen if self.depth_source == 'masked' else points
        return self.encode(seen, imgs, depth_points, metas)

    def sample_rays(
        self,
        fields: List[BoundField],
        sweeps: List[KeyframeSweep],
        views: List[Optional[CameraViews]],
        draws: Optional[List[torch.Generator]] = None,
    ) -> Tuple[List[RayBundle], List[RayBundle], Dict[str, Tensor]]:
        """Rays of every sample by the active sampler, and the mean of its figures."""
        drawn = [
            self.active_sampler(field.detach(), sweep, view, draw)
            for field, sweep, view, draw in zip(fields, sweeps, views, draws or self.sample_generators(len(fields)))
        ]
        stats = {
            name: torch.tensor([rays.stats[name] for rays in drawn]).mean().to(fields[0].table.device)
            for name in drawn[0].stats
        }
        return [rays.lidar for rays in drawn], [rays.camera for rays in drawn], stats

    # ---------------------------------------------------------------- targets

    def sweeps(self, inputs: Dict, metas: List[dict]) -> List[KeyframeSweep]:
        """Keyframe sweeps carried into the augmented LiDAR frame."""
        sweeps = []
        for points, origins, meta in zip(inputs['keyframe_points'], inputs['keyframe_origins'], metas):
            lidar_aug = points.new_tensor(_matrix(meta, 'lidar_aug_matrix'))
            origins = transform_points(origins, lidar_aug).expand(len(points), 3)
            sweeps.append(KeyframeSweep(transform_points(points, lidar_aug), origins, self.heldout(points)))
        return sweeps

    def heldout(self, points: Tensor) -> Tensor:
        """(N,) bool, always the same points of a sweep: a hash of their place in the file.

        Knuth's multiplicative hash spreads them over the sweep, so that they do
        not follow a beam or an azimuth.
        """
        index = torch.arange(len(points), device=points.device, dtype=torch.int64)
        return (index * 2654435761) % 2**32 < self.heldout_ratio * 2**32

    def views(self, inputs: Dict, metas: List[dict]) -> List[Optional[CameraViews]]:
        """Unmasked images with their calibration, None for a model without cameras."""
        if self.img_backbone is None or inputs.get('imgs') is None:
            return [None] * len(metas)
        views = []
        for rgb, meta in zip(self.data_preprocessor.denormalise(inputs['imgs']), metas):
            height, width = meta.get('img_shape', rgb.shape[-2:])[:2]
            rgb = rgb[..., :height, :width]  # what the preprocessor padded shows nothing

            def stack(name: str, rgb: Tensor = rgb, meta: dict = meta) -> Tensor:
                return rgb.new_tensor(_matrix(meta, name, len(rgb)))

            sizes = torch.as_tensor(meta['ori_shape'], device=rgb.device).reshape(-1, 2).expand(len(rgb), 2)
            views.append(
                CameraViews(
                    rgb=rgb,
                    lidar2img=stack('lidar2img'),
                    cam2img=stack('cam2img'),
                    cam2lidar=stack('cam2lidar'),
                    img_aug=stack('img_aug_matrix'),
                    lidar_aug=rgb.new_tensor(_matrix(meta, 'lidar_aug_matrix')),
                    original_size=sizes,
                )
            )
        return views

    # ---------------------------------------------------------------- evaluation

    @torch.no_grad()
    def predict(self, batch_inputs_dict: Dict, batch_data_samples: List, **unused) -> List:
        """Render the held-back LiDAR rays and a fixed draw of pixels.

        Nothing is masked, but the held-back points are taken out of the encoder's
        cloud: the field must infer them from their surroundings. The images are
        whole, so colour is a reconstruction, not a prediction.

        Returns:
            The samples, each with a ``rendered`` dict of (R,) tensors for
            :class:`RenderMetric`: ``range_m`` and ``range_true_m`` of the held-back
            rays, ``points_m`` (R, 3) where they end, ``rgb_error``,
            ``rgb_mean_error`` and ``rgb_grey_error`` (absolute error of the rendered colour,
            of the mean colour of the ray's image, and of the colour rendered from grey images).
        """
        metas = [sample.metainfo for sample in batch_data_samples]
        sweeps, views = self.sweeps(batch_inputs_dict, metas), self.views(batch_inputs_dict, metas)
        points = [without_points(c, s.points[s.heldout]) for c, s in zip(batch_inputs_dict['points'], sweeps)]
        encoded = self.encode_masked({**batch_inputs_dict, 'points': points}, metas)
        fields = self.render_head.decode(encoded.fused_bev)
        greys: Sequence[Optional[BoundField]] = [None] * len(fields)
        if self.grey_images and any(view is not None for view in views):
            no_images = torch.zeros_like(batch_inputs_dict['imgs'])  # normalised: the mean colour of the data
            camera_bev = self.extract_camera(no_images, points, metas)  # the LiDAR map stays what it is
            greys = self.render_head.decode(self.fuse(encoded.lidar_bev, camera_bev))
        for sample, field, sweep, view, grey in zip(batch_data_samples, fields, sweeps, views, greys):
            sample.set_field(self.evaluate_rays(field, sweep, view, grey), 'rendered')
        return batch_data_samples

    def evaluate_rays(
        self, field: BoundField, sweep: KeyframeSweep, view: Optional[CameraViews], grey: Optional[BoundField] = None
    ) -> Dict[str, Tensor]:
        """Errors of the held-back rays of one sample, see :meth:`predict`; ``grey`` is the field of grey images."""
        held = KeyframeSweep(sweep.points, sweep.origins, ~sweep.heldout)  # only the held-back ones are candidates
        generator = torch.Generator(sweep.points.device).manual_seed(0)
        rays = lidar_rays(sweep, self.warmup_sampler.candidates(field, held))
        out = self.render_head.render(field, rays)
        result = dict(
            range_m=out.range_m[out.valid],
            range_true_m=rays.targets[out.valid],
            points_m=sweep.points[rays.source[out.valid]],
        )
        if view is not None:
            camera = self.warmup_sampler(field, held, view, generator).camera
            out = self.render_head.render(field, camera, with_rgb=True)
            valid = valid_pixels(view)[:, None]
            mean_rgb = ((view.rgb * valid).sum((-2, -1)) / valid.sum((-2, -1)))[camera.source[:, 0]]
            result.update(
                rgb_error=(out.rgb - camera.targets).abs().mean(-1)[out.valid],
                rgb_mean_error=(mean_rgb - camera.targets).abs().mean(-1)[out.valid],
            )
            if grey is not None:
                rgb = self.render_head.render(grey, camera, with_rgb=True).rgb
                result['rgb_grey_error'] = (rgb - camera.targets).abs().mean(-1)[out.valid]
        return result

    # ---------------------------------------------------------------- pictures

    picture_titles = clap_pictures.TITLES
    pictures_on_request = ('cloud',)  # which repeats the others; a run in training does not draw it

    def pictures(self, batch: Dict, names: Sequence[str], **options: Any) -> Dict[str, Picture]:
        """Pictures of the first sample of a batch; ``options`` of :func:`render_frame`."""
        return clap_pictures.pictures(render_frame(self, batch, **options), names)

    def clouds(self, batch: Dict) -> Dict[str, Points]:
        """Clouds of the first sample of a batch for the 3-D viewer."""
        return clap_pictures.clouds(render_frame(self, batch, stride=None))

    # ---------------------------------------------------------------- plumbing

    def _forward(self, batch_inputs_dict: Dict, batch_data_samples: Optional[List] = None, **unused) -> EncoderOutput:
        """Encoder features (mode ``tensor``)."""
        metas = [sample.metainfo for sample in batch_data_samples or []]
        return self.encode(
            batch_inputs_dict['points'], batch_inputs_dict.get('imgs'), batch_inputs_dict['points'], metas
        )


def without_points(cloud: Tensor, removed: Tensor) -> Tensor:
    """A cloud (N, 3 + d) without the points whose coordinates equal, bit for bit, one of ``removed`` (M, 3).

    Holds for points that went through the same arithmetic: the evaluation
    pipelines, which do not augment. Others are left as they are.
    """

    def keys(points: Tensor) -> Tensor:
        bits = points[:, :3].float().contiguous().view(torch.int32).long()
        return bits[:, 0] * 73856093 ^ bits[:, 1] * 19349663 ^ bits[:, 2] * 83492791

    return cloud[~torch.isin(keys(cloud), keys(removed))]


def _matrix(meta: dict, name: str, count: Optional[int] = None):
    """A 4x4 matrix of a sample's metainfo (a stack of ``count``), identity where an augmentation is not recorded."""
    if name in meta:
        return np.asarray(meta[name], dtype=np.float32)
    if name in ('lidar_aug_matrix', 'img_aug_matrix'):
        eye = np.eye(4, dtype=np.float32)
        return eye if count is None else np.repeat(eye[None], count, axis=0)
    raise KeyError(f"the data sample has no '{name}': add it to meta_keys of CLAPPackInputs")
