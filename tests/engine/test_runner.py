"""Dumps go to the log file alone; what matters stays on the terminal."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel

from projects.CLAP.clap.engine.runner import QuietRunner


class Nothing(BaseModel):
    """A model without input."""

    def forward(self, *args, **kwargs) -> torch.Tensor:
        return torch.zeros(())


def test_the_terminal_shows_what_matters(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    config = Config(dict(default_scope='mmdet3d', marker='found in the configuration'))
    runner = QuietRunner(Nothing(), str(tmp_path), cfg=config, experiment_name=tmp_path.name, default_scope='mmdet3d')
    runner.logger.info('a first line')
    runner.logger.warning('Config:\nand a warning')
    terminal, log = capsys.readouterr().out, Path(runner.logger._log_file).read_text()
    for dump in ('System environment:', 'found in the configuration', 'Hooks will be executed'):
        assert dump in log and dump not in terminal
    for line in ('a first line', 'and a warning'):
        assert line in log and line in terminal
    assert str(runner.logger._log_file) in terminal and len(terminal.splitlines()) < 8


def test_none_leaves_out_a_hook_of_any_name(tmp_path: Path) -> None:
    hooks = dict(timer=None, step_seed=dict(type='StepSeedHook'), pictures=None)
    runner = QuietRunner(
        Nothing(), str(tmp_path), default_hooks=hooks, experiment_name=tmp_path.name, default_scope='mmdet3d'
    )
    names = {type(hook).__name__ for hook in runner.hooks}
    assert {'StepSeedHook', 'LoggerHook'} <= names and not {'IterTimerHook', 'PretrainVisualizationHook'} & names


@pytest.mark.parametrize('options,seconds', [(dict(num_workers=1), 600), (dict(num_workers=1, timeout=9), 9), ({}, 0)])
def test_a_loader_with_workers_has_a_time_out(options: dict, seconds: int) -> None:
    loader = dict(dataset=[1, 2], sampler=torch.utils.data.SequentialSampler([1, 2]), batch_size=1, **options)
    assert QuietRunner.build_dataloader(loader).timeout == seconds
    assert QuietRunner.build_dataloader(dict(loader, num_workers=0, timeout=9)).timeout == 0
