"""Half precision on the encoders, extreme inputs and gradient clipping; the long run is test_soak.py."""

from __future__ import annotations

import math
from multiprocessing import get_context
from pathlib import Path
from typing import Callable, Dict, List

import numpy as np
import pytest
import torch
from mmengine.optim import build_optim_wrapper

from projects.CLAP.clap.engine.hooks.nonfinite_loss_hook import nonfinite_gradients
from projects.CLAP.clap.errors import NonFiniteLossError
from projects.CLAP.clap.modules import BoundField
from projects.CLAP.clap.neighbours import neighbour_indices
from projects.CLAP.clap.pretrain.samplers.surface_variation import scan_variation
from projects.CLAP.clap.structures import RayBundle
from projects.CLAP.doctor.edges import edge_points
from tests.fixtures.tiny import RANGE, batch, build, street


def step(model: torch.nn.Module, data: dict, optimizer: torch.optim.Optimizer, seed: int = 0) -> dict:
    """Forward, backward, clip, update; losses and gradients must be finite."""
    model.set_step_seed(seed)
    optimizer.zero_grad()
    total, logged = model.parse_losses(model(**model.data_preprocessor(data, training=True), mode='loss'))
    total.backward()
    assert not nonfinite_gradients(model)
    torch.nn.utils.clip_grad_norm_(model.parameters(), 35)
    optimizer.step()
    assert all(torch.isfinite(p).all() for p in model.parameters())
    return logged


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_encoders_in_half_precision_rendering_in_float32(dtype: torch.dtype) -> None:
    model, data = build(), batch(1)
    seen: Dict[str, set] = dict(table=set(), mlp=set(), linear=set())
    model.render_head.sdf_field.sdf_mlp.register_forward_hook(lambda m, i, out: seen['mlp'].add(out.dtype))
    for module in model.img_backbone.modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_hook(lambda m, i, out: seen['linear'].add(out.dtype))
    decode = model.render_head.decode

    def spied(bev: torch.Tensor) -> List[BoundField]:
        fields = decode(bev)
        seen['table'] |= {field.table.dtype for field in fields}
        return fields

    model.render_head.decode = spied
    inputs = model.data_preprocessor(data, training=True)
    losses = {}
    for enabled in (False, True):
        model.set_step_seed(0)
        model.zero_grad()
        for kinds in seen.values():
            kinds.clear()
        with torch.autocast('cpu', dtype=dtype, enabled=enabled):
            out = model(**inputs, mode='loss')
        total, logged = model.parse_losses(out)
        total.backward()
        assert not nonfinite_gradients(model)
        losses[enabled] = {name: float(value) for name, value in logged.items() if name.startswith('loss')}
    assert seen['linear'] == {dtype}, 'the encoders run in half precision'
    assert seen['mlp'] == {torch.float32} and seen['table'] == {torch.float32}, 'the renderer does not'
    for name, value in losses[False].items():
        assert losses[True][name] == pytest.approx(value, rel=0.05, abs=0.01), name


def one_voxel() -> np.ndarray:
    return np.tile(np.array([[5.01, 0.01, -1.0, 0.5, 0.0]], dtype=np.float32), (2000, 1))


EXTREME: Dict[str, Callable[[], np.ndarray]] = {
    'no point': lambda: street()[:0],
    'one point': lambda: street()[:1],
    'all points in one voxel': one_voxel,
    'all points on a line': lambda: street() * np.array([1, 0, 0, 1, 1], dtype=np.float32),
    'all points on the sensor': lambda: np.zeros((500, 5), dtype=np.float32),
    'all points outside': lambda: street() + np.array([1000, 0, 0, 0, 0], dtype=np.float32),
    'points at the ends of float32': lambda: np.concatenate(
        [street(), np.full((5, 5), 3e38, dtype=np.float32), np.full((5, 5), -3e38, dtype=np.float32)]
    ),
    'denormal numbers': lambda: np.concatenate([street(), np.full((50, 5), 1e-42, dtype=np.float32)]),
}


@pytest.mark.parametrize('name', list(EXTREME))
def test_extreme_clouds(name: str) -> None:
    model = build()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    data = batch(clouds=[EXTREME[name](), street(seed=1)])
    for model.warming_up in (True, False):
        logged = step(model, data, optimizer)
        assert all(math.isfinite(float(value)) for value in logged.values())


@pytest.mark.slow
def test_a_million_points() -> None:
    model = build()
    step(model, batch(clouds=[street(num=1_000_000)]), torch.optim.AdamW(model.parameters(), lr=1e-3))


