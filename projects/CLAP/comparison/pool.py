"""Runs jobs as processes, several at once, until all are done or somebody stops it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Dict, List, Optional, Sequence, TextIO

from projects.CLAP.clap.engine.live_panel import duration
from projects.CLAP.clap.files.project import ROOT

from .jobs import Job
from .records import MissingEvaluation, without_prefix
from .workplace import Workplace

_ENVIRONMENT = {
    # One core each: more threads would take it from the job beside it.
    **{f'{name}_NUM_THREADS': '1' for name in ('OMP', 'MKL', 'OPENBLAS', 'NUMEXPR', 'NUMBA')},
    **dict(OMP_WAIT_POLICY='PASSIVE', MPLBACKEND='Agg', CUDA_DEVICE_ORDER='PCI_BUS_ID', PYTHONUNBUFFERED='1'),
}
TRAIN, TEST = str(ROOT / 'tools' / 'train.py'), str(ROOT / 'tools' / 'test.py')
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_POLL_SECONDS = 0.2
_GRACE_SECONDS = 15.0
_FIGURES = {'mAP': 'mAP', 'NDS': 'NDS', 'range_median_m': 'median range error of held-back rays (m)'}


@dataclass
class Running:
    """A job's process and its log; ``testing`` where it makes up for a missing evaluation."""

    job: Job
    process: subprocess.Popen
    log: Path
    testing: bool


@dataclass
class Pool:
    """Runs jobs in order, as soon as what they need is done; one that fails does not stop the others.

    Args:
        place: folder of the comparison.
        jobs: all jobs of this call, in order.
        left: those of them that are not done.
        slots: how many run at once.
        stream: where progress goes besides ``progress.log``.
    """

    place: Workplace
    jobs: Sequence[Job]
    left: List[Job]
    slots: int
    stream: TextIO = sys.stdout
    failed: Dict[str, str] = field(default_factory=dict)  # job -> why, and where its log is
    running: List[Running] = field(default_factory=list)
    stopped: Optional[int] = None  # the signal

    def run(self) -> None:
        """Until nothing is left or a signal comes; children are gone either way."""
        self._done = len(self.jobs) - len(self.left)
        before = {number: signal.signal(number, self._stop) for number in _SIGNALS}
        try:
            self.say(f'{len(self.jobs)} jobs, {self._done} done, {self.slots} at once')
            while (self.left or self.running) and self.stopped is None:
                self._start_what_can()
                if not self.running:
                    break
                time.sleep(_POLL_SECONDS)
                for one in [one for one in self.running if one.process.poll() is not None]:
                    self._ended(one)
        finally:
            self._terminate()
            for number, handler in before.items():
                signal.signal(number, handler)

    def say(self, text: str) -> None:
        """One line on the terminal and in ``progress.log``."""
        line = f'{time.strftime("%H:%M:%S")} {text}'
        print(line, file=self.stream, flush=True)
        with open(self.place.folder / 'progress.log', 'a') as file:
            file.write(line + '\n')

    def _start_what_can(self) -> None:
        waiting = {job.name for job in self.left} | {one.job.name for one in self.running}
        for job in list(self.left):
            broken = [name for name in job.needs if name in self.failed]
            if broken:
                self.left.remove(job)
                self._fail(job, f'not run, it needs {", ".join(broken)}')
            elif len(self.running) < self.slots and not waiting & set(job.needs):
                self.left.remove(job)
                goes_on = (self.place.run_dir(job) / 'last_checkpoint').is_file()
                try:
                    arguments = self.place.prepare(job)
                except (RuntimeError, ValueError, OSError) as error:
                    self._fail(job, str(error))
                    continue
                self._launch(job, [TRAIN, *arguments])
                self.say(f'{"go on" if goes_on else "start":<10} {job.name}')

    def _launch(self, job: Job, command: List[str], testing: bool = False) -> None:
        log = self.place.run_dir(job) / 'printed.log'
        with open(log, 'ab') as file:
            # A session of its own: Ctrl-C reaches this process alone, which then ends its children in order.
            process = subprocess.Popen(
                [sys.executable, *command],
                env={**os.environ, **_ENVIRONMENT},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.running.append(Running(job, process, log, testing))

    def _ended(self, one: Running) -> None:
        self.running.remove(one)
        if one.process.returncode:
            self._fail(one.job, f'{_last_error(one.log)} (exit {one.process.returncode}; log {one.log})')
            return
        try:
            metrics = without_prefix(json.loads(one.log.read_text().strip().splitlines()[-1])) if one.testing else None
            record = self.place.finish(one.job, metrics)
        except MissingEvaluation as error:  # the training was stopped between its last step and its evaluation
            if one.testing:
                self._fail(one.job, f'{error}, and tools/test.py printed none (log {one.log})')
                return
            folder = self.place.run_dir(one.job)
            command = [TEST, str(folder / 'job.py'), self.place.checkpoint(folder), '--work-dir', str(folder / 'test')]
            self._launch(one.job, command, testing=True)
        except (RuntimeError, ValueError, OSError, LookupError) as error:
            self._fail(one.job, f'{error} (log {one.log})')
        else:
            self._done += 1
            found = record['metrics']
            told = ', '.join(f'{title} {found[name]:.4f}' for name, title in _FIGURES.items() if name in found)
            took = f'{duration(record["seconds"])}; {self._done} of {len(self.jobs)}'
            self.say(f'finished   {one.job.name}: {told}, {took}')

    def _fail(self, job: Job, why: str) -> None:
        self.failed[job.name] = why
        self.say(f'FAILED     {job.name}: {why}')

    def _stop(self, number: int, frame: Optional[FrameType]) -> None:
        self.stopped = number

    def _terminate(self) -> None:
        """End what still runs: politely, and after a while not. Checkpoints are whole at every moment."""
        for one in self.running:
            _signal(one.process, signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_SECONDS
        for one in self.running:
            try:
                one.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal(one.process, signal.SIGKILL)
                one.process.wait()
            self.say(f'stopped    {one.job.name}')
        self.running.clear()


def _signal(process: subprocess.Popen, number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)  # with its data loaders


def _last_error(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors='replace').splitlines() if line.strip()]
    told = [line for line in lines if line.startswith('error:') or ('Error' in line and ': ' in line)]
    return (told or lines or ['it printed nothing'])[-1][:400]
