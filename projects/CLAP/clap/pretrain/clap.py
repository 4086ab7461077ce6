"""The CLAP pre-trainer: masked encoding, rendering of sampled rays, prototypes (Eq. 4)."""

from __future__ import annotations

from typing import Any, ClassVar, Dict, List, Optional, Sequence, Tuple

import torch
from mmdet3d.registry import MODELS, TASK_UTILS
from torch import Tensor

from ..errors import ConfigError
from ..modules import BoundField
from ..structures import CameraViews, KeyframeSweep, RayBundle
from . import clap_pictures
from .base import Pretrainer
from .clap_frame import render_frame
from .clap_health import declaration
from .declaration import Declaration
from .pictures import Picture, Points
from .samplers import CurvatureRaySampler
from .samplers.base import lidar_rays, valid_pixels

#: Options that samplers share.
RAY_COUNTS = ('num_lidar_rays', 'num_camera_rays', 'min_range_m')


@MODELS.register_module()
class CLAP(Pretrainer):
    """Joint pre-training of the LiDAR, camera and fusion encoders without labels.

    The encoders come from :class:`CLAPEncoderBase` and carry the names that the BEVFusion detector gives them;
    everything else (``render_head``, ``prototype_head``) is dropped after pre-training.

    Args:
        render_head: config of :class:`NeuSRenderHead`.
        ray_sampler: config of the sampler that is used after the warm-up.
        prototype_head: config of :class:`PrototypeHead`; None trains by rendering alone.
        warmup_sampler: config of the warm-up's sampler, with the numbers of rays of ``ray_sampler`` unless it has own.
        grey_images: whether evaluation also renders the same pixels from grey images, which tells whether the camera
            branch carries anything; costs a second encoding of images and fusion.
        shared: masking, targets and encoders, see :class:`Pretrainer` and :class:`CLAPEncoderBase`.
    """

    stages: ClassVar[Tuple[str, ...]] = ('encode', 'sample', 'render', 'prototypes')
    console_figures: ClassVar[Tuple[str, ...]] = ('range_median_m',)
    evaluated: ClassVar[str] = 'rendered'
    picture_titles: ClassVar[Dict[str, str]] = clap_pictures.TITLES
    pictures_on_request: ClassVar[Tuple[str, ...]] = ('cloud',)  # it repeats the others

    def __init__(
        self,
        render_head: dict,
        ray_sampler: dict,
        prototype_head: Optional[dict] = None,
        warmup_sampler: Optional[dict] = None,
        grey_images: bool = True,
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        if 'min_range_m' in shared:
            raise ConfigError('CLAP takes the nearest range from its samplers: set model.ray_sampler.min_range_m')
        if prototype_head is not None and not (self.has_lidar and self.has_camera):
            raise ConfigError(
                'prototype_head associates two modalities and needs pts_middle_encoder and img_backbone; '
                'set prototype_head=None to pre-train one modality'
            )
        box = self.voxelize_cfg['point_cloud_range']
        render_head = {'point_cloud_range': box, **render_head}
        if list(render_head['point_cloud_range']) != list(box):
            raise ConfigError(
                f'render_head.point_cloud_range {render_head["point_cloud_range"]} must be that of voxelize_cfg, {box}'
            )
        self.render_head = MODELS.build(render_head)
        self.prototype_head = MODELS.build(prototype_head) if prototype_head else None
        self.ray_sampler = TASK_UTILS.build(ray_sampler)
        counts = {key: ray_sampler[key] for key in RAY_COUNTS if key in ray_sampler}
        self.warmup_sampler = TASK_UTILS.build({'type': 'UniformRaySampler', **counts, **(warmup_sampler or {})})
        nearest = min(sampler.min_range_m for sampler in (self.ray_sampler, self.warmup_sampler))
        if nearest < self.render_head.near_m:
            raise ConfigError(
                f'render_head.near_m={self.render_head.near_m} must not exceed min_range_m={nearest} of the samplers: '
                'a ray that starts behind its target never renders it. Lower near_m or raise ray_sampler.min_range_m'
            )
        self.grey_images = grey_images
        self.ray_counts: Tuple[int, int] = (0, 0)  # LiDAR and camera rays of the last step

    # ---------------------------------------------------------------- the step

    def loss(self, batch_inputs_dict: Dict, batch_data_samples: List, **unused) -> Dict[str, Tensor]:
        """One pre-training step (Eq. 4) on what :class:`CLAPDataPreprocessor` gives: named losses and figures."""
        metas = [sample.metainfo for sample in batch_data_samples]
        keyframes, views = self.sweeps(batch_inputs_dict, metas), self.views(batch_inputs_dict, metas)
        sweeps = self.with_earlier(keyframes, batch_inputs_dict, metas)
        draws = self.sample_generators(len(metas))
        with self.stage('encode'):
            encoded = self.encode_masked(batch_inputs_dict, metas, draws)
        with self.stage('render'):
            fields = self.render_head.decode(encoded.fused_bev)
        with self.stage('sample'):
            lidar, camera, stats = self.sample_rays(fields, sweeps, views, draws)
            if self.measures_readiness:
                found = [self.ray_sampler.rank_correlation(f.detach(), s) for f, s in zip(fields, keyframes)]
                stats[self.readiness] = torch.stack(found).mean().to(fields[0].table)
        self.ray_counts = sum(map(len, lidar)), sum(map(len, camera))
        self.step_counts = dict(rays=sum(self.ray_counts))
        with self.stage('render'):
            losses = self.render_head.loss(fields, lidar, camera, draws)
        if self.prototype_head is not None:
            with self.stage('prototypes'):
                losses.update(self.prototype_head.loss(encoded.lidar_bev, encoded.camera_bev))
        losses.update(stats)
        return losses

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
        device = fields[0].table.device
        stats = {name: torch.tensor([rays.stats[name] for rays in drawn]).mean().to(device) for name in drawn[0].stats}
        return [rays.lidar for rays in drawn], [rays.camera for rays in drawn], stats

    @property
    def active_sampler(self):
        """The sampler in use: the warm-up's or the main one."""
        return self.warmup_sampler if self.warming_up else self.ray_sampler

    def fields(self, inputs: Dict, metas: List[dict]) -> List[BoundField]:
        """The fields of a batch, from its masked input (in evaluation mode from all of it)."""
        return self.render_head.decode(self.encode_masked(inputs, metas).fused_bev)

    def forward_norms(self, inputs: Dict, metas: List[dict]) -> None:
        """Encoders, and the prototypes' projections."""
        encoded = self.encode_masked(inputs, metas)
        if self.prototype_head is not None:
            self.prototype_head.embed(encoded.lidar_bev, encoded.camera_bev)

    # ---------------------------------------------------------------- evaluation

    @torch.no_grad()
    def predict(self, batch_inputs_dict: Dict, batch_data_samples: List, **unused) -> List:
        """Render the held-back LiDAR rays and a fixed draw of pixels.

        Nothing is masked, but the held-back points are taken out of the encoder's cloud: the field must infer them.
        The images are whole, so colour is a reconstruction.

        Returns:
            The samples with ``rendered``: (R,) tensors for :class:`RenderMetric`: ``range_m``, ``range_true_m`` of
            the held-back rays, ``points_m`` (R, 3) where they end, and errors ``rgb_error`` of the rendered colour,
            ``rgb_mean_error`` of the image's mean colour, ``rgb_grey_error`` of that from grey images.
        """
        metas = [sample.metainfo for sample in batch_data_samples]
        sweeps, views = self.sweeps(batch_inputs_dict, metas), self.views(batch_inputs_dict, metas)
        inputs = self.hold_back(batch_inputs_dict, sweeps)
        encoded = self.encode_masked(inputs, metas)
        fields = self.render_head.decode(encoded.fused_bev)
        greys: Sequence[Optional[BoundField]] = [None] * len(fields)
        if self.grey_images and any(view is not None for view in views):
            no_images = torch.zeros_like(inputs['imgs'])  # normalised: the mean colour of the data
            camera_bev = self.extract_camera(no_images, inputs['points'], metas)  # the LiDAR map stays what it is
            greys = self.render_head.decode(self.fuse(encoded.lidar_bev, camera_bev))
        for sample, field, sweep, view, grey in zip(batch_data_samples, fields, sweeps, views, greys):
            sample.set_field(self.evaluate_rays(field, sweep, view, grey), 'rendered')
        return batch_data_samples

    def evaluate_rays(
        self, field: BoundField, sweep: KeyframeSweep, view: Optional[CameraViews], grey: Optional[BoundField] = None
    ) -> Dict[str, Tensor]:
        """Errors of the held-back rays of one sample, see :meth:`predict`; ``grey`` is the field of grey images."""
        held = self.warmup_sampler.candidates(field, sweep, sweep.heldout)
        generator = torch.Generator(sweep.points.device).manual_seed(0)
        rays = lidar_rays(sweep, held)
        out = self.render_head.render(field, rays)
        result = dict(
            range_m=out.range_m[out.valid],
            range_true_m=rays.targets[out.valid],
            points_m=sweep.points[rays.source[out.valid]],
        )
        if view is not None:
            camera = self.warmup_sampler(field, sweep, view, generator, candidates=held).camera
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

    # ---------------------------------------------------------------- what it says of itself

    def pictures(self, batch: Dict, names: Sequence[str], **options: Any) -> Dict[str, Picture]:
        """Pictures of the first sample of a batch; ``options`` of :func:`render_frame`."""
        return clap_pictures.pictures(render_frame(self, batch, **options), names)

    def clouds(self, batch: Dict) -> Dict[str, Points]:
        """Clouds of the first sample of a batch for the 3-D viewer."""
        return clap_pictures.clouds(render_frame(self, batch, stride=None))

    def facts(self) -> Dict[str, float]:
        """Sharpness that the surface begins with, number of prototypes, and whether rays are drawn by curvature."""
        inv_s, curvature = float(self.render_head.inv_s.detach()), float(bool(self.readiness))
        count = 0 if self.prototype_head is None else len(self.prototype_head.prototypes)
        return dict(initial_inv_s=inv_s, num_prototypes=count, curvature=curvature)

    @classmethod
    def declare(cls, facts: Dict[str, float]) -> Declaration:
        """See :mod:`.clap_health`."""
        return declaration(facts)

    @property
    def phases(self) -> Tuple[str, str]:
        """What draws the rays in the warm-up, and after it."""
        return type(self.warmup_sampler).__name__, type(self.ray_sampler).__name__

    def phase_figures(self) -> Dict[str, float]:
        """1 where rays are drawn by curvature."""
        return dict(curvature_sampling=float(isinstance(self.active_sampler, CurvatureRaySampler)))

    @property
    def readiness(self) -> str:
        """Whether curvature says anything of the surface, where rays will be drawn by it."""
        return 'curvature_rank_correlation' if isinstance(self.ray_sampler, CurvatureRaySampler) else ''

    @classmethod
    def title(cls, options: dict) -> str:
        """UniPAD is a configuration of this class: depth-aware rays, no prototypes."""
        unipad = options.get('prototype_head') is None and options['ray_sampler'].get('type') == 'DepthRaySampler'
        return 'UniPAD (CLAP with depth-aware rays, without prototypes)' if unipad else super().title(options)

    @classmethod
    def variants(cls, options: dict, names: Sequence[str]) -> Dict[str, dict]:
        """The configured sampler as it is, others with its numbers of rays."""
        own = options['ray_sampler']
        shared = {key: own[key] for key in RAY_COUNTS if key in own}
        return {name: dict(own) if name == own['type'] else dict(type=name, **shared) for name in names}

    def use_variant(self, config: dict) -> None:
        """Draw rays by another sampler."""
        self.ray_sampler = TASK_UTILS.build(config)
