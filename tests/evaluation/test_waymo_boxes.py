"""Waymo's metric against the official program's figures and against figures made by hand."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Sequence

import numpy as np
import pytest

from projects.CLAP.clap.errors import DataError
from projects.CLAP.clap.evaluation.box_overlap import overlap_3d
from projects.CLAP.clap.evaluation.frame_boxes import FrameBoxes, frame_boxes, read_boxes
from projects.CLAP.clap.evaluation.waymo_boxes import TYPES, average_precision, waymo_precisions
from tools.analysis_tools.box_metric import main

#: Equal boxes that look in opposite directions; the official program takes their overlap for 0.
OPPOSITE = 1892, 836
CAR = 'OBJECT_TYPE_TYPE_VEHICLE_LEVEL_{}'


def differing(figures: dict, expected: dict) -> set:
    return {
        name for name, row in expected.items() for key in row if abs(figures[name][key] - expected[name][key]) > 1e-5
    }


def test_the_official_figures(real_data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    expected = json.loads((real_data / 'waymo_metric/expected.json').read_text())
    monkeypatch.setattr(sys, 'argv', ['box_metric.py', 'waymo', str(real_data / 'waymo_metric/objects.npz')])
    main()
    printed = capsys.readouterr().out.strip().splitlines()
    figures = json.loads(printed[-1])
    assert len(printed) == 1 + 32 + 1 and set(figures) == set(expected) and len(expected) == 32
    one_pair = {
        CAR.format(1),
        CAR.format(2),
        'RANGE_TYPE_VEHICLE_[30, 50)_LEVEL_1',
        'RANGE_TYPE_VEHICLE_[30, 50)_LEVEL_2',
    }
    assert differing(figures, expected) == one_pair
    for name in one_pair:
        assert figures[name] == pytest.approx(expected[name], abs=4e-3)


def test_all_official_figures_without_the_opposite_pair(real_data: Path) -> None:
    expected = json.loads((real_data / 'waymo_metric/expected.json').read_text())
    predictions, truths = read_boxes(real_data / 'waymo_metric/objects.npz', list(TYPES))
    found, labelled = predictions.box[OPPOSITE[0]], truths.box[OPPOSITE[1]]
    np.testing.assert_allclose(found[:6], labelled[:6])
    assert abs(found[6] - labelled[6]) == pytest.approx(np.pi)
    found[:2] *= -1  # another place at the same range
    assert not overlap_3d(found[None], truths.box[truths.frame == truths.frame[OPPOSITE[1]]]).any()
    assert differing(waymo_precisions(predictions, truths), expected) == set()


def boxes(xs: Sequence[float], yaws: Sequence[float] = (), **columns: Sequence) -> FrameBoxes:
    """Vehicles on the x axis, all in frame 0."""
    size = len(xs)
    box = np.array([[x, 0, 0, 4, 2, 1.5, yaw] for x, yaw in zip(xs, [*yaws, *[0.0] * size])]).reshape(-1, 7)
    columns.setdefault('num_points', [100] * size)
    return frame_boxes(np.zeros(size, int), box, np.ones(size, int), **columns)


def vehicles(predictions: FrameBoxes, truths: FrameBoxes, level: int = 2) -> tuple:
    figures = waymo_precisions(predictions, truths)[CAR.format(level)]
    return round(figures['AP'], 6), round(figures['APH'], 6)


TWO = boxes([10, 20])


@pytest.mark.parametrize(
    'predictions, truths, expected',
    [
        (boxes([10, 20], score=[0.9, 0.8]), TWO, (1.0, 1.0)),
        (boxes([10], score=[0.9]), TWO, (0.5, 0.5)),
        (boxes([10, 40], score=[0.9, 0.5]), TWO, (0.5, 0.5)),  # the false one comes after all that is found
        (boxes([10, 40], score=[0.5, 0.9]), TWO, (0.25, 0.25)),  # the precision is 1 / 2 wherever anything is found
        (boxes([10, 40], score=[0.5, 0.9], in_no_label_zone=[0, 1]), TWO, (0.5, 0.5)),
        (boxes([10, 10.1], score=[0.5, 0.9]), TWO, (0.5, 0.5)),  # one of two on the same box is false, but later
        (boxes([10, 20], [np.pi, 0], score=[0.9, 0.9]), TWO, (1.0, 0.5)),
        (boxes([10, 20], [np.pi / 2, 0], score=[0.9, 0.9]), TWO, (0.25, 0.25)),  # does not overlap enough
        (boxes([10, 20], score=[0.9, 0.9]), boxes([10, 20], num_points=[9, 0]), (0.5, 0.5)),  # the second is no truth
        (boxes([]), TWO, (0.0, 0.0)),
        (boxes([10], score=[0.9]), boxes([]), (0.0, 0.0)),
    ],
)
def test_by_hand(predictions: FrameBoxes, truths: FrameBoxes, expected: tuple) -> None:
    assert vehicles(predictions, truths) == expected


def test_levels() -> None:
    """Level 2: as annotated, or 5 points and fewer; what is found of it counts as right at level 1, too."""
    truths = boxes([10, 20, 30, 40], level=[0, 2, 1, 0], num_points=[6, 100, 1, 5])
    assert vehicles(boxes([10], score=[0.9]), truths, 1) == (0.5, 0.5)
    assert vehicles(boxes([10], score=[0.9]), truths, 2) == (0.25, 0.25)
    assert vehicles(boxes([10, 20], score=[0.9, 0.9]), truths, 1) == (round(2 / 3, 6),) * 2


def test_ranges_are_of_each_boxs_own_centre() -> None:
    figures = waymo_precisions(boxes([30.1, 60], score=[0.9, 0.9]), boxes([29.9, 60]))
    assert figures[CAR.format(1)]['AP'] == 1.0
    assert [figures[f'RANGE_TYPE_VEHICLE_{name}_LEVEL_1']['AP'] for name in ('[0, 30)', '[30, 50)', '[50, +inf)')] == [
        0.0,
        0.0,
        1.0,
    ]


def test_matching_finds_the_largest_sum_of_overlaps() -> None:
    """The middle one of three could take either neighbour's box; greedily one would be left over."""
    predictions = boxes([10.0, 10.5], score=[0.9, 0.3])
    truths = boxes([10.45, 10.9])
    assert vehicles(predictions, truths) == (1.0, 1.0)


