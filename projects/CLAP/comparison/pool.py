"""Runs jobs as processes, several at once, until all are done or somebody stops it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import AsyncIterator, Dict, List, Optional, Sequence

from projects.CLAP.clap.engine.live_panel import duration
from projects.CLAP.clap.files.project import ROOT

from .plan import Job
from .records import MissingEvaluation, Record
from .workplace import Workplace

_ENVIRONMENT = {
    # One core each: more threads would take it from the job beside it.
    **{f'{name}_NUM_THREADS': '1' for name in ('OMP', 'MKL', 'OPENBLAS', 'NUMEXPR', 'NUMBA')},
    **dict(OMP_WAIT_POLICY='PASSIVE', MPLBACKEND='Agg', CUDA_DEVICE_ORDER='PCI_BUS_ID', PYTHONUNBUFFERED='1'),
}
# Port 0: every job finds a free one of its own.
_TORCHRUN = [
    '-m',
    'torch.distributed.run',
    '--rdzv-backend=c10d',
    '--rdzv-endpoint=localhost:0',
    '--local-addr=127.0.0.1',
]
TRAIN, TEST = str(ROOT / 'tools' / 'train.py'), str(ROOT / 'tools' / 'test.py')
PROBE_POINTS = str(ROOT / 'tools' / 'analysis_tools' / 'probe.py')
_GRACE_SECONDS = 15.0


@dataclass
class Pool:
    """Runs jobs in order, as soon as what they need is done; one that fails does not stop the others.

    Args:
        place: folder of the comparison.
        jobs: all jobs of this call, in order.
        left: those of them that are not done.
        slots: how many run at once, on a core each.
        gpus: GPUs to run on instead, as CUDA_VISIBLE_DEVICES names them; a job takes as many as it asks for.
    """

    place: Workplace
    jobs: Sequence[Job]
    left: Sequence[Job]
    slots: int
    gpus: Sequence[str] = ()
    failed: Dict[str, str] = field(default_factory=dict)  # job -> why, and where its log is
    stopped: Optional[int] = None  # the signal
    _tasks: Dict[str, asyncio.Task] = field(default_factory=dict)  # by job

    def run(self) -> None:
        """Until nothing is left or a signal comes; children are gone either way."""
        self._done = len(self.jobs) - len(self.left)
        places = f'on GPUs {", ".join(self.gpus)}' if self.gpus else f'{self.slots} at once'
        self.say(f'{len(self.jobs)} jobs, {self._done} done, {places}')
        with suppress(asyncio.CancelledError):
            asyncio.run(self._run())

    def say(self, text: str) -> None:
        """One line on the terminal and in ``progress.log``."""
        line = f'{time.strftime("%H:%M:%S")} {text}'
        print(line, flush=True)
        with open(self.place.folder / 'progress.log', 'a') as file:
            file.write(line + '\n')

    async def _run(self) -> None:
        self._turn, self._free = asyncio.Lock(), asyncio.Queue()
        for place in self.gpus or [''] * self.slots:
            self._free.put_nowait(place)
        self._tasks = {job.name: asyncio.create_task(self._job(job)) for job in self.left}
        everything = asyncio.gather(*self._tasks.values(), return_exceptions=True)

        def stop(number: int) -> None:
            if self.stopped is None:  # a second one must not disturb what the first one ends
                self.stopped = number
                everything.cancel()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, stop, number)
        for unexpected in filter(None, await everything):
            raise unexpected

    @asynccontextmanager
    async def _places(self, job: Job) -> AsyncIterator[List[str]]:
        """The GPUs that a job has to itself; none for one that has a core."""
        async with self._turn:  # nobody takes what a job of several GPUs waits for
            mine = [await self._free.get() for _ in range(max(1, job.gpus))]
        try:
            yield [place for place in mine if place]
        finally:
            for place in mine:
                self._free.put_nowait(place)

    async def _job(self, job: Job) -> None:
        for name in set(job.needs) & set(self._tasks):
            await asyncio.wait([self._tasks[name]])
        try:
            broken = [name for name in job.needs if name in self.failed]
            if broken:
                raise RuntimeError(f'not run, it needs {", ".join(broken)}')
            async with self._places(job) as gpus:
                record = await self._record(job, gpus)
        except (RuntimeError, ValueError, OSError, LookupError, MissingEvaluation) as error:
            log = self.place.run_dir(job) / 'printed.log'
            self.failed[job.name] = f'{error}' + (f' (log {log})' if log.is_file() else '')
            self.say(f'FAILED     {job.name}: {self.failed[job.name]}')
            return
        self._done += 1
        found = record['metrics']
        told = [f'{name} {found[name]:.4f}' for name in ('mAP', 'NDS', 'miou', 'range_median_m') if name in found]
        told.append(duration(record['seconds']))
        self.say(f'finished   {job.name}: {", ".join(told)}; {self._done} of {len(self.jobs)}')

    async def _record(self, job: Job, gpus: Sequence[str]) -> Record:
        folder = self.place.run_dir(job)
        goes_on = (folder / 'last_checkpoint').is_file()
        self.say(f'{"go on" if goes_on else "start":<10} {job.name}')
        command = [TRAIN, *self.place.prepare(job)]
        if len(gpus) > 1:
            command = [*_TORCHRUN, f'--nproc_per_node={len(gpus)}', *command, '--launcher', 'pytorch']
        await self._process(job, gpus, *command)
        if arguments := self.place.probe(job):
            await self._process(job, gpus[:1], PROBE_POINTS, *arguments)
        try:
            return self.place.finish(job)
        except MissingEvaluation:  # the training was stopped between its last step and its evaluation
            arguments = [str(folder / 'job.py'), self.place.checkpoint(folder), '--work-dir', str(folder / 'test')]
            printed = await self._process(job, gpus[:1], TEST, *arguments)
            return self.place.finish(job, json.loads(printed[-1]))

    async def _process(self, job: Job, gpus: Sequence[str], *command: str) -> List[str]:
        """Run a command; the lines that it printed."""
        visible = dict(CUDA_VISIBLE_DEVICES=','.join(gpus)) if gpus else {}
        log = self.place.run_dir(job) / 'printed.log'
        with open(log, 'ab') as file:
            begin = file.tell()
            # A session of its own: Ctrl-C reaches this process alone, which then ends its children in order.
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *command,
                env={**os.environ, **_ENVIRONMENT, **visible},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            await process.wait()
        except asyncio.CancelledError:
            for number in (signal.SIGTERM, signal.SIGKILL):  # checkpoints are whole at every moment
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, number)  # with its data loaders
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(process.wait(), _GRACE_SECONDS)
            self.say(f'stopped    {job.name}')
            raise
        printed = log.read_bytes()[begin:].decode(errors='replace')
        lines = [line.strip() for line in printed.splitlines() if line.strip()]
        if process.returncode:
            told = [line for line in lines if line.startswith('error:') or ('Error' in line and ': ' in line)]
            why = (told or lines or ['it printed nothing'])[-1][:400]
            raise RuntimeError(f'{why} (exit {process.returncode})')
        return lines
