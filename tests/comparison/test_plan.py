"""Plan files, and the jobs that they ask for in their order."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mmengine.config import Config

from projects.CLAP.comparison import PlanError, read_plan
from projects.CLAP.comparison.job_config import JobConfigs, plain
from projects.CLAP.comparison.jobs import Job, all_jobs, main_jobs, select
from projects.CLAP.comparison.plan import label_offset, share_name
from tests.fixtures.tiny_plan import CONFIGS, PLAN


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Empty files of the names that the tiny plan has."""
    for name in ('finetune.py', 'pretrain.py', 'pretrain_lidar.py'):
        (tmp_path / name).write_text('')
    return tmp_path


def plan_of(folder: Path, **changes):
    Config(dict(PLAN, **changes)).dump(str(folder / 'plan.py'))
    return read_plan(folder / 'plan.py')


def test_seeds_that_chose_something_are_left_out(folder: Path) -> None:
    both = ['random', 'clap']
    plan = plan_of(
        folder, first_seed=3, schedule=[dict(epochs=2, seeds=1, arms=both), dict(epochs=4, seeds=9, arms=both)]
    )
    detectors = [job for job in all_jobs(plan) if job.kind != 'pretrain']
    assert {job.seed for job in detectors} == {3, 4}
    assert all(job.offset == label_offset(job.seed, job.interval) for job in detectors)
    assert {job.seed for job in all_jobs(plan) if job.kind == 'pretrain'} == {0}
    assert [job.name for job in detectors if job.kind == 'schedule'] == [
        'schedule-random-50pct-2ep-seed3',
        'schedule-clap-50pct-2ep-seed3',
        'schedule-random-50pct-4ep-seed3',
        'schedule-clap-50pct-4ep-seed3',
        'schedule-random-50pct-4ep-seed4',
        'schedule-clap-50pct-4ep-seed4',
    ]
    few = plan_of(folder, first_seed=3, arms=[dict(PLAN['arms'][0], seeds=1), *PLAN['arms'][1:]])
    names = [job.name for job in all_jobs(few)]
    assert 'finetune-random-50pct-seed3' in names and 'finetune-random-50pct-seed4' not in names
    more = plan_of(folder, arms=[dict(PLAN['arms'][0], seeds=4), *PLAN['arms'][1:]])
    assert {job.seed for job in all_jobs(more) if job.kind == 'finetune' and job.arm == 'random'} == {0, 1, 2, 3}
    assert {job.seed for job in all_jobs(more) if job.kind == 'finetune' and job.arm == 'clap'} == {0, 1}


def test_another_share_may_have_another_length(folder: Path) -> None:
    jobs = all_jobs(plan_of(folder, other_epochs=[(1, 3)]))
    lengths = {(job.interval, job.epochs) for job in jobs if job.kind == 'finetune'}
    assert lengths == {(1, 3), (2, 1)} and {job.epochs for job in jobs if job.kind == 'probe'} == {1}


def test_another_share_may_have_more_seeds_and_side_arms(folder: Path) -> None:
    aside = dict(name='aside', weights='clap', side=True, share=1, seeds=3)
    plan = plan_of(folder, first_seed=3, seeds_at=[(1, 4)], other_seeds=1, arms=[*PLAN['arms'], aside])
    runs = [job for job in all_jobs(plan) if job.kind == 'finetune']
    assert {job.seed for job in runs if job.arm == 'aside' and job.interval == 1} == {3, 4, 5}
    assert {job.interval for job in runs if job.arm == 'aside'} == {1}, 'at its own share alone'
    for arm in ('random', 'clap'):
        assert {job.seed for job in runs if job.arm == arm and job.interval == 1} == {3, 4, 5, 6}
        assert {job.seed for job in runs if job.arm == arm and job.interval == 2} == {3, 4}
    assert len({job.name for job in runs}) == len(runs)
    assert [arm.name for arm in plan.headline_arms()] == ['random', 'half', 'clap']


def test_an_arm_may_start_from_another_run_of_its_pre_training(folder: Path) -> None:
    pretrain = dict(PLAN['pretrain'], clap=dict(config='pretrain.py', epochs=1, seeds=2))
    again = dict(name='again', weights='clap', pretrain_seed=1, side=True, seeds=1)
    plan = plan_of(folder, pretrain=pretrain, arms=[*PLAN['arms'], again])
    (job,) = [job for job in all_jobs(plan) if job.arm == 'again']
    assert job.needs == ('pretrain-clap-seed1',) and job.kind == 'finetune'
    # Unless asked for, neither the side arm's runs nor the pre-training that it alone starts from.
    assert main_jobs(plan) == [other for other in all_jobs(plan) if other.name not in (job.name, *job.needs)]
    unused = plan_of(folder, pretrain=pretrain)
    assert main_jobs(unused) == all_jobs(unused), 'a further seed of a pre-training, for its own spread'
    with pytest.raises(PlanError, match='pretrain_seed is 2, pretrain.clap has seeds 0 to 1'):
        plan_of(folder, pretrain=pretrain, arms=[*PLAN['arms'], dict(again, pretrain_seed=2)])


