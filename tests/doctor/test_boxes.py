"""A wrong box convention is found on simulated and on real frames; right boxes are left in peace."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest

from projects.CLAP.doctor import BAD, GOOD
from projects.CLAP.doctor.boxes import CONVENTIONS, count_boxes, inside_box, judge_boxes
from tests.fixtures.driving_frames import read_infos


def frames_of(info_file: Path, points_folder: Path, every: int = 1) -> list:
    frames = []
    for info in read_infos(info_file)[::every]:
        points = np.fromfile(points_folder / Path(info['lidar_points']['lidar_path']).name, np.float32).reshape(-1, 5)
        boxes = np.array([box['bbox_3d'] for box in info['instances']]).reshape(-1, 7)
        frames.append((points, boxes, np.array([box['num_lidar_pts'] for box in info['instances']])))
    return frames


@pytest.fixture(scope='module')
def sources(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Frames of a simulated scene, of PandaSet and of nuScenes."""
    from projects.CLAP.clap.datasets.converters.pandaset import convert
    from projects.CLAP.simulation.generate import SimConfig, generate

    sim = tmp_path_factory.mktemp('boxes') / 'sim'
    generate(sim, SimConfig(scenes=2, frames=4, seed=0, image_width=64, supersample=1), report=lambda line: None)
    panda = tmp_path_factory.mktemp('panda')
    convert(real_data / 'pandaset', panda)
    nus = real_data / 'nuscenes_frame'
    return dict(
        sim=frames_of(sim / 'sim_infos_train.pkl', sim / 'samples' / 'LIDAR_TOP'),
        pandaset=frames_of(panda / 'pandaset_infos_all.pkl', panda / 'lidar', every=7),
        nuscenes=frames_of(next(nus.glob('*.pkl')), nus),
    )


@pytest.mark.parametrize('source', ['sim', 'pandaset', 'nuscenes'])
def test_right_boxes_are_left_in_peace(sources: dict, source: str) -> None:
    (finding,) = judge_boxes(count_boxes(sources[source]), source)
    assert finding.level == GOOD, finding
    assert '100% hold any' in finding.verdict


@pytest.mark.parametrize('source', ['sim', 'pandaset', 'nuscenes'])
@pytest.mark.parametrize('name', list(CONVENTIONS))
def test_a_wrong_convention_is_found_and_named(sources: dict, source: str, name: str) -> None:
    """The file is written in another convention; the doctor says in which (z: read the other way round)."""
    frames = [(points, CONVENTIONS[name](boxes), expected) for points, boxes, expected in sources[source]]
    (finding,) = judge_boxes(count_boxes(frames), source)
    opposite = {'bottom': 'top', 'top': 'bottom'}
    named = ' '.join(opposite.get(word, word) for word in name.split()) if name.startswith('z') else name
    if source == 'sim' and name == 'yaw of the opposite sign' and finding.level == GOOD:
        assert f'too few points to rule out: {name}' in finding.verdict  # a straight street: all yaws are 0 or 90
        return
    assert finding.level == BAD, finding
    assert named.replace(' of the box instead of its centre', '').split(' (')[0] in finding.verdict.replace(
        ' of the box instead of its centre', ''
    ), finding
    assert 'counter-clockwise' in finding.remedy


def test_boxes_of_another_frame_are_found(sources: dict) -> None:
    moved = copy.deepcopy(sources['pandaset'])
    for _, boxes, _ in moved:
        boxes[:, :2] += 25
    (finding,) = judge_boxes(count_boxes(moved), 'x')
    assert finding.level == BAD and 'not in the frame of the points' in finding.verdict


def test_the_lowest_part_of_a_box_is_left_out() -> None:
    box = np.array([1.0, 2.0, 0.5, 4.0, 2.0, 1.0, np.pi / 6])
    points = box[:3] + np.array([[0, 0, 0.49], [0, 0, -0.39], [0, 0, -0.41]])
    assert inside_box(points, box).all()
    assert inside_box(points, box, floor=0.1).tolist() == [True, True, False]


def test_no_boxes_is_fine() -> None:
    (finding,) = judge_boxes(count_boxes([(np.zeros((4, 5)), np.zeros((0, 7)), np.zeros(0))]), 'x')
    assert finding.level == GOOD and 'none' in finding.verdict


@pytest.mark.parametrize(
    'change, cause',
    [
        ([1, 1, 1, 1, 1, 1, 180 / np.pi], 'degrees instead of radians'),
        ([1e3] * 6 + [1], 'millimetres'),
        ([1e3] * 3 + [1] * 4, 'in the world, or in millimetres'),
    ],
)
def test_units_are_named_before_frames_and_conventions(change: list, cause: str) -> None:
    rng = np.random.default_rng(0)
    boxes = np.column_stack(
        [rng.uniform(-30, 30, (20, 2)), np.full(20, -1.0), np.tile([4, 2, 1.6], (20, 1)), np.linspace(-3, 3, 20)]
    )
    points = np.concatenate([box[:3] + rng.uniform(-0.8, 0.8, (30, 3)) for box in boxes]).astype(np.float32)
    expected = np.full(20, 30)
    (sound,) = judge_boxes(count_boxes([(points, boxes, expected)]), 'mine')
    assert sound.level == GOOD
    (finding,) = judge_boxes(count_boxes([(points, boxes * change, expected)]), 'mine')
    assert finding.level == BAD and cause in finding.verdict
