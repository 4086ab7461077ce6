"""Single objects of the simulated world: every kind can be built, files are whole, the same seed gives the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from projects.CLAP.simulation import objects
from projects.CLAP.simulation.mesh import Mesh
from tests.fixtures.objects import write


def test_every_kind_can_be_built_and_fits_into_the_unit_sphere() -> None:
    for name, build in objects.CLASSES.items():
        mesh = build(np.random.default_rng(0))
        assert isinstance(mesh, Mesh), name
        unit = objects.in_unit_sphere(mesh)
        assert np.linalg.norm(unit.vertices, axis=1).max() == pytest.approx(1)
        assert unit.bounds.mean(axis=0) == pytest.approx(np.zeros(3), abs=1e-9)


def test_cameras_stand_around_and_look_at_the_middle() -> None:
    cameras = objects.cameras_around(4, 64)
    for number, camera in enumerate(cameras):
        world2cam = np.linalg.inv(camera.to_ego)
        middle, top = (world2cam @ [*place, 1] for place in ((0, 0, 0), (0, 0, 0.5)))
        assert middle[:3] == pytest.approx([0, 0, objects.DISTANCE]), 'straight ahead'
        assert top[1] < 0 and top[0] == pytest.approx(0), 'upright: camera y is down'
        assert np.linalg.det(camera.to_ego[:3, :3]) == pytest.approx(1)
        azimuth = np.arctan2(camera.to_ego[1, 3], camera.to_ego[0, 3]) % (2 * np.pi)
        assert azimuth == pytest.approx(number * np.pi / 2)


def test_files_are_whole_and_a_stopped_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / 'a', monkeypatch)
    write(tmp_path / 'b', monkeypatch)
    files = sorted(path.relative_to(tmp_path / 'a') for path in (tmp_path / 'a').rglob('*.*'))
    assert [str(path) for path in files if path.suffix == '.off'] == [
        f'{name}/{split}/{name}_{number:04d}.off'
        for name in ('plate', 'rod')
        for split, number in (('test', 3), ('train', 1), ('train', 2))
    ]
    lines = (tmp_path / 'a/objects.txt').read_text().splitlines()
    assert len(lines) == 6 and lines[0].startswith('plate/train/plate_0001.off ')
    for path in files:
        assert (tmp_path / 'a' / path).read_bytes() == (tmp_path / 'b' / path).read_bytes(), path
    with np.load(tmp_path / 'a/rod/train/rod_0001.npz') as views:
        assert views['images'].shape == (3, 24, 24, 3) and views['cam2img'].shape == (3, 4, 4)
    (tmp_path / 'a/rod/test/rod_0003.off').unlink()
    kept = (tmp_path / 'a/rod/train/rod_0001.off').stat().st_mtime_ns
    write(tmp_path / 'a', monkeypatch)
    assert (tmp_path / 'a/rod/test/rod_0003.off').is_file()
    assert (tmp_path / 'a/rod/train/rod_0001.off').stat().st_mtime_ns == kept
    with pytest.raises(ValueError, match='at least 1'):
        objects.write_objects(tmp_path, 0, 1)
