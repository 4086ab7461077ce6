"""The lock on a work directory by itself; tests/reliability/test_train_command.py has two real runs."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from projects.CLAP.clap.engine import command as cli
from projects.CLAP.clap.engine.lock import locked_work_dir
from projects.CLAP.clap.errors import WorkDirBusyError


def test_held_while_inside_and_free_after(tmp_path: Path) -> None:
    busy = pytest.raises(WorkDirBusyError, match=f'process {os.getpid()} on .*--work-dir')
    for _ in range(2):
        with locked_work_dir(tmp_path / 'new'), busy, locked_work_dir(tmp_path / 'new'):
            pass


def test_one_process_of_a_distributed_run_holds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('RANK', '1')
    with locked_work_dir(tmp_path), locked_work_dir(tmp_path, 'pytorch'):  # the second does not ask
        pass
    monkeypatch.setenv('RANK', '0')
    with locked_work_dir(tmp_path), pytest.raises(WorkDirBusyError), locked_work_dir(tmp_path, 'pytorch'):
        pass


def test_a_file_system_without_locks_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def no_locks(*args) -> None:
        raise OSError(errno.ENOLCK, 'No locks available')

    monkeypatch.setattr(fcntl, 'flock', no_locks)
    with locked_work_dir(tmp_path):
        pass
    assert 'No locks available' in capsys.readouterr().err


def test_a_full_disk_is_one_message(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    def main() -> None:
        raise OSError(errno.ENOSPC, 'No space left on device', 'scalars.json')

    monkeypatch.setattr(cli, 'keep_freed_memory', lambda: True)
    with pytest.raises(SystemExit):
        cli.run(main)
    printed = capsys.readouterr().err
    assert 'scalars.json' in printed and '--resume' in printed and 'Traceback' not in printed
