"""Whole steps on a device besides the CPU (a stand-in, and the GPU where there is one): nothing of it stays behind."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Iterable

import pytest
import torch

from tests.fixtures.second_device import DEVICE, StandIn
from tests.fixtures.tiny import batch, build
from tests.fixtures.tiny_detector import build_detector, labelled_batch
from tests.fixtures.tiny_run import tiny_runner

SAMPLERS = ('CurvatureRaySampler', 'DepthRaySampler', 'SurfaceVariationRaySampler', 'UniformRaySampler')
HOOKS = [
    dict(type='StepSeedHook'),
    dict(type='SamplingWarmupHook', warmup_epochs=1),
    dict(type='NonFiniteLossHook'),
    dict(type='UnmaskedNormHook', num_frames=2, interval=1),
    dict(type='RunRecordHook'),
    dict(type='PretrainVisualizationHook', interval=2),
]


def lies_on(device: torch.device, tensors: Iterable[torch.Tensor]) -> bool:
    return all(t.device == device and (isinstance(t, StandIn) or device != DEVICE) for t in tensors)


def closeness(device: torch.device) -> dict:
    """The stand-in computes as the CPU does; a GPU sums in another order."""
    return {} if device == DEVICE else dict(rtol=1e-4, atol=1e-4)


def step(model: torch.nn.Module, data: dict) -> dict:
    """Losses, gradients and an optimiser step; everything lies on the device afterwards."""
    optim = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    total, logs = model.parse_losses(model(**model.data_preprocessor(data, training=True), mode='loss'))
    total.backward()
    trained = [p for p in model.parameters() if p.requires_grad]
    device = trained[0].device
    assert device.type != 'cpu' and lies_on(device, (p.grad for p in trained))
    assert all(bool(p.grad.isfinite().all()) for p in trained)
    optim.step()
    assert lies_on(device, logs.values()), 'the mean over ranks stacks them'
    return logs


def test_the_device_refuses_what_a_gpu_refuses(device: torch.device) -> None:
    stand_in, there, here = device == DEVICE, torch.ones(3, device=device), torch.arange(3.0)
    assert (there + 1).device == device and (there.cpu() + here).tolist() == [1.0, 2.0, 3.0]
    assert there[here.long()].device == device and float(there.new_tensor([2.0, 3.0]).sum()) == 5.0
    assert (there + torch.tensor(1.0)).tolist() == [2.0, 2.0, 2.0]
    refused: dict = {
        'add.Tensor': lambda: there + here,
        'index.Tensor': lambda: here[there.long()],
        'index_put': lambda: there.index_put_((here.long(),), here),
        'stack': lambda: torch.stack([there.sum(), here.sum()]),
        'cat': lambda: torch.cat([there, here]),
        'add_': lambda: here.sum().add_(there.sum()),
    }
    for name, operation in refused.items():
        with pytest.raises(RuntimeError, match=f'{name}.*expected all tensors on one device' if stand_in else 'device'):
            operation()
    with pytest.raises(TypeError, match='to numpy'):
        there.numpy()
    with pytest.raises(RuntimeError, match='generator lies on the other device' if stand_in else 'generator'):
        torch.rand(3, device=device, generator=torch.Generator())
    assert torch.rand(3, device=device, generator=torch.Generator(device)).device == device
    leaf = torch.nn.Parameter(there)
    (leaf * 2).sum().backward()
    assert leaf.grad.tolist() == [2.0, 2.0, 2.0] and leaf.grad.device == device


def test_the_detector_trains_and_predicts_there(device: torch.device) -> None:
    model, data = build_detector(), labelled_batch()
    raw = copy.deepcopy(model).eval()(**model.data_preprocessor(copy.deepcopy(data)), mode='tensor')
    model.to(device)
    there = model.eval()(**model.data_preprocessor(copy.deepcopy(data)), mode='tensor')
    assert there['dense_heatmap'].device == device
    torch.testing.assert_close(there['dense_heatmap'].cpu(), raw['dense_heatmap'], **closeness(device))
    logs = step(model.train(), copy.deepcopy(data))
    assert logs['loss'].item() > 0
    for sample in model.eval()(**model.data_preprocessor(data), mode='predict'):
        assert sample.pred_instances_3d.bboxes_3d.tensor.device == device


@pytest.mark.parametrize('sampler', SAMPLERS)
def test_the_pre_trainer_trains_there_with_every_sampler(device: torch.device, sampler: str) -> None:
    model = build(ray_sampler=dict(type=sampler, num_lidar_rays=64, num_camera_rays=16)).eval()
    data = model.data_preprocessor(batch(), training=False)
    here = model.encode_masked(data['inputs'], [sample.metainfo for sample in data['data_samples']]).fused_bev.detach()
    model.to(device)
    data = model.data_preprocessor(batch(), training=False)
    metas = [sample.metainfo for sample in data['data_samples']]
    there = model.eval().encode_masked(data['inputs'], metas).fused_bev
    torch.testing.assert_close(there.cpu(), here, **closeness(device))
    model.train()
    for warming_up in (True, False):
        model.warming_up = warming_up
        model.set_step_seed(1)
        model.zero_grad()
        logs = step(model, batch())
        assert {'loss_range', 'loss_rgb', 'loss_swav'} <= set(logs)


def test_a_run_with_its_hooks_goes_on_there(device: torch.device, tmp_path: Path) -> None:
    """Training, evaluation, pictures, checkpoints, and the run that goes on from one of them."""
    checkpoint = dict(checkpoint=dict(type='AtomicCheckpointHook', interval=1))
    # A folder name of its own: MMEngine keeps visualizers by name for the whole process.
    tiny_runner(tmp_path / 'elsewhere', HOOKS, epochs=1, default_hooks=checkpoint).train()
    again = tiny_runner(tmp_path / 'elsewhere', HOOKS, epochs=2, default_hooks=checkpoint, resume=True)
    again.train()
    log = sorted(tmp_path.glob('elsewhere/*/*.log'))[-1].read_text()
    assert 'resumed epoch: 1, iter: 2' in log and again.iter == 4 and (tmp_path / 'elsewhere' / 'epoch_2.pth').is_file()
    assert 'no pictures' not in log and list(tmp_path.glob('elsewhere/**/*.png'))
    assert lies_on(device, again.model.parameters())
