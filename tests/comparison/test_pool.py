"""Jobs as processes: what waits for what, what a failure stops, how a stop ends; the trainings are scripts."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Dict, List, Optional, Sequence

import pytest

from projects.CLAP.comparison import pool as pool_module
from projects.CLAP.comparison.pool import Pool
from projects.CLAP.comparison.records import MissingEvaluation

SCRIPT = '''
import json, os, pathlib, sys, time
name, folder, what = sys.argv[1:4]
begun, rank = time.time(), os.environ.get('RANK', '')
pathlib.Path(folder, name, f'pid{rank}').write_text(str(os.getpid()))
if what == 'sleep':
    time.sleep(60)
time.sleep(0.3)
seen = {key: os.environ.get(key) for key in ('CUDA_VISIBLE_DEVICES', 'WORLD_SIZE', 'MASTER_PORT', 'OMP_NUM_THREADS')}
seen.update(begun=begun, ended=time.time(), arguments=sys.argv[4:])
pathlib.Path(folder, name, f'part{rank}.json').write_text(json.dumps(seen))
os.replace(pathlib.Path(folder, name, f'part{rank}.json'), pathlib.Path(folder, name, f'seen{rank}.json'))
if what == 'silent':
    sys.exit(3)
if what == 'fail':
    while len(list(pathlib.Path(folder, name).glob('seen*'))) < int(os.environ.get('WORLD_SIZE', 1)):
        time.sleep(0.05)  # torchrun ends the others when one has failed
    print('some lines')
    print('error: the disk is full')
    print('(CLAP_TRACEBACK=1 shows where)')
    sys.exit(1)
'''
TEST_SCRIPT = '''
import json, os
print('GPU', os.environ.get('CUDA_VISIBLE_DEVICES'), os.environ.get('WORLD_SIZE'))
print(json.dumps({'nuscenes/mAP': 0.25, 'nuscenes/NDS': 0.5}))
'''


class Place:
    """A workplace whose jobs do what ``does`` says; jobs that are not named there succeed."""

    def __init__(self, folder: Path, does: Dict[str, str]) -> None:
        self.folder, self.does, self.finished, self.most = folder, does, [], 0

    def run_dir(self, job: SimpleNamespace) -> Path:
        return self.folder / job.name

    def prepare(self, job: SimpleNamespace) -> List[str]:
        self.run_dir(job).mkdir(exist_ok=True)
        if self.does.get(job.name) == 'unprepared':
            raise ValueError('its weights are truncated')
        return [job.name, str(self.folder), self.does.get(job.name, '')]

    def probe(self, job: SimpleNamespace) -> List[str]:
        return []

    def checkpoint(self, run_dir: Path) -> str:
        return 'last.pth'

    def finish(self, job: SimpleNamespace, metrics: Optional[dict] = None) -> dict:
        does = self.does.get(job.name)
        if does == 'unevaluated' and metrics is None or does == 'never evaluated':
            raise MissingEvaluation('no evaluation')
        if does == 'unrecorded':
            raise KeyError('range_median_m')
        self.finished.append(job.name)
        found = {name.split('/')[1]: value for name, value in (metrics or {'nuscenes/mAP': 0.5}).items()}
        return dict(seconds=1.0, metrics=found)


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    (tmp_path / 'train.py').write_text(SCRIPT)
    (tmp_path / 'test.py').write_text(TEST_SCRIPT)
    monkeypatch.setattr(pool_module, 'TRAIN', str(tmp_path / 'train.py'))
    monkeypatch.setattr(pool_module, 'TEST', str(tmp_path / 'test.py'))

    def build(does: Dict[str, str], jobs: list, gpus: Sequence[str] = ()) -> SimpleNamespace:
        place = Place(tmp_path, does)
        return SimpleNamespace(
            pool=Pool(place, jobs, list(jobs), 2, gpus), place=place, said=lambda: capsys.readouterr().out
        )

    return build


def job(name: str, *needs: str, gpus: int = 0) -> SimpleNamespace:
    return SimpleNamespace(name=name, needs=needs, gpus=gpus)


def test_jobs_wait_for_what_they_need_and_failures_stay_alone(make) -> None:
    jobs = [job('p1'), job('p2'), job('a', 'p1'), job('b', 'p2'), job('c', 'p1', 'p2'), job('d', 'p1'), job('e', 'p1')]
    run = make(dict(p2='fail', d='unevaluated', e='unprepared'), jobs)
    run.pool.run()
    said = run.said()
    assert run.place.finished == ['p1', 'a', 'd'], said
    assert set(run.pool.failed) == {'p2', 'b', 'c', 'e'} and run.pool.stopped is None
    assert 'error: the disk is full (exit 1) (log' in run.pool.failed['p2']
    assert str(run.place.folder / 'p2' / 'printed.log') in run.pool.failed['p2']
    assert run.pool.failed['b'] == 'not run, it needs p2' and run.pool.failed['e'] == 'its weights are truncated'
    assert said.index('finished   p1') < said.index('start      a')
    assert 'finished   d: mAP 0.2500, NDS 0.5000' in said, 'the evaluation that was missing has been made up for'
    assert (run.place.folder / 'progress.log').read_text() == said
    assert '3 of 7' in said


def test_a_job_without_figures_fails_once(make) -> None:
    """Neither an evaluation that gives nothing nor a record that cannot be made is tried for ever."""
    run = make(dict(a='never evaluated', b='unrecorded'), [job('a'), job('b')])
    run.pool.run()
    assert 'no evaluation' in run.pool.failed['a']
    assert 'range_median_m' in run.pool.failed['b'] and not run.place.finished


def test_the_cause_is_of_the_last_attempt(make) -> None:
    run = make(dict(a='silent'), [job('a')])
    (run.place.folder / 'a').mkdir()
    (run.place.folder / 'a' / 'printed.log').write_text('error: of yesterday\n')
    run.pool.run()
    assert 'it printed nothing (exit 3)' in run.pool.failed['a']


def test_two_run_at_once_and_no_more(make) -> None:
    run = make({}, [job(name) for name in 'abcd'])
    most = []
    process, running = run.pool._process, []

    async def counted(job, *command) -> List[str]:
        running.append(job)
        most.append(len(running))
        lines = await process(job, *command)
        running.remove(job)
        return lines

    run.pool._process = counted
    begun = time.monotonic()
    run.pool.run()
    assert max(most) == 2 and sorted(run.place.finished) == list('abcd')
    assert time.monotonic() - begun < 30


def test_gpus_belong_to_one_job_at_a_time(make) -> None:
    """Jobs of two GPUs are two processes under torchrun, each job with a port of its own; one of none has one, too."""
    jobs = [job('a', gpus=2), job('b', gpus=2), job('c', gpus=1), job('d'), job('e', gpus=2)]
    run = make(dict(b='unevaluated', e='fail'), jobs, ['4', '5', 'GPU-6', '7'])
    run.pool.run()
    said = run.said()
    assert sorted(run.place.finished) == list('abcd') and 'on GPUs 4, 5, GPU-6, 7' in said, said
    assert 'error: the disk is full (exit 1)' in run.pool.failed['e'], 'of the training, not what torchrun says of it'
    folder = run.place.folder
    seen = {name: [json.loads(path.read_text()) for path in sorted(folder.glob(f'{name}/seen*'))] for name in 'abcde'}
    assert [len(ranks) for ranks in seen.values()] == [2, 2, 1, 1, 2]
    first = {name: ranks[0] for name, ranks in seen.items()}
    assert [first[name]['WORLD_SIZE'] for name in 'abcde'] == ['2', '2', None, None, '2']
    assert first['a']['arguments'] == ['--launcher', 'pytorch'] and first['c']['arguments'] == []
    assert [first[name]['CUDA_VISIBLE_DEVICES'] for name in 'ab'] == ['4,5', 'GPU-6,7']
    assert first['a']['MASTER_PORT'] != first['b']['MASTER_PORT'] and first['a']['OMP_NUM_THREADS'] == '1'
    times = [
        (gpu, one['begun'], one['ended']) for one in first.values() for gpu in one['CUDA_VISIBLE_DEVICES'].split(',')
    ]
    times.sort()
    assert all(a[0] != b[0] or a[2] <= b[1] for a, b in zip(times, times[1:])), 'never two jobs on a GPU'
    assert 'GPU GPU-6 None' in (folder / 'b/printed.log').read_text(), 'the evaluation made up for takes one GPU'


@pytest.mark.parametrize('number,gpus', [(signal.SIGINT, 0), (signal.SIGTERM, 0), (signal.SIGTERM, 2)])
def test_a_signal_ends_the_children(make, number: signal.Signals, gpus: int) -> None:
    jobs = [job(name, gpus=gpus) for name in 'abc']
    run = make(dict(a='sleep', b='sleep'), jobs, [str(gpu) for gpu in range(2 * gpus)])
    pids = []

    def stop() -> None:
        while len(pids) < 2 * max(1, gpus):
            time.sleep(0.1)
            pids[:] = [int(text) for path in run.place.folder.glob('*/pid*') if (text := path.read_text())]
        os.kill(os.getpid(), number)

    threading.Thread(target=stop, daemon=True).start()
    before = signal.getsignal(number)
    run.pool.run()
    assert run.pool.stopped == number and not run.place.finished
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert run.said().count('stopped    ') == 2
    assert signal.getsignal(number) == before, 'the handlers are those of before'
