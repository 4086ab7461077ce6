"""The renderer alone against one that looks up every sample by itself; ``benchmark_rays.py --renderer``."""

from __future__ import annotations

import math
import time
from statistics import median
from typing import Callable, Dict, List, Sequence

import torch
import torch.nn.functional as F
from mmengine.config import Config
from torch import Tensor, nn

from ..errors import ConfigError
from ..files.text_table import text_table
from ..functional import intersect_box, inverse_cdf, merge_sorted, ray_points, stratified
from ..pretrain.heads import NeuSRenderHead
from ..structures import RayBundle
from .benchmark import build_method
from .step_timer import StepTimer


class SampleWiseRenderer(nn.Module):
    """The yardstick: what UniPAD describes, in torch's own operators.

    ``F.grid_sample`` reads the volume for each sample of each round, its gradient along the ray (a second derivative in
    training) makes the opacity, and narrow, deep MLPs read the feature again in every layer.

    Args:
        like: the head whose samples and box it shares.
        channels: of the volume.
        width: of the hidden layers, and of the geometry that the SDF's MLP hands to the colour's.
    """

    def __init__(self, like: NeuSRenderHead, channels: int, width: int = 16) -> None:
        super().__init__()
        self.like = [like]  # in a list: not a part of this module
        self.sdf_layers = nn.ModuleList(nn.Linear((width if n else 3) + channels, width) for n in range(5))
        self.sdf_out = nn.Linear(width + channels, 1 + width)
        self.rgb = nn.Sequential(
            *(nn.Linear(6 + channels + width, width), nn.ReLU()),
            *(layer for _ in range(2) for layer in (nn.Linear(width, width), nn.ReLU())),
            *(nn.Linear(width, 3), nn.Sigmoid()),
        )
        self.variance = nn.Parameter(torch.tensor(0.3))

    def _field(self, volume: Tensor, points: Tensor) -> Sequence[Tensor]:
        field = self.like[0].sdf_field
        place = (points - field.box_min) / (field.box_max - field.box_min) * 2 - 1
        feature = F.grid_sample(volume[None], place.view(1, 1, 1, -1, 3), align_corners=False)[0, :, 0, 0].t()
        hidden = points / field.scale
        for layer in self.sdf_layers:
            hidden = F.softplus(layer(torch.cat([hidden, feature], dim=-1)), beta=100)
        out = self.sdf_out(torch.cat([hidden, feature], dim=-1))
        return out[:, 0], out[:, 1:], feature

    def _ranges(self, volume: Tensor, rays: RayBundle, draw: torch.Generator) -> Tensor:
        head, field = self.like[0], self.like[0].sdf_field
        near, far, _ = intersect_box(rays.origins, rays.directions, field.box_min, field.box_max)
        uniform = lambda count: torch.rand(len(rays), count, generator=draw).to(near)
        edges = stratified(near.clamp(min=head.near_m), far, head.num_samples, uniform(head.num_samples))
        with torch.no_grad():
            sdf = self._field(volume, ray_points(rays.origins, rays.directions, edges).flatten(0, 1))[0]
            cumulative = torch.sigmoid(head.upsample_inv_s * sdf.view(edges.shape))
            alpha = ((cumulative[:, :-1] - cumulative[:, 1:]) / (cumulative[:, :-1] + 1e-5)).clamp(0, 1)
            weights = alpha * torch.cumprod(1 - alpha + 1e-7, dim=1)
        extra = inverse_cdf(edges, weights, head.num_upsamples, uniform(head.num_upsamples))
        return merge_sorted(edges, extra)[0]

    def loss(self, volume: Tensor, bundles: Sequence[RayBundle], draw: torch.Generator) -> Tensor:
        """Mean absolute error of range or colour."""
        total = volume.new_zeros(())
        for rays in bundles:
            edges = self._ranges(volume, rays, draw)
            step, start = edges.diff(dim=1), edges[:, :-1]
            points = ray_points(rays.origins, rays.directions, start).flatten(0, 1).requires_grad_()
            sdf, geometry, feature = self._field(volume, points)
            (normal,) = torch.autograd.grad(sdf.sum(), points, create_graph=True)
            along = rays.directions[:, None].expand(-1, start.shape[1], 3).flatten(0, 1)
            half = -F.relu(-(along * normal).sum(-1)).view(start.shape) * step / 2
            sharp, sdf = torch.exp(10 * self.variance), sdf.view(start.shape)
            before, after = torch.sigmoid(sharp * (sdf - half)), torch.sigmoid(sharp * (sdf + half))
            alpha = ((before - after + 1e-5) / (before + 1e-5)).clamp(0, 1)
            weights = alpha * torch.cumprod(torch.cat([torch.ones_like(alpha[:, :1]), 1 - alpha[:, :-1]], 1), dim=1)
            if rays.kind == 'lidar':
                rendered = (weights * start).sum(1) / (weights.sum(1) + 1e-10)
            else:
                rgb = self.rgb(torch.cat([along, feature, normal, geometry], dim=-1)).view(*start.shape, 3)
                rendered = (weights[..., None] * rgb).sum(1)
            total = total + (rendered - rays.targets).abs().mean()
        return total


