"""The way of a user: pre-trained checkpoint, export, fine-tuning on a share of the labels, official metric."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmdet3d.registry import MODELS

from projects.CLAP.clap.utils.launch import load_config
from tests.fixtures.sim_dataset import tiny_dataset

ROOT = Path(__file__).resolve().parents[1]
CONFIG = 'projects/CLAP/configs/finetune/bevfusion_sim_5pct.py'
QUICK = ['train_dataloader.batch_size=1', 'train_dataloader.dataset.indices=1', 'train_dataloader.num_workers=0',
         'train_dataloader.persistent_workers=False', 'val_dataloader.num_workers=0',
         'val_dataloader.persistent_workers=False', 'train_cfg.max_epochs=1', 'default_hooks.checkpoint.interval=1',
         'train_dataloader.dataset.keep_length=False']


def command(*arguments: str, ok: bool = True) -> subprocess.CompletedProcess:
    env = {**os.environ, 'CLAP_DATA_ROOT': str(tiny_dataset().parent), 'OMP_WAIT_POLICY': 'PASSIVE'}
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)
    assert (done.returncode == 0) == ok, done.stdout[-3000:] + done.stderr[-3000:]
    return done


@pytest.fixture(scope='module')
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of the quick start's model."""
    path = tmp_path_factory.mktemp('pretrained') / 'epoch_6.pth'
    torch.manual_seed(5)
    model = MODELS.build(load_config('projects/CLAP/configs/clap_sim.py').model)
    torch.save(dict(state_dict=model.state_dict(), meta=dict(epoch=6)), path)
    return path


def test_pretraining_to_official_metric(pretrained: Path, tmp_path: Path) -> None:
    exported, work = tmp_path / 'export.pth', tmp_path / 'run'
    done = command('tools/export_weights.py', str(pretrained), str(exported))
    summary = json.loads(done.stdout.strip().splitlines()[-1])
    assert summary['entries']['view_transform'] == 55 and summary['absent'] == []
    trained = command('tools/train.py', CONFIG, '--work-dir', str(work), '--cfg-options', f'load_from={exported}',
                      *QUICK, 'train_cfg.val_interval=9')
    log = trained.stdout + trained.stderr
    assert '* pts_middle_encoder' in log and 'loss_heatmap' in log and 'no box of' in log
    record = json.loads((work / 'transfer.json').read_text())
    assert record['problems'] == []
    assert all(record['modules'][name]['share'] == 1.0 for name in record['asked'])
    tested = command('tools/test.py', CONFIG, str(work / 'epoch_1.pth'), '--work-dir', str(work), '--cfg-options',
                     'test_dataloader.num_workers=0', 'test_dataloader.persistent_workers=False')
    metrics = json.loads(tested.stdout.strip().splitlines()[-1])
    assert {'nuscenes/mAP', 'nuscenes/NDS', 'nuscenes/AP/car', 'nuscenes/AP/traffic_cone'} <= set(metrics)
    assert all(0 <= metrics[name] <= 1 for name in ('nuscenes/mAP', 'nuscenes/NDS'))


def test_a_pretrained_checkpoint_is_no_detector(pretrained: Path, tmp_path: Path) -> None:
    done = command('tools/test.py', CONFIG, str(pretrained), '--work-dir', str(tmp_path), ok=False)
    assert 'is no checkpoint of the model' in done.stderr and 'Traceback' not in done.stderr
    assert 'bbox_head' in done.stderr
