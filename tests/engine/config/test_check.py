from __future__ import annotations

from pathlib import Path

import pytest
from mmdet3d.registry import MODELS

from projects.CLAP.clap.encoders import CLAPEncoderBase
from projects.CLAP.clap.engine.config.load import load_config, use_amp
from projects.CLAP.clap.errors import ConfigError
from projects.CLAP.clap.pretrain.method import Method
from projects.CLAP.comparison import read_plan

CONFIGS = Path(__file__).resolve().parents[3] / 'projects' / 'CLAP' / 'configs'


#: Plans of comparisons are no configurations of a run.
PLANS = {p for p in (CONFIGS / 'comparison').iterdir() if not p.name.startswith(('pretrain_', 'finetune_'))}


@pytest.mark.parametrize('path', sorted(set(CONFIGS.rglob('*.py')) - PLANS), ids=lambda p: p.stem)
def test_every_configuration_passes(path: Path) -> None:
    cfg = load_config(str(path))
    assert issubclass(MODELS.get(cfg.model.type), (Method, CLAPEncoderBase))
    assert cfg.work_dir == f'work_dirs/{path.stem}'


@pytest.mark.parametrize('path', sorted(PLANS), ids=lambda p: p.stem)
def test_every_plan_can_be_read(path: Path) -> None:
    assert read_plan(path).name == path.stem


@pytest.mark.parametrize(
    'option,hint',
    [
        ('model.render_hed.num_z=8', "did you mean 'render_head'"),
        ('model.render_head.num_sample=8', "did you mean 'num_samples'"),
        ('model.ray_sampler.num_lidar_ray=8', "did you mean 'num_lidar_rays'"),
        ('modl.depth_source=all', "did you mean 'model'"),
        ('train_dataloader.dataset.anno_file=x', "did you mean 'ann_file'"),
        ('default_hooks.warmup.warmup_epoch=3', "did you mean 'warmup_epochs'"),
        ('default_hooks.picture.interval=3', "did you mean 'pictures'"),
        ('train_dataloader.dataset.pipeline.image_augg.final_dim=[1,2]', "did you mean 'image_aug'"),
        ('train_cfg.max_epoch=3', "did you mean 'max_epochs'"),
        ('optim_wrapper.clip_gradd=1', "did you mean 'clip_grad'"),
        ('optim_wrapper.optimizer.lrr=1', "did you mean 'lr'"),
        ('param_scheduler.1.T_maxx=3', "did you mean 'T_max'"),
        ('model.masking.point_ration=0.5', "did you mean 'point_ratio'"),
        ('model.voxelize_cfg.max_voxel=5', "did you mean 'max_voxels'"),
        ('log_processor.windowsize=5', "did you mean 'window_size'"),
        ('default_hooks.loger.interval=5', "did you mean 'logger'"),
        ('env_cfg.cudnn_benchmarks=True', "did you mean 'cudnn_benchmark'"),
        ('auto_scale_lr.enabled=True', "did you mean 'enable'"),
    ],
)
def test_a_misspelt_key_is_named_with_the_nearest_valid_one(option: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(str(CONFIGS / 'clap_sim.py'), [option])
    assert hint in str(caught.value)
    assert option.split('=')[0].split('.')[-1] in str(caught.value) or option.split('.')[1] in str(caught.value)


def test_a_missing_file_and_a_bad_override() -> None:
    with pytest.raises(FileNotFoundError, match='projects/CLAP/configs'):
        load_config('nowhere.py')
    with pytest.raises(ConfigError, match='KEY=VALUE'):
        load_config(str(CONFIGS / 'clap_sim.py'), ['model'])


@pytest.mark.parametrize(
    'option,hint',
    [
        ('detection.val_evaluator.ann_file=x', 'read no more'),
        ('data_root=x', 'read no more'),
        ('default_hooks.warmup.warmup_epochs=1', 'leaves default_hooks.warmup out'),
    ],
)
def test_an_override_that_nothing_would_obey_is_refused(option: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=hint):
        load_config(str(CONFIGS / 'finetune' / 'bevfusion_sim_100pct.py'), [option])


def test_what_a_configuration_leaves_out_can_be_added_by_its_type() -> None:
    options = ['default_hooks.warmup.type=SamplingWarmupHook', 'default_hooks.warmup.warmup_epochs=1']
    cfg = load_config(str(CONFIGS / 'finetune' / 'bevfusion_sim_100pct.py'), options)
    assert cfg.default_hooks.warmup == dict(type='SamplingWarmupHook', warmup_epochs=1)


def test_a_plain_optimiser_wrapper_is_looked_after() -> None:
    cfg = load_config(str(CONFIGS / 'clap_sim.py'), ['optim_wrapper.type=OptimWrapper'])
    assert cfg.optim_wrapper.type == 'CheckedOptimWrapper'


def test_a_hook_that_has_a_name_cannot_be_listed_again(tmp_path: Path) -> None:
    """A configuration of before hooks had names would run each of them twice."""
    own = tmp_path / 'own.py'
    hooks = "custom_hooks = [dict(type='SamplingWarmupHook', warmup_epochs=1)]"
    own.write_text(f"_base_ = {str(CONFIGS / 'clap_sim.py')!r}\n{hooks}\n")
    with pytest.raises(ConfigError, match='default_hooks.warmup'):
        load_config(str(own))
    with pytest.raises(ConfigError, match='default_hooks.NAME.KEY'):
        load_config(str(CONFIGS / 'clap_sim.py'), ['custom_hooks.1.warmup_epochs=1'])


def test_keys_that_mmcv_takes_out_are_valid() -> None:
    load_config(str(CONFIGS / 'clap_sim.py'), ['model.pts_backbone.norm_cfg.requires_grad=True'])


def test_more_epochs_stretch_the_schedule(tmp_path: Path) -> None:
    """With an end of its own, the cosine would stay at zero from the configuration's last epoch on."""
    from mmengine.runner import Runner

    from tests.fixtures.tiny import tiny_model

    cfg = load_config(str(CONFIGS / 'clap_nus.py'), ['train_cfg.max_epochs=24'])
    runner = Runner(
        tiny_model(),
        str(tmp_path),
        train_dataloader=dict(dataset=[0] * 10, batch_size=1, num_workers=0, sampler=dict(type='DefaultSampler')),
        train_cfg=cfg.train_cfg,
        optim_wrapper=cfg.optim_wrapper,
        default_scope='mmdet3d',
        experiment_name='schedule',
    )
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    (scheduler,) = runner.build_param_scheduler(cfg.param_scheduler)
    assert (scheduler.begin, scheduler.end, scheduler.T_max) == (0, 240, 240)


def test_overrides_and_amp() -> None:
    cfg = load_config(str(CONFIGS / 'clap_sim.py'), ['model.render_head.num_samples=10', 'train_cfg.max_epochs=1'])
    assert cfg.model.render_head.num_samples == 10
    use_amp(cfg)
    assert cfg.optim_wrapper.type == 'AmpOptimWrapper'