def test_gaps_of_the_recall_are_filled_with_the_precision_to_their_right() -> None:
    assert average_precision(np.array([1.0, 0.0]), np.array([0.5, 0.0])) == pytest.approx(0.5)
    assert average_precision(np.array([1.0, 0.5]), np.array([0.5, 1.0])) == pytest.approx(
        0.5 + 0.45 * 0.5 + 0.05 * 0.75
    )


def test_an_archive_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    path = tmp_path / 'boxes.npz'
    with pytest.raises(DataError, match='does not exist'):
        read_boxes(path, list(TYPES))
    path.write_bytes(b'PK\x03\x04 no archive')
    with pytest.raises(DataError, match='boxes.npz is no NumPy archive'):
        read_boxes(path, list(TYPES))
    good = {
        f'{side}_{key}': value
        for side in ('prediction', 'truth')
        for key, value in dict(frame=[0], box=[[1.0] * 7], type=[1], score=[0.5]).items()
    }
    for change, message in (
        (dict(prediction_score=None), 'no array prediction_score; the file has'),
        (dict(truth_box=[[1.0] * 6]), r'truth_box: expected 1 rows of 7 numbers.*\(1, 6\)'),
        (dict(prediction_score=[0.5, 0.5]), r'prediction_score: expected 1 rows.*\(2,\)'),
        (dict(truth_box=[[np.nan] * 7]), 'truth_box holds NaN'),
        (dict(truth_type=[7]), r'truth_type has \[7\]; expected 1, 2, 3, 4'),
    ):
        np.savez(path, **{key: value for key, value in {**good, **change}.items() if value is not None})
        with pytest.raises(DataError, match=message):
            read_boxes(path, list(TYPES))
