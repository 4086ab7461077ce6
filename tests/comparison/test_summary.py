"""Tables, plot and README block from records, and what is not put into one table."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from mmengine.config import Config

from projects.CLAP.comparison import Plan, PlanError, read_plan
from projects.CLAP.comparison import summary as summary_module
from projects.CLAP.comparison.conditions import conditions
from projects.CLAP.comparison.jobs import all_jobs
from projects.CLAP.comparison.plan import Arm, Length
from projects.CLAP.comparison.plot import label_share_plot
from projects.CLAP.comparison.records import read_record, write_record
from projects.CLAP.comparison.results import Results
from projects.CLAP.comparison.summary import page, replace_block, summarize, verdict
from projects.CLAP.comparison.tables import paper
from tests.fixtures.fake_records import fake_record, write_fakes
from tests.fixtures.tiny_plan import PLAN

#: mAP of seeds 0 and 1 at the headline share.
HEADLINE = dict(random=(0.10, 0.12), half=(0.11, 0.125), clap=(0.14, 0.15))


def mean_ap(job) -> float:
    if job.kind == 'pretrain':
        return 0.0
    return HEADLINE[job.arm][job.seed] + (0.1 if job.interval == 1 else 0.0) - (0.02 if job.kind == 'probe' else 0.0)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    for name in ('finetune.py', 'pretrain.py', 'pretrain_lidar.py'):
        (tmp_path / name).write_text('')
    Config(dict(PLAN, aim=dict(arm='clap', points=2.5, p=0.2))).dump(str(tmp_path / 'plan.py'))
    return read_plan(tmp_path / 'plan.py')


def rows(text: str, heading: str) -> dict:
    """Cells of the table below a heading, by the first cell."""
    part = text.split(heading)[1].split('\n\n')[1]
    lines = [[cell.strip() for cell in line.strip('|').split('|')] for line in part.splitlines()]
    return {line[0]: line[1:] for line in lines[2:]}


def test_figures_are_those_of_the_records(plan: Plan, tmp_path: Path) -> None:
    write_fakes(plan, tmp_path / 'work', mean_ap)
    figures = summarize(plan, tmp_path / 'work', tmp_path / 'results')
    text = (tmp_path / 'results' / 'tables.md').read_text()
    headline = rows(text, '**Every arm at 50 %')
    # mAP 10 and 12: mean 11, deviation sqrt(2). NDS is half of it plus 10.
    assert headline['random'][:4] == ['none', '2', '11.00 ± 1.41', '15.50 ± 0.71']
    # Differences 4 and 3: mean 3.5, deviation 0.7071, t = 7 with one degree of freedom: p = 1 - 2 atan(7) / pi.
    assert headline['full CLAP'][:3] == ['98.0%', '2', '14.50 ± 0.71']
    assert headline['full CLAP'][4:6] == ['+3.50 (-2.85 to +9.85)', '= 0.09']
    assert headline['full CLAP'][-1] == '51.17 / 57.04 (50 %)' and headline['random'][-1] == '–'
    assert rows(text, '**From arm to arm**')['half → full CLAP'] == ['2', '+2.75 (-0.43 to +5.93)', '= 0.058', '–']
    assert 'random reaches 52% of its mAP with 100 % (2 seeds).' in text
    assert 'the aim (at least +2.5 with p < 0.2) is met' in text
    assert text.index('the aim (') < text.index('**Every arm') < text.index('torch 2.1.2'), 'first what came out'
    shares = [line for line in text.split('**Other shares')[1].split('**Probe')[0].splitlines() if 'full CLAP' in line]
    assert any('100 % (3–4 frames)' in line and '24.50 ± 0.71' in line and '60.00' in line for line in shares)
    assert any('50 % (3–4 frames)' in line and '51.17 / 57.04 (50 %)' in line for line in shares)
    per_class = rows(text, '**Per class**')
    assert per_class['car'][0] == '6–7' and per_class['truck'][0] == '0 (absent from some)'
    assert per_class['mATE (error)'][1] == '0.500 ± 0.000'
    length = rows(text, '**Length of fine-tuning**')
    assert length['1 (all arms)'][:4] == ['10', 'random', '1', '10.00'], "the study's seed alone"
    assert length['2'][1:] == ['random', '1', '10.00', '15.00', '+0.00', 'one seed, no test']
    assert all(word in text for word in ('01234567', 'a processor', 'torch 2.1.2', 'train.pkl 01', 'finetune.py'))
    assert figures['cells']['finetune-clap-50 %']['mAP']['gain']['mean'] == pytest.approx(3.5)
    plot = (tmp_path / 'results' / 'label_efficiency.svg').read_text()
    assert 'full CLAP' in plot and 'iterations of fine-tuning' in plot and '1 seed' in plot and '2 seeds' not in plot
    copied = sorted(path.name for path in (tmp_path / 'results' / 'records').glob('*.json'))
    assert copied == sorted(f'{job.name}.json' for job in all_jobs(plan))
    # A checkout has the results and nothing else.
    again = summarize(plan, tmp_path / 'results', tmp_path / 'results')
    assert again == figures and (tmp_path / 'results' / 'tables.md').read_text() == text


def test_side_arms_of_another_share_stand_there(plan: Plan, tmp_path: Path) -> None:
    aside = replace(plan.arm('half'), name='aside', title='again', side=True, share=1, paper=(), seeds=2)
    wider = replace(plan, arms=(*plan.arms, aside), seeds_at={1: 3})
    points = dict(random=(0.20, 0.22, 0.25), clap=(0.24, 0.25, 0.29), aside=(0.21, 0.23))

    def ap(job) -> float:
        if job.kind == 'finetune' and job.interval == 1:
            return points[job.arm][job.seed]
        return mean_ap(job)

    write_fakes(wider, tmp_path / 'work', ap)
    results = Results.read(wider, tmp_path / 'work' / 'records')
    text = page(results)
    assert 'again' not in rows(text, '**Every arm at 50 %') and '| again |' not in text.split('**Per class**')[1]
    shares = text.split('**Other shares')[1].split('**Probe')[0].splitlines()
    (line,) = [line for line in shares if '| again |' in line]
    assert line.startswith('| 100 %') and '| 2 | 22.00 ± 1.41 |' in line and '+1.00 (+1.00 to +1.00)' in line
    said = verdict(results)
    assert '- full CLAP against random at 100 % of the labels: +3.67 (' in said and ', 3 seeds.' in said
    assert '- again against random at 100 % of the labels: +1.00 (' in said
    told = conditions(results)
    assert 'Seeds asked for at 50 %: 0 to 1; at other shares: 0 to 1, at 100 % 0 to 2. ' in told


def test_the_length_of_every_share_is_said(plan: Plan, tmp_path: Path) -> None:
    longer = replace(plan, other_epochs={1: 3})
    write_fakes(longer, tmp_path / 'work', mean_ap)
    summarize(longer, tmp_path / 'work', tmp_path / 'results')
    text = (tmp_path / 'results' / 'tables.md').read_text()
    assert 'Fine-tuning: 1 epochs (10 iterations), at 100 % 3 epochs (30 iterations), the same for every arm.' in text
    assert '| 100 % (3–4 frames, 3 epochs) |' in text and '| 50 % (3–4 frames, 1 epochs) |' in text


def test_other_lengths_of_two_arms_stand_against_each_other(plan: Plan, tmp_path: Path) -> None:
    several = replace(plan, schedule=(Length(2, 2, ('random', 'clap')), Length(4, 1, ('random',))))
    write_fakes(several, tmp_path, mean_ap)
    text = page(Results.read(several, tmp_path / 'records'))
    part = text.split('**Length of fine-tuning**')[1].split('\n\n')[1].splitlines()
    cells = [[cell.strip() for cell in line.strip('|').split('|')] for line in part[2:]]
    assert [line[:1] + line[2:4] for line in cells] == [
        ['1 (all arms)', 'random', '2'],
        ['1 (all arms)', 'full CLAP', '2'],
        ['2', 'random', '2'],
        ['2', 'full CLAP', '2'],
        ['4', 'random', '1'],
    ]
    label_share_plot(Results.read(replace(plan, schedule=()), tmp_path / 'records'), tmp_path / 'plot.svg')
    assert 'iterations' not in (tmp_path / 'plot.svg').read_text()
    # Against the baseline of the same length.
    assert [line[-2] for line in cells] == ['–', '+3.50 (-2.85 to +9.85)'] * 2 + ['–']


def verdict_of(plan: Plan, folder: Path, leave_out: str = '', **points) -> str:
    """The verdict when an arm's mAP at the headline share are those of its seeds, in points."""

    def ap(job) -> float:
        longer = 3.0 if job.kind == 'schedule' else 0.0
        return (points[job.arm][job.seed] + longer) / 100 if job.kind != 'pretrain' else 0.0

    write_fakes(plan, folder, ap)
    if leave_out:
        (folder / 'records' / f'{leave_out}.json').unlink()
    return verdict(Results.read(plan, folder / 'records'))


