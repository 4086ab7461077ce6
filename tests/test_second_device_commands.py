"""The commands with their models on a device besides the CPU: from pre-training to the official metric."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Callable

import pytest
import torch

from tests.test_finetune import CONFIG, IN_PROCESS, QUICK, ROOT

PRETRAIN = str(ROOT / 'projects/CLAP/configs/clap_sim.py')
FEW = [
    'train_dataloader.batch_size=1',
    'train_dataloader.dataset.indices=1',
    'train_dataloader.num_workers=0',
    'train_dataloader.persistent_workers=False',
    'val_dataloader.dataset.indices=1',
    'val_dataloader.num_workers=0',
    'val_dataloader.persistent_workers=False',
    'test_dataloader.dataset.indices=1',
    *IN_PROCESS,
    'model.ray_sampler.num_lidar_rays=64',
    'model.ray_sampler.num_camera_rays=8',
    'default_hooks.warmup.warmup_epochs=1',
]


@pytest.mark.slow
def test_from_pre_training_to_the_official_metric(
    device: torch.device, tmp_path: Path, command: Callable[..., str]
) -> None:
    work, export = tmp_path / 'pretrain', tmp_path / 'encoders.pth'
    train = ['train', PRETRAIN, '--work-dir', str(work), '--resume', '--cfg-options', *FEW]
    command(*train, 'train_cfg.max_epochs=1')
    assert 'resumed epoch: 1' in command(*train, 'train_cfg.max_epochs=2')
    checkpoint = str(work / 'epoch_2.pth')
    printed = command('test', PRETRAIN, checkpoint, '--work-dir', str(tmp_path / 'test'), '--cfg-options', *FEW)
    assert 'render/range_median_m' in printed
    command('visualize', PRETRAIN, checkpoint, '--out', str(tmp_path / 'pictures'), '--stride', '32')
    few = ['--lidar-rays', '64', '--camera-rays', '16', '--seeds', '1']
    command('analysis_tools/sampler_enrichment', PRETRAIN, checkpoint, '--frames', '0', *few)
    command('export_weights', checkpoint, str(export))
    folder = tmp_path / 'finetune'
    command('train', CONFIG, '--work-dir', str(folder), '--cfg-options', f'load_from={export}', *QUICK)
    assert json.loads((folder / 'transfer.json').read_text())['problems'] == []
    measure = ['test', CONFIG, str(folder / 'epoch_1.pth'), '--work-dir', str(tmp_path / 'test_2')]
    printed = command(*measure, '--cfg-options', *IN_PROCESS)
    assert 'nuscenes/NDS' in json.loads(printed.strip().splitlines()[-1])


@pytest.mark.slow
def test_analyses_and_the_doctor(device: torch.device, command: Callable[..., str]) -> None:
    once = ['--repeats', '1', '--cfg-options', *FEW]

    def last(tool: str, *arguments: str) -> dict:
        return json.loads(command(tool, PRETRAIN, *arguments).splitlines()[-1])

    measured = last('analysis_tools/benchmark_pretrain', '--batch-size', '1', '--warmup', '0', *once)
    assert measured['device'] == device.type and measured['samplers']['CurvatureRaySampler']['backward'] > 0
    measured = last('analysis_tools/benchmark_rays', '--one', 'CurvatureRaySampler', '32', *once)
    assert measured['lidar_rays'] == 32
    found = last('doctor', '--json', '--cfg-options', *FEW)
    assert not found['fail'], found
    (step,) = [finding for finding in found['findings'] if finding['check'] == 'step']
    assert step['level'] == 'OK' and f' on {device.type}, ' in step['message']


@pytest.mark.slow
def test_the_scene_in_3d(device: torch.device, tmp_path: Path, command: Callable[..., str]) -> None:
    pytest.importorskip('rerun', reason='the 3-D viewer: pip install -r requirements/viewer.txt')
    work = tmp_path / 'work'
    command('train', PRETRAIN, '--work-dir', str(work), '--cfg-options', *FEW, 'train_cfg.max_epochs=1')
    scene = tmp_path / 'scene.rrd'
    command('view3d', PRETRAIN, str(work / 'epoch_1.pth'), '--out', str(scene), '--cfg-options', *FEW)
    assert scene.stat().st_size > 10000
