"""Runs killed by SIGKILL, resumed, and compared bit for bit with one that was left alone."""
from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import time
from pathlib import Path
from typing import Callable, Dict, List, Optional

import pytest
import torch

from projects.CLAP.clap.hooks.atomic_checkpoint_hook import resumable_checkpoints
from projects.CLAP.clap.utils.atomic_file import PARTIAL
from projects.CLAP.clap.utils.safe_load import checkpoint_problem, load_checkpoint_file
from tests.fixtures.driving_frames import write_dataset
from tests.fixtures.long_run import train

#: A checkpoint of 40 MB takes long enough to write to be killed in.
PADDING = 40 * 2**20


def launch(data: Path, work: Path, **arguments) -> multiprocessing.Process:
    """A training process; a server that has imported everything forks it, which saves 10 seconds each."""
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(['tests.fixtures.long_run'])
    work.mkdir(parents=True, exist_ok=True)
    process = context.Process(target=train, args=(str(data), str(work)),
                              kwargs=dict(log=str(work / 'printed.txt'), resume=True, **arguments))
    process.start()
    return process


def finish(process: multiprocessing.Process, work: Path, ok: bool = True) -> str:
    process.join(timeout=240)
    printed = (work / 'printed.txt').read_text()
    assert process.exitcode is not None, 'the run hangs: ' + printed[-2000:]
    assert (process.exitcode == 0) == ok, printed[-3000:]
    return printed


def curve(work: Path) -> List[dict]:
    path = work / 'curve.jsonl'
    # The last line of a killed process may be cut.
    return [json.loads(line) for line in path.read_text().splitlines() if line.endswith('}')] if path.exists() else []


def after_steps(work: Path, steps: int, extra_s: float) -> Callable[[], bool]:
    """True once the run has done so many further steps, and a moment more."""
    goal = len(curve(work)) + steps

    def ready() -> bool:
        if len(curve(work)) < goal:
            return False
        time.sleep(extra_s)
        return True
    return ready


def while_writing(work: Path) -> Callable[[], bool]:
    return lambda: any(work.glob(f'*{PARTIAL}'))


def kill_when(process: multiprocessing.Process, ready: Callable[[], bool]) -> bool:
    """SIGKILL at the moment; False if the run ended before it."""
    deadline = time.monotonic() + 240
    while process.is_alive():
        assert time.monotonic() < deadline, 'the run hangs'
        if ready():
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            return process.exitcode == -signal.SIGKILL
        time.sleep(0.0005)
    return False


def final_state(work: Path) -> Dict[str, object]:
    """Everything of the last checkpoint that must not depend on the clock or on the folder."""
    checkpoint = load_checkpoint_file(str(resumable_checkpoints(work)[0]), 'cpu')
    clock = ('time', 'data_time', 'eta', 'memory')
    curves = {name: (buffer.data[0].tolist(), buffer.data[1].tolist())
              for name, buffer in checkpoint['message_hub']['log_scalars'].items() if name.split('/')[-1] not in clock}
    meta = {key: checkpoint['meta'][key] for key in ('epoch', 'iter', 'seed')}
    return dict(weights=checkpoint['state_dict'], optimizer=checkpoint['optimizer']['state'],
                groups=checkpoint['optimizer']['param_groups'], schedule=checkpoint['param_schedulers'],
                curves=curves, meta=meta)


def assert_same(a: object, b: object, where: str = '') -> None:
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_same(a[key], b[key], f'{where}.{key}')
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b), where
        for index, (x, y) in enumerate(zip(a, b)):
            assert_same(x, y, f'{where}[{index}]')
    else:
        assert a == b, (where, a, b)


def assert_same_run(whole: Path, resumed: Path) -> None:
    assert_same(final_state(whole), final_state(resumed))
    wanted = {line['iter']: line for line in curve(whole)}
    seen = curve(resumed)
    assert {line['iter'] for line in seen} == set(wanted)
    for line in seen:  # also what was computed twice, before and after a kill
        assert line == wanted[line['iter']]


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


def kill_at_random(data: Path, work: Path, kills: int, rng: random.Random, **arguments) -> Dict[str, int]:
    """Kill a run so often, at random moments; ends when it ends by itself. Returns what was hit."""
    hit = dict(kills=0, writing=0, warmup=0, starting=0)
    while hit['kills'] < kills:
        before = len(curve(work))
        kind = rng.choice(['time', 'step', 'write'])
        if kind == 'write':
            ready = while_writing(work)
        elif kind == 'step':
            ready = after_steps(work, rng.randint(1, 3), rng.random() * 0.3)
        else:
            at = time.monotonic() + rng.random() * 6
            ready = lambda at=at: time.monotonic() > at
        if not kill_when(launch(data, work, **arguments), ready):
            break
        hit['kills'] += 1
        hit['writing'] += bool(list(work.glob(f'*{PARTIAL}')))
        hit['warmup'] += bool(curve(work)) and curve(work)[-1]['sampler'] == 'UniformRaySampler'
        hit['starting'] += len(curve(work)) == before
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
    last.write_bytes(content[:len(content) // 2])
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
