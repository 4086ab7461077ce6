"""Differentiable rendering of range and colour from the fused features (section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple, Union

import torch
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...errors import ConfigError
from ...functional import (
    accumulate,
    eikonal_loss,
    free_space_loss,
    intersect_box,
    inverse_cdf,
    inverse_std,
    merge_sorted,
    midpoints,
    near_surface_loss,
    neus_alpha,
    ray_points,
    render_weights,
    rendering_loss,
    sdf_gradient,
    stratified,
    uniform,
)
from ...modules import BoundField, SDFField, VolumeDecoder
from ...structures import RayBundle, RenderOutput

_Seen = Tuple[Tensor, Optional[Tensor]]  # what a query says of a bundle: sdf (R, S), and rgb (R, S, 3) or None


@dataclass(frozen=True)
class _Span:
    """The part of each ray that is sampled, metres."""

    rays: RayBundle
    near: Tensor  # (R,)
    far: Tensor  # (R,)
    valid: Tensor  # (R,) bool: the ray crosses the volume
    target: Tensor  # (R, 1) range where a LiDAR ray was observed to end; (R, 0) for camera rays
    offsets: List[Optional[Tensor]]  # (R, S) in [0, 1) of each round's samples in their strata; None: the middle

    def points(self, range_m: Tensor) -> Tensor:
        """(R, S) -> (R, S, 3)."""
        return ray_points(self.rays.origins, self.rays.directions, range_m)


@MODELS.register_module()
class NeuSRenderHead(BaseModule):
    """NeuS-style renderer over a feature volume (Eqs. 5-10).

    Everything here runs in float32, under automatic mixed precision too: the
    opacity is a difference of sigmoids and loses all its digits in half precision.

    Args:
        in_channels: channels of the fused BEV map.
        point_cloud_range: (x0, y0, z0, x1, y1, z1) of the volume, metres.
        volume_channels: C_v, channels of the feature volume.
        num_z: cells of the volume along the height.
        hidden_channels: width of the SDF and colour MLPs.
        num_hidden: hidden layers of each MLP.
        softplus_beta: sharpness of the SDF MLP's activation.
        num_samples: stratified samples along a ray.
        num_upsamples: samples that one round of inverse-CDF sampling adds;
            72 + 24 = 96 = N_ray of the paper.
        upsample_inv_s: sharpness (1/m) with which the first round is read when
            the second is placed.
        near_m: range at which rays start, metres; at most the sampler's min_range_m, for a nearer target is never
            rendered. Smaller is right: what a ray crossed before its target is free.
        initial_variance: v0; the learnable h of Eq. 7 is exp(10 v), in 1/m.
        loss_weight: omega_r of Eq. 4.
        surface_weight: omega_sur of Eq. 10.
        rgb_weight: omega_C of Eq. 10.
        eikonal_weight: weight of (|grad s| - 1)^2 at the surface points; 0 in the paper.
        free_space_weight: weight of the free-space term; 0 in the paper.
        near_surface_weight: weight of the SDF term around the surface; 0 in the paper.
        truncation_m: distance that separates "free" from "near the surface", for the last two.
    """

    def __init__(
        self,
        in_channels: int,
        point_cloud_range: Sequence[float],
        volume_channels: int = 32,
        num_z: int = 16,
        hidden_channels: int = 64,
        num_hidden: int = 2,
        softplus_beta: float = 100.0,
        num_samples: int = 72,
        num_upsamples: int = 24,
        upsample_inv_s: float = 64.0,
        near_m: float = 1.0,
        initial_variance: float = 0.3,
        loss_weight: float = 2.0,
        surface_weight: float = 0.05,
        rgb_weight: float = 0.05,
        eikonal_weight: float = 0.0,
        free_space_weight: float = 0.0,
        near_surface_weight: float = 0.0,
        truncation_m: float = 1.0,
    ) -> None:
        super().__init__()
        if num_samples < 2:
            raise ConfigError(f'num_samples must be at least 2 to make an interval, got {num_samples}')
        self.volume_decoder = VolumeDecoder(in_channels, volume_channels, num_z)
        self.sdf_field = SDFField(volume_channels, point_cloud_range, hidden_channels, num_hidden, softplus_beta)
        self.variance = nn.Parameter(torch.tensor(float(initial_variance)))
        self.num_samples, self.num_upsamples = num_samples, num_upsamples
        self.upsample_inv_s, self.near_m = upsample_inv_s, near_m
        self.loss_weight, self.surface_weight, self.rgb_weight = loss_weight, surface_weight, rgb_weight
        self.eikonal_weight, self.free_space_weight = eikonal_weight, free_space_weight
        self.near_surface_weight, self.truncation_m = near_surface_weight, truncation_m

    #: Rays rendered at a time where no gradient is kept; bounds the memory of a whole sweep or image.
    CHUNK = 8192

    @property
    def inv_s(self) -> Tensor:
        """The learnable sharpness h of Eq. 7, 1/m."""
        return inverse_std(self.variance)

    def decode(self, fused_bev: Tensor) -> List[BoundField]:
        """f3D on (B, C, X, Y): one queryable field per sample."""
        return [self.sdf_field.bind(volume) for volume in self.volume_decoder(fused_bev)]

    def render(
        self, field: BoundField, rays: RayBundle, generator: Optional[torch.Generator] = None, with_rgb: bool = False
    ) -> RenderOutput:
        """Eqs. 7-9 along every ray of a bundle.

        Args:
            field: the field of the rays' sample.
            rays: R rays.
            generator: source of the stratified jitter; without one (and in
                evaluation mode) samples sit at the middle of their stratum.
            with_rgb: whether colour is asked for.
        """
        if torch.is_grad_enabled() or len(rays) <= self.CHUNK:
            return self._render(field, [rays], generator, [with_rgb])[0]
        parts = [
            self._render(field, [rays[start : start + self.CHUNK]], generator, [with_rgb])[0]
            for start in range(0, len(rays), self.CHUNK)
        ]
        return RenderOutput(
            **{
                name: None if getattr(parts[0], name) is None else torch.cat([getattr(part, name) for part in parts])
                for name in RenderOutput.__dataclass_fields__
            }
        )

    def _render(
        self,
        field: BoundField,
        bundles: Sequence[RayBundle],
        generator: Optional[torch.Generator],
        with_rgb: Sequence[bool],
    ) -> List[RenderOutput]:
        """Bundles of one sample. Each of the two rounds of samples is one query, and no point is asked for twice."""
        with torch.autocast(device_type=bundles[0].origins.device.type, enabled=False):
            spans = [self._span(field, rays, generator) for rays in bundles]
            edges = [stratified(s.near, s.far, self.num_samples, s.offsets[0]) for s in spans]
            first = field.query([s.points(torch.cat([e, s.target], dim=1)) for s, e in zip(spans, edges)], with_rgb)
            if not self.num_upsamples:
                return [self._composite(*args) for args in zip(spans, edges, first)]
            extra = [self._upsample(*args) for args in zip(spans, edges, first)]
            second = field.query([s.points(e) for s, e in zip(spans, extra)], with_rgb)
            return [self._composite(*args) for args in zip(spans, edges, first, extra, second)]

    def _span(self, field: BoundField, rays: RayBundle, generator: Optional[torch.Generator]) -> _Span:
        near, far, hit = intersect_box(rays.origins, rays.directions, field.box_min, field.box_max)
        near = near.clamp(min=self.near_m)
        valid = hit & (far > near)
        far = torch.where(valid, far, near + 1.0)  # a harmless stand-in, masked out by the caller
        is_lidar = rays.kind == 'lidar'
        target = torch.where(valid, rays.targets, near)[:, None] if is_lidar else near.new_zeros(len(rays), 0)
        offsets: List[Optional[Tensor]] = [None, None]
        if generator is not None and self.training:
            counts = self.num_samples, self.num_upsamples
            offsets = [uniform((len(rays), count), near, generator) for count in counts]
        return _Span(rays, near, far, valid, target, offsets)

    @torch.no_grad()
    def _upsample(self, span: _Span, edges: Tensor, seen: _Seen) -> Tensor:
        """(R, num_upsamples) ranges of the second round; no gradient through positions."""
        sdf = seen[0][:, : edges.shape[1]]
        weights = render_weights(neus_alpha(sdf, sdf.new_tensor(self.upsample_inv_s)))
        return inverse_cdf(edges, weights, self.num_upsamples, span.offsets[1])

    def _composite(
        self, span: _Span, edges: Tensor, first: _Seen, extra: Optional[Tensor] = None, second: Optional[_Seen] = None
    ) -> RenderOutput:
        """Eqs. 7-9 on the samples of one or two rounds."""
        (sdf, rgb), count = first, edges.shape[1]
        sdf, target_sdf = sdf[:, :count], sdf[:, count:]
        if extra is not None:
            edges, order = merge_sorted(edges, extra)
            sdf = torch.cat([sdf, second[0]], dim=1).gather(1, order)
            if rgb is not None:
                rgb = torch.cat([rgb[:, :count], second[1]], dim=1)
                rgb = rgb.gather(1, order[..., None].expand(-1, -1, 3))
        weights = render_weights(neus_alpha(sdf, self.inv_s))
        if rgb is not None:
            # The colour of an interval is the mean of its two ends: exact to first order, no further query.
            rgb = accumulate(weights, 0.5 * (rgb[:, 1:] + rgb[:, :-1]))
        return RenderOutput(
            range_m=accumulate(weights, midpoints(edges)),
            rgb=rgb,
            opacity=weights.sum(-1),
            valid=span.valid,
            sdf=sdf,
            edges=edges,
            target_sdf=target_sdf[:, 0] if target_sdf.shape[1] else None,
        )

    def loss(
        self,
        fields: List[BoundField],
        lidar_rays: List[RayBundle],
        camera_rays: List[RayBundle],
        generator: Union[torch.Generator, Sequence[torch.Generator], None] = None,
    ) -> Dict[str, Tensor]:
        """L_rend (Eq. 10) times omega_r over a batch, with the renderer's health figures.

        Means run over all valid rays of the batch, on all ranks, so a sample with few rays weighs less.

        Args:
            fields: one per sample.
            lidar_rays: one bundle of kind ``lidar`` per sample.
            camera_rays: one bundle of kind ``camera`` per sample.
            generator: source of the stratified jitter; a list has one for each sample.
        """
        draws = generator if isinstance(generator, (list, tuple)) else [generator] * len(fields)
        with torch.autocast(device_type=fields[0].table.device.type, enabled=False):
            return self._loss(fields, lidar_rays, camera_rays, draws)

    def _loss(
        self,
        fields: List[BoundField],
        lidar_rays: List[RayBundle],
        camera_rays: List[RayBundle],
        draws: Sequence[Optional[torch.Generator]],
    ) -> Dict[str, Tensor]:
        rendered = [
            self._render(field, bundles, draw, (False, True))
            for field, *bundles, draw in zip(fields, lidar_rays, camera_rays, draws)
        ]
        lidar, camera = map(list, zip(*rendered))

        def gather(outputs: List[RenderOutput], name: str) -> Tensor:
            return torch.cat([getattr(o, name)[o.valid] for o in outputs])

        def targets(bundles: List[RayBundle], outputs: List[RenderOutput]) -> Tensor:
            return torch.cat([b.targets[o.valid] for b, o in zip(bundles, outputs)])

        range_pred, range_true = gather(lidar, 'range_m'), targets(lidar_rays, lidar)
        weights = None
        if all(rays.weights is not None for rays in lidar_rays):
            weights = torch.cat([rays.weights[o.valid] for rays, o in zip(lidar_rays, lidar)])
        losses = rendering_loss(
            range_pred,
            range_true,
            gather(lidar, 'target_sdf'),
            gather(camera, 'rgb'),
            targets(camera_rays, camera),
            self.surface_weight,
            self.rgb_weight,
            weights,
        )
        losses.update(self._optional_losses(fields, lidar_rays, lidar, range_true, weights))
        losses = {name: self.loss_weight * value for name, value in losses.items()}
        losses.update(self._health(range_pred, range_true, gather(lidar, 'opacity'), lidar + camera))
        return losses

    def _optional_losses(
        self,
        fields: List[BoundField],
        lidar_rays: List[RayBundle],
        lidar: List[RenderOutput],
        range_true: Tensor,
        weights: Optional[Tensor],
    ) -> Dict[str, Tensor]:
        """Terms that are off in the paper's configuration."""
        losses = {}
        if self.eikonal_weight:
            points = [(r.origins + r.targets[:, None] * r.directions)[o.valid] for r, o in zip(lidar_rays, lidar)]
            gradients = [sdf_gradient(f.sdf, p, create_graph=True) for f, p in zip(fields, points)]
            losses['loss_eikonal'] = self.eikonal_weight * eikonal_loss(torch.cat(gradients))
        if self.free_space_weight or self.near_surface_weight:
            sdf = torch.cat([o.sdf[o.valid] for o in lidar])
            edges = torch.cat([o.edges[o.valid] for o in lidar])
            if self.free_space_weight:
                losses['loss_free_space'] = self.free_space_weight * free_space_loss(
                    sdf, edges, range_true, self.truncation_m, weights
                )
            if self.near_surface_weight:
                losses['loss_near_surface'] = self.near_surface_weight * near_surface_loss(
                    sdf, edges, range_true, self.truncation_m, weights
                )
        return losses

    @torch.no_grad()
    def _health(
        self, range_pred: Tensor, range_true: Tensor, opacity: Tensor, outputs: List[RenderOutput]
    ) -> Dict[str, Tensor]:
        """Figures that tell whether rendering works; logged, not optimised."""
        valid = torch.cat([o.valid for o in outputs]).float()
        error = (range_pred - range_true).abs()
        empty = error.new_zeros(())
        return dict(
            range_mae_m=error.mean() if len(error) else empty,
            range_median_m=error.median() if len(error) else empty,
            opacity=opacity.mean() if len(opacity) else empty,
            inv_s=self.inv_s.detach().clone(),
            masked_rays=1.0 - valid.mean() if len(valid) else empty,
        )
