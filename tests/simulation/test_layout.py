"""Street plan: surfaces, kerbs and the mesh that stands for them agree."""

from __future__ import annotations

import numpy as np
import pytest

from projects.CLAP.simulation.layout import CORNER_RADIUS, KERB_HEIGHT, Layout, make_layout
from projects.CLAP.simulation.materials import SURFACE_ID
from projects.CLAP.simulation.mesh import merge
from projects.CLAP.simulation.noise import stream
from projects.CLAP.simulation.placement import ground
from projects.CLAP.simulation.raycast import StaticWorld, World


@pytest.fixture(scope='module')
def layout() -> Layout:
    return make_layout(stream(3, 'layout test'))


def test_block_outlines_lie_on_the_zero_of_the_depth_function(layout: Layout) -> None:
    inner = [b for b in layout.blocks if b.x0 > 0 and b.y0 > 0 and b.x1 < layout.size[0] and b.y1 < layout.size[1]]
    assert len(inner) == 9
    for block in inner:
        outline = block.outline()
        np.testing.assert_allclose(layout.inside_block(outline[:, 0], outline[:, 1]), 0.0, atol=1e-9)


def test_depth_in_the_corner_is_the_distance_to_the_arc(layout: Layout) -> None:
    block = next(b for b in layout.blocks if b.x0 > 0 and b.y0 > 0)
    centre = np.array([block.x0 + CORNER_RADIUS, block.y0 + CORNER_RADIUS])
    for radius in (0.5, 3.0, 5.0, 6.5):
        point = centre - radius * np.array([np.cos(0.7), np.sin(0.7)])
        assert layout.inside_block(*point[:, None])[0] == pytest.approx(CORNER_RADIUS - radius, abs=1e-9)


def test_height_function_equals_the_ground_mesh(layout: Layout) -> None:
    mesh = merge(ground(layout))
    world = World(StaticWorld(mesh, np.full(len(mesh.faces), -1)), None, None)
    rng = np.random.default_rng(0)
    x, y = (rng.uniform(6, extent - 6, 4000) for extent in layout.size)  # the rim itself is out of reach
    depth = layout.inside_block(x, y)
    clear = np.abs(depth) > 0.08  # the mesh's corner arcs are polygons
    hits = world.cast(np.stack([x, y, np.full(4000, 50.0)], 1), np.tile([0.0, 0, -1], (4000, 1)))
    np.testing.assert_allclose((50 - hits.range_m)[clear], layout.height(x, y)[clear], atol=1e-4)
    assert set(np.round(np.unique(layout.height(x, y)), 6)) == {0.0, KERB_HEIGHT}


def test_surfaces_of_a_road_cross_section(layout: Layout) -> None:
    road = next(r for r in layout.along(1) if r.yellow)
    first, second = layout.along(0)[:2]
    y = (first.centre + second.centre) / 2
    offsets = np.array([0.13, 0.6 * road.lane_width, road.lanes_half, road.half_width + 0.1, road.half_width + 2.0])
    code = layout.surface(road.centre + offsets, np.full(5, y))
    assert code[0] == SURFACE_ID['yellow_line']
    assert code[1] in (SURFACE_ID['asphalt'], SURFACE_ID['patch'])
    assert code[2] == SURFACE_ID['white_line']
    assert code[3] == SURFACE_ID['kerb']
    assert code[4] == SURFACE_ID['pavement']


def test_stop_lines_lie_on_the_right_hand_lanes_only(layout: Layout) -> None:
    road, cross = layout.along(1)[1], layout.along(0)[1]
    south = cross.centre - cross.half_width - CORNER_RADIUS - 3.0  # traffic going north arrives here
    half_lane = 0.5 * road.lane_width
    code = layout.surface(road.centre + np.array([half_lane, -half_lane]), np.full(2, south))
    assert code[0] == SURFACE_ID['white_line'] and code[1] != SURFACE_ID['white_line']


def test_the_plan_depends_on_the_seed_alone() -> None:
    a, b, c = (make_layout(stream(seed, 'x')) for seed in (1, 1, 2))
    assert a == b and a != c
