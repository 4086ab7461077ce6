"""Modules of the paper's size."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmdet3d.registry import MODELS
from mmengine.config import Config

from projects.CLAP.clap.encoders.geometry import with_geometry
from projects.CLAP.clap.encoders.view_transform import CLAPDepthLSSTransform


@pytest.fixture(scope='module')
def paper_transform(repo_root: Path) -> CLAPDepthLSSTransform:
    """The view transform as `clap_nus.py` and the detector have it."""
    model = Config.fromfile(repo_root / 'projects/CLAP/configs/clap_nus.py').model
    parts = with_geometry(model.voxelize_cfg, dict(view_transform=model.view_transform))
    return MODELS.build(parts['view_transform'])
