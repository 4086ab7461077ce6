"""What a ray sampler draws, relative to uniform drawing; the command is tools/analysis_tools/sampler_enrichment.py."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence

import numpy as np
import torch
from torch import Tensor

from ..functional import rank_correlation
from ..pretrain.samplers.surface_variation import scan_variation
from ..structures import CameraViews, KeyframeSweep
from .frame_labels import FrameLabels

#: Horizontal distance from the sensor, metres.
BANDS = ((0, 10), (10, 20), (20, 30), (30, 54))


def measure_frame(
    samplers: Dict[str, Any],
    field: Any,
    sweep: KeyframeSweep,
    views: Optional[CameraViews],
    labels: FrameLabels,
    seeds: int = 4,
) -> Dict[str, dict]:
    """Every figure of every sampler on one frame.

    Args:
        samplers: by name; the first one's candidates are the points that uniform drawing draws from.
        field: the field of the frame.
        sweep, views: the frame.
        labels: masks over the points of the sweep.
        seeds: draws that the shares are averaged over.

    Returns:
        By sampler: ``lidar`` and ``pixel`` figures, see :func:`_lidar_figures` and :func:`_pixel_figures`.
    """
    candidates = next(iter(samplers.values())).candidates(field, sweep)
    points = sweep.points[candidates]
    roughness = scan_variation(points)
    distance = (sweep.points - sweep.origins)[:, :2].norm(dim=-1).cpu()  # labels lie there
    masks = dict(object=labels.objects, road=labels.road, **labels.groups)
    masks.update({f'object {a}-{b} m': labels.objects & (distance >= a) & (distance < b) for a, b in BANDS})
    shown = None if views is None else point_of_pixel(sweep, candidates, views)
    result = {}
    for name, sampler in samplers.items():
        weights = sampler.point_weights(field, sweep, candidates)
        # The weights are the slow part and the same for every seed.
        drawn = [sampler(field, sweep, views, _generator(sweep, seed), candidates, weights) for seed in range(seeds)]
        result[name] = dict(
            lidar=_lidar_figures(
                [d.lidar.source for d in drawn], candidates, masks, sampler.ray_weights(weights), roughness
            ),
            pixel=None if shown is None else _pixel_figures([d.camera.source for d in drawn], shown, masks),
        )
    return result


def _generator(sweep: KeyframeSweep, seed: int) -> torch.Generator:
    return torch.Generator(sweep.points.device).manual_seed(seed)


def _ratio(drawn: Sequence[Tensor], everything: Tensor, mask: Tensor) -> Optional[float]:
    """Mean share of ``mask`` among the drawn points over its share among all; None for a mask without points."""
    base = mask[everything].double().mean() if len(everything) else torch.tensor(0.0)
    shares = [mask[index].double().mean() for index in drawn if len(index)]
    return float(torch.stack(shares).mean() / base) if base > 0 and shares else None


def _lidar_figures(
    drawn: List[Tensor], candidates: Tensor, masks: Dict[str, Tensor], weights: Tensor, roughness: Tensor
) -> dict:
    """Ratios of drawn points, rank correlation with surface variation, entropy and effective sample size.

    ``entropy`` is relative to that of uniform weights (0 to 1), ``effective_share`` is 1 / (N sum p^2).
    """
    p = weights.double() / weights.double().sum().clamp(min=1e-300)
    entropy = -(p * p.clamp(min=1e-300).log()).sum() / np.log(max(len(p), 2))
    ratios = {name: _ratio([d.cpu() for d in drawn], candidates.cpu(), mask) for name, mask in masks.items()}
    return dict(
        object_ratio=ratios.pop('object'),
        road_ratio=ratios.pop('road'),
        pca_rank_correlation=float(rank_correlation(weights.cpu(), roughness)),
        entropy=float(entropy),
        effective_share=float(1 / (len(p) * p.square().sum().clamp(min=1e-300))),
        groups=ratios,
    )


def point_of_pixel(sweep: KeyframeSweep, candidates: Tensor, views: CameraViews) -> Tensor:
    """(C, H, W) index into the sweep of the nearest point that projects into each pixel, -1 where none does."""
    cameras, _, height, width = views.rgb.shape
    projected = views.project(sweep.points[candidates])
    shown = torch.full((cameras, height * width), -1, dtype=torch.int64)
    for camera in range(cameras):
        visible = projected.visible[camera].nonzero().squeeze(-1)
        # Far to near: the nearest is written last.
        visible = visible[projected.depth_m[camera, visible].argsort(descending=True)].cpu()
        column, row = projected.uv[camera].cpu()[visible].long().unbind(-1)
        pixel = (row.clamp(0, height - 1) * width + column.clamp(0, width - 1)).numpy()
        # NumPy's assignment with repeated indices keeps the last one, torch's leaves it open.
        shown[camera].numpy()[pixel] = candidates.cpu()[visible].numpy()
    return shown.view(cameras, height, width)


def _pixel_figures(drawn: List[Tensor], shown: Tensor, masks: Dict[str, Tensor]) -> dict:
    """Ratios of the points seen in drawn pixels; pixels without a point are left out (``hit_share`` had one)."""
    points = []
    for source in drawn:
        camera, row, column = source.cpu().unbind(-1)
        points.append(shown[camera, row, column])
    everything = shown[shown >= 0]
    hits = [p[p >= 0] for p in points]
    ratios = {name: _ratio(hits, everything, mask) for name, mask in masks.items()}
    hit_share = float(np.mean([len(h) / max(len(p), 1) for h, p in zip(hits, points)]))
    return dict(object_ratio=ratios.pop('object'), road_ratio=ratios.pop('road'), hit_share=hit_share, groups=ratios)


def mean_figures(frames: List[Dict[str, dict]]) -> Dict[str, dict]:
    """Mean over the frames, figure by figure; a figure that some frames lack is the mean of the others."""

    def merge(values: List[Any]) -> Any:
        present = [v for v in values if v is not None]
        if not present:
            return None
        if isinstance(present[0], dict):
            return {key: merge([v.get(key) for v in present]) for key in present[0]}
        return float(np.mean(present))

    return merge(frames)


def summary(figures: Dict[str, dict], frames: int) -> dict:
    """The figures that the command prints as its last line."""

    def pick(part: Optional[dict], names: Sequence[str]) -> dict:
        values = {name: (part or {}).get(name) for name in names}
        return {name: None if value is None else round(value, 4) for name, value in values.items()}

    return dict(
        frames=frames,
        samplers={
            name: dict(
                lidar=pick(parts['lidar'], ('object_ratio', 'road_ratio', 'pca_rank_correlation')),
                pixel=pick(parts['pixel'], ('object_ratio', 'road_ratio')),
            )
            for name, parts in figures.items()
        },
    )
