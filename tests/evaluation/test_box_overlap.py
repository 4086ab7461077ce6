"""Overlap of boxes against closed forms and against counted points."""

from __future__ import annotations

import numpy as np
import pytest

from projects.CLAP.clap.evaluation.box_overlap import heading_difference, overlap_3d

CAR = [10.0, -3.0, 1.0, 4.0, 2.0, 1.5, 0.0]


def moved(**changes: float) -> np.ndarray:
    names = ('x', 'y', 'z', 'length', 'width', 'height', 'yaw')
    return np.array([[changes.get(name, value) for name, value in zip(names, CAR)]])


@pytest.mark.parametrize(
    'other, expected',
    [
        (moved(), 1.0),
        (moved(yaw=np.pi), 1.0),
        (moved(x=12.0), 1 / 3),
        (moved(z=1.75), 1 / 3),
        (moved(yaw=np.pi / 2), 4 / 12),
        (moved(length=2.0), 0.5),
        (moved(z=2.5), 0.0),
        (moved(y=-1.0), 0.0),
        (moved(x=100.0), 0.0),
        (moved(length=0.0), 0.0),
    ],
)
def test_closed_forms(other: np.ndarray, expected: float) -> None:
    assert overlap_3d(moved(), other) == pytest.approx(expected, abs=1e-12)
    assert overlap_3d(other, moved()) == pytest.approx(expected, abs=1e-12)


def test_a_shift_along_the_heading_at_45_degrees() -> None:
    """4 x 2 m boxes, 1 m apart along their length: 3 of 5 m are shared; turned the other way 1 / 3."""
    shift = np.sqrt(0.5)
    pair = moved(yaw=np.pi / 4), moved(yaw=np.pi / 4, x=10 + shift, y=-3 + shift)
    assert overlap_3d(*pair) == pytest.approx(0.6)
    assert overlap_3d(*(box * [1, 1, 1, 1, 1, 1, -1] for box in pair)) == pytest.approx(1 / 3, abs=1e-3)


def test_turned_boxes_against_counted_points() -> None:
    rng = np.random.default_rng(0)
    boxes, others = (
        np.column_stack([rng.uniform(-1, 1, (4, 3)), rng.uniform(1, 4, (4, 3)), rng.uniform(-9, 9, 4)]) for _ in 'ab'
    )
    points = rng.uniform(-4, 4, (50_000, 3))

    def inside(box: np.ndarray) -> np.ndarray:
        turn = np.array([[np.cos(box[6]), -np.sin(box[6]), 0], [np.sin(box[6]), np.cos(box[6]), 0], [0, 0, 1]])
        return (np.abs((points - box[:3]) @ turn) <= box[3:6] / 2).all(axis=1)

    expected = [[(inside(a) & inside(b)).sum() / (inside(a) | inside(b)).sum() for b in others] for a in boxes]
    np.testing.assert_allclose(overlap_3d(boxes, others), expected, atol=0.03)
    assert overlap_3d(boxes, others[:0]).shape == (4, 0)


def test_headings_differ_by_at_most_half_a_turn() -> None:
    difference = heading_difference(np.array([0.1, 3.1, -3.1, 7.0]), np.array([0.4, -3.1, 3.1, 7.0 + np.pi]))
    np.testing.assert_allclose(difference, [0.3, 2 * np.pi - 6.2, 2 * np.pi - 6.2, np.pi])
