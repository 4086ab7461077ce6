"""What a loader has waiting is compared with the shared memory that is free; a loader that hangs is given up."""

from __future__ import annotations

import shutil
import time
from collections import namedtuple

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from projects.CLAP.clap.engine.command import run
from projects.CLAP.clap.engine.loader_errors import loader_error
from projects.CLAP.clap.engine.shared_memory import check_shared_memory
from projects.CLAP.clap.errors import ConfigError

MIB = 2**20
Usage = namedtuple('Usage', 'total used free')


class Frames(Dataset):
    """Eight frames, of which one takes ``seconds``."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> torch.Tensor:
        time.sleep(self.seconds if index == 3 else 0.0)
        return torch.zeros(1)


@pytest.mark.parametrize(
    'options,processes,fits',
    [
        (dict(batch_size=2, num_workers=4), 1, False),  # 2 x (4 x 2 + 1) x 4 MiB = 72
        (dict(batch_size=2, num_workers=4, prefetch_factor=1), 1, True),  # 40
        (dict(batch_size=2, num_workers=3), 1, True),  # 56
        (dict(batch_size=2, num_workers=3), 2, False),
        (dict(batch_size=200), 1, True),  # no worker, no shared memory
    ],
)
def test_batches_in_waiting(options: dict, processes: int, fits: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker's 64 MB."""
    monkeypatch.setattr(shutil, 'disk_usage', lambda path: Usage(64 * MIB, 0, 64 * MIB))
    loader = DataLoader(Frames(), **options)
    if fits:
        check_shared_memory(loader, 4 * MIB, 'train_dataloader', processes)
        return
    with pytest.raises(ConfigError, match=r'64 MiB free.*--shm-size=1g.*train_dataloader.num_workers') as caught:
        check_shared_memory(loader, 4 * MIB, 'train_dataloader', processes)
    assert ('2 processes' in str(caught.value)) == (processes == 2)
    assert f'{72 if processes == 1 else 112} MiB of shared memory' in str(caught.value)


def test_a_worker_that_hangs_is_given_up(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        run(lambda: list(DataLoader(Frames(seconds=5.0), num_workers=1, timeout=1)))
    printed = capsys.readouterr().err
    assert 'error: no batch came' in printed and 'timed out after 1 seconds' in printed and '--resume' in printed


@pytest.mark.parametrize(
    'end,told',
    [
        ('is killed by signal: Bus error. It is possible that', 'shared memory is full'),
        ('is killed by signal: Killed. ', 'no memory left'),
        ('exited unexpectedly with exit code 1.', 'no memory left'),
    ],
)
def test_a_worker_that_is_killed(end: str, told: str) -> None:
    """What torch says of it."""
    assert told in (loader_error(RuntimeError(f'DataLoader worker (pid(s) 12) {end}')) or '')


def test_other_errors_are_left_alone() -> None:
    assert loader_error(RuntimeError('size mismatch')) is None
    assert loader_error(ValueError('DataLoader timed out after 1 seconds')) is None
