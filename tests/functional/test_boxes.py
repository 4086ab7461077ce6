"""Points in boxes: closed form, a plain loop, and what no rigid motion changes."""

from __future__ import annotations

import math

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from projects.CLAP.clap.functional import box_of_points, inside_box


def test_a_turned_box_holds_what_it_should() -> None:
    box = torch.tensor([1.0, 2.0, 0.5, 4.0, 2.0, 1.0, math.pi / 6], dtype=torch.float64)
    cos, sin = math.cos(math.pi / 6), math.sin(math.pi / 6)
    steps = {  # along, across and up from the centre -> whether the box reaches there
        (1.99, 0, 0): True,
        (2.01, 0, 0): False,
        (0, 0.99, 0): True,
        (0, -1.01, 0): False,
        (0, 0, 0.49): True,
        (0, 0, -0.51): False,
        (1.99, -0.99, -0.49): True,
    }
    points = [[1 + cos * a - sin * b, 2 + sin * a + cos * b, 0.5 + c] for a, b, c in steps]
    assert inside_box(torch.tensor(points, dtype=torch.float64), box).tolist() == list(steps.values())


def test_faces_belong_to_the_box_and_further_columns_do_not_matter() -> None:
    points = torch.tensor([[2.0, 1.0, 0.5, 7.0], [-2.0, -1.0, -0.5, 7.0], [2.0, 1.0, 0.5001, 7.0]])
    assert inside_box(points, torch.tensor([0.0, 0, 0, 4, 2, 1, 0, 9])).tolist() == [True, True, False]


def test_the_last_of_several_boxes_is_told() -> None:
    boxes = torch.tensor([[0.0, 0, 0, 4, 4, 4, 0], [1.0, 0, 0, 2, 2, 2, 0.3]])
    points = torch.tensor([[1.0, 0, 0], [-1.0, 0, 0], [9.0, 0, 0]])
    assert box_of_points(points, boxes).tolist() == [1, 0, -1]
    assert box_of_points(points, boxes[:0]).tolist() == [-1] * 3


def test_against_a_plain_loop() -> None:
    rng = np.random.default_rng(1)
    points = rng.uniform(-4, 4, size=(2000, 3))
    boxes = np.array([[0.5, -1, 0.2, 4.0, 2.0, 1.5, 0.7], [0, 0, 0, 1, 3, 2, -2.5]])
    expected = np.full(len(points), -1)
    for index, (*centre, length, width, height, yaw) in enumerate(boxes):
        turn = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
        own = (points - centre) @ turn
        expected[(np.abs(own) <= np.array([length, width, height]) / 2).all(axis=1)] = index
    assert box_of_points(torch.from_numpy(points), torch.from_numpy(boxes)).tolist() == expected.tolist()


@given(st.floats(-math.pi, math.pi), st.tuples(*[st.floats(-50, 50)] * 3))
def test_a_rigid_motion_of_both_changes_nothing(turn: float, shift: tuple) -> None:
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(500, 3, generator=generator, dtype=torch.float64) * 6 - 3
    box = torch.tensor([0.3, -0.2, 0.1, 3.0, 1.5, 2.0, 0.4], dtype=torch.float64)
    cos, sin = math.cos(turn), math.sin(turn)
    rotation = torch.tensor([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]], dtype=torch.float64)
    move = torch.tensor(shift, dtype=torch.float64)
    moved = torch.cat([rotation @ box[:3] + move, box[3:6], box[6:] + turn])
    assert torch.equal(inside_box(points @ rotation.T + move, moved), inside_box(points, box))
