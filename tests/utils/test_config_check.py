from __future__ import annotations

from pathlib import Path

import pytest

from projects.CLAP.clap.utils.config_check import ConfigKeyError
from projects.CLAP.clap.utils.launch import load_config, use_amp

CONFIGS = Path(__file__).resolve().parents[2] / 'projects' / 'CLAP' / 'configs'


@pytest.mark.parametrize('path', sorted(CONFIGS.rglob('*.py')), ids=lambda p: p.stem)
def test_every_configuration_passes(path: Path) -> None:
    cfg = load_config(str(path))
    assert cfg.model.type == 'CLAP'
    assert cfg.work_dir == f'work_dirs/{path.stem}'


@pytest.mark.parametrize('option,hint', [
    ('model.render_hed.num_z=8', "did you mean 'render_head'"),
    ('model.render_head.num_sample=8', "did you mean 'num_samples'"),
    ('model.ray_sampler.num_lidar_ray=8', "did you mean 'num_lidar_rays'"),
    ('modl.depth_source=all', "did you mean 'model'"),
    ('train_dataloader.dataset.anno_file=x', "did you mean 'ann_file'"),
    ('custom_hooks.1.warmup_epoch=3', "did you mean 'warmup_epochs'"),
])
def test_a_misspelt_key_is_named_with_the_nearest_valid_one(option: str, hint: str) -> None:
    with pytest.raises(ConfigKeyError) as caught:
        load_config(str(CONFIGS / 'clap_sim.py'), [option])
    assert hint in str(caught.value)
    assert option.split('=')[0].split('.')[-1] in str(caught.value) or option.split('.')[1] in str(caught.value)


def test_a_missing_file_and_a_bad_override() -> None:
    with pytest.raises(FileNotFoundError, match='projects/CLAP/configs'):
        load_config('nowhere.py')
    with pytest.raises(ConfigKeyError, match='KEY=VALUE'):
        load_config(str(CONFIGS / 'clap_sim.py'), ['model'])


def test_overrides_and_amp() -> None:
    cfg = load_config(str(CONFIGS / 'clap_sim.py'), ['model.render_head.num_samples=10', 'train_cfg.max_epochs=1'])
    assert cfg.model.render_head.num_samples == 10
    use_amp(cfg)
    assert cfg.optim_wrapper.type == 'AmpOptimWrapper'