def test_arms_are_ordered_by_the_seeds_that_all_have(plan: Plan, tmp_path: Path) -> None:
    """Seed 2 is a lucky one, and only two arms have it."""
    known = ((5, 48.69, None), (5, 49.81, None), (5, 51.17, None))
    arms = [replace(arm, paper=(of,)) for arm, of in zip(plan.arms, known)]
    arms = (replace(arms[0], seeds=3), arms[1], replace(arms[2], seeds=3))
    unequal = replace(plan, arms=arms, other_seeds=1, probe=None, schedule=())
    points = dict(random=(10, 12, 40), half=(11, 13), clap=(14, 16, 50))
    said = verdict_of(unequal, tmp_path / 'a', **points)
    assert "over the 2 seeds that all have: random < half < clap; the paper's at 5 % is the same" in said
    said = verdict_of(unequal, tmp_path / 'b', **dict(points, half=(9, 11)))
    assert "half < random < clap; the paper's at 5 %: random < half < clap" in said
    told = conditions(Results.read(unequal, tmp_path / 'b' / 'records'))
    assert 'Seeds asked for at 50 %: 0 to 2 for random / full CLAP; 0 to 1 for half; at other shares: 0.' in told
    assert 'asked for at 50 %: 0 to 1; at' in conditions(Results.read(plan, tmp_path / 'b' / 'records'))
    assert 'Order' not in verdict_of(unequal, tmp_path / 'c', 'finetune-half-50pct-seed1', **points)


