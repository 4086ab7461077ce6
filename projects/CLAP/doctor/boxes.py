"""Do the boxes of an info file lie where the points are? A wrong yaw convention shows in nothing else.

A box around an object holds its points. If the yaw is stored in another convention, the box is turned away from the
object: points that the right box would hold lie outside. So every box is also tried as the other conventions would
have it, and the points that only one of the two holds are counted. (A box turned by 180 degrees holds the same points:
that error cannot be seen here.)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from .findings import BAD, GOOD, WATCH, Finding

Array = NDArray[Any]

#: What each box would be if the file followed another convention; (M, 7) x, y, z centre, length, width, height, yaw.
CONVENTIONS: Dict[str, Callable[[Array], Array]] = {
    'yaw of the opposite sign': lambda b: np.concatenate([b[:, :6], -b[:, 6:]], axis=1),
    'yaw counted from the y axis (or length and width swapped)': lambda b: np.concatenate(
        [b[:, :6], b[:, 6:] + np.pi / 2], axis=1
    ),
    'yaw of mmdet3d before 1.0 (-yaw - pi/2)': lambda b: np.concatenate([b[:, :6], -b[:, 6:] - np.pi / 2], axis=1),
    'z at the bottom of the box instead of its centre': lambda b: b + np.array([0, 0, 1, 0, 0, 0, 0]) * b[:, 5:6] / 2,
    'z at the top of the box instead of its centre': lambda b: b - np.array([0, 0, 1, 0, 0, 0, 0]) * b[:, 5:6] / 2,
}
MIN_CONTESTED = 25  # points; fewer say nothing
BOX_FIX = (
    'write bbox_3d as x, y, z of the centre, length along x, width along y, height, yaw counter-clockwise '
    'from the x axis of the LiDAR frame (radians), and make the info file again (docs/datasets/your_own.md)'
)


@dataclass
class BoxCount:
    """Sums over frames; see :func:`count_boxes`.

    Attributes:
        points, inside: points looked at, and how many lie in a box.
        boxes, expected, hit: boxes; those said to hold 5 points or more; how many of these hold any.
        units: what is wrong with the numbers themselves, '' if nothing is.
        mine, theirs: by convention, points that only the box as given holds, and that only the changed box holds.
    """

    points: int = 0
    inside: int = 0
    boxes: int = 0
    expected: int = 0
    hit: int = 0
    units: str = ''
    mine: Dict[str, int] = field(default_factory=lambda: dict.fromkeys(CONVENTIONS, 0))
    theirs: Dict[str, int] = field(default_factory=lambda: dict.fromkeys(CONVENTIONS, 0))


def inside_box(points: Array, box: Array, floor: float = 0.0) -> Array:
    """(N,) bool: ``points`` (N, >=3) that lie in ``box`` (7,), without its lowest ``floor`` metres."""
    import torch

    from projects.CLAP.clap import functional

    inside = functional.inside_box(torch.from_numpy(points), torch.from_numpy(box)).numpy()
    above: Array = inside & (points[:, 2] - box[2] + box[5] / 2 >= floor)
    return above


def count_boxes(frames: Sequence[Tuple[Array, Array, Array]]) -> BoxCount:
    """Counts over frames.

    Args:
        frames: (points (N, >=3), boxes (M, 7) with z at the centre, number of points each box should hold (M,), -1
            where the file does not say), metres and radians, LiDAR frame.
    """
    total = BoxCount()
    for points, boxes, expected in frames:
        total.points += len(points)
        total.units = total.units or _other_units(boxes)
        held = np.zeros(len(points), dtype=bool)
        others = {name: change(boxes) for name, change in CONVENTIONS.items()} if len(boxes) else {}
        for index, box in enumerate(boxes):
            radius = np.hypot(box[3], box[4]) / 2
            near_index = np.nonzero((np.abs(points[:, :2] - box[:2]) <= radius).all(axis=1))[0]
            near = points[near_index]
            inside = inside_box(near, box)
            held[near_index[inside]] = True
            total.boxes += 1
            if expected[index] >= 5:
                total.expected += 1
                total.hit += bool(inside.any())
            # The road is in every box that reaches it and says nothing about where the object is.
            floor = min(0.3, 0.25 * box[5])
            given = inside_box(near, box, floor)
            bottom = box[2] - box[5] / 2
            for name, changed in others.items():
                other = inside_box(near, changed[index], floor) & (np.abs(near[:, 2] - bottom) >= floor)
                total.mine[name] += int((given & ~other).sum())
                total.theirs[name] += int((other & ~given).sum())
        total.inside += int(held.sum())
    return total


def _other_units(boxes: Array) -> str:
    """What shows that (M, 7) boxes are in no metres and radians."""
    if not len(boxes):
        return ''
    yaw, size, place = np.abs(boxes[:, 6]).max(), np.median(boxes[:, 3:6].max(axis=1)), np.abs(boxes[:, :3]).max()
    if yaw > 2 * np.pi + 0.1:
        return f'yaw reaches {yaw:.0f}: degrees instead of radians (numpy.radians)'
    if size > 50:
        return f'boxes are {size:.0f} m long (median): millimetres or centimetres instead of metres'
    if place > 2000:
        return f'centres lie up to {place:.0f} m from the LiDAR: in the world, or in millimetres'
    return ''


def judge_boxes(count: BoxCount, where: str) -> List[Finding]:
    """Findings about the counts of :func:`count_boxes`; ``where`` names the info file."""
    if count.boxes == 0:
        return [Finding(GOOD, 'boxes', f'{where}: none in the frames looked at (pre-training needs none)')]
    if count.units:
        return [Finding(BAD, 'boxes', f'{where}: {count.units}', BOX_FIX)]
    about = f'{where}: {count.inside / max(count.points, 1):.1%} of the points lie in {count.boxes} boxes'
    if count.expected:
        about += f'; of {count.expected} boxes said to hold 5 points or more, {count.hit / count.expected:.0%} hold any'
    if count.expected >= 5 and count.hit < 0.5 * count.expected:
        return [
            Finding(
                BAD,
                'boxes',
                f'{about}: the boxes are not in the frame of the points',
                f'convert boxes to the LiDAR frame of their own sweep; {BOX_FIX}',
            )
        ]
    wrong = [
        name
        for name in CONVENTIONS
        if count.theirs[name] >= MIN_CONTESTED and count.theirs[name] > 1.5 * count.mine[name]
    ]
    if wrong:
        best = max(wrong, key=lambda name: count.theirs[name] / (count.mine[name] + 1.0))
        return [
            Finding(
                BAD,
                'boxes',
                f'{about}. Read with {best}, the boxes lose {count.mine[best]} points and gain '
                f'{count.theirs[best]}: the file follows another convention',
                BOX_FIX,
            )
        ]
    if count.expected >= 5 and count.hit < 0.9 * count.expected:
        return [
            Finding(
                WATCH,
                'boxes',
                about,
                'look at a frame: tools/visualize.py draws the cloud; are boxes of another time stamp than the sweep?',
            )
        ]
    unsure = [name for name in CONVENTIONS if count.mine[name] + count.theirs[name] < MIN_CONTESTED]
    certain = f' (too few points to rule out: {"; ".join(unsure)})' if unsure else ''
    return [Finding(GOOD, 'boxes', f'{about}; no other convention fits better{certain}')]