def test_jobs_come_in_the_order_of_their_worth(folder: Path) -> None:
    jobs = all_jobs(plan_of(folder))
    names = [job.name for job in jobs]
    assert len(set(names)) == len(names) == 2 + 6 + 6 + 1 + 4
    assert set(names[:2]) == {'pretrain-lidar', 'pretrain-clap'}
    assert names[2:5] == ['probe-random-50pct-seed0', 'probe-half-50pct-seed0', 'probe-clap-50pct-seed0']
    assert names[8:12] == [
        'finetune-random-50pct-seed0',
        'finetune-half-50pct-seed0',
        'finetune-clap-50pct-seed0',
        'finetune-random-50pct-seed1',
    ]
    assert names[14] == 'schedule-random-50pct-2ep-seed0'
    assert names[15:] == [f'finetune-{arm}-100pct-seed{seed}' for seed in (0, 1) for arm in ('random', 'clap')]
    needs = {job.name: set(job.needs) for job in jobs}
    assert needs['finetune-half-50pct-seed1'] == {'pretrain-lidar', 'pretrain-clap'}
    assert needs['probe-clap-50pct-seed0'] == {'pretrain-clap'} and not needs['schedule-random-50pct-2ep-seed0']
    arms = {(job.arm, job.offset) for job in jobs if job.kind == 'finetune' and job.interval == 2}
    assert arms == {(arm, offset) for arm in ('random', 'half', 'clap') for offset in (0, 1)}, 'paired by seed'


def test_seeds_of_a_pre_training_are_jobs_and_detectors_start_from_the_first(folder: Path) -> None:
    pretrain = dict(PLAN['pretrain'], clap=dict(config='pretrain.py', epochs=1, seeds=3))
    plan = plan_of(folder, pretrain=pretrain, headline_seeds=0, other_seeds=0, schedule=None)
    jobs = [job for job in all_jobs(plan) if job.kind == 'pretrain']
    assert {(job.name, job.seed) for job in jobs} == {
        ('pretrain-lidar', 0),
        ('pretrain-clap', 0),
        ('pretrain-clap-seed1', 1),
        ('pretrain-clap-seed2', 2),
    }
    assert [job.seed for job in jobs] == [0, 0, 1, 2]
    assert {job.kind for job in all_jobs(plan)} == {'pretrain', 'probe'}
    assert {need for job in all_jobs(plan) for need in job.needs} == {'pretrain-lidar', 'pretrain-clap'}


def test_an_arm_may_have_options_and_fewer_seeds(tmp_path: Path) -> None:
    """A learning rate of its own changes its runs, not the table that they stand in, and not the probe."""
    sim = Config.fromfile(str(CONFIGS / 'sim.py')).to_dict()
    for stage in (*sim['pretrain'].values(), sim['finetune'], sim['probe']):
        stage['config'] = str(CONFIGS / stage['config'])
    low = dict(name='low', options=['optim_wrapper.optimizer.lr=1e-5'], seeds=2, side=True)
    Config(dict(sim, arms=[*sim['arms'], low])).dump(str(tmp_path / 'plan.py'))
    plan = read_plan(tmp_path / 'plan.py')
    jobs, configs = {job.name: job for job in all_jobs(plan)}, JobConfigs(plan, Path('weights'))
    assert sum(job.arm == 'low' and job.kind == 'finetune' for job in jobs.values()) == 2
    share = share_name(plan.headline)
    tuned, base = (jobs[f'finetune-{arm}-{share}-seed{plan.first_seed}'] for arm in ('low', 'random'))
    assert configs.config(tuned).optim_wrapper.optimizer.lr == 1e-5 != configs.config(base).optim_wrapper.optimizer.lr
    assert configs.common(tuned) == configs.common(base) and configs.fingerprint(tuned) != configs.fingerprint(base)
    assert {job.kind for job in jobs.values() if job.arm == 'low'} == {'finetune'}
    probes = [configs.config(Job('j', 'probe', 1, 1, arm, 1, 0)) for arm in ('low', 'random')]
    assert plain(probes[0]) == plain(probes[1])


def test_a_selection_brings_what_it_needs(folder: Path) -> None:
    jobs = all_jobs(plan_of(folder))
    assert [job.name for job in select(jobs, ['finetune-clap-50pct-seed1'])] == [
        'pretrain-clap',
        'finetune-clap-50pct-seed1',
    ]
    assert {job.kind for job in select(jobs, ['finetune-random-*', 'schedule-*'])} == {'finetune', 'schedule'}
    with pytest.raises(PlanError, match='finetune-clapp-5.*near are .*finetune-clap.*arms clap, half.*shares 100pct'):
        select(jobs, ['finetune-clapp-50pct-seed1'])


