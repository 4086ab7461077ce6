"""Jobs as processes: what waits for what, what a failure stops, how a stop ends; the trainings are scripts."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Dict, List, Optional

import pytest

from projects.CLAP.comparison import pool as pool_module
from projects.CLAP.comparison.pool import Pool
from projects.CLAP.comparison.records import MissingEvaluation

SCRIPT = '''
import os, pathlib, sys, time
name, folder, what = sys.argv[1:4]
pathlib.Path(folder, name, 'pid').write_text(str(os.getpid()))
if what == 'sleep':
    time.sleep(60)
time.sleep(0.3)
if what == 'fail':
    print('some lines')
    print('error: the disk is full')
    print('(CLAP_TRACEBACK=1 shows where)')
    sys.exit(1)
'''
TEST_SCRIPT = '''
import json
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

    def build(does: Dict[str, str], jobs: list, slots: int = 2) -> SimpleNamespace:
        place = Place(tmp_path, does)
        return SimpleNamespace(
            pool=Pool(place, jobs, list(jobs), slots), place=place, said=lambda: capsys.readouterr().out
        )

    return build


def job(name: str, *needs: str) -> SimpleNamespace:
    return SimpleNamespace(name=name, needs=needs)


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


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_children(make, number: signal.Signals) -> None:
    run = make(dict(a='sleep', b='sleep'), [job('a'), job('b'), job('c')])
    pids = []

    def stop() -> None:
        while len(pids) < 2:
            time.sleep(0.1)
            pids[:] = [int(text) for path in run.place.folder.glob('*/pid') if (text := path.read_text())]
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
