"""Modules of the paper's size."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmdet3d.registry import MODELS
from mmengine.config import Config

from projects.CLAP.clap.encoders.view_transform import CLAPDepthLSSTransform


@pytest.fixture(scope='module')
def paper_transform(repo_root: Path) -> CLAPDepthLSSTransform:
    """The view transform as `clap_nus.py` and the detector have it."""
    config = Config.fromfile(repo_root / 'configs/_base_/models/clap_voxel0075_swint.py')
    return MODELS.build(config.model.view_transform)