def test_the_aim_may_be_missed_or_open(plan: Plan, tmp_path: Path) -> None:
    points = dict(random=(10, 12), half=(11, 13), clap=(14, 15))
    assert 'p = 0.09, 2 seeds; the aim (at least +2.5 with p < 0.2) is met' in verdict_of(plan, tmp_path, **points)
    for clap in ((11, 13), (8, 20)):  # too little; not sure enough
        said = verdict_of(plan, tmp_path / str(clap), **dict(points, clap=clap))
        assert 'the aim (at least +2.5 with p < 0.2) is not met' in said
    assert 'random reaches 100% of its mAP with 100 %, which is not about half (2 seeds).' in said
    said = verdict_of(plan, tmp_path / 'open', 'finetune-clap-50pct-seed1', **points)
    assert '1 of 2 seeds; the aim (at least +2.5 with p < 0.2) is not decided before all seeds are there' in said


def test_more_iterations_and_another_pre_training_are_said_beside_the_aim(plan: Plan, tmp_path: Path) -> None:
    clap = plan.arm('clap')
    again = replace(clap, name='again', title='CLAP again', side=True, pretrain_seed=1, paper=())
    schedule = (Length(2, 2, ('random', 'clap')), Length(4, 1, ('random',)))
    pretrain = dict(plan.pretrain, clap=replace(plan.pretrain['clap'], seeds=2))
    more = replace(plan, arms=(*plan.arms, again), schedule=schedule, pretrain=pretrain)
    points = dict(random=(10, 12), half=(11, 13), clap=(14, 15), again=(13, 14))
    said = verdict_of(more, tmp_path, **points)
    assert (
        'With 2 epochs of fine-tuning instead of 1: random +3.00 (+3.00 to +3.00) mAP points (no spread, no test, '
        'seeds: 2); full CLAP +3.00 (+3.00 to +3.00) (no spread, no test, seeds: 2); then between them +3.50 (-2.85 to '
        '+9.85) (p = 0.09, seeds: 2).' in said
    )
    assert 'With 4 epochs of fine-tuning instead of 1: random +3.00 mAP points (one seed, no test, seeds: 1).' in said
    assert 'CLAP again against random: +2.50 (-3.85 to +8.85) mAP points, p = 0.13, 2 seeds.' in said
    text = page(Results.read(more, tmp_path / 'records'))
    runs = rows(text, '**The pre-trainings**')
    assert [runs[name][2] for name in ('lidar', 'clap, seed 0', 'clap, seed 1')] == ['1', '1', '1'], 'a row a run'


