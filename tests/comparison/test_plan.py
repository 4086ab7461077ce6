"""Plan files, the jobs that they ask for, and the configurations of these."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mmdet3d.registry import MODELS
from mmengine.config import Config

from projects.CLAP.clap.encoders.encoder_base import ENCODERS
from projects.CLAP.clap.engine.config.load import load_config
from projects.CLAP.clap.errors import ConfigError
from projects.CLAP.comparison import PlanError, read_plan
from projects.CLAP.comparison.job_config import JobConfigs, plain
from projects.CLAP.comparison.plan import Cell, Job, all_jobs, select, share_name
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


def test_jobs_are_pre_trainings_and_rows_in_their_order(folder: Path) -> None:
    jobs = all_jobs(plan_of(folder))
    names = [job.name for job in jobs]
    assert len(set(names)) == len(names) == 2 + 6 + 6 + 2 + 4
    assert set(names[:2]) == {'pretrain-lidar', 'pretrain-clap'}
    assert names[2:5] == [f'probe-{arm}-50pct-1ep-seed0' for arm in ('random', 'half', 'clap')]
    assert names[8:12] == [
        *(f'finetune-{arm}-50pct-1ep-seed0' for arm in ('random', 'half', 'clap')),
        'finetune-random-50pct-1ep-seed1',
    ]
    assert names[14] == 'finetune-random-50pct-2ep-seed0'
    assert names[16:] == [f'finetune-{arm}-100pct-1ep-seed{seed}' for seed in (0, 1) for arm in ('random', 'clap')]
    needs = {job.name: set(job.needs) for job in jobs}
    assert needs['finetune-half-50pct-1ep-seed1'] == {'pretrain-lidar', 'pretrain-clap'}
    assert needs['probe-clap-50pct-1ep-seed0'] == {'pretrain-clap'} and not needs['finetune-random-50pct-2ep-seed0']
    arms = {(job.arm, job.offset) for job in jobs if job.kind == 'finetune' and (job.interval, job.epochs) == (2, 1)}
    assert arms == {(arm, offset) for arm in ('random', 'half', 'clap') for offset in (0, 1)}, 'paired by seed'


def test_detectors_start_from_the_first_seed_of_a_pre_training(folder: Path) -> None:
    pretrain = dict(PLAN['pretrain'], clap=dict(config='pretrain.py', epochs=1, seeds=[1, 0, 2]))
    jobs = all_jobs(plan_of(folder, pretrain=pretrain))
    assert sorted(job.name for job in jobs if job.kind == 'pretrain') == [
        'pretrain-clap',
        'pretrain-clap-seed1',
        'pretrain-clap-seed2',
        'pretrain-lidar',
    ]
    assert {need for job in jobs for need in job.needs} == {'pretrain-lidar', 'pretrain-clap-seed1'}


def test_an_arm_may_start_every_seed_from_its_own_pre_training(folder: Path) -> None:
    pretrain = dict(PLAN['pretrain'], clap=dict(config='pretrain.py', epochs=1, seeds=[1, 0]))
    arms = [*PLAN['arms'][:2], dict(PLAN['arms'][2], same_seed=True)]
    needs = {job.name: job.needs for job in all_jobs(plan_of(folder, pretrain=pretrain, arms=arms))}
    assert needs['probe-clap-50pct-1ep-seed0'] == ('pretrain-clap',)
    assert needs['probe-clap-50pct-1ep-seed1'] == ('pretrain-clap-seed1',)
    assert set(needs['probe-half-50pct-1ep-seed0']) == {'pretrain-lidar', 'pretrain-clap-seed1'}
    with pytest.raises(
        PlanError, match='seed1: its pre-training .seeds of the stage. pretrain-clap-seed1 is not known'
    ):
        plan_of(folder, arms=arms)


def test_prototypes_as_printed_are_set_against_the_recommended_ones() -> None:
    plan, keys = read_plan(CONFIGS / 'prototypes_sim.py'), ('normalization', 'cells', 'batch_norm', 'temperature')
    printed, acting = (
        load_config(str(plan.config('pretrain', name)), plan.options('pretrain', name)).model for name in plan.pretrain
    )
    paper, recommended = (load_config(str(CONFIGS.parent / f'{name}.py')).model for name in ('clap_nus', 'clap_sim'))
    assert {key: acting.prototype_head[key] for key in keys} == {key: recommended.prototype_head[key] for key in keys}
    assert acting.prototype_head.swav_weight == recommended.prototype_head.swav_weight
    own = {'batch_norm': False, 'swav_weight': 1.0, **paper.prototype_head}  # the class' defaults
    assert {key: printed.prototype_head[key] for key in (*keys, 'swav_weight')} == {
        k: own[k] for k in (*keys, 'swav_weight')
    }
    assert {**printed, 'prototype_head': 0} == {**acting, 'prototype_head': 0}, 'nothing else differs'


def test_options_of_an_arm_change_its_fine_tuning_not_its_table_and_not_its_probe(tmp_path: Path) -> None:
    sim = Config.fromfile(str(CONFIGS / 'sim.py')).to_dict()
    for stage in (*sim['pretrain'].values(), sim['finetune'], sim['probe']):
        stage['config'] = str(CONFIGS / stage['config'])
    low = dict(name='low', options=['optim_wrapper.optimizer.lr=1e-5', 'default_hooks.transfer=None'])
    rows = [dict(arms=['random', 'low'], share=64, epochs=1, seeds=[7], frozen=frozen) for frozen in (True, False)]
    Config(dict(sim, arms=[*sim['arms'], low], rows=rows)).dump(str(tmp_path / 'plan.py'))
    plan = read_plan(tmp_path / 'plan.py')
    configs = JobConfigs(plan, Path('weights'))
    probe_base, probe, base, tuned = (job for job in all_jobs(plan) if job.kind != 'pretrain')
    assert configs.config(tuned).optim_wrapper.optimizer.lr == 1e-5 != configs.config(base).optim_wrapper.optimizer.lr
    assert configs.common(tuned) == configs.common(base) and configs.fingerprint(tuned) != configs.fingerprint(base)
    assert configs.config(tuned).default_hooks.transfer.type == 'TransferReportHook', 'no run goes without'
    assert plain(configs.config(probe)) == plain(configs.config(probe_base))


def test_a_selection_brings_what_it_needs(folder: Path) -> None:
    jobs = all_jobs(plan_of(folder))
    assert [job.name for job in select(jobs, ['finetune-clap-50pct-1ep-seed1'])] == [
        'pretrain-clap',
        'finetune-clap-50pct-1ep-seed1',
    ]
    assert {job.kind for job in select(jobs, ['finetune-random-*', 'probe-random-*'])} == {'finetune', 'probe'}
    with pytest.raises(PlanError, match='finetune-clapp-5.*near are .*finetune-clap'):
        select(jobs, ['finetune-clapp-50pct-1ep-seed1'])


def test_offsets_are_spread_and_do_not_repeat_at_first() -> None:
    for interval in (1, 2, 3, 4, 7, 8, 20, 40, 200):
        offsets = [Job('finetune', 'clap', 1, seed, interval).offset for seed in range(interval)]
        assert sorted(offsets) == list(range(interval)) and offsets[0] == 0
    first = sorted(Job('finetune', 'clap', 1, seed, 100).offset for seed in range(5))
    assert min(b - a for a, b in zip(first, [*first[1:], first[0] + 100])) >= 10, first
    assert [share_name(n) for n in (1, 20, 40, 200, 3)] == ['100pct', '5pct', '2p5pct', '0p5pct', '33p33pct']


def row(**changes) -> list:
    return [dict(PLAN['rows'][1], **changes)]


@pytest.mark.parametrize(
    'changes,match',
    [
        (dict(baselin='random'), "no 'baselin'; did you mean 'baseline'"),
        (dict(baseline='rand'), 'baseline rand is not known; there are random, half, clap'),
        (dict(subject='rand'), 'subject rand is not known'),
        (dict(rows=row(share=0)), r'rows\[0\].share: a whole number of at least 1'),
        (dict(rows=row(epochs=0)), r'rows\[0\].epochs: a whole number of at least 1'),
        (dict(finetune=dict(config='finetune.py', gpus=0)), 'finetune.gpus: a whole number of at least 1'),
        (dict(rows=row(seeds=[])), r'rows\[0\].seeds: a list with at least one seed'),
        (dict(rows=row(arms=['rand'])), 'rows: arm rand is not known'),
        (dict(rows=[dict(arms=['random'])]), r"rows\[0\]: .* missing .* 'share', 'epochs', and 'seeds'"),
        (
            dict(rows=[*row(), *row(arms=['clap'], seeds=[1, 2])]),
            'stands twice.*: finetune-clap-50pct-1ep-seed1',
        ),
        (dict(probe=None), 'needs probe = dict'),
        (dict(finetune=dict(config='finetune.py', epochs=3)), "finetune.epochs: .* has no 'epochs'"),
        (dict(arms=[*PLAN['arms'], dict(name='clip', weights='clip')]), 'arm clip: pre-training clip is not known'),
        (dict(arms=[dict(name='random', weights=dict(clap=['neck']))]), 'encoder neck is not known'),
        (dict(arms=[*PLAN['arms'], dict(name='random')]), 'a name comes twice'),
        (
            dict(pretrain=dict(PLAN['pretrain'], clap=dict(config='pretrain.py'))),
            'clap.epochs: a whole number',
        ),
    ],
)
def test_what_is_wrong_with_a_plan_is_named(folder: Path, changes: dict, match: str) -> None:
    with pytest.raises(PlanError, match=match):
        plan_of(folder, **changes)


@pytest.mark.parametrize(
    'option,new',
    [
        ('train_dataloader.dataset.type=CBGSDataset', 'class_balanced=True'),
        ('val_evaluatr.type=NuScenesMetric', "did you mean 'val_evaluator'"),
        ('class_names=[car]', "'class_names' is a part .* change it where it went"),
    ],
)
def test_options_of_an_old_recipe_are_refused_with_the_new_one(folder: Path, option: str, new: str) -> None:
    plan = plan_of(folder, finetune=dict(config=str(CONFIGS / 'finetune_sim.py'), options=[option]))
    with pytest.raises(ConfigError, match=new):
        JobConfigs(plan, Path('weights')).config(all_jobs(plan)[-1])


def test_missing_files_are_named(folder: Path) -> None:
    plan = plan_of(folder, finetune=dict(config='nowhere.py'))
    with pytest.raises(FileNotFoundError, match='nowhere.py does not exist'):
        JobConfigs(plan, Path('weights')).config(all_jobs(plan)[-1])
    with pytest.raises(FileNotFoundError, match='configs/comparison'):
        read_plan(folder / 'other.py')


@pytest.mark.parametrize('name', ['sim', 'pandaset', 'nuscenes'])
def test_arms_of_a_seed_differ_in_their_weights_alone(name: str) -> None:
    plan = read_plan(CONFIGS / f'{name}.py')
    full = ['random', 'unipad', 'joint_depth', 'joint_curvature', 'clap']
    configs, jobs = JobConfigs(plan, Path('weights')), all_jobs(plan)
    seed = plan.rows[0].seeds[0]
    some = [job for job in jobs if job.kind == 'pretrain' or job.seed == seed]
    assert len({configs.fingerprint(job) for job in some}) == len(some)
    tables = {kind: {configs.common(job) for job in some if job.kind == kind} for kind in ('finetune', 'probe')}
    assert len(tables['finetune']) == 1 and tables['finetune'] != tables['probe']
    assert len(tables['probe']) == bool(plan.probe)
    cfg = {
        job.arm: configs.config(job)
        for job in some
        if (Cell(job.interval, job.epochs), job.kind) == (plan.headline, 'finetune') and job.arm in full
    }
    same = {arm: plain(one) for arm, one in cfg.items()}
    checks = {arm: one.default_hooks.transfer for arm, one in cfg.items()}
    assert list(same) and all(one == same['random'] for one in same.values()), 'weights are all that differs'
    assert cfg['random'].load_from is None and re.search(r'/clap-[0-9a-f]{8}\.pth$', cfg['clap'].load_from)
    merged = {'pts_middle_encoder', 'img_backbone', 'img_neck', 'view_transform', 'pts_backbone', 'pts_neck'}
    assert set(checks['unipad']['modules']) == merged, 'all that the merge holds, and no less'
    assert checks['unipad']['min_share'] == 0.99
    own = {stage for arm in full for stage in plan.arm(arm).weights}
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


def test_full_size_arms_fit_the_detector() -> None:
    """Every encoder that an arm of the nuScenes plan takes has the detector's shapes."""
    plan = read_plan(CONFIGS / 'nuscenes.py')
    configs, shapes = JobConfigs(plan, Path('weights')), {}
    jobs = {job.arm if job.kind == 'pretrain' else 'detector': job for job in all_jobs(plan)}
    for name, job in jobs.items():
        state = MODELS.build(configs.config(job).model).state_dict()
        shapes[name] = {key: value.shape for key, value in state.items()}
    for arm in plan.arms:
        for source, encoders in arm.weights.items():
            for encoder in encoders or ENCODERS:
                of = [
                    {k: v for k, v in shapes[one].items() if k.startswith(f'{encoder}.')}
                    for one in (source, 'detector')
                ]
                assert of[0] and of[0] == of[1], (arm.name, encoder)
    frames = {name: job.gpus * configs.config(job).train_dataloader.batch_size for name, job in jobs.items()}
    assert frames.pop('detector') == 24 and set(frames.values()) == {32}, 'of a step; OpenPCDet has 24'


