"""Verdicts follow the numbers, and every bad one says what to do."""

from __future__ import annotations

import json
import math

import pytest

from projects.CLAP.clap.findings import BAD, GOOD, UNKNOWN, WATCH
from projects.CLAP.clap.pretrain import CLAP
from projects.CLAP.clap.pretrain.declaration import Declaration
from projects.CLAP.clap.report import RunData, findings, summary
from projects.CLAP.clap.report.health import declared

HEALTHY = dict(
    grad_share_swav_lidar=0.1,
    grad_share_swav_camera=0.05,
    proto_perplexity_lidar=40.0,
    proto_perplexity_camera=30.0,
    gram_mean=0.01,
    gram_max=0.5,
    feature_std_lidar=0.8,
    feature_std_camera=0.7,
    swav_ratio=0.8,
    inv_s=25.0,
    opacity=0.98,
    masked_rays=0.0,
    candidate_points=0.9,
    uniform_cameras=0.0,
    curvature_rank_correlation=0.5,
)


def run_of(
    evaluation: tuple = (2.0, 0.8),
    prototypes: int = 64,
    rgb: float = 0.7,
    grey: float = 0.3,
    enrichment: float | None = 1.8,
    **values,
) -> RunData:
    figures = {**HEALTHY, **values}
    return RunData(
        'run',
        [dict(facts=dict(num_prototypes=prototypes, initial_inv_s=20.0))],
        {name: [(i, value) for i in range(1, 7)] for name, value in figures.items() if value is not None},
        {
            'render/range_median_m': list(enumerate(evaluation, 1)),
            'render/rgb_ratio': [(1, rgb)],
            'render/rgb_mae': [(1, 0.2)],
            'render/rgb_mae_of_grey_images': [(1, grey)],
            'enrichment': [(1, enrichment)] if enrichment is not None else [],
        },
    )


def level(run: RunData, scalar: str) -> str:
    (found,) = [row for row in findings(run) if scalar in row.scalars]
    assert (found.level in (BAD, WATCH)) == bool(found.remedy)
    return found.level


def test_a_healthy_run_has_nothing_but_good_figures() -> None:
    rows = findings(run_of())
    assert {row.level for row in rows} == {GOOD}
    assert summary(rows, 500) == f'Healthy: all {len(rows)} figures are good.'


@pytest.mark.parametrize(
    'scalar, value, expected',
    [
        ('grad_share_swav_camera', 1e-7, WATCH),
        ('grad_share_swav_lidar', 0.009, WATCH),
        ('grad_share_swav_lidar', 0.011, GOOD),
        ('grad_share_swav_camera', 0.4, WATCH),
        ('proto_perplexity_lidar', 5.0, WATCH),
        ('proto_perplexity_camera', 1.5, BAD),
        ('gram_mean', 0.3, WATCH),
        ('gram_mean', 0.6, BAD),
        ('gram_max', 0.99, BAD),
        ('feature_std_camera', 0.1, WATCH),
        ('feature_std_lidar', 0.01, BAD),
        ('swav_ratio', 1.0, WATCH),
        ('curvature_rank_correlation', 0.41, GOOD),
        ('curvature_rank_correlation', 0.35, WATCH),
        ('curvature_rank_correlation', 0.23, BAD),  # 11 frames of one drive, which drew vehicles 0.72 times
        ('inv_s', 18.0, WATCH),
        ('inv_s', 19.5, GOOD),
        ('inv_s', 1.0, BAD),
        ('inv_s', 6e3, WATCH),
        ('opacity', 0.7, WATCH),
        ('opacity', 0.3, BAD),
        ('masked_rays', 0.1, WATCH),
        ('masked_rays', 0.5, BAD),
        ('candidate_points', 0.1, BAD),
        ('uniform_cameras', 1.0, WATCH),
        ('enrichment', 1.0, WATCH),
        ('enrichment', 0.5, BAD),
        ('opacity', math.nan, BAD),
    ],
)
def test_each_figure_is_judged(scalar: str, value: float, expected: str) -> None:
    run = run_of(**{scalar: value})
    assert level(run, scalar) == expected
    others = [row for row in findings(run) if scalar not in row.scalars]
    assert {row.level for row in others} == {GOOD}
    start = {GOOD: 'Healthy: all', WATCH: 'Healthy, but watch: ', BAD: 'Not healthy: '}[expected]
    assert summary(findings(run), 500).startswith(start)


@pytest.mark.parametrize(
    'value, word', [(19.5, 'not fallen'), (18.0, 'has fallen'), (25.0, 'not fallen'), (6e3, 'few samples')]
)
def test_too_high_and_too_low_are_told_apart(value: float, word: str) -> None:
    (found,) = [row for row in findings(run_of(inv_s=value)) if 'inv_s' in row.scalars]
    assert word in found.verdict and '(start 20)' in found.value


