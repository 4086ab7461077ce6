"""Things that must not be in the tree, and sizes that keep it readable."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def tracked() -> list:
    try:
        out = subprocess.run(['git', 'ls-files', '-z'], cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip('not a git checkout')
    return [ROOT / name for name in out.decode().split('\0') if name and (ROOT / name).is_file()]


def test_no_file_is_data() -> None:
    big = [p for p in tracked() if p.stat().st_size > 1 << 20]
    assert not big, f'larger than 1 MiB: {big}'
    sensor = [p for p in tracked() if p.suffix in ('.bin', '.pkl', '.pth', '.gz', '.jpg')]
    assert not sensor, f'sensor data or weights: {sensor}'


def test_python_files_stay_readable() -> None:
    long = {p.name: n for p in tracked() if p.suffix == '.py' and (n := len(p.read_text().splitlines())) > 400}
    assert not long, f'over 400 lines: {long}'


def test_no_conflict_markers_or_private_paths() -> None:
    bad = re.compile(r'^(<{7} |>{7} )|/wo' r'rk/|/fa' r'rm/', re.M)
    for path in tracked():
        if path.suffix in ('.py', '.md', '.sh', '.txt', '.toml', '.json', '.cff', '.yml'):
            found = bad.search(path.read_text())
            assert not found, f'{path.relative_to(ROOT)}: {found.group(0)!r}'
