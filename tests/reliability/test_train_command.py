"""``tools/train.py`` with every default hook, in processes of its own: killed, resumed, started twice, bad frames."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from projects.CLAP.clap.engine.checkpoint.read import checkpoint_problem
from projects.CLAP.clap.engine.hooks.atomic_checkpoint_hook import resumable_checkpoints
from tests.fixtures.command_run import finetuning, pretraining
from tests.fixtures.driving_frames import write_dataset
from tests.fixtures.killed_runs import ROOT, after_steps, assert_same_run, curve, finish, kill_when, launch_tool
from tests.fixtures.tiny import build
from tests.fixtures.tiny_detector import build_detector

BY_STEPS = {'default_hooks.checkpoint.by_epoch': False, 'default_hooks.checkpoint.interval': 2}


def train(config: Path, work: Path, *arguments: str):
    return launch_tool(work, 'train', str(config), '--work-dir', str(work), *arguments)


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('frames')
    write_dataset(folder, 6)
    return folder


def test_fine_tuning_resumes_exactly_by_the_command_past_a_broken_checkpoint(data: Path, tmp_path: Path) -> None:
    """The detector's own configuration, with averaged weights: killed in the middle of an epoch, its last checkpoint
    cut, resumed."""
    averaged = {'default_hooks.ema.type': 'EMAHook', 'default_hooks.ema.momentum': 0.2}
    config = finetuning(data, tmp_path / 'cfg.py', overrides={**BY_STEPS, **averaged})
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    printed = finish(train(config, whole, '--resume'), whole)
    assert f'--resume: no checkpoint in {whole} yet' in printed
    assert len(curve(whole)) == 6
    assert kill_when(train(config, killed), after_steps(killed, 5, 0.0)), 'the kill came too late'
    last, before = resumable_checkpoints(killed)[:2]
    last.write_bytes(last.read_bytes()[:1000])
    printed = finish(train(config, killed, '--resume'), killed)
    assert f'Going on from the one before, {before}' in printed and 'going on with batch 3 of 3' in printed
    assert_same_run(whole, killed)


def test_two_broken_frames_are_skipped_listed_and_counted_over_a_resume(tmp_path: Path) -> None:
    write_dataset(tmp_path, 6)
    (tmp_path / '1.bin').write_bytes(b'123')
    (tmp_path / 'CAM_LEFT_4.png').write_bytes(b'no image')
    skip = {'train_dataloader.dataset.on_broken_frame': 'skip', **BY_STEPS}
    config = pretraining(tmp_path, tmp_path / 'cfg.py', overrides=skip)
    work = tmp_path / 'killed'
    assert kill_when(train(config, work), after_steps(work, 5, 0.0)), 'the kill came too late'
    printed = finish(train(config, work, '--resume'), work)
    assert 'going on with batch' in printed
    log = max(work.glob('*/*.log'), key=os.path.getmtime).read_text()
    # Each of the two is met once in each of the three epochs.
    assert '2 broken frames were skipped (6 times)' in log, log[-2000:]
    summary = log[log.index('broken frames were skipped') :]
    assert summary.count('  3 x ') == 2 and '1.bin' in summary and 'CAM_LEFT_4.png' in summary


def test_a_second_run_in_the_same_folder_is_refused(data: Path, tmp_path: Path) -> None:
    config, work = pretraining(data, tmp_path / 'cfg.py', epochs=2), tmp_path / 'run'
    first = train(config, work)
    ready = after_steps(work, 1, 0.0)
    while not ready():
        assert first.is_alive(), (work / 'printed.txt').read_text()[-3000:]
        time.sleep(0.01)
    os.kill(first.pid, signal.SIGSTOP)  # it must not end before the second has looked
    other = tmp_path / 'other'
    second = launch_tool(other, 'train', str(config), '--work-dir', str(work), '--resume')
    printed = finish(second, other, ok=False)
    assert f'process {first.pid} on ' in printed and '--work-dir' in printed and 'Traceback' not in printed
    os.kill(first.pid, signal.SIGKILL)  # its workers outlive it for seconds, and hold nothing
    first.join()
    finish(train(config, work, '--resume'), work)
    assert max(line['iter'] for line in curve(work)) == 5


@pytest.mark.parametrize('way', ['--resume', 'load_from'])
def test_another_models_checkpoint_is_refused(data: Path, tmp_path: Path, way: str) -> None:
    """Pre-training's in a detector, by ``--resume``; one without encoders in a pre-training, by ``load_from``."""
    other, work = tmp_path / 'other.pth', tmp_path / 'run'
    weights = build().state_dict()
    if way == 'load_from':
        weights = {key: value for key, value in build_detector().state_dict().items() if key.startswith('bbox_head')}
    torch.save(dict(meta=dict(epoch=1, iter=3), state_dict=weights, optimizer={}, message_hub={}), other)
    if way == '--resume':
        process = train(finetuning(data, tmp_path / 'cfg.py'), work, '--resume', str(other))
    else:
        process = train(pretraining(data, tmp_path / 'cfg.py'), work, '--cfg-options', f'load_from={other}')
    printed = finish(process, work, ok=False)
    error = printed[printed.index('\nerror: ') :]
    assert 'Traceback' not in printed and str(other) in error and not curve(work)
    assert ('instead of --resume' if way == '--resume' else 'pts_middle_encoder: 0.00% of its numbers') in error


NAMESPACE = ['unshare', '--map-root-user', '--mount']


def own_mounts_allowed() -> bool:
    """Whether this user may mount a tmpfs in a namespace of its own."""
    if not shutil.which('unshare'):
        return False
    command = [*NAMESPACE, 'mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', '/mnt']
    return subprocess.run(command, capture_output=True).returncode == 0


@pytest.mark.slow
def test_a_disk_that_is_really_full(data: Path, tmp_path: Path) -> None:
    """ENOSPC of a small file system; test_kill_and_resume.py has the same by a limit on the size of files."""
    if not own_mounts_allowed():
        pytest.skip('no mounts in a namespace of our own here (unshare --map-root-user --mount)')
    config = pretraining(data, tmp_path / 'cfg.py', overrides=BY_STEPS)
    whole, work, keep = tmp_path / 'whole', tmp_path / 'disk', tmp_path / 'keep'
    process = train(config, whole)
    work.mkdir()
    keep.mkdir()
    # The tiny model's checkpoint has 3.1 MB: two fit, a third does not.
    command = [*NAMESPACE, sys.executable, '-m', 'tests.fixtures.full_disk', str(config), str(work), str(keep), '8']
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    finish(process, whole)
    assert done.returncode == 0, f'{done.returncode}: {done.stdout[-1000:]}{done.stderr[-3000:]}'
    result, printed = json.loads(done.stdout.splitlines()[-1]), (keep / 'full.txt').read_text()
    assert result['full']['status'] == 1 and 'No space left on device' in printed and '--resume' in printed
    assert result['after'] and not result['left']
    for name, digest in result['after'].items():
        assert result['full']['hashes'][name] == digest and checkpoint_problem(keep / 'full' / name) is None
    assert result['resumed']['status'] == 0, (keep / 'resumed.txt').read_text()[-3000:]
    assert_same_run(whole, keep / 'resumed')
