"""Motion: no overlaps, plausible speeds and accelerations, stops at red, trailers follow."""

from __future__ import annotations

import numpy as np
import pytest
from shapely.geometry import Polygon

from projects.CLAP.simulation import vehicles
from projects.CLAP.simulation.actors import SWEEP_DT, Actor, standing
from projects.CLAP.simulation.layout import make_layout
from projects.CLAP.simulation.noise import stream
from projects.CLAP.simulation.routes import Route, StopLine
from projects.CLAP.simulation.scene import Scene, build_scene
from projects.CLAP.simulation.traffic import HARD_BRAKE, Signals, remove_collisions, simulate


@pytest.fixture(scope='module')
def scene() -> Scene:
    return build_scene(1, 'scene-0001', 9)


def _car(start: float, speed: float, **kwargs) -> Actor:
    route = Route(np.array([[0.0, 0], [400, 0]]), kwargs.pop('stops', None))
    return Actor('vehicle.car', [vehicles.car(stream(0, 'c'))], route=route, start=start, speed=speed)


def _polygon(actor: Actor, step: int) -> Polygon:
    centre, yaw = actor.box(step)
    corners = np.array([[1, 1], [1, -1], [-1, -1], [-1, 1]]) * actor.size[:2] / 2 - 0.1
    turn = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
    return Polygon(corners @ turn.T + centre[:2])


def test_vehicles_never_overlap(scene: Scene) -> None:
    solid = [a for a in scene.actors if a.category.startswith('vehicle.')]
    for step in range(0, scene.steps, 16):
        shapes = [_polygon(a, step) for a in solid]
        for i, a in enumerate(solid):
            for j in range(i):
                b = solid[j]
                if a.still and b.still or a.leader is b or b.leader is a:
                    continue
                overlap = shapes[i].intersection(shapes[j]).area
                assert overlap < 0.15 * min(shapes[i].area, shapes[j].area), (step, a.category, b.category)


def test_accelerations_are_bounded(scene: Scene) -> None:
    for actor in scene.actors:
        if actor.still or actor.leader is not None:
            continue
        velocity = np.diff(actor.xy, axis=0) / SWEEP_DT
        assert np.linalg.norm(velocity, axis=1).max() < 14
        assert np.abs(np.diff(np.linalg.norm(velocity, axis=1))).max() / SWEEP_DT < HARD_BRAKE + 3


def test_a_car_keeps_its_speed_on_an_empty_road() -> None:
    car = _car(10.0, 8.0)
    simulate(make_layout(stream(0, 't')), [car], Signals(0), 101)
    np.testing.assert_allclose(car.xy[:, 0], 10 + 8.0 * SWEEP_DT * np.arange(101), atol=1e-6)
    np.testing.assert_allclose(car.yaw, 0, atol=1e-12)


def test_a_car_stops_behind_a_standing_one() -> None:
    front, back = _car(80.0, 1e-6), _car(10.0, 10.0)
    simulate(make_layout(stream(0, 't')), [front, back], Signals(0), 400)
    gap = front.xy[-1, 0] - back.xy[-1, 0] - front.size[0]
    assert 0.8 < gap < 5.0 and back.speed_at(399) < 0.3


@pytest.mark.parametrize('axis, stops', [(0, False), (1, True)])
def test_a_car_obeys_the_signal(axis: int, stops: bool) -> None:
    signals = Signals(0)
    signals.hold((100.0, 0.0), 0)
    car = _car(10.0, 10.0, stops=[StopLine(60.0, (100.0, 0.0), axis)])
    simulate(make_layout(stream(0, 't')), [car], signals, 300)
    front = car.xy[-1, 0] + car.size[0] / 2
    assert (front < 60.0) == stops
    assert not stops or front > 52


def test_signals_never_let_both_axes_go() -> None:
    signals = Signals(7)
    for time in np.arange(0, 60, 0.5):
        assert not (signals.green((150.0, 90.0), 0, time) and signals.green((150.0, 90.0), 1, time))
    assert any(signals.green((150.0, 90.0), 0, t) for t in range(60))


def test_a_trailer_follows_at_a_fixed_distance(scene: Scene) -> None:
    car = _car(60.0, 6.0)
    trailer = Actor('vehicle.trailer', [vehicles.trailer(stream(0, 'tr'))], route=car.route, leader=car, tow=7.0)
    simulate(make_layout(stream(0, 't')), [car, trailer], Signals(0), 50)
    np.testing.assert_allclose(car.xy[:, 0] - trailer.xy[:, 0], 7.0, atol=1e-9)


def test_colliding_actors_are_removed_with_what_they_tow() -> None:
    block = standing('vehicle.car', vehicles.car(stream(0, 'p')), np.array([30.0, 0.0]), 0.0, 0.0)
    ghost = _car(10.0, 9.0)
    trailer = Actor('vehicle.trailer', [vehicles.trailer(stream(0, 'tr'))], route=ghost.route, leader=ghost, tow=9.0)
    far = _car(200.0, 5.0)
    simulate(make_layout(stream(0, 't')), [ghost, trailer, far], Signals(0), 120)
    assert remove_collisions([block, ghost, trailer, far], 120) == [block, far]


def test_walkers_step_up_the_kerb(scene: Scene) -> None:
    for actor in scene.actors:
        if actor.walks and not actor.still:
            np.testing.assert_allclose(actor.z, scene.layout.height(actor.xy[:, 0], actor.xy[:, 1]))