def test_a_few_steps_are_no_verdict_unless_the_data_are_wrong() -> None:
    few = run_of(opacity=0.3, swav_ratio=1.0)
    text = summary(findings(few), 24)
    assert text.startswith('Too early to tell: 24 steps, ') and 'So far bad: Opacity' in text
    assert summary(findings(few), 500).startswith('Not healthy: Opacity')
    for certain in (dict(masked_rays=0.5), dict(opacity=math.nan)):
        assert summary(findings(run_of(**certain)), 24).startswith('Not healthy: ')
    unseen = run_of()
    del unseen.evaluation['render/range_median_m']
    assert summary(findings(unseen), 900).startswith('Not known: Range of held-back rays')


def test_the_missing_enrichment_comes_with_its_command() -> None:
    run = run_of(enrichment=None)
    run.folder, run.checkpoints = 'work_dirs/a b', ['epoch_1.pth', 'epoch_2.pth']
    run.sessions[0].update(config='c.py', environment=dict(CLAP_DATA_ROOT='data/q'))
    (found,) = [row for row in findings(run) if 'enrichment' in row.scalars]
    assert found.level == UNKNOWN
    assert found.verdict.endswith(
        "CLAP_DATA_ROOT=data/q python tools/analysis_tools/sampler_enrichment.py c.py "
        "'work_dirs/a b/epoch_2.pth' --out 'work_dirs/a b/enrichment.json' "
        "&& python tools/report.py 'work_dirs/a b'"
    )


def test_perplexity_is_judged_by_the_number_of_prototypes() -> None:
    assert level(run_of(proto_perplexity_lidar=30.0, proto_perplexity_camera=30.0), 'proto_perplexity_lidar') == GOOD
    assert level(run_of(prototypes=512), 'proto_perplexity_lidar') == WATCH


@pytest.mark.parametrize(
    'course, expected',
    [
        ((2.0, 3.0), BAD),
        ((3.0, 0.6, 0.9), WATCH),
        ((3.0, 2.0, 0.9), GOOD),
        ((3.0, 2.0, 1.48), WATCH),
        ((9.0, 8.0, 4.0), BAD),
        ((0.9,), GOOD),
        ((3.0,), WATCH),
        ((2.0, math.nan), BAD),
    ],
)
def test_held_back_rays_must_get_better(course: tuple, expected: str) -> None:
    assert level(run_of(evaluation=course), 'render/range_median_m') == expected


@pytest.mark.parametrize('rgb, expected', [(0.9, GOOD), (1.1, WATCH), (math.nan, BAD)])
def test_colour_must_beat_the_mean_colour(rgb: float, expected: str) -> None:
    assert level(run_of(rgb=rgb), 'render/rgb_ratio') == expected


@pytest.mark.parametrize('grey, expected', [(0.3, GOOD), (0.21, WATCH), (0.2, BAD), (0.1, BAD)])
def test_colour_must_come_from_the_images(grey: float, expected: str) -> None:
    assert level(run_of(grey=grey), 'render/rgb_mae_of_grey_images') == expected


def test_only_the_recent_past_counts() -> None:
    run = run_of()
    run.train['opacity'] = [(i, 0.1) for i in range(20)] + [(i, 0.95) for i in range(20, 25)]
    assert level(run, 'opacity') == GOOD


def test_what_was_not_logged_is_not_judged() -> None:
    rows = findings(RunData('fine-tuning', []))
    assert {row.level for row in rows} == {UNKNOWN}
    assert 'Nothing to judge' in summary(rows, 500)
    stopped = findings(RunData('stopped', [], nonfinite=['iter_3_rank_0.pt']))
    assert summary(stopped, 3).startswith('Not healthy')
    assert stopped[0].level == BAD and 'iter_3_rank_0.pt' in stopped[0].value


def test_the_run_card_holds_the_rules() -> None:
    """A report needs nothing of the method but what its run has written down."""
    own = CLAP.declare(dict(num_prototypes=512, initial_inv_s=20.0))
    assert Declaration.from_json(json.loads(json.dumps(own.to_json(), allow_nan=False))) == own
    run = run_of()
    run.sessions = [dict(method=dict(name='Gone', **own.to_json())), dict(method=CLAP.declare({}).to_json())]
    assert declared(run) == own, 'the first session knows the state before training'
    run.sessions = [dict(method=dict(rules='damaged'))]
    assert len(declared(run).rules) == len(own.rules)


def test_a_card_of_before_is_judged_by_the_class_that_its_configuration_names() -> None:
    run = run_of()
    run.config_text = "load_from = None\nmodel = dict(\n    render_head=dict(\n        type='X'),\n    type='CLAP')\n"
    assert declared(run) == CLAP.declare(dict(num_prototypes=64, initial_inv_s=20.0))
    run.config_text = run.config_text.replace("'CLAP'", "'CLAPBEVFusion'")
    assert declared(run) == Declaration()
