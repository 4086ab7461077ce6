"""The generator: bad input, resuming, and bytes that depend on the arguments alone."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from projects.CLAP.simulation import generate as module
from projects.CLAP.simulation.generate import STAMP, SimConfig, generate, run_scene
from tests.fixtures.sim_dataset import CONFIG, tiny_dataset
from tools.create_data import main

SMALL = SimConfig(scenes=2, frames=1, seed=4, image_width=64, azimuth_steps=72, supersample=1)


def _bytes(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.md5(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob('*'))
        if p.suffix in ('.json', '.bin', '.jpg', '.png')
    }


@pytest.mark.parametrize(
    'field, value',
    [
        ('scenes', 0),
        ('frames', 0),
        ('val_fraction', 1.5),
        ('image_width', 50),
        ('azimuth_steps', 3),
        ('supersample', 9),
        ('lidar_range', 0.5),
        ('lidar_range', 101),
    ],
)
def test_impossible_arguments_are_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(ValueError, match='--' + field.replace('_', '-')):
        SimConfig(**{'scenes': 2, 'frames': 2, field: value})


@pytest.mark.parametrize(
    'scenes, fraction, expected',
    [(1, 0.25, (1, 0)), (2, 0.25, (1, 1)), (8, 0.25, (6, 2)), (3, 0.9, (1, 2)), (4, 0.0, (4, 0)), (4, 1.0, (0, 4))],
)
def test_scene_names_come_from_the_official_splits(scenes: int, fraction: float, expected: tuple[int, int]) -> None:
    from nuscenes.utils import splits

    train, val = SimConfig(scenes, 1, val_fraction=fraction).scene_names()
    assert (len(train), len(val)) == expected
    assert set(train) <= set(splits.train) and set(val) <= set(splits.val)


def test_more_scenes_than_the_splits_have_is_refused() -> None:
    with pytest.raises(ValueError, match='150 val'):
        SimConfig(1000, 1, val_fraction=0.5).scene_names()


def test_command_line_refuses_zero_scenes(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(['sim', '--out', str(tmp_path / 'x'), '--scenes', '0', '--frames', '2']) == 2
    assert '--scenes must be at least 1, got 0' in capsys.readouterr().err
    assert not (tmp_path / 'x').exists()


def test_a_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / 'holiday.jpg').write_bytes(b'x')
    with pytest.raises(ValueError, match='not empty and was not made by this command'):
        generate(tmp_path, SMALL)
    assert [p.name for p in tmp_path.iterdir()] == ['holiday.jpg']


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / 'file').write_text('')
    with pytest.raises(NotADirectoryError, match='is a file'):
        generate(tmp_path / 'file', SMALL)
    with pytest.raises(PermissionError, match='cannot write to --out'):
        generate(tmp_path / 'file' / 'below', SMALL)


def test_other_arguments_do_not_overwrite(tmp_path: Path) -> None:
    (tmp_path / STAMP).write_text(json.dumps({'format': module.FORMAT, 'arguments': {'scenes': 9}, 'finished': True}))
    with pytest.raises(ValueError, match='other arguments'):
        generate(tmp_path, SMALL)


def test_a_folder_from_before_an_argument_was_invented_has_its_default(tmp_path: Path) -> None:
    arguments = {name: value for name, value in asdict(SMALL).items() if name != 'lidar_range'}
    (tmp_path / STAMP).write_text(json.dumps({'format': module.FORMAT, 'arguments': arguments, 'finished': True}))
    assert generate(tmp_path, SMALL, report=lambda line: None)['made'] == 0
    with pytest.raises(ValueError, match='other arguments'):
        generate(tmp_path, replace(SMALL, lidar_range=28.0), report=lambda line: None)


def test_a_finished_folder_is_reported_and_left_alone() -> None:
    root, lines = tiny_dataset(), []
    before = {p: p.stat().st_mtime_ns for p in root.rglob('*')}
    assert generate(root, CONFIG, report=lines.append)['made'] == 0
    assert 'already holds this dataset' in lines[0]
    assert before == {p: p.stat().st_mtime_ns for p in root.rglob('*')}
    assert not (root / module.PARTIAL).exists() and not list(root.rglob('*.tmp'))


def test_an_interrupted_run_resumes_to_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop after the first scene, go on, and compare with a run that was never stopped (and ran two jobs)."""
    calls: list[str] = []

    def failing(out: Path, config: SimConfig, name: str, report=None) -> float:
        if calls:
            raise KeyboardInterrupt
        calls.append(name)
        return run_scene(out, config, name, report)

    monkeypatch.setattr(module, 'run_scene', failing)
    with pytest.raises(KeyboardInterrupt):
        generate(tmp_path / 'a', SMALL, report=lambda line: None)
    assert not json.loads((tmp_path / 'a' / STAMP).read_text())['finished']
    monkeypatch.undo()
    lines: list[str] = []
    assert generate(tmp_path / 'a', SMALL, report=lines.append)['made'] == 1
    assert 'resuming: 1 of 2' in lines[0]
    assert any('scene 2 of 2' in line and 's left' in line for line in lines)
    generate(tmp_path / 'b', SMALL, jobs=2, report=lambda line: None)
    first, second = _bytes(tmp_path / 'a'), _bytes(tmp_path / 'b')
    # tables, stamp; sweep, classes of its points, images and map per scene
    assert first == second and len(first) == 14 + 1 + 2 * (1 + 1 + 6 + 1)


def test_another_seed_gives_another_world() -> None:
    from projects.CLAP.simulation.scene import build_scene

    a, b = build_scene(0, 'scene-0001', 1), build_scene(1, 'scene-0001', 1)
    assert a.layout != b.layout
