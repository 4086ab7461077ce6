"""Published figures belong to the configurations that stand beside them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from projects.CLAP.comparison import read_plan
from projects.CLAP.comparison.job_config import JobConfigs
from projects.CLAP.comparison.jobs import all_jobs
from projects.CLAP.comparison.records import read_record
from projects.CLAP.comparison.results import Results
from projects.CLAP.comparison.summary import block, page

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / 'projects' / 'CLAP'

published = pytest.mark.parametrize('name', [path.parent.name for path in sorted(PROJECT.glob('results/*/records'))])


@published
def test_records_are_of_the_configurations_of_today(name: str, tmp_path: Path) -> None:
    """Whoever changes a base that a finished comparison builds on has to write the old value into its own files."""
    plan = read_plan(PROJECT / 'configs' / 'comparison' / f'{name}.py')
    configs, jobs = JobConfigs(plan, tmp_path), {job.name: job for job in all_jobs(plan)}
    records = [read_record(path) for path in sorted((PROJECT / 'results' / name / 'records').glob('*.json'))]
    assert records
    others = [r['job'] for r in records if r['fingerprint'].split()[0] != configs.fingerprint(jobs[r['job']])]
    assert others == []


@published
def test_tables_are_those_of_the_plan_and_the_records(name: str) -> None:
    """Whoever changes a plan or what is said of it sums up again: ``label_efficiency.py PLAN --summarize``."""
    plan = read_plan(PROJECT / 'configs' / 'comparison' / f'{name}.py')
    folder = PROJECT / 'results' / name
    results = Results.read(plan, folder / 'records')
    assert (folder / 'tables.md').read_text() == page(results) + '\n'
    readme = ROOT / plan.readme
    assert block(results, os.path.relpath(folder, readme.parent)) in readme.read_text()
