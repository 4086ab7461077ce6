"""Colours of points, splatted into the cameras and compared with what these saw (CluRender, section 5)."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Sequence

import torch
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...errors import ConfigError
from ...functional import sliced_wasserstein, splat
from ...functional.projection import MIN_DEPTH_M
from ...functional.shared_mean import shared_mean
from ...structures import CameraViews
from ..samplers.base import valid_pixels


class SplattedView(NamedTuple):
    """One camera's image of the points."""

    rgb: Tensor  # (3, H, W) in [0, 1], meaningless where not covered
    covered: Tensor  # (H, W) bool: points cover the pixel, and the camera has seen something there


@MODELS.register_module()
class SplatHead(BaseModule):
    """A colour for every point, composited into the views (Eqs. 15-18).

    Only covered pixels are compared, and there the mean colour of the points, not their sum over a background: of a
    street or an object the points are all that is known. The distance is sliced Wasserstein between sets of (position,
    colour) of the same pixels.

    Args:
        in_channels: channels of a point's feature.
        hidden_channels: width of the two hidden layers of the colour network.
        radius_px, sigma_px, num_nearest, eta: see :func:`splat`.
        min_coverage: a pixel counts where points cover at least this share of it.
        num_pixels: at most so many covered pixels of a view are compared, a new draw in every step.
        num_projections: directions of the distance.
        position_weight: lambda of Eq. 18, the share of squared position (image from -1 to 1) beside squared colour
            (0 to 1).
        loss_weight: of the mean over views; the number of views makes it the sum that is printed (Eq. 17).
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int = 64,
        radius_px: float = 4.0,
        sigma_px: float = 2.83,
        num_nearest: int = 128,
        eta: float = 1.0,
        min_coverage: float = 0.5,
        num_pixels: int = 2048,
        num_projections: int = 64,
        position_weight: float = 0.5,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        if not 0.0 < min_coverage < 1.0:
            raise ConfigError(f'min_coverage must be between 0 and 1, got {min_coverage}')
        if not 0.0 <= position_weight < 1.0:
            raise ConfigError(f'position_weight must be in [0, 1): at 1 colours do not count; got {position_weight}')
        self.splatting = dict(radius_px=radius_px, sigma_px=sigma_px, num_nearest=num_nearest, eta=eta)
        self.min_coverage, self.num_pixels, self.num_projections = min_coverage, num_pixels, num_projections
        self.position_weight, self.loss_weight = position_weight, loss_weight
        self.layers = nn.Sequential(
            *(nn.Linear(in_channels, hidden_channels), nn.LayerNorm(hidden_channels), nn.ReLU()),
            *(nn.Linear(hidden_channels, hidden_channels), nn.LayerNorm(hidden_channels), nn.ReLU()),
            nn.Linear(hidden_channels, 3),
        )

    def colours(self, features: Tensor) -> Tensor:
        """(N, C) -> (N, 3) RGB in [0, 1], float32."""
        return self.layers(features).float().sigmoid()

    def render(self, colours: Tensor, points: Tensor, views: CameraViews) -> List[SplattedView]:
        """Images of all cameras: colours (N, 3) of points (N, 3), metres, augmented LiDAR frame."""
        size = (views.rgb.shape[-2], views.rgb.shape[-1])
        seen = views.project(points.float())
        rendered = []
        for uv, depth, shown in zip(seen.uv, seen.depth_m, valid_pixels(views)):
            front = depth > MIN_DEPTH_M
            image, coverage = splat(uv[front], depth[front], colours[front], size, **self.splatting)
            rgb = image / coverage.clamp(min=self.min_coverage)
            rendered.append(SplattedView(rgb, (coverage >= self.min_coverage) & shown))
        return rendered

    def loss(
        self,
        features: List[Tensor],
        points: List[Tensor],
        views: Sequence[CameraViews],
        draws: Sequence[torch.Generator],
    ) -> Dict[str, Tensor]:
        """Eqs. 17 and 18 over a batch of clouds with their cameras.

        Args:
            features: per cloud (N, C).
            points: per cloud (N, 3), metres, augmented LiDAR frame.
            views: per cloud its cameras.
            draws: per cloud what pixels and directions are drawn from.

        Returns:
            ``loss_render``, the mean over views in which a point is seen; ``covered_pixels``, their mean share of a
            view.
        """
        distances, covered, nothing = [], [], features[0].new_zeros(())
        for feature, cloud, cameras, draw in zip(features, points, views, draws):
            colours = self.colours(feature)
            nothing = nothing + colours.sum() * 0.0
            with torch.autocast(device_type=colours.device.type, enabled=False):
                for view, true in zip(self.render(colours, cloud, cameras), cameras.rgb):
                    covered.append(view.covered.float().mean())
                    if view.covered.any():
                        distances.append(self._distance(view, true, draw))
        total = torch.stack(distances).sum() if distances else nothing
        return dict(
            loss_render=self.loss_weight * (shared_mean(total, len(distances)) + nothing),
            covered_pixels=torch.stack(covered).mean(),
        )

    def _distance(self, view: SplattedView, true: Tensor, draw: torch.Generator) -> Tensor:
        """Between the rendered and the true (3, H, W) colours of covered pixels, at most ``num_pixels``."""
        rows, columns = view.covered.nonzero(as_tuple=True)
        kept = torch.randperm(len(rows), generator=draw, device=draw.device)[: self.num_pixels].to(rows.device)
        rows, columns = rows[kept], columns[kept]
        size = true.new_tensor(true.shape[-2:])
        place = 2 * (torch.stack([rows, columns], 1) + 0.5) / size - 1
        rendered, seen = (
            torch.cat(
                [self.position_weight**0.5 * place, (1 - self.position_weight) ** 0.5 * image[:, rows, columns].t()], 1
            )
            for image in (view.rgb, true)
        )
        return sliced_wasserstein(rendered, seen, self.num_projections, draw)

    @torch.no_grad()
    def errors(self, feature: Tensor, points: Tensor, views: CameraViews) -> Dict[str, tuple]:
        """Sums and counts of how far the rendered colours are from the true ones, on covered pixels.

        ``rgb_distance``: what the loss measures (Eq. 18), a view each; ``rgb_error``: absolute error, a pixel and
        channel each. Beside them ``..._of_mean_colour``, those of the mean true colour of the view's covered pixels.
        """
        figures: Dict[str, List[float]] = {}
        for view, true in zip(self.render(self.colours(feature), points, views), views.rgb):
            seen = true[:, view.covered]
            if not seen.numel():
                continue
            mean = view._replace(rgb=seen.mean(1)[:, None, None].expand_as(true))
            for name, told in (('', view), ('_of_mean_colour', mean)):
                draw = torch.Generator(true.device).manual_seed(0)  # the same pixels and directions for both
                error = (told.rgb[:, view.covered] - seen).abs().sum()
                for key, value, count in (
                    ('rgb_distance', self._distance(told, true, draw), 1),
                    ('rgb_error', error, seen.numel()),
                ):
                    figure = figures.setdefault(f'{key}{name}', [0.0, 0])
                    figure[0] += float(value)
                    figure[1] += count
        return {name: (total, count) for name, (total, count) in figures.items()}
