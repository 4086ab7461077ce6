"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope='session')
def repo_root() -> Path:
    return ROOT


@pytest.fixture(scope='session')
def real_data() -> Path:
    """Folder of real sensor data (``pandaset/002``, ``nuscenes_frame``), see CLAP_REAL_DATA."""
    folder = Path(os.environ.get('CLAP_REAL_DATA', ROOT.parent / 'shared' / 'data')).resolve()
    if not (folder / 'pandaset').is_dir():
        message = f'real sensor data not found in {folder}; set CLAP_REAL_DATA to the folder that holds it'
        if os.environ.get('CLAP_REQUIRE_REAL_DATA') == '1':
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope='session', autouse=True)
def _scope() -> None:
    """What a runner sets up before it builds a model: types are looked up in mmdet3d's registries."""
    from mmengine.registry import init_default_scope

    init_default_scope('mmdet3d')
