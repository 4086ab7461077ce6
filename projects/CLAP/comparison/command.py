"""What ``tools/analysis_tools/label_efficiency.py`` does."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Tuple

from projects.CLAP.clap.engine.lock import locked_work_dir
from projects.CLAP.clap.files.atomic_file import write_atomic
from projects.CLAP.clap.files.project import ROOT

from .page import PAGE, page
from .plan import Plan, all_jobs, select
from .plot import PLOT, label_share_plot
from .pool import Pool
from .records import PUBLISHED, read_records, write_records
from .results import Results, figures
from .workplace import Workplace

RESULTS = ROOT / 'docs' / 'results'


def run_jobs(plan: Plan, folder: Path, only: Sequence[str], slots: int) -> Tuple[Dict[str, str], Optional[int]]:
    """Run what is left of a plan; the jobs that failed with the reason, and the signal that stopped it.

    Raises:
        WorkDirBusyError: another process runs jobs there.
    """
    place, jobs = Workplace(plan, folder.resolve()), select(all_jobs(plan), only)
    with locked_work_dir(folder):
        pool = Pool(place, jobs, place.check(jobs), slots)
        pool.run()
    return pool.failed, pool.stopped


def list_jobs(plan: Plan, folder: Path, only: Sequence[str]) -> Dict[str, Any]:
    """Print every job with its state and its labelled frames."""
    place, jobs = Workplace(plan, folder.resolve()), select(all_jobs(plan), only)
    left = {job.name for job in place.check(jobs)}
    for job in jobs:
        begun = (place.run_dir(job) / 'last_checkpoint').is_file()
        state = 'done' if job.name not in left else 'go on' if begun else 'to do'
        labels = ''
        if subset := place.subset(job):
            absent = f', no {", ".join(subset["absent"])}' if subset['absent'] else ''
            labels = f', {subset["frames"]} of {subset["of"]} frames, {sum(subset["boxes"].values())} boxes{absent}'
        print(f'{state:<7}{job.name}: {job.epochs} epochs{labels}')
    return dict(plan=plan.name, jobs=len(jobs), done=len(jobs) - len(left))


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
    if not any(record['kind'] != 'pretrain' for record in found.records.values()):
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
    if plan.headline is not None:
        label_share_plot(found, target / PLOT)
    write_records(target / PUBLISHED, *found.records.values())
    write_atomic(target / PAGE, page(found).encode())
    print(f'{target}: {PAGE}, {PUBLISHED} ({len(found.records)} runs){f", {PLOT}" if plan.headline else ""}')
    return figures(found)
