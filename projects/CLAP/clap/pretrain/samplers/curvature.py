"""Curvature sampling, the paper's section 3.3 (Eqs. 11 and 12)."""

from __future__ import annotations

from typing import Any, Optional

import torch
from mmdet3d.registry import TASK_UTILS
from torch import Tensor

from ...errors import ConfigError
from ...functional import curvature_weights, rank_correlation, sdf_normals, secant_curvature, smooth_volume
from ...modules import BoundField
from ...structures import KeyframeSweep
from .blurred import BlurredPixelSampler, with_floor
from .surface_variation import scan_variation

MODES = ('jacobian', 'literal', 'secant')
#: Points of a sweep that :meth:`CurvatureRaySampler.rank_correlation` looks at; it is uncertain by 0.03 then.
_PLACES = 1024


@TASK_UTILS.register_module()
class CurvatureRaySampler(BlurredPixelSampler):
    """Points by the curvature of the learned surface, pixels by the blurred curvature that falls on them.

    Args:
        mode: ``'jacobian'``, the Frobenius norm of d n~/dp at the point (Eq. 12, as ``clap_nus.py`` has it);
            ``'literal'``, the norm of what ``autograd.grad`` of the summed normal gives (Eq. 12 as printed);
            ``'secant'``, the spread of the normals over a neighbourhood relative to that of the points: on a true
            distance field it is the first, on a learned one it does not see the ripples (the defaults of these
            six options come from docs/results/curvature.md).
        scale_m: edge of the cells that make a neighbourhood of ``'secant'`` (3 x 3 x 3 of them), metres.
        smoothing: 3 x 3 x 3 box filters over the feature volume before the normals are taken, in every mode.
        power: exponent of the curvature; 2 weighs by k1^2 + k2^2.
        uniform_share: share of the drawing probability that is uniform over the points, so that flat surfaces, which
            have next to no curvature, are not forgotten; 0 is the paper. For LiDAR rays; pixels stay by curvature. Rays
            are drawn without replacement: the more of the cloud is drawn, the more of it is uniform in effect.
        importance: a drawn LiDAR ray weighs pi ** -importance in the loss, pi being its probability to be drawn. 0 is
            the paper, which minimises the error where surfaces curve; 1 minimises that of all points, as uniform rays
            do, but looks more often where surfaces curve. Needs ``uniform_share`` > 0: rays that are hardly ever drawn
            would weigh without bound.
        args, kwargs: of :class:`BlurredPixelSampler`.
    """

    def __init__(
        self,
        *args: Any,
        mode: str = 'secant',
        scale_m: float = 0.4,
        smoothing: int = 0,
        power: float = 2.0,
        uniform_share: float = 0.15,
        importance: float = 0.75,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        if mode not in MODES:
            raise ConfigError(f'mode must be one of {", ".join(map(repr, MODES))}, got {mode!r}')
        for name, value, least in (('scale_m', scale_m, 1e-3), ('smoothing', smoothing, 0), ('power', power, 1e-3)):
            if not value >= least:
                raise ConfigError(f'{name} must be at least {least}, got {value}')
        if not 0 <= uniform_share <= 1:
            raise ConfigError(f'uniform_share must lie between 0 and 1, got {uniform_share}')
        self.mode, self.scale_m, self.smoothing, self.power = mode, scale_m, smoothing, power
        if importance < 0 or importance > 0 and not uniform_share:
            raise ConfigError(
                f'importance must not be negative and needs uniform_share > 0, got {importance} with '
                f'uniform_share={uniform_share}'
            )
        self.uniform_share, self.importance = uniform_share, importance

    def point_weights(self, field: BoundField, sweep: KeyframeSweep, candidates: Tensor) -> Tensor:
        """omega_n = ||c_n|| ** power at every candidate point (M,)."""
        points = sweep.points[candidates]
        sdf = self._smoothed(field).sdf
        if self.mode == 'secant':
            weights = secant_curvature(sdf_normals(sdf, points), points, self.scale_m)
        else:
            weights = curvature_weights(sdf, points, mode=self.mode)
        return with_floor(weights**self.power)

    def ray_weights(self, point_weights: Tensor) -> Tensor:
        """(1 - u) omega_n / sum omega + u / M, u = ``uniform_share``."""
        if not self.uniform_share:
            return point_weights
        curved = point_weights / point_weights.sum().clamp(min=torch.finfo(point_weights.dtype).tiny)
        return (1 - self.uniform_share) * curved + self.uniform_share / max(len(point_weights), 1)

    def loss_weights(self, inclusion: Tensor) -> Optional[Tensor]:
        """pi ** -importance (R,)."""
        return inclusion**-self.importance if self.importance else None

    @torch.no_grad()
    def rank_correlation(self, field: BoundField, sweep: KeyframeSweep) -> Tensor:
        """Whether curvature means something: its rank correlation with the raw points' surface variation (k = 16).

        It needs no labels and draws nothing. Scalar float64 in [-1, 1], 0 for a cloud of a handful of points.
        """
        with torch.autocast(sweep.points.device.type, enabled=False):
            candidates = self.candidates(field, sweep)
            points = sweep.points[candidates].cpu()
            if len(points) < 16:
                return points.new_zeros((), dtype=torch.float64)
            # A fixed random subset: every k-th point would follow the beams of a spinning sensor.
            places = torch.randperm(len(points), generator=torch.Generator().manual_seed(0))[:_PLACES]
            weights = self.point_weights(field, sweep, candidates).cpu()
            return rank_correlation(weights[places], scan_variation(points, places=places))

    def _smoothed(self, field: BoundField) -> BoundField:
        if not self.smoothing:
            return field
        if not isinstance(field, BoundField):
            raise TypeError(
                f'smoothing={self.smoothing} needs a field with a feature volume, got '
                f'{type(field).__name__}; set smoothing=0'
            )
        return BoundField(field.mlps, smooth_volume(field.table, field.grid_shape, self.smoothing), field.grid_shape)
