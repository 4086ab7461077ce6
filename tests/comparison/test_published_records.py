"""Published pages and figures follow from the records beside them."""

from __future__ import annotations

import pytest

from projects.CLAP.comparison import read_plan
from projects.CLAP.comparison.command import RESULTS
from projects.CLAP.comparison.page import page
from projects.CLAP.comparison.plan import Cell, all_jobs
from projects.CLAP.comparison.records import read_records
from projects.CLAP.comparison.results import Results
from tests.fixtures.tiny_plan import CONFIGS

published = pytest.mark.parametrize(
    'name',
    [
        'sim',
        'pandaset',
        'samplers_sim',
        'prototypes_sim',
        'segmentation_sim',
        'segmentation_pandaset',
        'methods_pandaset',
        'methods_sim',
        'cmcr_ladder',
        'clurender_ladder',
        'codewords_pandaset',
    ],
)


def results(name: str) -> Results:
    found = Results(read_plan(CONFIGS / f'{name}.py'), read_records(RESULTS / name))
    assert [job.name for job in all_jobs(found.plan)] == list(found.records) and not found.foreign
    return found


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
    words = {path.parent.name: len(path.read_text().split()) for path in RESULTS.glob('*/README.md')}
    assert max(words.values()) <= 1300, words
