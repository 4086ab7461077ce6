from __future__ import annotations

import pytest
import torch

from projects.CLAP.clap.functional import (
    intersect_box,
    inverse_cdf,
    neus_alpha,
    ray_points,
    render_weights,
    stratified,
    uniform,
)
from projects.CLAP.clap.pretrain.heads import NeuSRenderHead
from projects.CLAP.clap.pretrain.samplers import UniformRaySampler
from projects.CLAP.clap.structures import RayBundle
from tests.fixtures.scenes import BOX, AnalyticField, fan, front_camera, sphere, sweep_of, wall


def head(**kwargs) -> NeuSRenderHead:
    options = dict(in_channels=6, point_cloud_range=BOX, volume_channels=8, num_z=4, hidden_channels=16)
    return NeuSRenderHead(**{**options, **kwargs})


def lidar_bundle(directions: torch.Tensor, range_m: torch.Tensor) -> RayBundle:
    return RayBundle('lidar', torch.zeros_like(directions), directions, range_m, torch.arange(len(directions)))


def test_renders_the_range_of_a_wall() -> None:
    directions = fan(40)
    renderer = head(initial_variance=0.6).eval()  # inv_s = exp(6) = 403: a sharp surface
    out = renderer.render(AnalyticField(wall(10.0)), lidar_bundle(directions, directions.new_ones(40)), with_rgb=True)
    expected = 10.0 / directions[:, 0]
    assert out.valid.all()
    torch.testing.assert_close(out.opacity, torch.ones(40), atol=1e-3, rtol=0)
    assert (out.range_m - expected).abs().max() < 0.1  # within a stratum of (19/71) m, far better after up-sampling
    assert (out.range_m - expected).mean().abs() < 0.03
    torch.testing.assert_close(out.rgb, torch.tensor([0.2, 0.5, 0.8]).expand(40, 3), atol=2e-3, rtol=0)


def test_upsampling_sharpens_the_range_of_a_sphere() -> None:
    directions = fan(64, spread=0.12)
    field = AnalyticField(sphere((12.0, 0.0, 0.0), 2.0))
    along = directions @ torch.tensor([12.0, 0.0, 0.0])
    expected = along - (along**2 - (144 - 4)).sqrt()
    errors = {}
    for extra in (0, 24):
        out = head(initial_variance=0.6, num_upsamples=extra).eval().render(field, lidar_bundle(directions, expected))
        errors[extra] = (out.range_m - expected).abs().mean()
        assert out.edges.shape[1] == 72 + extra
        assert (out.edges.diff(dim=1) >= 0).all()
    assert errors[24] < 0.05
    assert errors[24] < errors[0]


def test_a_ray_that_misses_the_volume_is_masked_not_an_error() -> None:
    origins = torch.tensor([[100.0, 0, 0], [0.0, 0, 0]])
    directions = torch.tensor([[1.0, 0, 0], [1.0, 0, 0]])
    rays = RayBundle('lidar', origins, directions, torch.tensor([5.0, 10.0]), torch.arange(2))
    out = head().render(AnalyticField(wall(10.0)), rays)
    assert out.valid.tolist() == [False, True]
    assert torch.isfinite(out.range_m).all()


def rendered_one_by_one(renderer: NeuSRenderHead, field, rays: RayBundle, draw: torch.Generator) -> tuple:
    """Range, colour and signed distance at the target of each ray; the whole field is read again at the final edges."""
    near, far, _ = intersect_box(rays.origins, rays.directions, field.box_min, field.box_max)
    near = near.clamp(min=renderer.near_m)
    sdf = lambda r: field.sdf(ray_points(rays.origins, rays.directions, r).reshape(-1, 3)).reshape(r.shape)
    with torch.no_grad():
        first = stratified(near, far, 72, uniform((len(rays), 72), near, draw))
        found = render_weights(neus_alpha(sdf(first), renderer.upsample_inv_s))
        extra = inverse_cdf(first, found, 24, uniform((len(rays), 24), near, draw))
        edges = torch.cat([first, extra], dim=1).sort(dim=1).values
    weights = render_weights(neus_alpha(sdf(edges), renderer.inv_s))
    middle = (edges[:, 1:] + edges[:, :-1]) / 2
    ((_, rgb),) = field.query([ray_points(rays.origins, rays.directions, edges)], [True])
    colour = (weights[..., None] * (rgb[:, 1:] + rgb[:, :-1]) / 2).sum(1)
    end = sdf(rays.targets[:, None])[:, 0] if rays.kind == 'lidar' else None
    return (weights * middle).sum(1), colour, end


def test_shared_queries_change_neither_values_nor_gradients() -> None:
    """Eq. 10 of both kinds of rays, against each kind rendered alone with every point asked for anew."""
    torch.manual_seed(0)
    renderer, volume = head(initial_variance=0.1), torch.randn(8, 4, 10, 10, requires_grad=True)
    field = renderer.sdf_field.bind(volume)
    drawn = UniformRaySampler(40, 30)(field.detach(), sweep_of(fan(60) * 9), front_camera())
    losses = renderer.loss([field], [drawn.lidar], [drawn.camera], torch.Generator().manual_seed(3))
    ours = sum(losses[name] for name in ('loss_range', 'loss_surface', 'loss_rgb'))

    draw, field = torch.Generator().manual_seed(3), renderer.sdf_field.bind(volume)
    range_m, _, end = rendered_one_by_one(renderer, field, drawn.lidar, draw)
    _, colour, _ = rendered_one_by_one(renderer, field, drawn.camera, draw)
    expected = 2.0 * (
        (range_m - drawn.lidar.targets).abs().mean()
        + 0.05 * end.abs().mean()
        + 0.05 * (colour - drawn.camera.targets).abs().mean()
    )
    torch.testing.assert_close(ours, expected)
    leaves = [volume, *renderer.sdf_field.parameters(), renderer.variance]
    for got, wanted in zip(torch.autograd.grad(ours, leaves), torch.autograd.grad(expected, leaves)):
        assert wanted.abs().sum() > 0
        torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-5 * float(wanted.abs().max()))


