"""Page, plot and published records from the records of runs, and what is not put into one table."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from mmengine.config import Config

from projects.CLAP.comparison import Plan, PlanError, read_plan
from projects.CLAP.comparison.command import summarize
from projects.CLAP.comparison.page import page
from projects.CLAP.comparison.plan import Points, Row, all_jobs
from projects.CLAP.comparison.records import read_record, read_records, write_records
from projects.CLAP.comparison.results import Results
from tests.fixtures.fake_records import fake_record, write_fakes
from tests.fixtures.tiny_plan import PLAN

#: mAP of seeds 0 and 1 at the headline.
HEADLINE = dict(random=(0.10, 0.12), half=(0.11, 0.125), clap=(0.14, 0.15))


def mean_ap(job) -> float:
    if job.kind == 'pretrain':
        return 0.0
    return HEADLINE[job.arm][job.seed] + (0.1 if job.interval == 1 else 0.0) - (0.02 if job.kind == 'probe' else 0.0)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    for name in ('finetune.py', 'pretrain.py', 'pretrain_lidar.py'):
        (tmp_path / name).write_text('')
    Config(PLAN).dump(str(tmp_path / 'plan.py'))
    return read_plan(tmp_path / 'plan.py')


def rows(text: str, heading: str) -> list:
    """Cells of the table below a heading."""
    lines = text.split(f'## {heading}')[1].split('\n\n')[1].splitlines()
    return [[cell.strip() for cell in line.strip('|').split('|')] for line in lines[2:]]


def test_figures_are_those_of_the_records(plan: Plan, tmp_path: Path) -> None:
    write_fakes(plan, tmp_path / 'work', mean_ap)
    figures = summarize(plan, tmp_path / 'work', tmp_path / 'results')
    text = (tmp_path / 'results' / 'README.md').read_text()
    # mAP 10 and 12: mean 11, deviation sqrt(2). NDS is half of it plus 10.
    random, half, clap = rows(text, 'Every arm')
    assert random == ['random', '2', '11.00 ± 1.41', '15.50 ± 0.71', '–', '–', '–'] and half[0] == 'half (98% loaded)'
    # Differences 4 and 3: mean 3.5, deviation 0.7071, t = 7 with one degree of freedom: p = 1 - 2 atan(7) / pi.
    assert clap[1:3] == ['2', '14.50 ± 0.71'] and clap[4:] == ['+3.50 (-2.85 to +9.85)', '0.09', '51.17 / 57.04']
    assert '14.50 mAP' in text.splitlines()[2] and 'p = 0.09' in text.splitlines()[2], 'first what came out'
    assert rows(text, 'Longer and shorter')[1] == ['', 'full CLAP', '1', '14.00', '+4.00', 'one seed']
    assert rows(text, 'Other shares')[1][3] == '24.50 ± 0.71' and rows(text, 'Frozen')[2][3] == '12.50 ± 0.71'
    assert rows(text, 'The pre-trainings')[0][-1] == 'Opacity of LiDAR rays'
    assert figures['cells']['finetune-clap-50pct-1ep']['mAP']['gain']['mean'] == pytest.approx(3.5)
    plot = (tmp_path / 'results' / 'label_efficiency.svg').read_text()
    assert 'full CLAP' in plot and '2 epochs' not in plot
    # A checkout has the results and nothing else.
    again = summarize(plan, tmp_path / 'nowhere', tmp_path / 'results')
    assert again == figures and (tmp_path / 'results' / 'README.md').read_text() == text


def test_a_plan_that_asks_has_its_classes_and_nds_everywhere(plan: Plan, tmp_path: Path) -> None:
    write_fakes(plan, tmp_path, mean_ap)
    path = tmp_path / 'records/finetune-random-50pct-1ep-seed0.json'
    cards = dict(processor='a processor', gpus=['a card'] * 8)
    write_records(path, dict(read_record(path), hardware=cards))
    text = page(Results(replace(plan, in_full=True), read_records(tmp_path)))
    assert rows(text, 'Average precision by class')[2] == ['full CLAP', '14.50 ± 0.71', '0.00 ± 0.00']
    assert rows(text, 'Other shares')[1][3:5] == ['24.50 ± 0.71', '22.25 ± 0.35']
    assert 'runs of one core or 8 GPUs, ' in text
    assert 'hours together, on a processor and a processor, a card with' in text


def test_an_arm_is_set_against_the_one_that_it_names(plan: Plan, tmp_path: Path) -> None:
    arms = (*plan.arms[:2], replace(plan.arm('clap'), against='half'))
    other = replace(plan, arms=arms)
    write_fakes(other, tmp_path, mean_ap)
    assert rows(page(Results(other, read_records(tmp_path))), 'Every arm')[2][4].startswith('+2.75 ')


def test_pre_trainings_are_compared_by_seed(plan: Plan, tmp_path: Path) -> None:
    """Two seeds of two pre-trainings, no fine-tuning: range errors and a probe, no plot."""
    two = {name: replace(stage, seeds=(0, 1)) for name, stage in plan.pretrain.items()}
    arms = (*plan.arms, replace(plan.arm('clap'), name='lidar', weights=dict(lidar=None)))
    probes = (Row(('lidar', 'clap'), 2, 1, (0, 1), frozen=True),)
    plan = replace(plan, pretrain=two, arms=arms, baseline='lidar', rows=probes)
    errors = {('lidar', 0): 1.0, ('lidar', 1): 2.0, ('clap', 0): 0.9, ('clap', 1): 1.7}
    for job in write_fakes(plan, tmp_path / 'work', lambda job: 0.1 + 0.1 * job.seed):
        if job.kind == 'pretrain':
            metrics = dict(range_median_m=errors[job.arm, job.seed], range_within_1m=0.5)
            if job.seed == 0:  # at the other seed no held-back ray met an object
                metrics['range_mae_m_objects'] = 2 * errors[job.arm, 0]
            write_records(tmp_path / 'work/records' / f'{job.name}.json', fake_record(job, 0.0, metrics=metrics))
    summarize(plan, tmp_path / 'work', tmp_path / 'results')
    text = (tmp_path / 'results' / 'README.md').read_text()
    assert sorted(path.name for path in (tmp_path / 'results').iterdir()) == ['README.md', 'records.jsonl']
    assert 'Every arm' not in text and 'encoders frozen' in text.splitlines()[2]
    own = {line[0]: line[1:] for line in rows(text, 'The pre-trainings')}
    assert own['lidar'][:3] == ['1 (10)', '2', '1.500 ± 0.707'] and own['clap'][6] == '50.0 ± 0.0'
    # -10 % and -15 %: mean -12.5, deviation 3.5355, t = -5 with one degree of freedom.
    (change,) = rows(text, 'Range error')
    assert change == ['clap', '-12.50 (-44.27 to +19.27), p = 0.13', '–', '–', '-10.00, one seed']


def test_arms_of_the_same_seed_may_differ_in_weights_and_say_so(plan: Plan, tmp_path: Path) -> None:
    two = {name: replace(stage, seeds=(0, 1)) for name, stage in plan.pretrain.items()}
    plan = replace(plan, pretrain=two, arms=(*plan.arms[:2], replace(plan.arm('clap'), same_seed=True)))
    for job in write_fakes(plan, tmp_path, mean_ap):
        if job.arm == 'clap' and job.kind != 'pretrain':
            path = tmp_path / f'records/{job.name}.json'
            write_records(path, fake_record(job, 0.1, weights=f'those of seed {job.seed}'))
    text = page(Results(plan, read_records(tmp_path)))
    assert 'Every seed has a pre-training of its own' in text and 'another one' not in text


def test_shares_of_the_gradient_are_told_over_seeds_and_steps(plan: Plan, tmp_path: Path) -> None:
    two = {name: replace(stage, seeds=(0, 1)) for name, stage in plan.pretrain.items()}
    plan = replace(plan, pretrain=two)
    for job in write_fakes(plan, tmp_path, mean_ap):
        if job.arm == 'clap' and job.kind == 'pretrain':
            shares = dict(
                grad_share_near_surface_lidar=[0.5, 0.6, 0.7],
                grad_share_swav_lidar=[1e-7, 0.01 + 0.02 * job.seed, 0.25],
                grad_share_near_surface_fused=[1.0, 1.0, 1.0],
            )
            path = tmp_path / f'records/{job.name}.json'
            write_records(path, fake_record(job, 0.0, gradient_shares=shares))
    text = page(Results(plan, read_records(tmp_path)))
    assert rows(text, 'Share of each loss') == [
        ['clap', 'lidar', '60 (50–70)', '2 (1e-05–25)'],
        ['clap', 'fused', '100 (100–100)', '–'],
    ]


def test_missing_seeds_are_said_and_published_ones_not_lost(plan: Plan, tmp_path: Path, capsys) -> None:
    write_fakes(plan, tmp_path / 'whole', mean_ap)
    summarize(plan, tmp_path / 'whole', tmp_path / 'results')
    before = (tmp_path / 'results' / 'README.md').read_text()
    for job in write_fakes(plan, tmp_path / 'work', mean_ap):
        if (job.kind, job.arm, job.seed) == ('finetune', 'half', 1):
            (tmp_path / 'work/records' / f'{job.name}.json').unlink()
    half = rows(page(Results(plan, read_records(tmp_path / 'work'))), 'Every arm')[1]
    assert half[1:3] == ['1 of 2', '11.00'] and half[4:6] == ['+1.00', 'one seed']
    summarize(plan, tmp_path / 'work', tmp_path / 'results')
    assert 'is left as it is' in capsys.readouterr().out
    assert (tmp_path / 'results' / 'README.md').read_text() == before
    assert summarize(plan, tmp_path / 'nowhere', tmp_path / 'new') == dict(plan='tiny', records=0, cells={})
    assert not (tmp_path / 'new').exists()


@pytest.mark.parametrize(
    'name,changes,match',
    [
        ('finetune-clap-50pct-1ep-seed1', dict(common='x'), 'differ in configuration of fine-tuning: .*clap-50pct-1ep'),
        ('finetune-random-50pct-2ep-seed0', dict(common='x'), 'configuration of fine-tuning'),
        ('probe-half-50pct-1ep-seed0', dict(common='x'), 'configuration of the probe'),
        ('finetune-clap-100pct-1ep-seed0', dict(options=['lr=1']), 'seed0 is of .*lr=1'),
        ('finetune-half-50pct-1ep-seed0', dict(epochs=7), 'the plan asks for .*1'),
        ('finetune-random-100pct-1ep-seed0', dict(data=dict(train='train.pkl 09', val='val.pkl 02')), 'differ in data'),
        ('finetune-half-50pct-1ep-seed0', dict(iterations=11), 'iterations of an epoch'),
        ('finetune-clap-100pct-1ep-seed0', dict(weights='others'), r'pre-trained weights \(clap, 100pct\)'),
    ],
)
def test_records_of_different_conditions_are_not_mixed(
    plan: Plan, tmp_path: Path, name: str, changes: dict, match: str
) -> None:
    jobs = {job.name: job for job in write_fakes(plan, tmp_path, mean_ap)}
    write_records(tmp_path / 'records' / f'{name}.json', fake_record(jobs[name], 0.1, **changes))
    with pytest.raises(PlanError, match=match):
        Results(plan, read_records(tmp_path))


def test_info_files_that_differ_in_rounding_alone_are_one(plan: Plan, tmp_path: Path) -> None:
    job = write_fakes(plan, tmp_path, mean_ap)[-1]
    made = fake_record(job, 0.1)
    rendered = dict(made['data'], train='train.pkl rendered again')
    write_records(tmp_path / 'records' / f'{job.name}.json', dict(made, data=rendered))
    with pytest.raises(PlanError, match='differ in data'):
        Results(plan, read_records(tmp_path))
    Results(replace(plan, same_data=((made['data']['train'], rendered['train']),)), read_records(tmp_path))


def test_records_that_nobody_asks_for_are_named_and_damaged_ones_refused(plan: Plan, tmp_path: Path) -> None:
    job = write_fakes(plan, tmp_path, mean_ap)[-1]
    write_records(tmp_path / 'records' / 'old.json', fake_record(job, 0.9, job='old', common='other'))
    results = Results(plan, read_records(tmp_path))
    assert results.foreign == ['old'] and page(results).endswith('in no table: old.\n')
    (tmp_path / 'records' / 'cut.json').write_text('{"format": 1, "jo')
    with pytest.raises(PlanError, match='cut.json is no record'):
        read_records(tmp_path)


def test_records_of_an_earlier_version_are_summed_up(plan: Plan, tmp_path: Path) -> None:
    """Format 1: a folder of JSON files, other lengths of a kind of their own, names without lengths."""
    write_fakes(plan, tmp_path / 'new', mean_ap)
    for name, record in read_records(tmp_path / 'new').items():
        kind = 'schedule' if record['epochs'] == 2 else record['kind']
        write_records(tmp_path / 'old/records' / f'{name}.json', dict(record, format=1, kind=kind, job='another'))
    for job in all_jobs(plan)[:2]:
        path = tmp_path / 'old/records' / f'{job.name}.json'
        write_records(path, dict(json.loads(path.read_text()), job=job.name))
    old, new = (summarize(plan, tmp_path / name, tmp_path / f'{name}_results') for name in ('old', 'new'))
    assert old == new


def test_numbers_that_are_not_finite_become_null(tmp_path: Path) -> None:
    write_records(tmp_path / 'a.json', dict(format=2, job='a', metrics=dict(mAP=float('nan'), x=[float('inf'), 1.0])))
    assert read_record(tmp_path / 'a.json')['metrics'] == dict(mAP=None, x=[None, 1.0])
    json.loads((tmp_path / 'a.json').read_text(), parse_constant=lambda name: pytest.fail(name))


def test_probe_of_points(plan: Plan, tmp_path: Path) -> None:
    """Spread over draws for what is not pre-trained, over pre-trainings for what is."""
    stages = {'clap': replace(plan.pretrain['clap'], seeds=(0, 1, 2))}
    probed = replace(plan, pretrain=stages, arms=plan.arms[:1], rows=(), points=Points(labels=2))
    for job in all_jobs(probed):
        miou = dict(point=[5.0, 7.0], random=[20.0, 22.0], checkpoint=[30.0 + job.seed, 32.0 + job.seed])
        record = fake_record(job, 0.0, points=dict(miou=miou))
        write_records(tmp_path / 'work' / 'records' / f'{job.name}.json', record)
    summarize(probed, tmp_path / 'work', tmp_path / 'results')
    text = (tmp_path / 'results' / 'README.md').read_text()
    # Means 31, 32, 33 against 21: +11 with a deviation of 1 and t = 11 sqrt(3), two degrees of freedom.
    row = rows(text, 'Probe of points: mIoU of a linear layer on frozen lidar features, 2 labelled frames')[0]
    assert row[1:5] == ['3', '6.0 ± 1.4', '21.0 ± 1.4', '32.0 ± 1.0'] and row[5] == '+11.00 (+8.52 to +13.48)'
    assert row[6] == '0.0027'
    assert text.splitlines()[2].endswith('random encoders 21.0 ± 1.4; **clap** 32.0 ± 1.0, p = 0.0027.')


def test_methods_that_do_not_render_say_what_they_measured(plan: Plan, tmp_path: Path) -> None:
    told = replace(plan, rows=(), arms=plan.arms[:1])
    for job in all_jobs(told):
        figures = dict(retrieval=0.25, retrieval_chance=0.01) if job.arm == 'clap' else dict(range_median_m=1.0)
        write_records(tmp_path / 'work/records' / f'{job.name}.json', fake_record(job, 0.0, metrics=figures))
    summarize(told, tmp_path / 'work', tmp_path / 'results')
    text = (tmp_path / 'results' / 'README.md').read_text()
    assert rows(text, 'The pre-trainings: their own figures')[0][3] == 'retrieval 0.250; retrieval_chance 0.0100'
    assert [row[0] for row in rows(text, 'The pre-trainings: range error')] == ['lidar']


def test_stages_with_the_same_figures_stand_side_by_side(plan: Plan, tmp_path: Path) -> None:
    told = replace(plan, rows=(), arms=plan.arms[:1])
    for job in all_jobs(told):
        figures = dict(retrieval=0.25) if job.arm == 'lidar' else dict(retrieval=0.5, codes=0.1)
        write_records(tmp_path / 'work/records' / f'{job.name}.json', fake_record(job, 0.0, metrics=figures))
    summarize(told, tmp_path / 'work', tmp_path / 'results')
    text = (tmp_path / 'results' / 'README.md').read_text()
    table = {row[0]: row[1:] for row in rows(text, 'The pre-trainings: their own figures')}
    heads = next(line for line in text.splitlines() if line.startswith('| figure |')).split('|')[2:-1]
    assert dict(zip(map(str.strip, heads), table['retrieval'])) == dict(lidar='0.250', clap='0.500')
    assert dict(zip(map(str.strip, heads), table['codes'])) == dict(lidar='–', clap='0.100')
    assert set(table) == {'epochs (iterations)', 'seeds', 'retrieval', 'codes', 'bad health figures'}


def test_another_figure_than_average_precision(plan: Plan, tmp_path: Path) -> None:
    measured = replace(plan, metric='miou', rows=(Row(('random', 'clap'), 2, 1, (0, 1)),))
    for job in all_jobs(measured):
        record = fake_record(job, 0.0)
        record['metrics'] = dict(miou=mean_ap(job), acc=0.9)
        write_records(tmp_path / 'work' / 'records' / f'{job.name}.json', record)
    summarize(measured, tmp_path / 'work', tmp_path / 'results')
    text = (tmp_path / 'results' / 'README.md').read_text()
    assert '14.50 mIoU' in text.splitlines()[2] and '| start of the segmentor | seeds | mIoU |' in text
    assert 'mAP over' not in text and not list((tmp_path / 'results').glob('*.svg')), 'one share: nothing to plot'
