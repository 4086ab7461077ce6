"""Published figures belong to the configurations that stand beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from projects.CLAP.clap.experiments import read_plan
from projects.CLAP.clap.experiments.job_config import JobConfigs
from projects.CLAP.clap.experiments.jobs import all_jobs
from projects.CLAP.clap.experiments.records import read_record

PROJECT = Path(__file__).resolve().parents[2] / 'projects' / 'CLAP'


@pytest.mark.parametrize('name', [path.parent.name for path in sorted(PROJECT.glob('results/*/records'))])
def test_records_are_of_the_configurations_of_today(name: str, tmp_path: Path) -> None:
    """Whoever changes a base that a finished comparison builds on has to write the old value into its own files."""
    plan = read_plan(PROJECT / 'configs' / 'label_efficiency' / f'{name}.py')
    configs, jobs = JobConfigs(plan, tmp_path), {job.name: job for job in all_jobs(plan)}
    records = [read_record(path) for path in sorted((PROJECT / 'results' / name / 'records').glob('*.json'))]
    assert records
    others = [r['job'] for r in records if r['fingerprint'].split()[0] != configs.fingerprint(jobs[r['job']])]
    assert others == []
