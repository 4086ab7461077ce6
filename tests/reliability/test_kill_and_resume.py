"""Runs killed by SIGKILL, resumed, and compared bit for bit with one that was left alone."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import Callable, Dict, Optional

import pytest

from projects.CLAP.clap.engine.checkpoint.read import checkpoint_problem
from projects.CLAP.clap.engine.hooks.atomic_checkpoint_hook import resumable_checkpoints
from projects.CLAP.clap.files.atomic_file import PARTIAL
from tests.fixtures.driving_frames import write_dataset
from tests.fixtures.killed_runs import after_steps, assert_same_run, curve, finish, kill_when, launch, while_writing

#: A checkpoint of 40 MB takes long enough to write to be killed in.
PADDING = 40 * 2**20


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('frames')
    write_dataset(folder, 6)
    return folder


@pytest.fixture(scope='module')
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that was left alone: 3 epochs of 3 steps, a checkpoint every 2 steps."""
    work = tmp_path_factory.mktemp('whole')
    finish(launch(data, work, by_epoch=False, interval=2), work)
    assert [line['sampler'] for line in curve(work)] == ['UniformRaySampler'] * 3 + ['CurvatureRaySampler'] * 6
    return work


def test_killed_in_the_warmup_mid_epoch_and_while_writing(data: Path, whole: Path, tmp_path: Path) -> None:
    arguments = dict(by_epoch=False, interval=2, padding=PADDING)
    moments = [after_steps(tmp_path, 1, 0.0), while_writing(tmp_path), None, None]
    for number, ready in enumerate(moments):
        ready = ready or after_steps(tmp_path, number - 1, 0.1 * number)
        assert kill_when(launch(data, tmp_path, **arguments), ready), f'kill {number} came too late'
        assert all(checkpoint_problem(path) is None for path in resumable_checkpoints(tmp_path))
    printed = finish(launch(data, tmp_path, **arguments), tmp_path)
    assert 'going on with batch' in printed
    assert not list(tmp_path.glob(f'*{PARTIAL}'))
    assert_same_run(whole, tmp_path)


def while_writing_after(work: Path, steps: int) -> Callable[[], bool]:
    enough, writing = after_steps(work, steps, 0.0), while_writing(work)
    return lambda: enough() and writing()


def kill_at_random(data: Path, work: Path, kills: int, rng: random.Random, **arguments) -> Dict[str, int]:
    """Kill a run so often, at random moments; ends when it ends by itself. Returns what was hit."""
    hit = dict(kills=0, writing=0, warmup=0, main=0, starting=0)
    while hit['kills'] < kills:
        before = len(curve(work))
        kind = rng.choice(['time', 'step', 'write'])
        if kind == 'time':
            at = time.monotonic() + rng.random() * 6
            ready = lambda at=at: time.monotonic() > at
        elif kind == 'step':
            ready = after_steps(work, rng.randint(1, 7), rng.random() * 0.3)
        else:
            ready = while_writing_after(work, rng.randint(1, 6))
        if not kill_when(launch(data, work, **arguments), ready):
            break
        hit['kills'] += 1
        hit['writing'] += bool(list(work.glob(f'*{PARTIAL}')))
        name = curve(work)[-1]['sampler'] if len(curve(work)) > before else ''
        hit['starting'] += not name
        hit['warmup'] += name == 'UniformRaySampler'
        hit['main'] += name == 'CurvatureRaySampler'
        assert all(checkpoint_problem(path) is None for path in resumable_checkpoints(work))
    return hit


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize('by_epoch,interval', [(True, 1), (False, 1), (False, 2)])
def test_killed_at_random_moments(data: Path, tmp_path: Path, by_epoch: bool, interval: int) -> None:
    rng = random.Random(int(os.environ.get('CLAP_KILL_SEED', '0')))
    wanted = int(os.environ.get('CLAP_KILLS', '20'))
    arguments: dict = dict(by_epoch=by_epoch, interval=interval, padding=PADDING)
    whole = tmp_path / 'whole'
    finish(launch(data, whole, **arguments), whole)
    total: Dict[str, int] = {}
    while total.get('kills', 0) < wanted:
        work = tmp_path / f'run_{total.get("kills", 0)}'
        work.mkdir()
        hit = kill_at_random(data, work, min(8, wanted - total.get('kills', 0)), rng, **arguments)
        finish(launch(data, work, **arguments), work)
        assert_same_run(whole, work)
        total = {name: total.get(name, 0) + count for name, count in hit.items()}
    print('killed', total)


def test_a_truncated_checkpoint_falls_back_to_the_one_before(data: Path, whole: Path, tmp_path: Path) -> None:
    assert kill_when(launch(data, tmp_path, by_epoch=False, interval=2), after_steps(tmp_path, 5, 0.0))
    last, before = resumable_checkpoints(tmp_path)[:2]
    content = last.read_bytes()
    last.write_bytes(content[: len(content) // 2])
    printed = finish(launch(data, tmp_path, by_epoch=False, interval=2), tmp_path)
    assert 'broken checkpoint' in printed and f'Going on from the one before, {before}' in printed
    assert_same_run(whole, tmp_path)


def test_one_flipped_bit_is_found(whole: Path, tmp_path: Path) -> None:
    path = resumable_checkpoints(whole)[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / 'iter_9.pth').write_bytes(content)
    assert checkpoint_problem(path) is None
    assert 'checksum' in (checkpoint_problem(tmp_path / 'iter_9.pth') or '')


def test_a_full_disk_stops_the_run_and_spares_the_last_checkpoint(data: Path, whole: Path, tmp_path: Path) -> None:
    arguments: dict = dict(by_epoch=False, interval=2)
    assert kill_when(launch(data, tmp_path, **arguments), after_steps(tmp_path, 3, 0.0))
    good = resumable_checkpoints(tmp_path)[0]
    bytes_before = good.read_bytes()
    printed = finish(launch(data, tmp_path, file_limit=100_000, **arguments), tmp_path, ok=False)
    assert 'could not be written' in printed and 'File too large' in printed and '--resume' in printed
    assert not list(tmp_path.glob(f'*{PARTIAL}'))
    assert resumable_checkpoints(tmp_path)[0] == good and good.read_bytes() == bytes_before
    finish(launch(data, tmp_path, **arguments), tmp_path)  # with room again
    assert_same_run(whole, tmp_path)


def test_nothing_but_broken_checkpoints_is_said(data: Path, tmp_path: Path) -> None:
    for name in ('iter_2.pth', 'iter_4.pth'):
        (tmp_path / name).write_bytes(b'not a checkpoint')
    printed = finish(launch(data, tmp_path, by_epoch=False, interval=2), tmp_path, ok=False)
    assert 'can be resumed from' in printed and 'iter_2.pth' in printed and 'iter_4.pth' in printed


def test_old_checkpoints_go_after_the_new_one_is_there(data: Path, tmp_path: Path) -> None:
    seen: Optional[int] = None
    process = launch(data, tmp_path, by_epoch=False, interval=1)
    while process.is_alive():
        count = len(list(tmp_path.glob('iter_*.pth')))
        assert seen is None or count >= min(seen, 3), 'a checkpoint was deleted before its successor was there'
        seen = max(seen or 0, count)
        time.sleep(0.002)
    finish(process, tmp_path)
    assert sorted(path.name for path in tmp_path.glob('iter_*.pth')) == ['iter_7.pth', 'iter_8.pth', 'iter_9.pth']
