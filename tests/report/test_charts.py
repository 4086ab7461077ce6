"""Charts put points where they belong."""

from __future__ import annotations

import json
import math
import re
from html import unescape
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from projects.CLAP.clap.report.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, chart, thin, ticks
from projects.CLAP.clap.report.images import by_frame, data_uri, evenly


def polylines(svg: str) -> list:
    root = ElementTree.fromstring(svg.replace('data-chart', 'data'))
    return [[tuple(map(float, p.split(','))) for p in line.attrib['points'].split()] for line in root.iter('polyline')]


def test_points_are_proportional_and_fill_the_frame() -> None:
    (line,) = polylines(chart('a', {'a': [(0, 0.0), (50, 5.0), (100, 10.0)]}))
    (x0, y0), (x1, y1), (x2, y2) = line
    assert (x0, x2) == (LEFT, WIDTH - RIGHT) and y0 == HEIGHT - BOTTOM
    assert x1 == pytest.approx((x0 + x2) / 2, abs=0.11) and y1 == pytest.approx((y0 + y2) / 2, abs=0.11)
    assert TOP < y2 < y1


def test_every_curve_has_a_line_and_a_colour_of_its_own() -> None:
    svg = chart('terms', {str(i): [(0, i), (1, i)] for i in range(8)})
    assert len(polylines(svg)) == 8 and len(set(re.findall(r'stroke="(#\w+)"', svg))) == 8


def test_gaps_marks_and_escaping() -> None:
    curve = [(0, 1.0), (1, 2.0), (2, math.nan), (3, 2.0), (4, math.inf), (5, 3.0), (6, 4.0)]
    svg = chart('<&"', {'x<y': curve, 'b': [(0, 1.0)]}, marks=[3, 99])
    assert len(polylines(svg)) == 2, 'stretches of two points and more'
    assert svg.count('class="mark"') == 1 and svg.count('<circle') == 1
    data = json.loads(unescape(re.search('data-chart="(.*?)"', svg).group(1)))
    assert data['curves'][0][2] == [2, None] and data['names'] == ['x<y', 'b']


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_few_round_and_inside(low: float, span: float) -> None:
    high = low + span
    found = ticks(low, high)
    slack = 1e-6 * span + 1e-9 * abs(low)
    assert 1 <= len(found) <= 12
    assert all(low - slack <= value <= high + slack for value in found)


def test_thinning_keeps_the_last_point() -> None:
    curve = [(i, float(i)) for i in range(1003)]
    short = thin(curve, 100)
    assert len(short) <= 100 and short[-1] == curve[-1]
    assert thin(curve[:5], 100) == curve[:5]


def test_pictures_are_chosen_and_shrunk(tmp_path: Path) -> None:
    assert evenly(list(range(0, 100, 10)), 4) == [0, 30, 60, 90]
    assert evenly([3, 5], 4) == [3, 5] and evenly([3, 5], 1) == [5]
    Image.new('RGB', (400, 100), 'red').save(tmp_path / 'a.png')
    assert data_uri(tmp_path / 'a.png', 200).startswith('data:image/jpeg;base64,/9j/')
    assert by_frame({'frame0_lidar_range': {1: 'p'}, 'own': {2: 'q'}}) == {
        'frame0': {'lidar_range': {1: 'p'}},
        '': {'own': {2: 'q'}},
    }
