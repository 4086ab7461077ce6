"""Which share of real keyframes min_range_m takes from the candidates of the paper's configuration."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import List

import numpy as np
import pytest
import torch

from projects.CLAP.clap.engine.config.load import load_config
from projects.CLAP.clap.pretrain.base import Pretrainer
from projects.CLAP.clap.pretrain.samplers import UniformRaySampler
from projects.CLAP.clap.structures import KeyframeSweep

CONFIGS = Path('projects/CLAP/configs')
#: nuScenes' and PandaSet's volume, the same box.
VOLUME = SimpleNamespace(box_min=torch.tensor([-54.0, -54.0, -5.0]), box_max=torch.tensor([54.0, 54.0, 3.0]))


def candidates(points: np.ndarray, origins: np.ndarray, *ranges_m: float) -> List[int]:
    """Numbers of candidates for each ``min_range_m``."""
    points = torch.from_numpy(points)
    heldout = Pretrainer.heldout(SimpleNamespace(heldout_ratio=0.02), points)
    sweep = KeyframeSweep(points, torch.from_numpy(origins), heldout, torch.zeros_like(heldout))
    return [len(UniformRaySampler(min_range_m=range_m).candidates(VOLUME, sweep)) for range_m in ranges_m]


def test_nuscenes(real_data: Path) -> None:
    path = next((real_data / 'nuscenes_frame').glob('*.bin'))
    points = np.fromfile(path, dtype=np.float32).reshape(-1, 5)[:, :3].copy()
    before, after, street = candidates(points, np.zeros((1, 3), np.float32), 1.0, 2.5, 3.5)
    assert (before, after, street) == (23809, 23319, 23319)
    assert 1 - after / before == pytest.approx(0.0206, abs=1e-4)
    assert after / 8192 == pytest.approx(2.85, abs=0.01), 'no class can be drawn more often than that, against uniform'


def test_pandaset(real_data: Path, tmp_path: Path) -> None:
    from projects.CLAP.clap.datasets.converters.pandaset import convert

    convert(real_data / 'pandaset', tmp_path)
    total = np.zeros(3)
    for path in sorted(tmp_path.glob('lidar/*.origins.bin')):
        origins = np.fromfile(path, dtype=np.float32).reshape(-1, 3)
        points = np.fromfile(str(path).replace('.origins', ''), dtype=np.float32).reshape(len(origins), -1)[:, :3]
        total += candidates(points.copy(), origins, 1.0, 1.5, 2.5)
    before, beyond_the_vehicle, after = total
    assert 1 - after / before == pytest.approx(0.0040, abs=1e-4)
    assert beyond_the_vehicle == after, 'nothing lies between the vehicle and 2.5 m'


NUSCENES = sorted((CONFIGS / 'comparison').glob('pretrain_nus_*.py'))
PUBLISHED = sorted(
    path
    for path in (CONFIGS / 'comparison').glob('pretrain_*.py')
    if path not in NUSCENES and 'cmcr' not in path.stem  # it draws no rays
)


@pytest.mark.parametrize('path', PUBLISHED, ids=lambda p: p.stem)
def test_published_comparisons_keep_the_range_that_they_were_run_with(path: Path) -> None:
    assert load_config(str(path)).model.ray_sampler.min_range_m == 1.0


@pytest.mark.parametrize('path', [CONFIGS / 'clap_nus.py', *NUSCENES], ids=lambda p: p.stem)
def test_the_papers_configurations_take_the_default(path: Path) -> None:
    sampler = load_config(str(path)).model.ray_sampler
    assert 'min_range_m' not in sampler and UniformRaySampler().min_range_m == 2.5
