"""A method is one file: training, resume, report, pictures, benchmark and export need nothing but its declarations."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from tests.fixtures.command_run import IMPORTS, pretraining
from tests.fixtures.driving_frames import write_dataset
from tests.fixtures.tiny import tiny_model

ROOT = Path(__file__).resolve().parents[1]
CLAP = ROOT / 'projects' / 'CLAP'
#: Parts of one method; what carries all methods must not know them.
PARTS = re.compile(r'render_head|prototype_head|ray_sampler')
SHARED = (
    'clap/engine',
    'clap/report',
    'clap/visualization',
    'clap/analysis',
    'comparison',
    'doctor',
)


@pytest.mark.parametrize('room', SHARED)
def test_no_shared_room_names_the_parts_of_a_method(room: str) -> None:
    files = sorted((CLAP / room).rglob('*.py'))
    assert files and PARTS.search((CLAP / 'clap' / 'pretrain' / 'clap.py').read_text())
    found = [f'{path.relative_to(CLAP)}: {match[0]}' for path in files if (match := PARTS.search(path.read_text()))]
    assert not found


@pytest.fixture(scope='module')
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the toy, with every hook."""
    folder = tmp_path_factory.mktemp('toy')
    write_dataset(folder, 4)
    path = pretraining(folder, folder / 'toy.py', epochs=1, pictures=dict(interval=1, figures=['heights']))
    cfg = Config.fromfile(str(path), import_custom_modules=False)
    cfg.custom_imports = dict(IMPORTS, imports=[*IMPORTS['imports'], 'tests.fixtures.toy_method'])
    parts = ('render_head', 'ray_sampler', 'prototype_head')
    cfg.model = {key: value for key, value in tiny_model().items() if key not in parts}
    cfg.model.update(type='HeightPretrainer', channels=16)
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    cfg.test_dataloader = cfg.test_cfg = cfg.test_evaluator = None
    cfg.default_hooks.pictures.dataset = 'train'
    cfg.dump(str(path))
    return path


def run(tool: str, *arguments: object) -> str:
    env = {**os.environ, 'PYTHONPATH': str(ROOT), 'MPLBACKEND': 'Agg'}
    command = [sys.executable, f'tools/{tool}.py', *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_the_toy_gets_everything(config: Path, tmp_path: Path) -> None:
    work = tmp_path / 'run'
    said = run('train', config, '--work-dir', work)
    assert 'height_mae_m' in said and 'cells/s' in said, 'its own figure and its own rate are on the console'
    went_on = run('train', config, '--work-dir', work, '--resume', '--cfg-options', 'train_cfg.max_epochs=2')
    assert 'epoch: 1, iter: 2' in went_on or 'resumed epoch: 1' in went_on
    logs = sorted(work.glob('*/vis_data/scalars.json'))
    steps = [json.loads(line) for path in logs for line in path.read_text().splitlines()]
    assert [entry['step'] for entry in steps] == [1, 2, 3, 4]
    assert all(entry['cells_per_second'] > 0 for entry in steps)

    report = run('report', work)
    assert json.loads(report.strip().splitlines()[-1])['verdicts'] == {'Height of cells': 'good'}
    page = (work / 'report.html').read_text()
    assert 'error of the height (m)' in page and 'Height of the points' in page and page.count('<img ') >= 3

    timed = json.loads(run('analysis_tools/benchmark_pretrain', config, '--repeats', 1).strip().splitlines()[-1])
    assert timed['components'] == ['load', 'encode', 'tell', 'backward', 'step']
    (figures,) = timed['samplers'].values()
    assert figures['step'] > figures['encode'] > 0 < figures['tell']

    run('export_weights', work / 'epoch_2.pth', tmp_path / 'encoders.pth')
    state = torch.load(tmp_path / 'encoders.pth', weights_only=True)['state_dict']
    assert {key.split('.')[0] for key in state} == {
        'pts_middle_encoder', 'img_backbone', 'img_neck', 'view_transform', 'fusion_layer', 'pts_backbone', 'pts_neck',
    }  # fmt: skip


def test_the_toys_options_are_checked_like_any_others(config: Path, tmp_path: Path) -> None:
    command = [sys.executable, 'tools/train.py', str(config), '--work-dir', str(tmp_path), '--cfg-options']
    env = {**os.environ, 'PYTHONPATH': str(ROOT)}
    for option, hint in (('model.chanels=8', "'channels'"), ('model.masking.point_ration=0.5', "'point_ratio'")):
        done = subprocess.run([*command, option], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 1 and hint in done.stderr, done.stderr[-2000:]