def _rays(kind: str, count: int, box: Tensor, draw: torch.Generator) -> RayBundle:
    """Rays from the origin in all directions of a LiDAR, targets at random."""
    azimuth = 2 * math.pi * torch.rand(count, generator=draw)
    elevation = torch.deg2rad(-25 + 30 * torch.rand(count, generator=draw))
    directions = torch.stack(
        [elevation.cos() * azimuth.cos(), elevation.cos() * azimuth.sin(), elevation.sin()], dim=-1
    ).to(box)
    targets = torch.rand(count, 3, generator=draw) if kind == 'camera' else 3 + 30 * torch.rand(count, generator=draw)
    return RayBundle(kind, torch.zeros_like(directions), directions, targets.to(box), torch.arange(count))


def measure_renderers(cfg: Config, counts: Sequence[int], repeats: int, device: torch.device) -> Dict:
    """Forward and backward pass of the configured renderer and of the yardstick, in turn, on one random volume.

    Args:
        cfg: a configuration of a method with a :class:`NeuSRenderHead`.
        counts: LiDAR rays, a row for each; the configuration's if empty. Camera rays, of six cameras, keep its ratio.
        repeats: timed turns, after one that is not.
        device: where to run.

    Returns:
        ``rows``, each with ``lidar_rays``, ``camera_rays``, for ``ours`` and ``sample_wise`` ``seconds`` (median; CPU
        time of all threads on a CPU) and ``kept_gib`` (what the graph keeps for the backward pass), and how many
        ``times_less`` of both ours takes.
    """
    model = build_method(cfg, device, StepTimer(device))
    head = next((module for module in model.modules() if isinstance(module, NeuSRenderHead)), None)
    if head is None:
        raise ConfigError(f'{type(model).__name__} has no NeuSRenderHead; give a method that renders with one')
    (own,) = model.variants(cfg.model, ['UniformRaySampler']).values()
    decoder = head.volume_decoder
    draw = torch.Generator().manual_seed(0)
    volume = 0.1 * torch.randn(decoder.volume_channels, decoder.num_z, *model.bev_shape[::-1], generator=draw)
    volume = volume.to(device).requires_grad_()
    other = SampleWiseRenderer(head, decoder.volume_channels).to(device)
    rows = []
    for lidar in counts or [own['num_lidar_rays']]:
        camera = 6 * round(lidar * own['num_camera_rays'] / max(own['num_lidar_rays'], 1))
        bundles = [_rays(*kind, head.sdf_field.box_min, draw) for kind in (('lidar', lidar), ('camera', camera))]
        rows.append(dict(lidar_rays=lidar, camera_rays=camera, **_in_turn(head, other, volume, bundles, draw, repeats)))
    return dict(
        device=device.type, threads=torch.get_num_threads(), torch=torch.__version__, repeats=repeats, rows=rows
    )


def _in_turn(
    head: NeuSRenderHead,
    other: SampleWiseRenderer,
    volume: Tensor,
    bundles: List[RayBundle],
    draw: torch.Generator,
    repeats: int,
) -> Dict:
    """The figures of a row."""

    def ours() -> Tensor:
        losses = head.loss([head.sdf_field.bind(volume)], bundles[:1], bundles[1:], draw)
        return sum(value for name, value in losses.items() if 'loss' in name)

    passes = dict(ours=ours, sample_wise=lambda: other.loss(volume, bundles, draw))
    seconds: Dict[str, List[float]] = {name: [] for name in passes}
    kept = {}
    for turn in range(repeats + 1):
        for name, loss in passes.items():
            taken, kept[name] = _forward_and_backward(loss, volume.device)
            seconds[name] += [taken] if turn else []
    figures = {name: dict(seconds=median(seconds[name]), kept_gib=kept[name]) for name in passes}
    ratio = median([b / a for a, b in zip(seconds['ours'], seconds['sample_wise'])])
    return dict(figures, times_less=dict(seconds=ratio, kept_gib=kept['sample_wise'] / kept['ours']))


def format_table(result: Dict) -> str:
    """Markdown table of the figures: a row per number of rays."""
    columns = [(name, unit) for unit in ('seconds', 'kept_gib') for name in ('ours', 'sample_wise', 'times_less')]
    header = ['LiDAR rays', 'camera rays', *(f'{name}: {unit}'.replace('_', ' ') for name, unit in columns)]
    lines = [
        [str(row['lidar_rays']), str(row['camera_rays']), *(f'{row[name][unit]:.2f}' for name, unit in columns)]
        for row in result['rows']
    ]
    return text_table(header, lines, markdown=True)


def _forward_and_backward(loss: Callable[[], Tensor], device: torch.device) -> Sequence[float]:
    """Seconds, and GiB that the graph keeps between the passes."""
    storages: Dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    def now() -> float:
        if device.type != 'cuda':
            return time.process_time()
        torch.cuda.synchronize(device)
        return time.perf_counter()

    start = now()
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        total = loss()
    total.backward()
    return now() - start, sum(storages.values()) / 2**30
