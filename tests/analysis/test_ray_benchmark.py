"""Memory against the number of rays: the straight line, the limit and the table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from projects.CLAP.clap.analysis.ray_benchmark import available_gib, extrapolate, format_table

ROOT = Path(__file__).resolve().parents[2]


def row(lidar: int, camera: int, gib: float) -> dict:
    return dict(lidar_rays=lidar, camera_rays=camera, seconds=1.5, sample_seconds=0.1, peak_gib=gib)


def test_everything_is_extrapolated_along_a_line() -> None:
    rows = [row(1000, 500, 3.0), row(2000, 1000, 5.0), dict(lidar_rays=9, camera_rays=9, out_of_memory=True)]
    assert extrapolate(rows, 150000) == pytest.approx(1 + 150000 * 2 / 1500)
    assert extrapolate(rows[:1], 10) is None and extrapolate(rows[2:], 10) is None


def test_the_table_says_where_the_memory_ends() -> None:
    rows = [row(1024, 768, 2.0), dict(lidar_rays=100000, camera_rays=1000000, out_of_memory=True)]
    table = format_table(
        dict(
            samplers=dict(UniformRaySampler=rows, CurvatureRaySampler=rows),
            everything=dict(rays=1100000, peak_gib=200.0, extrapolated=True, times_less=100.0),
        )
    )
    assert '| 1024 | 768 | 1.50 | 2.00 | 1.50 | 2.00 |' in table
    assert '| 100000 | 1000000 | – | out of memory |' in table
    assert '200.0 GiB (extrapolated); the configuration\'s rays need 100.0 times less' in table


def test_the_limit_fails_an_allocation_instead_of_the_machine() -> None:
    assert available_gib() > 0.1
    code = (
        'import torch; from projects.CLAP.clap.analysis.ray_benchmark import limit_memory; limit_memory(0.5)\n'
        'torch.zeros(1000)\n'
        'try:\n    torch.zeros(2**30)\nexcept RuntimeError as error:\n    print("memory" in str(error))'
    )
    done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip().endswith('True'), done.stderr[-2000:]
