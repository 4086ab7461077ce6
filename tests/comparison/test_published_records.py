"""Published figures belong to the configurations that stand beside them, and follow from the records."""

from __future__ import annotations

from pathlib import Path

import pytest

from projects.CLAP.clap.engine.config.load import load_config
from projects.CLAP.comparison import read_plan
from projects.CLAP.comparison.command import RESULTS
from projects.CLAP.comparison.job_config import JobConfigs, plain
from projects.CLAP.comparison.jobs import all_jobs
from projects.CLAP.comparison.page import page
from projects.CLAP.comparison.plan import Cell
from projects.CLAP.comparison.records import read_records
from projects.CLAP.comparison.results import Results
from tests.fixtures.tiny_plan import CONFIGS

published = pytest.mark.parametrize('name', ['sim', 'pandaset', 'samplers_sim'])


def results(name: str) -> Results:
    return Results.of(read_plan(CONFIGS / f'{name}.py'), read_records(RESULTS / name))


@published
def test_records_are_of_the_configurations_of_today(name: str, tmp_path: Path) -> None:
    """Whoever changes a base that a finished comparison builds on has to write the old value into its own files."""
    found = results(name)
    configs = JobConfigs(found.plan, tmp_path)
    jobs = all_jobs(found.plan)
    assert [job.name for job in jobs] == list(found.records) and not found.foreign
    assert [job.name for job in jobs if found.records[job.name]['fingerprint'] != configs.fingerprint(job)] == []


def test_another_least_range_is_not_taken_for_the_published_one() -> None:
    cfg = load_config(str(CONFIGS / 'pretrain_sim_clap.py'))
    published = plain(cfg)
    assert 'min_range_m' not in published['model']['ray_sampler']
    cfg.model.ray_sampler.min_range_m = 2.5
    assert plain(cfg) != published
    del cfg.model.ray_sampler['min_range_m']  # the default of today
    assert plain(cfg) != published


@published
def test_pages_are_those_of_the_plan_and_the_records(name: str) -> None:
    """Whoever changes a plan or what is said of it sums up again: ``label_efficiency.py PLAN --summarize``."""
    assert (RESULTS / name / 'README.md').read_text() == page(results(name))


def test_figures_and_p_values_recompute() -> None:
    sim = results('sim')

    def means(cell: Cell) -> list:
        return [sim.spread('mAP', arm, cell).mean for arm in ('random', 'clap')]

    headline = sim.gain('mAP', 'clap', Cell(64, 6))
    assert means(Cell(64, 6)) == pytest.approx([39.30, 41.42], abs=0.006) and sim.plan.headline == Cell(64, 6)
    assert (headline.count, headline.mean, headline.p) == (
        8,
        pytest.approx(2.11, abs=0.006),
        pytest.approx(0.15, abs=0.005),
    )
    short, long = (sim.gain('mAP', 'clap', Cell(64, epochs)) for epochs in (3, 12))
    assert (short.mean, short.p) == (pytest.approx(3.71, abs=0.006), pytest.approx(0.00029, abs=6e-6))
    assert (long.mean, long.p) == (pytest.approx(0.82, abs=0.006), pytest.approx(0.58, abs=0.006))
    probe = [sim.spread('mAP', arm.name, Cell(1, 1, frozen=True)).mean for arm in sim.plan.arms[:5]]
    assert probe == pytest.approx([1.5, 3.8, 8.0, 9.3, 9.8], abs=0.05)
    prior = sim.gain('mAP', 'clap_prior', Cell(128, 3))
    assert (prior.mean, prior.p) == (pytest.approx(5.42, abs=0.006), pytest.approx(0.0035, abs=6e-5))


def test_pages_are_short() -> None:
    assert sum(len(path.read_text().split()) for path in RESULTS.glob('*/README.md')) <= 2500