def test_offsets_are_spread_and_do_not_repeat_at_first() -> None:
    for interval in (1, 2, 3, 4, 7, 8, 20, 40, 200):
        offsets = [label_offset(seed, interval) for seed in range(interval)]
        assert sorted(offsets) == list(range(interval)) and offsets[0] == 0
    first = sorted(label_offset(seed, 100) for seed in range(5))
    assert min(b - a for a, b in zip(first, [*first[1:], first[0] + 100])) >= 10, first
    assert [share_name(n) for n in (1, 20, 40, 200, 3)] == ['100pct', '5pct', '2p5pct', '0p5pct', '33p33pct']


@pytest.mark.parametrize(
    'changes,match',
    [
        (dict(headlin=2), "no 'headlin'; did you mean 'headline'"),
        (dict(headline=4), 'headline and probe.shares must be among shares'),
        (dict(baseline='rand'), 'no arm rand; declared are random, half, clap'),
        (dict(shares=[0, 2]), 'whole numbers of at least 1'),
        (dict(arms=[dict(name='random', weights='clip')]), "no pre-training 'clip'; declared are"),
        (dict(arms=[dict(name='random', weights=dict(clap=['neck']))]), 'no encoder neck'),
        (dict(finetune=dict(config='finetune.py', epochs=0)), 'finetune.epochs must be at least 1'),
        (dict(finetune=dict(config='finetune.py')), 'finetune: epochs missing'),
        (dict(schedule=[dict(epochs=1, seeds=1)]), "main runs' length"),
        (dict(schedule=dict(epochs=[2, 4], seeds=1)), 'schedule: a list of lengths, such as'),
        (dict(schedule=[dict(epochs=2)]), 'schedule: seeds missing'),
        (dict(schedule=[dict(epochs=2, seeds=0)]), 'epochs and seeds must be at least 1'),
        (dict(schedule=[dict(epochs=2, seeds=1), dict(epochs=2, seeds=2)]), 'a length stands twice among'),
        (dict(schedule=[dict(epochs=2, seeds=1, arms=['rand'])]), 'schedule.arms: there is no arm rand'),
        (dict(aim=dict(arm='clap', points=2.5)), 'aim: p missing'),
        (dict(same_data=['train.pkl 01']), 'same_data: groups of at least two'),
        (
            dict(same_data=[('train.pkl 01', 'val.pkl 02')]),
            'same_data: groups of at least two info files .* of one name',
        ),
        (dict(same_data=[('a.pkl 1', 'a.pkl 2'), ('a.pkl 2', 'a.pkl 3')]), 'same_data: a file stands twice'),
        (dict(other_epochs=[(2, 3)]), 'other_epochs: pairs of a share other than the headline'),
        (dict(other_epochs=[(4, 3)]), 'other_epochs: pairs of a share other than the headline'),
        (dict(seeds_at=[(2, 3)]), 'seeds_at: pairs of a share other than the headline.* at least 1 seed'),
        (dict(seeds_at=[(1, 0)]), 'seeds_at: pairs of a share other than the headline'),
        (dict(seeds_at=[(1, 2)], other_seeds=0), 'other_seeds must be at least 1 with seeds_at'),
        (
            dict(arms=[*PLAN['arms'], dict(name='aside', side=True, share=1)], other_seeds=0),
            'or a side arm at another share',
        ),
        (dict(arms=[*PLAN['arms'], dict(name='aside', share=1)]), r'arm aside.share is for side arms \(side=True\)'),
        (dict(arms=[*PLAN['arms'], dict(name='aside', side=True, share=4)]), 'one of shares .*, got 4'),
        (
            dict(arms=[*PLAN['arms'], dict(name='aside', side=True)], other_arms=['random', 'aside']),
            'other_arms: aside is a side arm',
        ),
        (dict(other_epochs=[(1, 0)]), 'at least 1 epoch'),
        (dict(headline_seeds=0, probe=None), 'for no fine-tuning at all, needs a probe'),
        (
            dict(range_baseline='uniform'),
            "range_baseline: there is no pre-training 'uniform'; declared are clap, lidar",
        ),
    ],
)
def test_what_is_wrong_with_a_plan_is_named(folder: Path, changes: dict, match: str) -> None:
    with pytest.raises(PlanError, match=match):
        plan_of(folder, **changes)


def test_missing_files_are_named(folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match='finetune.config: .*nowhere.py does not exist'):
        plan_of(folder, finetune=dict(config='nowhere.py', epochs=1))
    with pytest.raises(FileNotFoundError, match='configs/comparison'):
        read_plan(folder / 'other.py')


