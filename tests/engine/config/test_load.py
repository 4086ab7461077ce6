"""From a configuration file to what the runner gets."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from projects.CLAP.clap.engine.config.load import check_load_from, load_config

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
