from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from projects.CLAP.clap.functional import nearest_in_cell


def test_the_nearest_stands_in_front() -> None:
    cell, depth = torch.tensor([2, 0, 2, 2]), torch.tensor([5.0, 9.0, 3.0, 3.0])
    assert nearest_in_cell(cell, depth, 4).tolist() == [1, -1, 3, -1]
    assert nearest_in_cell(cell[:0], depth[:0], 2).tolist() == [-1, -1]


@given(st.integers(0, 60), st.integers(1, 9), st.integers(0, 20))
@settings(max_examples=30, deadline=None)
def test_it_equals_a_loop(num: int, cells: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    cell = torch.randint(cells, (num,), generator=generator)
    depth = torch.randint(5, (num,), generator=generator).float()
    expected = [-1] * cells
    for row, (place, far) in enumerate(zip(cell.tolist(), depth.tolist())):
        if expected[place] < 0 or far <= float(depth[expected[place]]):
            expected[place] = row
    assert nearest_in_cell(cell, depth, cells).tolist() == expected
