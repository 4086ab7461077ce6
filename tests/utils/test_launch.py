"""From a configuration file to what the runner gets."""

from __future__ import annotations

import pytest
from mmengine.config import Config

from projects.CLAP.clap.utils.launch import check_load_from

OTHER, CHECK = dict(type='StepSeedHook'), dict(type='TransferReportHook', min_share=0.5)


@pytest.mark.parametrize(
    'cfg,hooks',
    [
        (dict(load_from='a.pth', custom_hooks=[OTHER]), [OTHER, dict(type='TransferReportHook')]),
        (dict(load_from='a.pth', custom_hooks=[CHECK, OTHER]), [CHECK, OTHER]),
        (dict(load_from='a.pth'), [dict(type='TransferReportHook')]),
        (dict(load_from='a.pth', resume=True, custom_hooks=[OTHER]), [OTHER]),
        (dict(load_from=None, custom_hooks=[OTHER]), [OTHER]),
    ],
)
def test_load_from_is_checked_once_and_behind_the_hooks_of_the_configuration(cfg: dict, hooks: list) -> None:
    cfg = Config(cfg)
    check_load_from(cfg)
    assert cfg.custom_hooks == hooks
