"""ONCE's metric against figures made by hand and a plain loop over every pair."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from projects.CLAP.clap.evaluation.box_overlap import overlap_3d
from projects.CLAP.clap.evaluation.frame_boxes import FrameBoxes, frame_boxes
from projects.CLAP.clap.evaluation.once_boxes import once_precisions
from tools.analysis_tools.box_metric import main


def cars(*rows: tuple, type: str = 'Car') -> FrameBoxes:
    """Rows of x, y, yaw, score; all in frame 0."""
    box = np.array([[x, y, 0, 4, 2, 1.5, yaw] for x, y, yaw, _ in rows]).reshape(-1, 7)
    return frame_boxes(
        np.zeros(len(rows), int), box, np.array([type] * len(rows)), score=np.array([r[3] for r in rows])
    )


TWO = cars((10, 0, 0, 0), (20, 0, 0, 0))


@pytest.mark.parametrize(
    'predictions, expected',
    [
        (cars((10, 0, 0, 0.9), (20, 0, 0, 0.8)), 100.0),
        (cars((10, 0, 0, 0.9), (20, 0, 0, 0.8), (30, 0, 0, 0.1)), 100.0),  # false, but below all that are right
        (
            cars((10, 0, np.pi, 0.9), (20, 0, 0.1, 0.8)),
            25.0,
        ),  # the first looks the other way: false, and its box missed
        (cars((10, 0, 0, 0.9)), 50.0),
        (cars(), 0.0),
    ],
)
def test_by_hand(predictions: FrameBoxes, expected: float) -> None:
    assert once_precisions(predictions, TWO)['Vehicle']['overall'] == pytest.approx(expected)


def test_a_false_one_before_all_that_are_right_halves_the_precision() -> None:
    found = cars((10, 0, 0, 0.8), (40, 0, 0, 0.9))
    figures = once_precisions(found, cars((10, 0, 0, 0)))
    assert figures['Vehicle'] == pytest.approx({'overall': 50.0, '0-30m': 100.0, '30-50m': 0.0, '50m-inf': 0.0})
    assert figures['mAP']['overall'] == pytest.approx(50 / 3)


def test_vehicles_are_one_class() -> None:
    assert once_precisions(cars((10, 0, 0, 0.9), type='Bus'), cars((10, 0, 0, 0)))['Vehicle']['overall'] == 100.0


def test_what_matches_a_box_out_of_the_range_is_neither_right_nor_wrong() -> None:
    """At 29.9 and 30.1 m: near, the prediction counts but its box does not; far, the other way round."""
    figures = once_precisions(cars((29.9, 0, 0, 0.9), (10, 0, 0, 0.8)), cars((30.1, 0, 0, 0), (10, 0, 0, 0)))
    assert figures['Vehicle'] == pytest.approx({'overall': 100.0, '0-30m': 100.0, '30-50m': 0.0, '50m-inf': 0.0})


def test_the_official_overlap_is_another_one_at_45_degrees() -> None:
    shift, yaw = np.sqrt(0.5) * 0.6, np.pi / 4  # 0.6 of 4 m: overlap 0.74, officially 0.53
    found, truth = cars((10 + shift, shift, yaw, 0.9)), cars((10, 0, yaw, 0))
    assert once_precisions(found, truth)['Vehicle']['overall'] == 100.0
    assert once_precisions(found, truth, official_overlap=True)['Vehicle']['overall'] == 0.0


def random_boxes(rng: np.random.Generator, truths: bool) -> FrameBoxes:
    size = 60 if truths else 150
    frame = rng.integers(0, 4, size)
    box = np.column_stack([rng.integers(0, 9, (size, 2)) * 8, np.zeros(size)] + [np.full(size, s) for s in (4, 2, 1.5)])
    box[:, :2] += rng.normal(0, 0.15, (size, 2))
    yaw = np.where(rng.uniform(size=size) < 0.1, np.pi, 0) + rng.normal(0, 0.05, size)
    names = np.array(['Car', 'Truck', 'Pedestrian', 'Cyclist'])[rng.integers(0, 4, size)]
    return frame_boxes(frame, np.column_stack([box, yaw]), names, score=rng.uniform(size=size).round(2))


def reference(
    predictions: FrameBoxes, truths: FrameBoxes, names: tuple, threshold: float, low: float, high: float
) -> float:
    """By loops over every pair, with states of each box as in the KITTI programs."""

    def frame(number: int) -> tuple:
        found, labelled = (each[(each.frame == number) & np.isin(each.type, names)] for each in (predictions, truths))
        overlap = overlap_3d(labelled.box, found.box)
        for i, a in enumerate(labelled.box[:, 6]):
            for j, b in enumerate(found.box[:, 6]):
                if np.cos(a - b) < 0:
                    overlap[i, j] = 0
        skip = [(each.range_m < low) | (each.range_m >= high) for each in (labelled, found)]
        return overlap, found.score, *skip

    frames = [frame(number) for number in range(4)]
    scores, total = [], 0
    for overlap, score, skip_truth, skip_found in frames:
        assigned = [False] * len(score)
        for i in range(len(overlap)):
            total += not skip_truth[i]
            best = None
            for j in range(len(score)):
                if not assigned[j] and overlap[i, j] > threshold and (best is None or score[j] > score[best]):
                    best = j
            if best is not None:
                assigned[best] = True
                if not (skip_truth[i] or skip_found[best]):
                    scores.append(score[best])
    scores.sort(reverse=True)
    chosen, level = [], 0.0
    for i, value in enumerate(scores):
        left = (i + 1) / total
        right = (i + 2) / total if i < len(scores) - 1 else left
        if right + left < 2 * level and i < len(scores) - 1:
            continue
        chosen.append(value)
        level += 1 / 50
        while right + left + 1e-6 > 2 * level:
            chosen.append(value)
            level += 1 / 50
    precision = [0.0] * 51
    for slot, cut_off in enumerate(chosen[:51]):
        right = wrong = 0
        for overlap, score, skip_truth, skip_found in frames:
            assigned = [value < cut_off for value in score]
            for i in range(len(overlap)):
                best, best_ignored = None, False
                for j in range(len(score)):
                    if assigned[j] or overlap[i, j] <= threshold:
                        continue
                    if not skip_found[j] and (best is None or best_ignored or overlap[i, j] > overlap[i, best]):
                        best, best_ignored = j, False
                    elif skip_found[j] and best is None:
                        best, best_ignored = j, True
                if best is not None:
                    assigned[best] = True
                    right += not (skip_truth[i] or best_ignored)
            wrong += sum(not a and not s for a, s in zip(assigned, skip_found))
        precision[slot] = right / (right + wrong) if right + wrong else 0.0
    return 100 * sum(max(precision[slot:]) for slot in range(1, 51)) / 50


@pytest.mark.parametrize('seed', range(3))
def test_against_loops_over_every_pair(seed: int) -> None:
    rng = np.random.default_rng(seed)
    predictions, truths = random_boxes(rng, False), random_boxes(rng, True)
    figures = once_precisions(predictions, truths)
    for name, members, threshold in (
        ('Vehicle', ('Car', 'Truck'), 0.7),
        ('Pedestrian', ('Pedestrian',), 0.3),
        ('Cyclist', ('Cyclist',), 0.5),
    ):
        for title, low, high in (('overall', 0, np.inf), ('0-30m', 0, 30), ('50m-inf', 50, np.inf)):
            expected = reference(predictions, truths, members, threshold, low, high)
            assert figures[name][title] == pytest.approx(expected, abs=1e-9), (name, title)
    assert 0 < figures['Vehicle']['overall'] < 100


def test_the_command_prints_a_table_and_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    path = tmp_path / 'boxes.npz'
    found = cars((10, 0, 0, 0.9))
    sides = {'prediction': found, 'truth': TWO}
    np.savez(path, **{f'{s}_{k}': getattr(b, k) for s, b in sides.items() for k in ('frame', 'box', 'type', 'score')})
    monkeypatch.setattr(sys, 'argv', ['box_metric.py', 'once', str(path), '--official-overlap'])
    main()
    printed = capsys.readouterr().out.strip().splitlines()
    assert json.loads(printed[-1])['Vehicle']['overall'] == pytest.approx(50.0)
    assert printed[0].split() == ['overall', '0-30m', '30-50m', '50m-inf'] and printed[1].startswith('Vehicle')
