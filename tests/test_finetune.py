"""The way of a user: pre-trained checkpoint, export, fine-tuning on a share of the labels, official metric."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Callable

import pytest
import torch
from mmdet3d.registry import MODELS

from projects.CLAP.clap.engine.config.load import load_config
from projects.CLAP.clap.errors import CheckpointError

ROOT = Path(__file__).resolve().parents[1]
CONFIG = str(ROOT / 'projects/CLAP/configs/finetune/bevfusion_sim_5pct.py')
QUICK = [
    'train_dataloader.batch_size=1',
    'train_dataloader.dataset.indices=1',
    'train_dataloader.num_workers=0',
    'train_dataloader.dataset.keep_length=False',
    'train_dataloader.persistent_workers=False',
    'train_cfg.max_epochs=1',
    'train_cfg.val_interval=9',
    'default_hooks.checkpoint.interval=1',
]
IN_PROCESS = ['test_dataloader.num_workers=0', 'test_dataloader.persistent_workers=False']


@pytest.mark.parametrize('percent', [5.0, 2.5, 1.0, 0.5])
@pytest.mark.parametrize('data', ['nus', 'sim', 'pandaset'])
def test_a_share_is_what_its_name_says(data: str, percent: float) -> None:
    """Every n-th frame, as often per epoch as gives the iterations of all labels."""
    name = f'bevfusion_{data}_{percent:g}pct'.replace('.', 'p')
    cfg = load_config(str(ROOT / f'projects/CLAP/configs/finetune/{name}.py'))
    full = load_config(str(ROOT / f'projects/CLAP/configs/finetune/bevfusion_{data}_100pct.py'))
    dataset, every = cfg.train_dataloader.dataset, round(100 / percent)
    assert (dataset.pop('load_interval'), dataset.keep_length) == (every, True)
    assert cfg.train_dataloader == full.train_dataloader and cfg.train_cfg == full.train_cfg, 'labels alone differ'
    assert cfg.model == full.model and cfg.optim_wrapper == full.optim_wrapper
    lost = cfg.default_hooks.checkpoint.interval / cfg.train_cfg.max_epochs  # by a kill
    assert lost <= 0.1 or cfg.default_hooks.checkpoint.interval == 1


@pytest.fixture(scope='module')
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of the quick start's model."""
    path = tmp_path_factory.mktemp('pretrained') / 'epoch_6.pth'
    torch.manual_seed(5)
    model = MODELS.build(load_config(str(ROOT / 'projects/CLAP/configs/clap_sim.py')).model)
    torch.save(dict(state_dict=model.state_dict(), meta=dict(epoch=6)), path)
    return path


def test_pretraining_to_official_metric(pretrained: Path, tmp_path: Path, command: Callable[..., str]) -> None:
    exported, work = tmp_path / 'export.pth', tmp_path / 'run'
    summary = json.loads(command('export_weights', str(pretrained), str(exported)).strip().splitlines()[-1])
    assert summary['entries']['view_transform'] == 55 and summary['absent'] == []
    printed = command('train', CONFIG, '--work-dir', str(work), '--cfg-options', f'load_from={exported}', *QUICK)
    log = next(work.glob('*/*.log')).read_text()
    for alarm in ('missing keys in source state_dict', 'No pre-trained weights for SwinTransformer'):
        assert alarm in log and alarm not in printed
    assert '* pts_middle_encoder' in printed
    assert '* pts_middle_encoder' in log and 'loss_heatmap' in log and 'Epoch(train) [1][1/1]' in log
    record = json.loads((work / 'transfer.json').read_text())
    assert record['problems'] == []
    assert all(record['modules'][name]['share'] == 1.0 for name in record['asked'])
    printed = command(
        'test', CONFIG, str(work / 'epoch_1.pth'), '--work-dir', str(tmp_path / 'test'), '--cfg-options', *IN_PROCESS
    )
    metrics = json.loads(printed.strip().splitlines()[-1])
    assert {'nuscenes/mAP', 'nuscenes/NDS', 'nuscenes/AP/car', 'nuscenes/AP/traffic_cone'} <= set(metrics)
    assert all(0 <= metrics[name] <= 1 for name in ('nuscenes/mAP', 'nuscenes/NDS'))


def test_a_pretrained_checkpoint_is_no_detector(pretrained: Path, tmp_path: Path, command: Callable[..., str]) -> None:
    with pytest.raises(CheckpointError, match=r'(?s)is no checkpoint of the model.*! bbox_head +96 +0 +96'):
        command('test', CONFIG, str(pretrained), '--work-dir', str(tmp_path), '--cfg-options', *IN_PROCESS)
