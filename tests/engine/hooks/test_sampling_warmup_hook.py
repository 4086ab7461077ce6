"""The warm-up ends when curvature has come to mean something, and at the same step after a resume."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Optional

import numpy as np
import pytest
import torch
from mmengine.config import Config

from projects.CLAP.clap.engine.checkpoint.read import allow_mmengine_checkpoints
from projects.CLAP.clap.engine.hooks import SamplingWarmupHook
from projects.CLAP.clap.engine.runner import QuietRunner
from projects.CLAP.clap.errors import ConfigError
from projects.CLAP.clap.pretrain.samplers import CurvatureRaySampler
from projects.CLAP.clap.pretrain.samplers.surface_variation import scan_variation
from projects.CLAP.clap.report.gather import gather, marks_of
from tests.fixtures import tiny_run
from tests.fixtures.tiny import batch, street, tiny_model

UNIFORM, CURVATURE = 'UniformRaySampler', 'CurvatureRaySampler'
NO_CAMERAS = dict.fromkeys(('img_backbone', 'img_neck', 'view_transform', 'fusion_layer', 'prototype_head'))
Field = Callable[[int], float]


@pytest.fixture(autouse=True)
def rough_street(monkeypatch: pytest.MonkeyPatch) -> None:
    """A street without exact planes, whose points have no order of roughness."""
    cloud = street()
    cloud[:, :3] += np.random.default_rng(0).normal(0, 0.02, (len(cloud), 3))
    monkeypatch.setattr(tiny_run, 'batch', lambda size: batch(clouds=[cloud]))


class Killed(Exception):
    """Stands for the end of the process."""


def runner(folder: Path, resume: bool = False, epochs: int = 5, model: Optional[dict] = None, **warmup) -> QuietRunner:
    """Two steps an epoch, a checkpoint after each step."""
    allow_mmengine_checkpoints()
    cfg = Config(
        dict(
            tiny_run.training(folder, model or tiny_model(**NO_CAMERAS), epochs),
            resume=resume,
            default_hooks=dict(
                checkpoint=dict(type='AtomicCheckpointHook', interval=1, by_epoch=False),
                logger=dict(type='LoggerHook', interval=1),
                step_seed=dict(type='StepSeedHook'),
                warmup=dict(dict(type='SamplingWarmupHook', warmup_epochs=1, interval=1), **warmup),
                run_record=dict(type='RunRecordHook'),
            ),
            experiment_name=f'{folder.name}{resume}',
        )
    )
    cfg.train_cfg.type = 'ResumableEpochLoop'
    cfg.train_dataloader.sampler.type = 'SeededSampler'
    return QuietRunner.from_cfg(cfg)


def train(run: QuietRunner, quality: Field, monkeypatch: pytest.MonkeyPatch, kill_at: int = -1) -> list:
    """Run it with a field whose curvature follows the scan, less noise, by ``quality`` of the step; the samplers."""
    used, sample = [], run.model.sample_rays

    def spied(*args: object) -> object:
        if run.iter == kill_at:
            raise Killed
        used.append(type(run.model.active_sampler).__name__)
        return sample(*args)

    def weights(self: object, field: object, sweep: object, candidates: torch.Tensor) -> torch.Tensor:
        points = sweep.points[candidates]
        noise = torch.rand(len(points), generator=torch.Generator().manual_seed(run.iter))
        rank = scan_variation(points).argsort().argsort() / len(points)
        return 1.5 + quality(run.iter) * rank + (1 - abs(quality(run.iter))) * noise

    run.model.sample_rays = spied
    monkeypatch.setattr(CurvatureRaySampler, 'point_weights', weights)
    run.train()
    return used


def said(folder: Path) -> str:
    return '\n'.join(path.read_text() for path in sorted(folder.glob('*/*.log')))


def test_it_ends_where_five_measurements_pass_and_goes_on_bit_for_bit_if_killed(tmp_path: Path, monkeypatch) -> None:
    rising = lambda step: 0.9 if 3 <= step < 8 else -0.9  # five good ones from the fourth step on, bad ones later
    arguments = dict(until_rank_correlation=0.4)
    whole = runner(tmp_path / 'whole', **arguments)
    used = train(whole, rising, monkeypatch)
    assert used == [UNIFORM] * 7 + [CURVATURE] * 3, 'four of five good ones pass; bad ones later do not undo it'
    run = gather(tmp_path / 'whole')
    assert marks_of(run) == [(8, 'rays are drawn by CurvatureRaySampler, and become harder')]
    assert [value for _, value in run.train['curvature_sampling']] == [0.0] * 7 + [1.0] * 3
    assert all(abs(value) > 0.9 for _, value in run.train['curvature_rank_correlation'])
    assert f'ray sampling from epoch 4: {CURVATURE}' in said(tmp_path / 'whole')

    for kill_at in (6, 7, 8):  # before, at and after the first step of the main phase
        with pytest.raises(Killed):
            train(runner(tmp_path / 'killed', resume=kill_at > 6, **arguments), rising, monkeypatch, kill_at)
    resumed = runner(tmp_path / 'killed', resume=True, **arguments)
    assert train(resumed, rising, monkeypatch) == used[8:]
    for (name, a), b in zip(whole.model.state_dict().items(), resumed.model.state_dict().values()):
        assert torch.equal(a, b), name
    killed = gather(tmp_path / 'killed')
    assert killed.train['curvature_sampling'] == run.train['curvature_sampling']
    assert marks_of(killed) == marks_of(run)


def test_a_field_that_is_worse_than_chance_never_draws(tmp_path: Path, monkeypatch) -> None:
    run = runner(tmp_path, until_rank_correlation=0.4, epochs=3)
    assert train(run, lambda step: -0.2, monkeypatch) == [UNIFORM] * 6
    assert 'all rays of this run were drawn by UniformRaySampler: rank correlation -0.2' in said(tmp_path)
    assert not marks_of(gather(tmp_path))


def test_the_epochs_are_the_least(tmp_path: Path, monkeypatch) -> None:
    run = runner(tmp_path, until_rank_correlation=0.4, warmup_epochs=3, epochs=4)
    assert train(run, lambda step: 0.9, monkeypatch) == [UNIFORM] * 6 + [CURVATURE] * 2


def test_measuring_changes_nothing_but_the_log(tmp_path: Path) -> None:
    """With a real field: the same weights and losses whether every step is measured or only the first is."""
    runs = []
    for interval in (1, 1000):
        runs.append(runner(tmp_path / str(interval), epochs=2, interval=interval))
        runs[-1].train()
    for (name, a), b in zip(runs[0].model.state_dict().items(), runs[1].model.state_dict().values()):
        assert torch.equal(a, b), name
    curves = [gather(tmp_path / str(n)).train for n in (1, 1000)]
    assert curves[0]['loss'] == curves[1]['loss']
    measured = [value for _, value in curves[0]['curvature_rank_correlation']]
    assert len(set(measured)) == 4 and all(-1 <= value <= 1 for value in measured)


def test_bad_options_are_named_before_training(tmp_path: Path) -> None:
    for options, message in (
        (dict(until_rank_correlation=40), 'until_rank_correlation must be None or between 0 and 1, got 40'),
        (dict(until_rank_correlation='0.4'), "until_rank_correlation must be None or between 0 and 1, got '0.4'"),
        (dict(interval=0), 'interval must be a whole number of steps of at least 1, got 0'),
    ):
        with pytest.raises(ConfigError, match=message):
            SamplingWarmupHook(**options)
    model = tiny_model(**NO_CAMERAS, ray_sampler=dict(type=UNIFORM, num_lidar_rays=64))
    run = runner(tmp_path, model=model, until_rank_correlation=0.4)
    with pytest.raises(ConfigError, match='needs a sampler with curvature weights, got UniformRaySampler'):
        run.train()
    assert run.iter == 0