def test_options_are_listed_by_kind(plan: Plan, tmp_path: Path) -> None:
    wide = replace(
        plan,
        finetune=replace(plan.finetune, options=('batch=1', 'wide=2')),
        probe=replace(plan.probe, options=('wide=2',)),
    )
    for job in write_fakes(wide, tmp_path, mean_ap):
        options = list(wide.options(job.kind, job.arm))
        write_record(tmp_path / 'records' / f'{job.name}.json', fake_record(job, 0.1, options=options))
    told = page(Results.read(wide, tmp_path / 'records')).split('**Overrides** of')[1].splitlines()[2:]
    assert told == [
        '- probe, random; probe, half; probe, full CLAP: `wide=2`',
        '- fine-tuning, random; fine-tuning, half; fine-tuning, full CLAP: `batch=1` `wide=2`',
    ]


def test_other_options_are_compared_with_the_baseline_that_has_them(plan: Plan, tmp_path: Path) -> None:
    slow = ('optim_wrapper.optimizer.lr=1e-5',)
    arms = [
        replace(plan.arm(name), name=f'slow_{name}', title=f'slow {name}', side=True) for name in ('random', 'clap')
    ]
    more = replace(plan, arms=(*plan.arms, *(replace(arm, options=slow, paper=()) for arm in arms)))
    points = dict(random=(10, 12), half=(11, 13), clap=(14, 15), slow_random=(5, 5), slow_clap=(7, 8))
    assert 'slow clap against slow random: +2.50 (-3.85 to +8.85) mAP points, p = 0.13, 2 seeds.' in verdict_of(
        more, tmp_path, **points
    )


def test_the_paper_stands_beside_its_nearest_share() -> None:
    arm = Arm('clap', 'CLAP', paper=((5, 51.17, 57.04), (2.5, 42.86, None), (1, 30.53, 31.87)))
    assert paper(arm, 128, True) == '51.17 / 57.04 (5 %); 30.53 / 31.87 (1 %)'
    assert paper(arm, 32, False) == '42.86 (2.5 %)' and paper(arm, 20, True) == '51.17 / 57.04 (5 %)'
    assert paper(arm, 1, False) == '–', 'nothing of the paper is near 100 %'


