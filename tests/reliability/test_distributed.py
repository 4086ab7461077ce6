"""Two and four gloo processes under torchrun against one, and the launch scripts as a user runs them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Callable, List

import pytest
import torch

from tests.fixtures.ddp_step import CASES
from tests.fixtures.driving_frames import write_dataset
from tests.fixtures.long_run import config

ROOT = Path(__file__).resolve().parents[2]
#: Of the largest gradient entry of each parameter (float32 sums in another order), with a floor for tiny ones.
TOLERANCE = 5e-5
FLOOR = 1e-6


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def environment(**extra: str) -> dict:
    return {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT), 'PORT': str(free_port()), **extra}


def torchrun(world_size: int, folder: Path) -> List[dict]:
    command = [
        sys.executable,
        '-m',
        'torch.distributed.run',
        f'--nproc_per_node={world_size}',
        f'--master_port={free_port()}',
        '-m',
        'tests.fixtures.ddp_step',
        str(folder),
    ]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-4000:]
    return [torch.load(folder / f'{world_size}_{rank}.pt', weights_only=True) for rank in range(world_size)]


@pytest.fixture(scope='module')
def results(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], List[dict]]:
    folder, known = tmp_path_factory.mktemp('ddp'), {}

    def of(world_size: int) -> List[dict]:
        if world_size not in known:
            known[world_size] = torchrun(world_size, folder)
        return known[world_size]

    return of


@pytest.mark.timeout(1800)
@pytest.mark.parametrize('case', list(CASES))
@pytest.mark.parametrize('world_size', [2, pytest.param(4, marks=pytest.mark.slow)])
def test_ranks_together_equal_one_process(results: Callable, world_size: int, case: str) -> None:
    one = results(1)[0][case]
    for rank, result in enumerate(results(world_size)):
        many = result[case]
        assert not many['missing'], 'every parameter needs a gradient on every rank'
        for name, value in one['losses'].items():
            if name.startswith('loss'):
                assert many['losses'][name] == pytest.approx(value, rel=1e-5, abs=1e-7), (rank, name)
        assert many['shares'] == pytest.approx(one['shares'], rel=1e-3, abs=1e-9), 'of all ranks together'
        readiness = many['losses']['curvature_rank_correlation']
        assert readiness == results(world_size)[0][case]['losses']['curvature_rank_correlation'], 'ranks must agree'
        assert readiness == pytest.approx(one['losses']['curvature_rank_correlation'], abs=1e-3)
        for name, gradient in one['gradients'].items():
            limit = TOLERANCE * float(gradient.abs().max()) + FLOOR
            assert float((many['gradients'][name] - gradient).abs().max()) <= limit, (rank, name)
        for index, rays in enumerate(many['drawn']):
            assert torch.equal(rays, one['drawn'][rank + index * world_size]), 'a sample gets other rays'


def test_no_two_samples_draw_the_same(results: Callable) -> None:
    for case in ('warm-up', 'curvature'):
        drawn = [rays.tolist() for result in results(2) for rays in result[case]['drawn']]
        assert all(drawn[a] != drawn[b] for a in range(4) for b in range(a)), case


def small_config(folder: Path) -> Path:
    """A configuration file for the commands: the tiny model on frames in ``folder``."""
    write_dataset(folder, 4)
    cfg = config(folder, folder / 'work', epochs=2)
    cfg.custom_imports = dict(imports=['projects.CLAP.clap', 'tests.fixtures.long_run'], allow_failed_imports=False)
    cfg.env_cfg = dict(dist_cfg=dict(backend='gloo'))
    cfg.train_dataloader.update(batch_size=1, num_workers=0, persistent_workers=False)
    cfg.val_dataloader = cfg.test_dataloader = dict(
        dataset=cfg.train_dataloader.dataset,
        batch_size=1,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        collate_fn=dict(type='pseudo_collate'),
    )
    cfg.val_cfg, cfg.test_cfg = dict(type='ValLoop'), dict(type='TestLoop')
    cfg.val_evaluator = cfg.test_evaluator = dict(type='RenderMetric')
    cfg.custom_hooks = [hook for hook in cfg.custom_hooks if hook['type'] != 'LossCurve']
    cfg.dump(str(folder / 'cfg.py'))
    return folder / 'cfg.py'


def run_script(*command: str, **extra: str) -> str:
    done = subprocess.run(
        ['bash', *command], cwd=ROOT, env=environment(**extra), capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_dist_train_and_dist_test_run_with_two_processes(tmp_path: Path) -> None:
    cfg = str(small_config(tmp_path))
    log = run_script('tools/dist_train.sh', cfg, '2', '--work-dir', str(tmp_path / 'work'))
    assert 'Epoch(train) [2][2/2]' in log and 'UniformRaySampler' in log and 'CurvatureRaySampler' in log
    assert (tmp_path / 'work' / 'epoch_2.pth').is_file()
    log = run_script(
        'tools/dist_test.sh', cfg, str(tmp_path / 'work' / 'epoch_2.pth'), '2', '--work-dir', str(tmp_path / 'work')
    )
    assert 'range_median_m' in log


def test_the_slurm_script_asks_srun_for_what_it_was_told(tmp_path: Path) -> None:
    """No cluster here: a stand-in for srun records its arguments and runs nothing else."""
    srun = tmp_path / 'srun'
    srun.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    srun.chmod(0o755)
    log = run_script(
        'tools/slurm_train.sh',
        'part',
        'job',
        'a.py',
        '16',
        '--resume',
        PATH=f'{tmp_path}:{os.environ["PATH"]}',
        GPUS_PER_NODE='8',
        SRUN_ARGS='--time=2-0',
    )
    lines = log.splitlines()
    for wanted in (
        '--partition=part',
        '--job-name=job',
        '--ntasks=16',
        '--ntasks-per-node=8',
        '--gres=gpu:8',
        '--kill-on-bad-exit=1',
        '--time=2-0',
        'a.py',
        '--launcher',
        'slurm',
        '--resume',
    ):
        assert wanted in lines, log