def rays_along(origins: List[List[float]], directions: List[List[float]]) -> RayBundle:
    start, along = torch.tensor(origins), torch.nn.functional.normalize(torch.tensor(directions), dim=-1)
    return RayBundle('lidar', start, along, torch.full((len(start),), 5.0), torch.arange(len(start)))


def test_rays_along_axes_in_walls_and_along_edges() -> None:
    """Divisions by zero directions, origins on faces, edges and corners, and behind the box."""
    head, low, high = build().render_head, RANGE[:3], RANGE[3:]
    axes = [[1.0, 0, 0], [-1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0], [0, 0, -1.0], [1.0, 1e-30, 0], [1e-20, 1.0, -1e-38]]
    starts = [
        [0.0, 0, 0],
        list(low),
        list(high),
        [low[0], 0, 0],
        [0, high[1], 0],
        [low[0], low[1], 0],
        [high[0] - 1e-4, 0, 0],
        [100.0, 0, 0],
    ]
    pairs = [(start, axis) for start in starts for axis in axes]
    rays = rays_along([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    field = head.decode(torch.randn(1, 16, 32, 32))[0]
    out = head.render(field, rays, torch.Generator().manual_seed(0), with_rgb=True)
    assert out.valid.any() and not out.valid.all()
    for name in ('range_m', 'rgb', 'opacity', 'sdf', 'edges'):
        assert torch.isfinite(getattr(out, name)).all(), name
    out.range_m[out.valid].sum().backward()
    assert not nonfinite_gradients(head)


def test_an_infinite_gradient_of_a_finite_loss_does_not_reach_the_weights(tmp_path: Path) -> None:
    from tests.engine.hooks.test_hooks import runner

    run = runner(tmp_path, epochs=1)
    before = {}

    class Trap(torch.autograd.Function):
        @staticmethod
        def forward(context, value: torch.Tensor) -> torch.Tensor:
            before.update({name: p.detach().clone() for name, p in run.model.named_parameters()})
            return value.clone()

        @staticmethod
        def backward(context, gradient: torch.Tensor) -> torch.Tensor:
            return gradient * float('inf')

    decode = run.model.render_head.decode
    run.model.render_head.decode = lambda bev: decode(Trap.apply(bev))
    with pytest.raises(NonFiniteLossError, match='gradient of') as caught:
        run.train()
    assert torch.load(caught.value.saved, weights_only=True)['iteration'] == 0
    assert all(torch.equal(p, before[name]) for name, p in run.model.named_parameters())


def test_gradients_are_clipped_as_the_configuration_says() -> None:
    """Plain descent with a step of 1 moves the weights by the clipped gradient, whose norm is the limit."""
    model, limit = build(), 0.5
    wrapper = build_optim_wrapper(
        model,
        dict(
            type='CheckedOptimWrapper',
            optimizer=dict(type='SGD', lr=1.0),
            clip_grad=dict(max_norm=limit, error_if_nonfinite=True),
        ),
    )
    trained = [p for p in model.parameters() if p.requires_grad]
    before = [p.detach().clone() for p in trained]
    model.set_step_seed(0)
    model.train_step(batch(1), wrapper)
    moved = torch.stack([(p.detach() - old).norm() for p, old in zip(trained, before)]).norm()
    assert float(moved) == pytest.approx(limit, rel=1e-3)


def _look_for_neighbours(use: str) -> None:
    torch.set_flush_denormal(True)
    rng = np.random.default_rng(0)
    points = rng.normal(0, 10, (4000, 3)).astype(np.float32)
    points[:2000, 1:] = rng.integers(1, 1000, (2000, 2)).astype(np.int32).view(np.float32)
    points[2000:3000] = rng.integers(1, 1000, (1000, 3)).astype(np.int32).view(np.float32)
    if use == 'helper':
        for dtype in (np.float32, np.float64):
            assert neighbour_indices(points.astype(dtype), 9).shape == (4000, 9)
    elif use == 'sampler':
        scan_variation(torch.from_numpy(points))
    else:
        edge_points(points)


@pytest.mark.parametrize('use', ['helper', 'sampler', 'doctor'])
def test_denormal_coordinates_under_flush_to_zero_do_not_kill_the_process(use: str) -> None:
    process = get_context('forkserver').Process(target=_look_for_neighbours, args=(use,))
    process.start()
    process.join(60)
    assert process.exitcode == 0


def test_there_is_one_way_to_the_k_d_tree() -> None:
    project = Path(__file__).resolve().parents[2] / 'projects'
    users = [path.name for path in project.rglob('*.py') if 'KDTree' in path.read_text()]
    assert users == ['neighbours.py'], 'other uses would meet denormals: neighbour_indices sets them to 0'
