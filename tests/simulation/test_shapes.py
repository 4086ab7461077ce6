"""Shapes: sizes near the classes' real ones, wheels on the ground, boxes that hold the mesh."""

from __future__ import annotations

import numpy as np
import pytest

from projects.CLAP.simulation import people, scenery, vehicles
from projects.CLAP.simulation.actors import BOX_MARGIN, Actor, standing
from projects.CLAP.simulation.mesh import ball, box, cylinder, prism
from projects.CLAP.simulation.noise import stream

# Lowest and highest plausible length, width, height (m).
SHAPES = {
    'car': (vehicles.car, (3.6, 1.55, 1.3), (5.4, 2.2, 2.2)),
    'truck': (vehicles.truck, (4.9, 1.7, 1.6), (9.4, 3.1, 3.8)),
    'tractor': (vehicles.tractor, (5.5, 2.3, 3.0), (6.5, 2.8, 4.0)),
    'trailer': (vehicles.trailer, (8.8, 2.2, 3.2), (12.8, 2.8, 4.0)),
    'bus': (vehicles.bus, (10, 2.4, 2.9), (12.8, 2.8, 3.8)),
    'machine': (vehicles.construction_vehicle, (3.0, 1.8, 2.5), (8.0, 3.2, 4.8)),
    'bicycle': (lambda r: people.bicycle(r, False), (1.5, 0.3, 0.8), (2.1, 0.8, 1.2)),
    'cyclist': (lambda r: people.bicycle(r, True), (1.5, 0.4, 1.4), (2.1, 0.9, 2.0)),
    'motorcyclist': (lambda r: people.motorcycle(r, True), (1.6, 0.5, 1.3), (2.3, 1.0, 1.9)),
    'walker': (lambda r: people.pedestrian(r)[0], (0.4, 0.4, 1.4), (1.2, 1.0, 2.05)),
    'child': (lambda r: people.pedestrian(r, 'child')[0], (0.2, 0.2, 0.95), (0.9, 0.8, 1.5)),
    'cone': (scenery.cone, (0.25, 0.25, 0.6), (0.6, 0.6, 1.0)),
    'barrier': (lambda r: scenery.barrier(r, int(r.integers(3))), (0.3, 1.3, 0.7), (0.8, 2.1, 1.3)),
}


@pytest.mark.parametrize('name', SHAPES)
def test_size_is_plausible_and_it_stands_on_the_ground(name: str) -> None:
    build, low, high = SHAPES[name]
    for k in range(12):
        bounds = build(stream(k, name)).bounds
        size = bounds[1] - bounds[0]
        assert (size >= low).all() and (size <= high).all(), (k, size)
        assert -0.02 <= bounds[0, 2] <= 0.02
        assert np.abs(bounds.mean(axis=0)[:2]).max() < 0.35, 'the origin lies under the middle'


@pytest.mark.parametrize('name', SHAPES)
def test_the_annotated_box_is_tight(name: str) -> None:
    mesh = SHAPES[name][0](stream(1, name))
    actor = standing('vehicle.car', mesh, np.array([3.0, -2.0]), 0.7, 0.1)
    centre, yaw = actor.box(0)
    offset = actor.posed(0).vertices - centre
    local = np.stack(
        [
            offset[:, 0] * np.cos(yaw) + offset[:, 1] * np.sin(yaw),
            offset[:, 1] * np.cos(yaw) - offset[:, 0] * np.sin(yaw),
            offset[:, 2],
        ],
        axis=1,
    )
    slack = actor.size / 2 - np.abs(local).max(axis=0)
    assert (slack > -1e-9).all() and (slack <= BOX_MARGIN + 0.021).all()


def test_shapes_of_one_class_differ() -> None:
    colours = {tuple(np.round(vehicles.car(stream(k, 'variety')).colour[0], 2)) for k in range(20)}
    lengths = [np.ptp(vehicles.car(stream(k, 'variety')).vertices[:, 0]) for k in range(20)]
    assert len(colours) > 8 and np.std(lengths) > 0.15


def test_legs_move_while_walking_only() -> None:
    walking, waiting = people.pedestrian(stream(0, 'w')), people.pedestrian(stream(0, 'w'), moving=False)
    assert not np.allclose(walking[0].vertices, walking[2].vertices)
    assert np.allclose(waiting[0].vertices, waiting[2].vertices)
    assert all(len(m.vertices) == len(walking[0].vertices) for m in walking)


@pytest.mark.parametrize(
    'mesh, volume',
    [
        (box((0, 0, 0), (1, 2, 3), 'metal', (1, 1, 1)), 6.0),
        (prism([(0, 0), (2, 0), (2, 1)], 0, 3, 'metal', (1, 1, 1)), 3.0),
        (cylinder((0, 0, 0), (0, 0, 2), 1.0, 'metal', (1, 1, 1), sections=400), 2 * np.pi),
        (ball((1, 1, 1), (1, 2, 3), 'metal', (1, 1, 1), subdivisions=4), 8 * np.pi),
    ],
)
def test_primitives_are_closed_and_enclose_their_volume(mesh, volume: float) -> None:
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    assert np.abs(np.einsum('ij,ij->i', a, np.cross(b, c)).sum() / 6) == pytest.approx(volume, rel=0.01)


def test_attributes_follow_motion_and_rider() -> None:
    mesh = vehicles.car(stream(0, 'a'))
    parked = standing('vehicle.car', mesh, np.zeros(2), 0, 0)
    assert parked.attribute(0) == 'vehicle.parked'
    from projects.CLAP.simulation.routes import Route

    moving = Actor('vehicle.car', [mesh], route=Route(np.array([[0.0, 0], [50, 0]])))
    moving.xy = np.stack([np.r_[np.arange(10) * 0.4, np.full(10, 3.6)], np.zeros(20)], axis=1)
    moving.yaw = moving.z = np.zeros(20)
    assert moving.attribute(4) == 'vehicle.moving' and moving.attribute(15) == 'vehicle.stopped'
    assert moving.speed_at(4) == pytest.approx(8.0)
    bike = standing('vehicle.bicycle', people.bicycle(stream(0, 'b'), False), np.zeros(2), 0, 0)
    assert bike.attribute(0) == 'cycle.without_rider'
    assert standing('movable_object.barrier', mesh, np.zeros(2), 0, 0).attribute(0) == ''