def test_pre_trainings_alone_are_compared_by_seed(plan: Plan, tmp_path: Path) -> None:
    """Two seeds of two pre-trainings, no fine-tuning: the tables have their range errors and the probe, no plot."""
    two = {name: replace(stage, seeds=2) for name, stage in plan.pretrain.items()}
    changes = dict(pretrain=two, headline_seeds=0, other_seeds=0, schedule=(), aim=None, range_baseline='lidar')
    plan = replace(plan, **changes)
    jobs = write_fakes(plan, tmp_path / 'work', mean_ap)
    errors = {('lidar', 0): 1.0, ('lidar', 1): 2.0, ('clap', 0): 0.9, ('clap', 1): 1.7}
    for job in jobs:
        if job.kind == 'pretrain':
            metrics = {
                f'range_{kind}_m{what}': errors[job.arm, job.seed] * scale
                for kind in ('median', 'mae')
                for what, scale in (('', 1.0), ('_objects', 2.0))
            }
            if job.arm == 'clap' and job.seed == 1:  # no held-back ray met an object
                metrics = {name: value for name, value in metrics.items() if 'mae_m_objects' not in name}
            health = {'Opacity of LiDAR rays': dict(value='–', level='not measured')}
            record = fake_record(job, 0.0, metrics=dict(metrics, range_within_1m=0.5))
            record['health'] = health if job.arm == 'clap' else record['health']
            write_record(tmp_path / 'work' / 'records' / f'{job.name}.json', record)
    figures = summarize(plan, tmp_path / 'work', tmp_path / 'results')
    assert figures['records'] == len(jobs) == 4 + 6
    text = (tmp_path / 'results' / 'tables.md').read_text()
    assert sorted(path.name for path in (tmp_path / 'results').iterdir()) == ['records', 'tables.md']
    assert 'Fine-tuning' not in text and 'Every arm at' not in text and rows(text, '**Probe**')['50 %']
    own = rows(text, '**The pre-trainings**')
    assert own['lidar'][:6] == ['1', '10', '2', '2', '1.500 ± 0.707', '1.500 ± 0.707']
    assert own['clap'][6] == '2.600 ± 1.131' and own['clap'][8] == '50.0 ± 0.0'
    assert own['clap'][-1] == 'not measured' and own['lidar'][-1] == 'Opacity of LiDAR rays: 0.3'
    # -10 % and -15 %: mean -12.5, deviation 3.5355, t = -5 with one degree of freedom.
    relative = rows(text, '**Range error against lidar**')
    assert list(relative) == ['clap'] and relative['clap'][:3] == ['2', '-12.50 (-44.27 to +19.27)', '= 0.13']
    assert relative['clap'][-2:] == ['-10.00', 'one seed, no test']


def test_missing_seeds_and_single_ones_are_said(plan: Plan, tmp_path: Path) -> None:
    for job in write_fakes(plan, tmp_path, mean_ap):
        if job.arm == 'half' and job.seed == 1 or job.kind == 'probe' and job.arm == 'clap':
            (tmp_path / 'records' / f'{job.name}.json').unlink()
    text = page(Results.read(plan, tmp_path / 'records'))
    half = rows(text, '**Every arm at 50 %')['half']
    assert half[1:3] == ['1 of 2', '11.00'] and half[4:6] == ['+1.00', 'one seed, no test']
    assert re.search(r'\| 50 % \| full CLAP \| 0 of 2 \| – \|', text)
    assert summarize(plan, tmp_path / 'nowhere', tmp_path / 'results') == dict(plan='tiny', records=0, cells={})
    assert not (tmp_path / 'results').exists()


@pytest.mark.parametrize(
    'name,changes,match',
    [
        (
            'finetune-clap-50pct-seed1',
            dict(common='another'),
            'differ in configuration of fine-tuning: .*clap-50pct-seed1',
        ),
        ('schedule-random-50pct-2ep-seed0', dict(common='another'), 'configuration of fine-tuning'),
        ('probe-half-50pct-seed0', dict(common='another'), 'configuration of the probe'),
        ('finetune-clap-100pct-seed0', dict(options=['lr=1']), r"of options \['lr=1'\], the plan asks for \[\]"),
        ('finetune-random-100pct-seed0', dict(data=dict(train='train.pkl 09', val='val.pkl 02')), 'differ in data'),
        ('finetune-half-50pct-seed0', dict(iterations=11), 'number of iterations'),
        ('finetune-clap-100pct-seed0', dict(weights='others'), r'pre-trained weights of clap \(finetune, 100 %\)'),
    ],
)
def test_records_of_different_conditions_are_not_mixed(
    plan: Plan, tmp_path: Path, name: str, changes: dict, match: str
) -> None:
    jobs = {job.name: job for job in write_fakes(plan, tmp_path, mean_ap)}
    write_record(tmp_path / 'records' / f'{name}.json', fake_record(jobs[name], 0.1, **changes))
    with pytest.raises(PlanError, match=match):
        Results.read(plan, tmp_path / 'records')


