"""From a configuration file to what the runner gets."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from projects.CLAP.clap.engine.config.laid_out import LaidOutConfig
from projects.CLAP.clap.engine.config.load import check_load_from, load_config, skip_downloads
from projects.CLAP.clap.errors import ConfigError

OTHER, CHECK = dict(type='StepSeedHook'), dict(type='TransferReportHook', min_share=0.5)


@pytest.mark.parametrize(
    'cfg,hooks',
    [
        (dict(load_from='a.pth', custom_hooks=[OTHER]), [OTHER, dict(type='TransferReportHook')]),
        (dict(load_from='a.pth', custom_hooks=[CHECK, OTHER]), [CHECK, OTHER]),
        (dict(load_from='a.pth'), [dict(type='TransferReportHook')]),
        (dict(load_from='a.pth', resume=True, custom_hooks=[OTHER]), [OTHER]),
        (dict(load_from=None, custom_hooks=[OTHER]), [OTHER]),
        (dict(load_from='a.pth', default_hooks=dict(pictures=None, transfer=CHECK), custom_hooks=[OTHER]), [OTHER]),
    ],
)
def test_load_from_is_checked_once_and_behind_the_hooks_of_the_configuration(cfg: dict, hooks: list) -> None:
    cfg = Config(cfg)
    check_load_from(cfg)
    assert cfg.custom_hooks == hooks


def test_nothing_is_fetched_for_a_backbone_that_a_checkpoint_brings(tmp_path: Path) -> None:
    fetched = dict(type='Pretrained', checkpoint='https://example.org/swin.pth')
    for name, entry in (('with', 'img_backbone.a'), ('without', 'pts_neck.a')):
        torch.save(dict(state_dict={entry: torch.zeros(1)}), tmp_path / f'{name}.pth')
    for options, left in (
        (dict(), fetched),
        (dict(load_from=str(tmp_path / 'with.pth')), None),
        (dict(load_from=str(tmp_path / 'without.pth')), fetched),
        (dict(resume=True, load_from='epoch_1.pth'), None),
        (dict(resume=True), fetched),  # no checkpoint is there yet
    ):
        cfg = Config(dict(model=dict(img_backbone=dict(init_cfg=fetched)), work_dir=str(tmp_path / 'run'), **options))
        skip_downloads(cfg)
        assert cfg.model.img_backbone.init_cfg == left, options


def test_a_plan_of_a_comparison_is_no_run(repo_root: Path) -> None:
    with pytest.raises(ConfigError, match='label_efficiency.py'):
        load_config(str(repo_root / 'projects/CLAP/configs/comparison/sim.py'))


@pytest.mark.skipif(torch.cuda.is_available(), reason='where there is a GPU the CPU does not train')
def test_numbers_below_1e_38_are_zero_on_the_cpu(repo_root: Path) -> None:
    """The SDF's Softplus makes them, and they cost the CPU a fifth of a step."""
    tiny = torch.tensor([1e-40])
    torch.set_flush_denormal(False)
    assert (tiny * 1.0).item() > 0
    try:
        load_config(str(repo_root / 'projects/CLAP/configs/clap_sim.py'))
        assert (tiny * 1.0).item() == 0
    finally:
        torch.set_flush_denormal(False)


def test_text_of_a_configuration_is_laid_out_once_for_each_content(monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = LaidOutConfig.of(Config(dict(model=dict(channels=[16, 32])), filename=__file__))
    first = cfg.pretty_text
    assert first == Config(dict(model=dict(channels=[16, 32]))).pretty_text and cfg.filename == __file__
    monkeypatch.setattr('mmengine.config.config.FormatCode', lambda text, **style: (f'again {text}', True))
    assert copy.deepcopy(cfg).pretty_text == first
    cfg.model.channels[1] = 64
    assert cfg.pretty_text.startswith('again ') and '64' in cfg.pretty_text
