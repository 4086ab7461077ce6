"""Runs jobs as processes, several at once, until all are done or somebody stops it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock
from types import FrameType
from typing import Dict, List, Optional, Sequence

from projects.CLAP.clap.engine.live_panel import duration
from projects.CLAP.clap.files.project import ROOT

from .jobs import Job
from .records import MissingEvaluation, Record, without_prefix
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


class _Stopped(Exception):
    """The pool ends, and with it the job that raises this."""


@dataclass
class Pool:
    """Runs jobs in order, as soon as what they need is done; one that fails does not stop the others.

    A job is a thread that waits for its processes.

    Args:
        place: folder of the comparison.
        jobs: all jobs of this call, in order.
        left: those of them that are not done.
        slots: how many run at once.
    """

    place: Workplace
    jobs: Sequence[Job]
    left: Sequence[Job]
    slots: int
    failed: Dict[str, str] = field(default_factory=dict)  # job -> why, and where its log is
    processes: Dict[str, subprocess.Popen] = field(default_factory=dict)  # that run, by job
    stopped: Optional[int] = None  # the signal

    def run(self) -> None:
        """Until nothing is left or a signal comes; children are gone either way."""
        self._done, self._ending, self._lock = len(self.jobs) - len(self.left), False, Lock()
        before = {number: signal.signal(number, self._stop) for number in _SIGNALS}
        self.say(f'{len(self.jobs)} jobs, {self._done} done, {self.slots} at once')
        waiting: List[Job] = list(self.left)
        begun: Dict[Future, Job] = {}
        with ThreadPoolExecutor(self.slots) as threads:
            try:
                while (waiting or begun) and self.stopped is None:
                    unfinished = {job.name for job in (*waiting, *begun.values())}
                    for job in [job for job in waiting if not unfinished & set(job.needs)]:
                        waiting.remove(job)
                        begun[threads.submit(self._run, job)] = job
                    for future in wait(begun, _POLL_SECONDS, FIRST_COMPLETED).done:
                        begun.pop(future)
                        future.result()
            finally:
                self._ending = True
                for number in (signal.SIGTERM, signal.SIGKILL):  # checkpoints are whole at every moment
                    with self._lock:
                        for process in self.processes.values():
                            with suppress(ProcessLookupError):
                                os.killpg(process.pid, number)  # with its data loaders
                    wait(begun, _GRACE_SECONDS)
                for number, handler in before.items():
                    signal.signal(number, handler)

    def say(self, text: str) -> None:
        """One line on the terminal and in ``progress.log``."""
        line = f'{time.strftime("%H:%M:%S")} {text}'
        print(line, flush=True)
        with open(self.place.folder / 'progress.log', 'a') as file:
            file.write(line + '\n')

    def _stop(self, number: int, frame: Optional[FrameType]) -> None:
        self.stopped = number

    def _run(self, job: Job) -> None:
        """All of a job. One thread at a time is in here, except while its process runs."""
        with self._lock:
            if self._ending:
                return
            try:
                record = self._record(job)
            except _Stopped:
                self.say(f'stopped    {job.name}')
            except (RuntimeError, ValueError, OSError, LookupError, MissingEvaluation) as error:
                self.failed[job.name] = f'{error}'
                self.say(f'FAILED     {job.name}: {error}')
            else:
                self._done += 1
                found = record['metrics']
                told = ', '.join(f'{title} {found[name]:.4f}' for name, title in _FIGURES.items() if name in found)
                took = f'{duration(record["seconds"])}; {self._done} of {len(self.jobs)}'
                self.say(f'finished   {job.name}: {told}, {took}')

    def _record(self, job: Job) -> Record:
        broken = [name for name in job.needs if name in self.failed]
        if broken:
            raise RuntimeError(f'not run, it needs {", ".join(broken)}')
        folder = self.place.run_dir(job)
        goes_on = (folder / 'last_checkpoint').is_file()
        arguments = self.place.prepare(job)
        self.say(f'{"go on" if goes_on else "start":<10} {job.name}')
        self._process(job, TRAIN, *arguments)
        try:
            return self.place.finish(job)
        except MissingEvaluation:  # the training was stopped between its last step and its evaluation
            arguments = [str(folder / 'job.py'), self.place.checkpoint(folder), '--work-dir', str(folder / 'test')]
            printed = self._process(job, TEST, *arguments)
            return self.place.finish(job, without_prefix(json.loads(printed[-1])))

    def _process(self, job: Job, *command: str) -> List[str]:
        """Run a command; the lines of the job's log."""
        if self._ending:
            raise _Stopped
        log = self.place.run_dir(job) / 'printed.log'
        with open(log, 'ab') as file:
            # A session of its own: Ctrl-C reaches this process alone, which then ends its children in order.
            process = self.processes[job.name] = subprocess.Popen(
                [sys.executable, *command],
                env={**os.environ, **_ENVIRONMENT},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._lock.release()
        process.wait()
        self._lock.acquire()
        del self.processes[job.name]
        if self._ending:
            raise _Stopped
        lines = [line.strip() for line in log.read_text(errors='replace').splitlines() if line.strip()]
        if process.returncode:
            told = [line for line in lines if line.startswith('error:') or ('Error' in line and ': ' in line)]
            why = (told or lines or ['it printed nothing'])[-1][:400]
            raise RuntimeError(f'{why} (exit {process.returncode}; log {log})')
        return lines
