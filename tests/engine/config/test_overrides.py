"""Overrides that change a type, that cannot be read, or that a class refuses: one message, with the way out."""

from __future__ import annotations

import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from mmengine.config import Config

from projects.CLAP.clap.engine.config import build_errors
from projects.CLAP.clap.engine.config.build_errors import configuration_error
from projects.CLAP.clap.engine.config.load import load_config
from projects.CLAP.clap.engine.config.overrides import apply_options, parse_options
from projects.CLAP.clap.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]
SIM = str(ROOT / 'projects/CLAP/configs/clap_sim.py')


def test_keys_that_a_new_type_lacks_are_dropped_and_named(capsys: pytest.CaptureFixture) -> None:
    from mmdet3d.registry import TASK_UTILS

    for name in ('UniformRaySampler', 'DepthRaySampler', 'SurfaceVariationRaySampler'):
        cfg = load_config(SIM, [f'model.ray_sampler.type={name}', 'model.ray_sampler.num_lidar_rays=7'])
        assert cfg.model.ray_sampler.num_lidar_rays == 7
        assert type(TASK_UTILS.build(cfg.model.ray_sampler)).__name__ == name
        said = capsys.readouterr().err
        if name == 'UniformRaySampler':
            (line,) = said.splitlines()
            assert 'does not know model.ray_sampler.blur_kernel_px' in line and 'dropped' in line
    cfg = load_config(SIM, ['optim_wrapper.optimizer.type=SGD'])
    assert 'betas' not in cfg.optim_wrapper.optimizer and cfg.optim_wrapper.optimizer.lr > 0


def test_what_is_given_with_a_new_type_is_not_dropped() -> None:
    with pytest.raises(ConfigError, match='blur_kernel_px'):
        load_config(SIM, ['model.ray_sampler.type=UniformRaySampler', 'model.ray_sampler.blur_kernel_px=3'])
    cfg = Config(dict(model=dict(type='InTheFuture', key=1)))
    assert apply_options(cfg, {'model.type': 'AlsoUnknown'}) == [] and cfg.model.key == 1


@pytest.mark.parametrize(
    'value', ["{'type':'UniformRaySampler'}", "dict(type='UniformRaySampler')", 'dict(a=1,b=2)', '[1,2', '(1,2']
)
def test_values_that_cannot_be_read(value: str) -> None:
    with pytest.raises(ConfigError, match='model.ray_sampler.type=NAME|do not close'):
        parse_options([f'model.ray_sampler={value}'])


@pytest.mark.parametrize(
    'option, hint',
    [
        ('model.ray_sampler.type=CurvatureSampler', "did you mean 'CurvatureRaySampler'"),
        ('model.type=CLIP', "did you mean 'CLAP'|there is no 'CLIP'"),
        ('train_dataloader.batchsize=2', "did you mean 'batch_size'"),
        ('val_dataloader.numworkers=2', "did you mean 'num_workers'"),
        ('train_dataloader.dataset.type=CLAPData', "did you mean 'CLAPDataset'"),
    ],
)
def test_unknown_types_and_keys_of_loaders_are_named(option: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=hint):
        load_config(SIM, [option])


class Fragile:
    """What a registered class may do while it is built."""

    def __init__(self, how: str) -> None:
        if how == 'refuse':
            raise ValueError(f'how must be gentle, got {how}')
        if how == 'break':
            {}['a programming error']
        if how == 'unpack':
            first, second = how


def build(**cfg: str) -> Exception:
    from mmengine.registry import Registry

    kinds = Registry('fragile', scope='fragile')
    kinds.register_module(module=Fragile)
    with pytest.raises(Exception) as caught:
        kinds.build(dict(type='Fragile') | cfg)
    return caught.value


def test_only_what_is_refused_on_purpose_is_the_configurations(monkeypatch: pytest.MonkeyPatch) -> None:
    message = configuration_error(build(how='refuse'))
    assert message is not None and '(Fragile): how must be gentle, got refuse' in message
    assert 'no_such_key' in configuration_error(build(how='x', no_such_key='y'))
    assert 'Nothing is not in the fragile' in configuration_error(build(type='Nothing'))
    error = build(how='break')
    assert configuration_error(error) is None, traceback.format_exception(error)
    monkeypatch.setattr(build_errors, '_OURS', Path(__file__).parent)
    error = build(how='unpack')
    assert configuration_error(error) is None, 'a class of ours refuses with a CLAPError'
    with pytest.raises(ValueError) as caught:
        raise ValueError('in the course of the program')
    assert configuration_error(caught.value) is None


def test_a_refused_value_ends_the_command_without_traceback() -> None:
    done = subprocess.run(
        [
            sys.executable,
            '-c',
            f'''
import sys
sys.path.insert(0, {str(ROOT)!r})
def main():
    from mmdet3d.registry import MODELS
    from projects.CLAP.clap.engine.config.load import load_config
    cfg = load_config({SIM!r}, ["model.masking.point_ratio=1.7"])
    cfg.model.img_backbone.init_cfg = None
    MODELS.build(cfg.model)
from projects.CLAP.clap.engine.command import run
run(main)''',
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=200,
    )
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    assert 'point_ratio must be in [0, 1), got 1.7' in done.stderr and '(CLAP)' in done.stderr


@pytest.mark.parametrize('config', ['clap_sim', 'finetune/bevfusion_sim_5pct'])
def test_range_and_image_size_are_one_key_each(config: str) -> None:
    """What the data set's file says once changes in pipelines and model alike."""
    small, image = [-36.0, -36.0, -5.0, 36.0, 36.0, 3.0], [64, 160]
    path = str(ROOT / f'projects/CLAP/configs/{config}.py')
    cfg = load_config(path, ['point_cloud_range=[-36.0,-36.0,-5.0,36.0,36.0,3.0]', 'image_size=[64,160]'])
    assert '-54.0' in load_config(path).pretty_text and '-54.0' not in cfg.pretty_text
    assert cfg.model.voxelize_cfg.point_cloud_range == small and cfg.model.view_transform.image_size == image
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        steps = {step.type: step for step in loader.dataset.pipeline}
        assert steps['CLAPImageAug3D'].final_dim == image
        assert steps['PointsRangeFilter'].point_cloud_range == small
        assert steps.get('ObjectRangeFilter', steps['PointsRangeFilter']).point_cloud_range == small
