"""What a run shows on a terminal and in a pipe, and that its records are the same either way."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from pathlib import Path

import pytest

from projects.CLAP.clap.engine.hooks import LiveProgressHook
from projects.CLAP.clap.engine.live_panel import duration, short
from tests.engine.hooks.test_hooks import runner


def train_on(kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Trains the tiny model with standard output on a real pseudo-terminal or a pipe; returns what arrived there."""
    reader, writer = os.openpty() if kind == 'pty' else os.pipe()
    received = []

    def read() -> None:
        while True:
            try:
                chunk = os.read(reader, 65536)
            except OSError:  # a pty answers so when its other end is closed
                return
            if not chunk:
                return
            received.append(chunk)

    thread = threading.Thread(target=read)
    thread.start()
    with open(writer, 'w', encoding='utf-8') as out, monkeypatch.context() as patch:
        patch.setattr(sys, 'stdout', out)
        patch.setenv('TERM', 'xterm')
        patch.setenv('COLUMNS', '200')
        run = runner(
            folder,
            epochs=2,
            default_hooks=dict(live=dict(type='LiveProgressHook')),
            vis_backends=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')],
            visualizer=dict(
                type='Visualizer',
                name=f'live_{kind}',
                vis_backends=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')],
            ),
        )
        run.train()
        print('the run is over')
        assert sys.stdout is out, 'the terminal must be given back'
        for handler in run.logger.handlers:  # later tests of this process must not write to the closed terminal
            if getattr(handler, 'stream', None) is out:
                run.logger.removeHandler(handler)
    thread.join(timeout=10)
    os.close(reader)
    return b''.join(received).decode()


@pytest.fixture(scope='module')
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Kind of standard output -> (what was shown, work directory)."""
    result = {}
    with pytest.MonkeyPatch.context() as patch:
        for kind in ('pty', 'pipe'):
            folder = tmp_path_factory.mktemp(kind)
            result[kind] = train_on(kind, folder, patch), folder
    return result


def test_a_terminal_gets_a_panel_instead_of_routine_lines(seen: dict) -> None:
    shown, _ = seen['pty']
    for part in (
        'epoch 1/2',
        'epoch 2/2',
        '2/2',
        '━',
        'rays/s',
        'samples/s',
        'GiB memory',
        'left',
        'range ',
        'swav ',
        'em ',
        'gram ',
    ):
        assert part in shown, part
    assert 'Epoch(train)' not in shown and 'Exp name' not in shown
    assert 'ray sampling from epoch 2: CurvatureRaySampler' in shown, 'other messages appear above the panel'
    assert shown.rstrip().endswith('the run is over')
    assert shown.rfind('\x1b[?25h') > shown.rfind('\x1b[?25l'), 'the cursor must be left visible'


def test_a_pipe_gets_plain_lines(seen: dict) -> None:
    shown, _ = seen['pipe']
    assert shown.count('Epoch(train)') == 4
    assert '━' not in shown
    controls = re.sub(r'\x1b\[[0-9;]*m', '', shown)  # MMEngine's formatter colours its level names anywhere
    assert '\x1b' not in controls and '\r' not in controls
    lines = [line for line in controls.splitlines() if 'Epoch(train)' in line]
    for line in lines:
        place, *figures = line.partition('Epoch(train)')[2].split('  ')
        assert len(line) <= 160 and len(figures) <= 8, line
        for part in ('loss ', 'range ', 'swav ', 'range_median_m ', ' rays/s', ' left'):
            assert part in line, part


def test_records_do_not_depend_on_who_watches(seen: dict) -> None:
    keys = {}
    for kind, (_, folder) in seen.items():
        log = next(folder.glob('*/*.log')).read_text()
        assert log.count('Epoch(train)') == 4 and '\x1b' not in log
        for part in ('loss_surface: ', 'opacity: ', 'rays_per_second: ', 'samples_per_second: ', 'memory_gib: '):
            assert log.count(part) == 4, part
        lines = [json.loads(line) for line in next(folder.glob('*/vis_data/scalars.json')).read_text().splitlines()]
        assert len(lines) == 4
        keys[kind] = set(lines[0])
        assert keys[kind] > {'loss', 'loss_surface', 'opacity', 'proto_agreement', 'lr', 'time'}
        for line in lines:
            # 2 frames a step; 64 LiDAR rays and 2 cameras of 16 rays each, fewer only if candidates lack
            assert line['samples_per_second'] > 0
            assert line['rays_per_second'] / line['samples_per_second'] == pytest.approx(96.0, rel=0.02)
            assert 0.05 < line['memory_gib'] < 50
        assert list(folder.glob('*/vis_data/events.*')), 'TensorBoard file'
    assert keys['pty'] == keys['pipe']


def test_the_terminal_is_given_back_after_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import atexit

    closers = []
    monkeypatch.setattr(atexit, 'register', closers.append)
    monkeypatch.setattr(sys.stdout, 'isatty', lambda: True, raising=False)
    monkeypatch.setenv('TERM', 'xterm')
    run = runner(tmp_path)
    before = sys.stdout
    hook = LiveProgressHook()
    hook.before_train(run)
    assert hook.panel is not None and sys.stdout is not before
    closers[-1]()
    assert hook.panel is None and sys.stdout is before


def test_figures_are_short_and_wrong_arguments_are_named() -> None:
    assert [short(v) for v in (12345.0, 1234.0, 12.345, 0.01234)] == ['12.3k', '1234', '12.3', '0.0123']
    assert duration(3725) == '1:02:05'
    with pytest.raises(ValueError, match='window'):
        LiveProgressHook(window=0)
    with pytest.raises(ValueError, match="'auto' or 'off'"):
        LiveProgressHook(panel='on')
