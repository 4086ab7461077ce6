"""Benchmarks of what lies downstream: a step, and inverse convolutions against strided ones."""

from __future__ import annotations

import pytest
import torch

from projects.CLAP.clap.analysis.benchmark import benchmark
from projects.CLAP.clap.analysis.benchmark import format_table as step_table
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