@pytest.mark.parametrize('name', ['sim', 'pandaset'])
def test_the_plans_of_this_project(name: str) -> None:
    """Every job has a configuration of its own; arms of a seed differ in their weights alone."""
    plan = read_plan(CONFIGS / f'{name}.py')
    full = [arm.name for arm in plan.arms if not arm.side]
    assert full == ['random', 'unipad', 'joint_depth', 'joint_curvature', 'clap']
    configs, jobs = JobConfigs(plan, Path('weights')), all_jobs(plan)
    some = [job for job in jobs if job.kind == 'pretrain' or job.seed == plan.first_seed]
    assert len({configs.fingerprint(job) for job in some}) == len(some)
    tables = {kind: {configs.common(job) for job in some if job.kind == kind} for kind in ('finetune', 'probe')}
    assert len(tables['finetune']) == 1 and tables['finetune'] != tables['probe']
    assert len(tables['probe']) == bool(plan.probe)
    cfg = {arm: configs.config(Job('j', 'finetune', 1, 3, arm, plan.headline, 1)) for arm in full}
    same = {arm: plain(one) for arm, one in cfg.items()}
    unipad = same.pop('unipad')
    assert all(one == same['random'] for one in same.values()), 'weights are all that differs'
    assert unipad['optim_wrapper'] == same['random']['optim_wrapper']
    assert cfg['random'].load_from is None and re.search(r'/clap-[0-9a-f]{8}\.pth$', cfg['clap'].load_from)
    (check,) = [hook for hook in cfg['unipad'].custom_hooks if hook.type == 'TransferReportHook']
    assert (
        set(check.modules)
        == {'pts_middle_encoder', 'img_backbone', 'img_neck', 'view_transform', 'pts_backbone', 'pts_neck'}
        and check.min_share == 0.99
    ), 'all that the merge holds, and no less'
    own = {stage for arm in full for stage, _ in plan.arm(arm).weights}  # not those of a side arm
    stages = {job.arm: configs.config(job) for job in jobs if job.kind == 'pretrain' and job.arm in own}
    assert len({str((cfg.optim_wrapper, cfg.model.masking, cfg.train_cfg)) for cfg in stages.values()}) == 1
    pretrain = {name: cfg.model for name, cfg in stages.items()}
    assert len({str({**model.render_head, 'in_channels': 0}) for model in pretrain.values()}) == 1
    assert {arm: model.ray_sampler.type for arm, model in pretrain.items()} == dict(
        unipad_lidar='DepthRaySampler',
        unipad_camera='DepthRaySampler',
        joint_depth='DepthRaySampler',
        joint_curvature='CurvatureRaySampler',
        clap='CurvatureRaySampler',
    )
    assert [arm for arm, model in pretrain.items() if model.prototype_head] == ['clap']
    assert pretrain['joint_curvature'].ray_sampler == pretrain['clap'].ray_sampler, 'prototypes are all that it adds'
    assert pretrain['unipad_lidar'].img_backbone is None and pretrain['unipad_camera'].pts_middle_encoder is None
    rays = {(m.ray_sampler.num_lidar_rays, m.ray_sampler.num_camera_rays) for m in pretrain.values()}
    assert len(rays) == 1, 'the same number of rays for everybody'


def test_the_samplers_plan_changes_the_sampler_alone() -> None:
    plan = read_plan(CONFIGS / 'samplers_sim.py')
    configs = JobConfigs(plan, Path('weights'))
    jobs = {job.name: job for job in all_jobs(plan)}
    assert {job.kind for job in jobs.values()} == {'pretrain', 'probe'}
    samplers, others = [], set()
    for name in plan.pretrain:
        cfg = plain(configs.config(jobs[f'pretrain-{name}']))
        sampler = cfg['model'].pop('ray_sampler')
        samplers.append(sampler['type'])
        hooks = [hook for hook in cfg.pop('custom_hooks') if hook['type'] != 'SamplingWarmupHook']
        others.add((sampler['num_lidar_rays'], sampler['num_camera_rays'], str(hooks), str(cfg)))
    assert samplers == ['UniformRaySampler', 'CurvatureRaySampler', 'SurfaceVariationRaySampler', 'DepthRaySampler']
    assert len(others) == 1


def test_the_place_of_the_data_and_of_the_run_is_no_part_of_the_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = read_plan(CONFIGS / 'sim.py')
    job = all_jobs(plan)[-1]
    found = set()
    for root in ('/somewhere/data', 'elsewhere'):
        monkeypatch.setenv('CLAP_DATA_ROOT', root)
        found.add(JobConfigs(plan, Path(root) / 'weights').fingerprint(job))
    assert len(found) == 1