def test_info_files_that_the_plan_calls_the_same_stand_in_one_table(plan: Plan, tmp_path: Path) -> None:
    jobs = {job.name: job for job in write_fakes(plan, tmp_path, mean_ap)}
    elsewhere = fake_record(
        jobs['finetune-random-100pct-seed0'], 0.1, data=dict(train='train.pkl 09', val='val.pkl 02')
    )
    write_record(tmp_path / 'records' / 'finetune-random-100pct-seed0.json', elsewhere)
    same = replace(plan, same_data=(('train.pkl 01', 'train.pkl 09'),))
    assert 'SHA-256; =: the plan takes them for the same): train.pkl' in page(Results.read(same, tmp_path / 'records'))
    other_way = replace(plan, same_data=(('train.pkl 09', 'train.pkl 01'),))
    for taken in (same, other_way):
        assert 'train.pkl 01 = 09, val.pkl 02.' in page(Results.read(taken, tmp_path / 'records')), (
            'in order of the runs'
        )
    alone = replace(plan, same_data=(('train.pkl 08', 'train.pkl 01', 'train.pkl 09'),))
    assert 'train.pkl 01 = 09, val.pkl 02.' in page(Results.read(alone, tmp_path / 'records'))
    with pytest.raises(PlanError, match='differ in data'):
        Results.read(replace(plan, same_data=(('train.pkl 01', 'train.pkl 08'),)), tmp_path / 'records')


def test_a_row_may_start_from_a_repeated_pre_training(plan: Plan, tmp_path: Path) -> None:
    for job in write_fakes(plan, tmp_path, mean_ap):
        if (job.arm, job.interval) == ('clap', 1):
            write_record(tmp_path / 'records' / f'{job.name}.json', fake_record(job, 0.2, weights='repeated'))
    assert (
        'full CLAP was pre-trained 2 times with the same seed (weights, and the rows from them: '
        'clap: probe 50 %, finetune 50 %; repeated: finetune 100 %).'
    ) in page(Results.read(plan, tmp_path / 'records'))


def test_records_that_nobody_asks_for_are_named(plan: Plan, tmp_path: Path) -> None:
    job = write_fakes(plan, tmp_path, mean_ap)[-1]
    write_record(tmp_path / 'records' / 'old.json', fake_record(job, 0.9, job='old', common='other'))
    results = Results.read(plan, tmp_path / 'records')
    assert results.foreign == ['old'] and 'the plan does not ask for them: old.' in page(results)
    (tmp_path / 'records' / 'cut.json').write_text('{"format": 1, "jo')
    with pytest.raises(PlanError, match='cut.json is no record'):
        Results.read(plan, tmp_path / 'records')


def test_numbers_that_are_not_finite_become_null(tmp_path: Path) -> None:
    write_record(tmp_path / 'a.json', dict(format=1, job='a', metrics=dict(mAP=float('nan'), x=[float('inf'), 1.0])))
    assert read_record(tmp_path / 'a.json')['metrics'] == dict(mAP=None, x=[None, 1.0])
    json.loads((tmp_path / 'a.json').read_text(), parse_constant=lambda name: pytest.fail(name))


def test_the_block_of_a_readme_is_replaced_and_nothing_else(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summary_module, '_ROOT', tmp_path)
    readme = tmp_path / 'README.md'
    readme.write_text('before\n<!-- label-efficiency:tiny begin -->\nold\n<!-- label-efficiency:tiny end -->\nafter\n')
    write_fakes(plan, tmp_path / 'work', mean_ap)
    plan = Plan(**{**vars(plan), 'readme': 'README.md'})
    for _ in range(2):
        summarize(plan, tmp_path / 'work', tmp_path / 'docs' / 'results')
        text = readme.read_text()
        assert text.startswith('before\n<!-- label-efficiency:tiny begin -->\n### tiny\n')
        assert text.endswith('<!-- label-efficiency:tiny end -->\nafter\n') and 'old' not in text
    for target in re.findall(r'\]\(([^)]+)\)', text):
        assert (tmp_path / target).exists(), target
    readme.write_text('no such lines')
    with pytest.raises(PlanError, match='exactly one pair of lines <!-- label-efficiency:tiny begin -->'):
        replace_block(readme, 'label-efficiency:tiny', 'text')
    assert readme.read_text() == 'no such lines'
