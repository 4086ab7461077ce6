"""Fixtures shared by all tests."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import sys
from pathlib import Path
from typing import Callable, Iterator

import pytest
import torch

from tests.fixtures.devices import CPU_AND_GPU, GPU

ROOT = Path(__file__).resolve().parents[1]
# Processes of tests are forked by a server that has imported everything, which saves 10 s each, and has no threads,
# whose locks a forked test process would wait for.
multiprocessing.set_forkserver_preload(['tests.fixtures.method_run'])


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
    torch.set_flush_denormal(False)  # commands that ran in this process switch it on


@pytest.fixture(scope='session', autouse=True)
def _scope() -> None:
    """What a runner sets up before it builds a model: types are looked up in mmdet3d's registries."""
    from mmengine.registry import init_default_scope

    init_default_scope('mmdet3d')


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> Callable[..., str]:
    """Runs a command of tools/ in this process, on the tiny simulated data; returns what it prints."""
    from tests.fixtures.sim_dataset import tiny_dataset

    monkeypatch.setenv('CLAP_DATA_ROOT', str(tiny_dataset().parent))

    def run(tool: str, *arguments: str) -> str:
        spec = importlib.util.spec_from_file_location(f'_tool_{tool}', ROOT / 'tools' / f'{tool}.py')
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        monkeypatch.setattr(sys, 'argv', [f'tools/{tool}.py', *arguments])
        capsys.readouterr()
        module.main()
        return capsys.readouterr().out

    return run


@pytest.fixture(params=['stand-in', *GPU])
def device(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[torch.device]:
    """A device besides the CPU: the stand-in of tests/fixtures/second_device.py, and the GPU where there is one."""
    from tests.fixtures.second_device import second_device

    if request.param == 'cuda':
        monkeypatch.setattr(torch.backends.cudnn, 'allow_tf32', False)
        yield torch.device('cuda', 0)
        return
    with second_device(monkeypatch) as there:
        yield there


@pytest.fixture(params=CPU_AND_GPU)
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[torch.device]:
    """Where a test's tensors and modules are made: the CPU, and then the GPU where there is one, in whole float32."""
    if request.param == 'cpu':
        yield torch.device('cpu')
        return
    monkeypatch.setattr(torch.backends.cudnn, 'allow_tf32', False)
    torch.set_default_device('cuda')
    yield torch.device('cuda', 0)
    torch.set_default_device(None)