def test_the_samplers_plan_changes_the_sampler_alone() -> None:
    plan = read_plan(CONFIGS / 'samplers_sim.py')
    configs, jobs = JobConfigs(plan, Path('weights')), all_jobs(plan)
    assert {job.kind for job in jobs} == {'pretrain', 'probe'}
    samplers, others = [], set()
    for job in jobs[: len(plan.pretrain)]:
        cfg = plain(configs.config(job))
        sampler, hooks = cfg['model'].pop('ray_sampler'), cfg['default_hooks']
        hooks.pop('warmup')
        samplers.append(sampler['type'])
        others.add((sampler['num_lidar_rays'], sampler['num_camera_rays'], str(sorted(hooks)), str(cfg['model'])))
    assert samplers == ['UniformRaySampler', 'CurvatureRaySampler', 'SurfaceVariationRaySampler', 'DepthRaySampler']
    assert len(others) == 1


def test_the_place_of_the_data_and_of_the_run_is_no_part_of_the_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = read_plan(CONFIGS / 'sim.py')
    found = set()
    for root in ('/somewhere/data', 'elsewhere'):
        monkeypatch.setenv('CLAP_DATA_ROOT', root)
        found.add(JobConfigs(plan, Path(root) / 'weights').fingerprint(all_jobs(plan)[-1]))
    assert len(found) == 1


def test_a_written_configuration_is_the_same_read_again(tmp_path: Path) -> None:
    """Transforms among it: they have names, whose order MMEngine does not keep."""
    plan = read_plan(CONFIGS / 'samplers_sim.py')
    for job in all_jobs(plan)[:1] + all_jobs(plan)[-1:]:
        cfg = JobConfigs(plan, tmp_path).config(job)
        cfg.dump(str(tmp_path / 'job.py'))
        assert plain(load_config(str(tmp_path / 'job.py'))) == plain(cfg)
