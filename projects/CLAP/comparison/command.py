"""What ``tools/analysis_tools/label_efficiency.py`` does."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

from projects.CLAP.clap.files.project import ROOT

from .jobs import Job, all_jobs, main_jobs, select
from .plan import Plan
from .pool import Pool
from .summary import summarize as write_summary
from .workplace import Workplace

_RESULTS = ROOT / 'projects' / 'CLAP' / 'results'


def _chosen(plan: Plan, only: Sequence[str]) -> List[Job]:
    return select(all_jobs(plan), only) if only else main_jobs(plan)


def _left_out(plan: Plan, jobs: Sequence[Job]) -> str:
    others = len(all_jobs(plan)) - len(jobs)
    return f"{others} jobs of the plan's side arms are left out; --only '*' runs everything\n" if others else ''


def run_jobs(plan: Plan, folder: Path, only: Sequence[str], slots: int) -> Tuple[Dict[str, str], Optional[int]]:
    """Run what is left of a plan; the jobs that failed with the reason, and the signal that stopped it."""
    place = Workplace(plan, folder.resolve())
    jobs = _chosen(plan, only)
    with place.alone() as lock:
        if not only:
            print(_left_out(plan, jobs), end='')
        pool = Pool(place, jobs, place.check(jobs), slots, lock)
        pool.run()
    return pool.failed, pool.stopped


def list_jobs(plan: Plan, folder: Path, only: Sequence[str]) -> Dict[str, Any]:
    """Print every job with its state and its labelled frames."""
    place = Workplace(plan, folder.resolve())
    jobs = _chosen(plan, only)
    left = {job.name for job in place.check(jobs)}
    for job in jobs:
        state = 'to do' if job.name in left else 'done'
        if job.name in left and (place.run_dir(job) / 'last_checkpoint').is_file():
            state = 'go on'
        labels = ''
        if job.interval is not None:
            subset = place.subset(job)
            labels = f', {subset["frames"]} of {subset["of"]} frames, {sum(subset["boxes"].values())} boxes'
            labels += f', no {", ".join(subset["absent"])}' if subset['absent'] else ''
        print(f'{state:<7}{job.name}: {job.epochs} epochs{labels}', file=sys.stdout)
    if not only:
        print(_left_out(plan, jobs), end='')
    return dict(plan=plan.name, jobs=len(jobs), done=len(jobs) - len(left))


def summarize(plan: Plan, folder: Path, results: Optional[Path]) -> Dict[str, Any]:
    """Tables and plot from the records; see :func:`.summary.summarize`."""
    return write_summary(plan, folder, results or _RESULTS / plan.name)
