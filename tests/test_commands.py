"""The commands as a user runs them: processes, files, real frames."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CONFIG = 'projects/CLAP/configs/clap_pandaset.py'
#: Two real frames, few rays: a step of about a second.
SMALL = [
    'train_dataloader.dataset.indices=2',
    'val_dataloader.dataset.indices=1',
    'train_dataloader.num_workers=0',
    'train_dataloader.persistent_workers=False',
    'val_dataloader.num_workers=0',
    'val_dataloader.persistent_workers=False',
    'model.ray_sampler.num_lidar_rays=128',
    'model.ray_sampler.num_camera_rays=16',
    'default_hooks.warmup.warmup_epochs=1',
    'default_hooks.checkpoint.interval=1',
    'default_hooks.pictures.stride=32',
    'default_hooks.pictures.max_points=500',
]


def run(*command: str, data: Path, ok: bool = True) -> subprocess.CompletedProcess:
    env = {**os.environ, 'CLAP_DATA_ROOT': str(data), 'MPLBACKEND': 'Agg'}
    done = subprocess.run([sys.executable, *command], cwd=ROOT, env=env, capture_output=True, text=True, timeout=500)
    assert (done.returncode == 0) == ok, done.stdout[-3000:] + done.stderr[-3000:]
    return done


@pytest.fixture(scope='module')
def data_root(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLAP_DATA_ROOT with the real PandaSet frames converted."""
    root = tmp_path_factory.mktemp('data')
    run(
        'tools/create_data.py',
        'pandaset',
        '--root',
        str(real_data / 'pandaset'),
        '--out',
        str(root / 'pandaset'),
        data=root,
    )
    return root


def test_real_frames_to_checkpoint_resume_evaluation_and_pictures(data_root: Path, tmp_path: Path) -> None:
    work = tmp_path / 'run'
    train = [
        'tools/train.py',
        CONFIG,
        '--work-dir',
        str(work),
        '--resume',
        '--cfg-options',
        *SMALL,
        'train_cfg.val_interval=2',
    ]
    run(*train, 'train_cfg.max_epochs=1', data=data_root)
    assert (work / 'last_checkpoint').read_text().endswith('epoch_1.pth')
    second = run(*train, 'train_cfg.max_epochs=2', data=data_root)
    log = second.stdout + second.stderr
    assert 'resumed epoch: 1' in log and 'Epoch(train) [1]' not in log.replace('  ', ' ')
    assert 'ray sampling from epoch 2: CurvatureRaySampler' in log
    assert 'render/range_median_m' in log
    checkpoint = str(work / 'epoch_2.pth')
    tested = run('tools/test.py', CONFIG, checkpoint, '--work-dir', str(work), '--cfg-options', *SMALL, data=data_root)
    metrics = json.loads(tested.stdout.strip().splitlines()[-1])
    assert metrics['render/rays'] > 1000 and metrics['render/range_median_m'] > 0
    pictures = tmp_path / 'pictures'
    run('tools/visualize.py', CONFIG, checkpoint, '--out', str(pictures), '--stride', '16', data=data_root)
    for name in ('frame_0000_cameras.png', 'frame_0000_cloud.png'):
        assert (pictures / name).stat().st_size > 10_000
    reported = json.loads(run('tools/report.py', str(work), data=data_root).stdout.strip().splitlines()[-1])
    assert reported['bytes'] == (work / 'report.html').stat().st_size > 100_000
    assert 'not measured' not in {reported['verdicts'][name] for name in reported['verdicts'] if 'Enrich' not in name}
    if find_spec('rerun'):  # requirements/viewer.txt
        scene = run('tools/view3d.py', CONFIG, checkpoint, '--out', str(tmp_path / 'scene.rrd'), data=data_root)
        counts = json.loads(scene.stdout.strip().splitlines()[-1])
        assert counts['bytes'] > 100_000 and counts['points'] > 1000 and counts['boxes'] > 5


def test_errors_are_one_message_with_the_way_out(data_root: Path, tmp_path: Path) -> None:
    nowhere = run('tools/train.py', CONFIG, '--work-dir', str(tmp_path), data=tmp_path / 'nowhere', ok=False)
    assert 'Traceback' not in nowhere.stderr
    assert 'create_data.py' in nowhere.stderr and 'pandaset' in nowhere.stderr
    typo = run(
        'tools/train.py',
        CONFIG,
        '--work-dir',
        str(tmp_path),
        '--cfg-options',
        'model.heldout_ration=0.1',
        data=data_root,
        ok=False,
    )
    assert "did you mean 'heldout_ratio'" in typo.stderr and 'Traceback' not in typo.stderr
    missing = run('tools/test.py', CONFIG, 'no.pth', data=data_root, ok=False)
    assert 'no.pth' in missing.stderr and 'Traceback' not in missing.stderr


def test_the_benchmark_reports_every_component(data_root: Path) -> None:
    done = run(
        'tools/analysis_tools/benchmark_pretrain.py',
        CONFIG,
        '--repeats',
        '1',
        '--warmup',
        '0',
        '--cfg-options',
        *SMALL,
        data=data_root,
    )
    result = json.loads(done.stdout.strip().splitlines()[-1])
    assert set(result['samplers']) == {'UniformRaySampler', 'DepthRaySampler', 'CurvatureRaySampler'}
    for figures in result['samplers'].values():
        parts = [figures[name] for name in ('encode', 'sample', 'render', 'prototypes', 'backward')]
        assert all(value > 0 for value in parts)
        assert 0.8 * figures['step'] < sum(parts) <= figures['step'] * 1.001
    assert result['peak_memory_gib'] > 0.3


def test_a_broken_frame_is_named_before_the_first_step(data_root: Path, tmp_path: Path) -> None:
    """Calibration that projects nothing, and a truncated sweep: one message each, no step taken."""
    import pickle
    import shutil

    copy = tmp_path / 'pandaset'
    shutil.copytree(data_root / 'pandaset', copy)
    info = copy / 'pandaset_infos_all.pkl'
    content = pickle.loads(info.read_bytes())
    for frame in content['data_list']:
        for camera in frame['images'].values():
            camera['lidar2cam'] = [[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, -1e6], [0, 0, 0, 1]]
    info.write_bytes(pickle.dumps(content))
    train = ['tools/train.py', CONFIG, '--work-dir', str(tmp_path / 'run'), '--cfg-options', *SMALL]
    blind = run(*train, data=tmp_path, ok=False)
    assert 'no point projects into any of the cameras' in blind.stderr and 'Traceback' not in blind.stderr
    sweep = copy / 'lidar' / '002_04.bin'
    sweep.write_bytes(sweep.read_bytes()[:-7])
    truncated = run(*train, data=tmp_path, ok=False)
    assert '002_04.bin' in truncated.stderr and 'Traceback' not in truncated.stderr
    for done in (blind, truncated):
        assert 'Epoch(train)' not in done.stdout + done.stderr
