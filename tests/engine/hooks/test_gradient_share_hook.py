from __future__ import annotations

import json
from pathlib import Path
from typing import Dict, Optional

import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.runner import Runner

import tests.fixtures.toy_method  # noqa: F401  # registers it
from projects.CLAP.clap.engine.checkpoint.read import allow_mmengine_checkpoints
from projects.CLAP.clap.engine.hooks import GradientShareHook
from projects.CLAP.clap.engine.hooks.gradient_share_hook import gradient_shares
from projects.CLAP.clap.engine.runner import QuietRunner
from projects.CLAP.clap.errors import ConfigError
from projects.CLAP.clap.structures import EncoderOutput
from tests.fixtures.tiny import batch, build, losses_of, tiny_model
from tests.fixtures.tiny_run import training


def runner(work_dir: Path, epochs: int, interval: Optional[int], resume: bool = False) -> Runner:
    """Two steps an epoch, every one logged."""
    allow_mmengine_checkpoints()
    hooks = [dict(type='GradientShareHook', interval=interval)] if interval else []
    return QuietRunner.from_cfg(
        Config(
            dict(
                training(work_dir, tiny_model(), epochs),
                resume=resume,
                default_hooks=dict(
                    checkpoint=dict(type='CheckpointHook', interval=1), logger=dict(type='LoggerHook', interval=1)
                ),
                custom_hooks=[dict(type='StepSeedHook'), *hooks],
                vis_backends=[dict(type='LocalVisBackend')],
                visualizer=dict(type='Visualizer', name=work_dir.name, vis_backends=[dict(type='LocalVisBackend')]),
                experiment_name=f'{work_dir.name}{resume}',
            )
        )
    )


def shares_of(model: torch.nn.Module, data: Optional[dict] = None) -> Dict[str, float]:
    found: Dict[str, float] = {}
    model.on_losses = lambda losses, encoded: found.update(gradient_shares(losses, encoded))
    losses_of(model, data or batch())
    return found


def test_a_measured_run_ends_with_the_weights_of_one_that_is_not(tmp_path: Path) -> None:
    plain = runner(tmp_path / 'plain', 2, None)
    plain.train()
    runner(tmp_path / 'measured', 1, 3).train()
    measured = runner(tmp_path / 'measured', 2, 3, resume=True)
    measured.train()
    for (name, a), b in zip(plain.model.state_dict().items(), measured.model.state_dict().values()):
        assert torch.equal(a, b), name
    assert measured.model.on_losses is None and not measured.model._encoded
    lines = [
        json.loads(line)
        for path in sorted((tmp_path / 'measured').glob('*/vis_data/scalars.json'))
        for line in path.read_text().splitlines()
    ]
    shares = [line['grad_share_range_lidar'] for line in lines]
    assert len(shares) == 4 and shares[0] == shares[1] == shares[2] != shares[3], 'the log repeats the last one'
    assert not [name for name in lines[0] if 'share' in name and 'loss' in name]


def test_shares_of_a_map_add_up_to_one() -> None:
    found = shares_of(build())
    for place in ('lidar', 'camera', 'fused'):
        assert sum(v for k, v in found.items() if k.endswith(f'_{place}')) == pytest.approx(1.0)
    assert found['grad_share_swav_camera'] > 0 and 'grad_share_swav_fused' not in found, 'the head reads two maps'
    assert not [name for name in found if 'gram' in name], 'Eq. 17 reaches no map'


def test_a_share_is_that_of_the_whole_backward_pass() -> None:
    """The gradient at the map, term by term, by hooks of one backward pass each."""
    model, norms = build(), {}
    names = [name for name in losses_of(model, batch()) if 'loss' in name]
    encode = model.encode

    def watched(*args, **kwargs):
        encoded = encode(*args, **kwargs)
        encoded.camera_bev.register_hook(lambda gradient: seen.append(gradient.norm()))
        return encoded

    for name in names:
        seen: list = []
        model.encode = watched
        loss = losses_of(model, batch())[name]
        loss.backward()
        norms[name.replace('loss_', '')] = float(sum(seen))
    model.encode = encode
    found, total = shares_of(model), sum(norms.values())
    for name, norm in norms.items():
        assert found.get(f'grad_share_{name}_camera', 0.0) == pytest.approx(norm / total, rel=1e-4), name


def test_any_method_has_figures_for_the_maps_that_it_reads() -> None:
    config = tiny_model()
    for key in ('render_head', 'ray_sampler', 'prototype_head'):
        config.pop(key)
    torch.manual_seed(0)
    toy = MODELS.build({**config, 'type': 'HeightPretrainer', 'channels': 16}).train()
    assert shares_of(toy) == {f'grad_share_height_{place}': 1.0 for place in ('lidar', 'camera', 'fused')}
    lidar = build(img_backbone=None, img_neck=None, view_transform=None, fusion_layer=None, prototype_head=None)
    assert {name.rsplit('_', 1)[1] for name in shares_of(lidar)} == {'lidar', 'fused'}


def test_a_loss_that_reaches_no_map_has_no_figure() -> None:
    assert gradient_shares(dict(loss_free=torch.ones(1, requires_grad=True), figure=torch.ones(1)), []) == {}


def test_nothing_is_logged_of_a_gradient_that_is_not_finite() -> None:
    bev = torch.ones(1, 2, 3, 3, requires_grad=True)
    encoded = EncoderOutput(bev, None, 2 * bev)
    terms = dict(loss_a=encoded.fused_bev.sum(), loss_b=bev.sum())
    assert gradient_shares(terms, [encoded]) == dict(
        grad_share_a_lidar=pytest.approx(2 / 3), grad_share_a_fused=1.0, grad_share_b_lidar=pytest.approx(1 / 3)
    )
    assert gradient_shares({**terms, 'loss_b': bev.sum() * float('nan')}, [encoded]) == {}


def test_autocast_measures_the_same() -> None:
    whole = shares_of(build())
    with torch.autocast('cpu', dtype=torch.bfloat16):
        half = shares_of(build())
    assert set(half) == set(whole)
    assert half['grad_share_swav_lidar'] == pytest.approx(whole['grad_share_swav_lidar'], rel=0.3)


def test_a_wrong_interval_is_refused() -> None:
    with pytest.raises(ConfigError, match='interval must be at least 1, got 0'):
        GradientShareHook(0)