def test_loss_names_weights_and_health() -> None:
    renderer = head(loss_weight=3.0)
    fields = renderer.decode(torch.randn(2, 6, 10, 10))
    points = fan(200) * torch.linspace(5, 15, 200)[:, None]
    sampler = UniformRaySampler(50, 30)
    drawn = [sampler(f.detach(), sweep_of(points), front_camera()) for f in fields]
    losses = renderer.loss(
        fields, [d.lidar for d in drawn], [d.camera for d in drawn], torch.Generator().manual_seed(1)
    )
    assert {k for k in losses if 'loss' in k} == {'loss_range', 'loss_surface', 'loss_rgb'}
    # omega_r times the mean absolute range error, which is logged beside it
    torch.testing.assert_close(losses['loss_range'], 3.0 * losses['range_mae_m'])
    assert losses['masked_rays'] == 0
    sum(v for k, v in losses.items() if 'loss' in k).backward()
    for name, parameter in renderer.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize('lidar,camera', [(0, 8), (8, 0), (0, 0)])
def test_no_rays_of_a_kind_still_reach_every_parameter(lidar: int, camera: int) -> None:
    """DDP hangs on a parameter without a gradient, so an empty draw must give zero, not nothing."""
    renderer = head()
    fields = renderer.decode(torch.randn(1, 6, 10, 10))
    drawn = UniformRaySampler(lidar, max(camera, 1))(fields[0].detach(), sweep_of(fan(20) * 8), front_camera())
    camera_rays = (
        drawn.camera
        if camera
        else RayBundle(
            'camera',
            *[
                t[:0]
                for t in (drawn.camera.origins, drawn.camera.directions, drawn.camera.targets, drawn.camera.source)
            ],
        )
    )
    losses = renderer.loss(fields, [drawn.lidar], [camera_rays])
    total = sum(v for k, v in losses.items() if 'loss' in k)
    total.backward()
    assert torch.isfinite(total)
    for name, parameter in renderer.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name


def test_the_same_generator_draws_the_same_samples() -> None:
    renderer, field = head(), AnalyticField(wall(10.0))
    rays = lidar_bundle(fan(16), torch.ones(16))
    edges = [renderer.render(field, rays, torch.Generator().manual_seed(s)).edges for s in (1, 1, 2)]
    assert torch.equal(edges[0], edges[1])
    assert not torch.equal(edges[0], edges[2])


def test_many_rays_without_gradient_are_rendered_in_parts() -> None:
    renderer, field = head().eval(), AnalyticField(wall(10.0))
    rays = lidar_bundle(fan(50), torch.ones(50))
    with torch.no_grad():
        whole = renderer.render(field, rays, with_rgb=True)
        renderer.CHUNK = 16
        parts = renderer.render(field, rays, with_rgb=True)
    assert torch.equal(whole.range_m, parts.range_m) and torch.equal(whole.rgb, parts.rgb)
    assert whole.edges.shape == parts.edges.shape


def test_half_precision_is_kept_out() -> None:
    renderer = head().eval()
    fields = renderer.decode(torch.randn(1, 6, 10, 10))
    rays = lidar_bundle(fan(16), torch.ones(16))
    plain = renderer.render(fields[0], rays, with_rgb=True)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        mixed = renderer.render(fields[0], rays, with_rgb=True)
    assert mixed.range_m.dtype == torch.float32
    assert torch.equal(plain.range_m, mixed.range_m)
    assert torch.equal(plain.rgb, mixed.rgb)


def test_optional_terms_are_off_and_switch_on() -> None:
    renderer = head(eikonal_weight=0.1, free_space_weight=0.2, near_surface_weight=0.3)
    fields = renderer.decode(torch.randn(1, 6, 10, 10))
    drawn = UniformRaySampler(20, 5)(fields[0].detach(), sweep_of(fan(50) * 9), front_camera())
    losses = renderer.loss(fields, [drawn.lidar], [drawn.camera])
    assert {'loss_eikonal', 'loss_free_space', 'loss_near_surface'} <= set(losses)
    sum(v for k, v in losses.items() if 'loss' in k).backward()  # the eikonal term needs the double backward


def test_rendering_alone_finds_a_wall() -> None:
    """Seeded loss curve: a free volume learns where a wall is from its ranges."""
    torch.manual_seed(0)
    renderer = head(volume_channels=8)
    volume = torch.nn.Parameter(0.1 * torch.randn(8, 4, 10, 10))
    points = fan(400) * (10.0 / fan(400)[:, :1])
    sampler, generator = UniformRaySampler(128, 0), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam([{'params': [volume], 'lr': 0.05}, {'params': renderer.parameters(), 'lr': 5e-3}])
    errors = []
    for _ in range(60):
        field = renderer.sdf_field.bind(volume)
        drawn = sampler(field.detach(), sweep_of(points), None, generator)
        losses = renderer.loss([field], [drawn.lidar], [drawn.camera], generator)
        optimizer.zero_grad()
        sum(v for k, v in losses.items() if 'loss' in k).backward()
        optimizer.step()
        errors.append(float(losses['range_median_m']))
    assert sum(errors[:5]) / 5 > 2.0
    assert sum(errors[-5:]) / 5 < 0.6, errors[-5:]
