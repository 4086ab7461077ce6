"""The encoders of a detector wait while its head learns."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from projects.CLAP.clap.engine.hooks.head_first_hook import HeadFirstHook
from projects.CLAP.clap.errors import ConfigError
from tests.fixtures.tiny_detector import tiny_detector
from tests.fixtures.tiny_run import training


def parameters_after(work_dir: Path, epochs: int, hooks: list) -> dict:
    """Of a run of one step an epoch with weight decay."""
    cfg = Config(dict(training(work_dir, tiny_detector(), epochs), custom_hooks=hooks))
    cfg.train_dataloader.dataset = dict(type='TinyLabelledFrames')
    cfg.optim_wrapper.optimizer.weight_decay = 0.5
    runner = Runner.from_cfg(cfg)
    before = copy.deepcopy(dict(runner.model.named_parameters()))
    runner.train()
    return {name: not torch.equal(value, before[name]) for name, value in runner.model.named_parameters()}


def test_the_encoders_wait(tmp_path: Path) -> None:
    moved = parameters_after(tmp_path / 'a', 2, [dict(type='HeadFirstHook', iters=2)])
    weights = {name for name, moves in moved.items() if moves and name.endswith('weight')}
    weights = {name for name in weights if not name.startswith('img_backbone.')}  # initialised when the run begins
    assert 'bbox_head.shared_conv.weight' in weights and all(name.startswith('bbox_head') for name in weights)
    moved = parameters_after(tmp_path / 'b', 3, [dict(type='HeadFirstHook', iters=2)])
    assert moved['pts_backbone.blocks.0.0.weight'] and moved['pts_middle_encoder.conv_input.0.weight']


def test_iterations_are_positive() -> None:
    with pytest.raises(ConfigError, match='positive'):
        HeadFirstHook(0)
