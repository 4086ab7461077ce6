"""What ``tools/analysis_tools/label_efficiency.py`` does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Tuple

import torch

from projects.CLAP.clap.engine.lock import locked_work_dir
from projects.CLAP.clap.files.atomic_file import write_atomic
from projects.CLAP.clap.files.project import ROOT

from .page import PAGE, page
from .plan import Job, Plan, PlanError, all_jobs, select
from .plot import PLOT, label_share_plot
from .pool import Pool
from .records import PUBLISHED, read_records, write_records
from .results import Results, figures
from .workplace import Workplace

RESULTS = ROOT / 'docs' / 'results'


def run_jobs(
    plan: Plan, folder: Path, only: Sequence[str], slots: int, gpus: Sequence[str] = ()
) -> Tuple[Dict[str, str], Optional[int]]:
    """Run what is left of a plan; the jobs that failed with the reason, and the signal that stopped it.

    Raises:
        WorkDirBusyError: another process runs jobs there.
        PlanError: a job takes more GPUs than are given, or one of these is not there.
    """
    place, jobs = Workplace(plan, folder.resolve()), select(all_jobs(plan), only)
    _enough(jobs, gpus)
    if gpus:
        os.environ['CUDA_VISIBLE_DEVICES'] = ','.join(gpus)
        if torch.cuda.device_count() < len(gpus):  # a job that sees no GPU would train on the CPU
            raise PlanError(f'--gpus {" ".join(gpus)}: {torch.cuda.device_count()} of these {len(gpus)} can be used')
    with locked_work_dir(folder):
        pool = Pool(place, jobs, place.check(jobs), slots, gpus)
        pool.run()
    return pool.failed, pool.stopped


def _enough(jobs: Sequence[Job], gpus: Sequence[str]) -> None:
    """Raise for a job that takes more GPUs than are given."""
    for job in jobs:
        if job.gpus > len(gpus):
            raise PlanError(
                f'{job.name} takes {job.gpus} GPUs, given are {len(gpus)} (--gpus 0 1 ...). To run it on fewer, lower '
                'gpus in the plan, and raise train_dataloader.batch_size there so that a step has as many frames'
            )


def list_jobs(plan: Plan, folder: Path, only: Sequence[str], gpus: Sequence[str] = ()) -> Dict[str, Any]:
    """Print every job with its state, its labelled frames and the hours it will take, and what is missing.

    Without data this is all that can be said; with them, everything is checked that can be before a run.
    """
    place, jobs = Workplace(plan, folder.resolve()), select(all_jobs(plan), only)
    if gpus:
        _enough(jobs, gpus)
    data, weights = place.missing(jobs)
    left = {job.name for job in (jobs if data else place.check(jobs))}
    for job in jobs:
        begun = (place.run_dir(job) / 'last_checkpoint').is_file()
        state = 'done' if job.name not in left else 'go on' if begun else 'to do'
        labels = f' on {job.gpus} GPUs' if job.gpus else ''
        labels += f', {plan.hours(job):.1f} hours' if plan.hours(job) else ''
        if subset := None if data else place.subset(job):
            boxes = f', {sum(subset["boxes"].values())} boxes' if 'boxes' in subset else ''
            absent = f', no {", ".join(subset["absent"])}' if subset.get('absent') else ''
            labels += f', {subset["frames"]} of {subset["of"]} frames{boxes}{absent}'
        print(f'{state:<7}{job.name}: {job.epochs} epochs{labels}')
    hours = sum(plan.hours(job) * max(1, job.gpus) for job in jobs if job.name in left)
    if hours:
        places = len(gpus) or max(1, *(job.gpus for job in jobs))
        print(
            f'left: {hours:.0f} hours of a GPU, {hours / places / 24:.1f} days on {places} of them ({plan.hours_from})'
        )
    for what, lacking in (('missing', data), ('fetched when first needed', weights)):
        for one in lacking:
            print(f'{what}: {one}')
    return dict(plan=plan.name, jobs=len(jobs), done=len(jobs) - len(left), gpu_hours=round(hours), missing=data)


def summarize(plan: Plan, folder: Path, results: Optional[Path] = None) -> Dict[str, Any]:
    """Write the page, the plot and ``records.jsonl`` into ``results`` (``docs/results/<name>``).

    They are made from the records of the work directory ``folder``, or, where it has none, from those that ``results``
    has already. Published records that the work directory lacks are never lost: then everything is left as it is.

    Returns:
        figures for programs, see :func:`.results.figures`.

    Raises:
        PlanError: records do not belong together.
    """
    target = results or RESULTS / plan.name
    published = read_records(target)
    found = Results(plan, read_records(folder) or published)
    wanted = [record for record in found.records.values() if record['kind'] != 'pretrain' or not plan.rows]
    if not wanted:
        print(f'no record of a detector in {folder} or {target} yet: no tables')
        return figures(found)
    lost = sorted(set(Results(plan, published).records) - set(found.records))
    if lost:
        print(
            f'{target} is left as it is: it has records that {folder} has not ({", ".join(lost[:3])}, {len(lost)} in '
            'all). Give --results another folder, or run their jobs'
        )
        return figures(found)
    target.mkdir(parents=True, exist_ok=True)
    if plan.plotted:
        label_share_plot(found, target / PLOT)
    write_records(target / PUBLISHED, *found.records.values())
    write_atomic(target / PAGE, page(found).encode())
    print(f'{target}: {PAGE}, {PUBLISHED} ({len(found.records)} runs){f", {PLOT}" if plan.plotted else ""}')
    return figures(found)
