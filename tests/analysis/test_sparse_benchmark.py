"""Benchmarks of what lies downstream: a step, and inverse convolutions against strided ones."""

from __future__ import annotations

import pytest
import torch

from projects.CLAP.clap.analysis.benchmark import benchmark
from projects.CLAP.clap.analysis.benchmark import format_table as step_table
from projects.CLAP.clap.analysis.method_benchmark import benchmark_methods, format_methods
from projects.CLAP.clap.analysis.sparse_benchmark import benchmark_inverse, format_table
from projects.CLAP.clap.engine.config.load import load_config
from tests.fixtures.sim_dataset import tiny_dataset
from tests.fixtures.tiny_plan import CONFIGS


def test_every_stage_is_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('CLAP_DATA_ROOT', str(tiny_dataset().parent))
    cfg = load_config(str(CONFIGS.parent / 'finetune' / 'segmentor_sim.py'), [])
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False, batch_size=1)
    found = benchmark_inverse(cfg, 2, torch.device('cpu'))
    assert [one['channels'] for one in found] == [[8, 16], [16, 32], [32, 48]]
    assert all(a['rows'][1] == b['rows'][0] for a, b in zip(found, found[1:]))
    assert all(one['strided_s'] > 0 and one['ratio'] > 0 for one in found)
    assert format_table(found).count('->') == 6


def test_the_step_of_a_model_downstream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('CLAP_DATA_ROOT', str(tiny_dataset().parent))
    cfg = load_config(str(CONFIGS.parent / 'finetune' / 'segmentor_sim.py'), [])
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
    result = benchmark(cfg, ['UniformRaySampler'], 1, 0, torch.device('cpu'), batch_size=1)
    assert list(result['samplers']) == ['CLAPSegmentor'] and result['components'] == ['load', 'backward', 'step']
    assert 'CLAPSegmentor' in step_table(result)


def test_steps_of_several_configurations_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('CLAP_DATA_ROOT', str(tiny_dataset().parent))
    one_core = ['train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False']
    small = [*one_core, 'train_dataloader.batch_size=1']
    names, folder = ('segmentor_sim', 'centerpoint_sim'), CONFIGS.parent / 'finetune'
    cfgs = {name: load_config(str(folder / f'{name}.py'), small) for name in names}
    found = benchmark_methods(cfgs, 1, 0, torch.device('cpu'))
    assert [one['model'] for one in found] == ['CLAPSegmentor', 'CLAPCenterPoint']
    assert found[0]['ratio'] == 1.0 and all(one['step_s'] > 0 for one in found)
    assert 'centerpoint_sim' in format_methods([dict(one, peak_gib=1.0) for one in found])
