"""Paths: arc length, smoothness, staying on the road."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projects.CLAP.simulation.layout import make_layout
from projects.CLAP.simulation.noise import stream
from projects.CLAP.simulation.population import ego_start
from projects.CLAP.simulation.routes import STEP, Place, Route, make_route, pavement_route


def test_arc_length_on_a_polyline_with_a_corner() -> None:
    route = Route(np.array([[0.0, 0], [3, 0], [3, 4]]))
    assert route.length == pytest.approx(7.0)
    np.testing.assert_allclose(route.at(np.array([1.0, 3.0, 5.0])), [[1, 0], [3, 0], [3, 2]], atol=1e-9)


def test_positions_beyond_the_ends_continue_straight() -> None:
    route = Route(np.array([[0.0, 0], [10, 0]]))
    np.testing.assert_allclose(route.at(np.array([-2.0, 14.0])), [[-2, 0], [14, 0]], atol=1e-9)


def test_pose_on_a_straight_has_the_path_s_heading() -> None:
    route = Route(np.array([[0.0, 0], [20, 20]]))
    centre, yaw = route.pose(np.array([5.0]), 1.2)
    np.testing.assert_allclose(centre[0], np.array([5, 5]) / np.sqrt(2), atol=1e-9)
    assert yaw[0] == pytest.approx(np.pi / 4)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_ego_routes_stay_on_the_road_and_turn_smoothly(seed: int) -> None:
    rng = stream(seed, 'route test')
    layout = make_layout(rng)
    route = make_route(layout, rng, ego_start(layout, rng), 400.0, turns=0.6, stay_inside=True)
    assert route.length >= 400
    inside = layout.inside_block(route.points[:, 0], route.points[:, 1])
    assert inside.max() < -0.9, 'a car 1.8 m wide would drive over the kerb'
    spacing = np.linalg.norm(np.diff(route.points, axis=0), axis=1)
    assert spacing.max() < STEP * 1.001
    assert route.curvature.max() < 1 / 3.0, 'no car turns on a radius below 3 m'


@pytest.mark.parametrize('axis', [0, 1])
@pytest.mark.parametrize('direction', [-1, 1])
def test_traffic_keeps_to_the_right(axis: int, direction: int) -> None:
    road = make_layout(stream(0, 'right')).along(axis)[1]
    place = Place(road, direction, 0, 100.0)
    across = place.point() - (np.array([100.0, road.centre]) if axis == 0 else np.array([road.centre, 100.0]))
    cross = place.heading[0] * across[1] - place.heading[1] * across[0]
    assert cross == pytest.approx(-road.lane_width / 2), 'negative: to the right of travel'


def test_pavement_walks_stay_on_the_pavement() -> None:
    rng = stream(5, 'walk')
    layout = make_layout(rng)
    block = layout.blocks[6]
    route = pavement_route(block, rng, 0.3, 60.0)
    inside = layout.inside_block(route.points[:, 0], route.points[:, 1])
    assert inside.min() > 0.5 and inside.max() < block.pavement
