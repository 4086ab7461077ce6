"""Waymo's detection metric: mean average precision, plain (mAP) and weighted by heading (mAPH), levels 1 and 2.

By the published definition: at 101 cut-offs of the score, predictions and labelled boxes of a frame are matched for the
largest sum of overlaps; the area below precision over recall is the average precision. Unlike the official program the
overlap of two equal boxes that look in opposite directions is 1 (there it may be 0).
"""

from __future__ import annotations

from typing import Dict, Iterator, List, Mapping, Tuple

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse.csgraph import connected_components

from .box_overlap import heading_difference, overlap_3d
from .frame_boxes import FrameBoxes

#: Number in the data -> name and smallest overlap (IoU) of a match.
TYPES = {1: ('VEHICLE', 0.7), 2: ('PEDESTRIAN', 0.5), 3: ('SIGN', 0.5), 4: ('CYCLIST', 0.5)}
#: Types that the mean is of.
MEAN_OF = ('VEHICLE', 'PEDESTRIAN', 'CYCLIST')
RANGES_M = {'[0, 30)': (0.0, 30.0), '[30, 50)': (30.0, 50.0), '[50, +inf)': (50.0, np.inf)}
LEVELS = (1, 2)
#: Scores that are kept, ascending; float32, as scores are.
CUT_OFFS = np.append(np.float32(0.01) * np.arange(100, dtype=np.float32), np.float32(1.0)).astype(np.float32)
FEW_POINTS = 5
MIN_SIDE_M = 0.01
RECALL_STEP = 0.05


class _Counts:
    """Matches, by cut-off (101,): all, weighted by heading, on boxes of level 1, of predictions in no-label zones."""

    def __init__(self) -> None:
        self.kept, self.matched, self.heading, self.level_1, self.ignored = np.zeros((5, len(CUT_OFFS)))
        self.truths = dict.fromkeys(LEVELS, 0)

    def add(self, predictions: FrameBoxes, truths: FrameBoxes, threshold: float) -> None:
        """Count one frame's boxes of one type."""
        kept_until = np.searchsorted(CUT_OFFS, predictions.score.astype(np.float32), side='right')
        counted = kept_until[~predictions.in_no_label_zone]
        self.kept += (counted[:, None] > np.arange(len(CUT_OFFS))).sum(axis=0)
        level = np.where(truths.level > 0, truths.level, np.where(truths.num_points <= FEW_POINTS, 2, 1))
        for number in LEVELS:
            self.truths[number] += int((level <= number).sum())
        weights = overlap_3d(predictions.box, truths.box)
        weights[(predictions.box[:, 3:6] <= MIN_SIDE_M).any(axis=1)] = 0
        weights[:, (truths.box[:, 3:6] <= MIN_SIDE_M).any(axis=1)] = 0
        weights = np.where(weights >= threshold, (weights * 1e6).astype(np.int64), 0)
        for begin, end, rows, columns in _matches(weights, kept_until):
            error = heading_difference(predictions.box[rows, 6], truths.box[columns, 6])
            self.matched[begin:end] += len(rows)
            self.heading[begin:end] += (1 - error / np.pi).sum()
            self.level_1[begin:end] += (level[columns] == 1).sum()
            self.ignored[begin:end] += predictions.in_no_label_zone[rows].sum()

    def precisions(self, level: int) -> Dict[str, float]:
        """``AP`` and ``APH``."""
        false = self.kept - (self.matched - self.ignored)
        missed = self.truths[level] - (self.matched if level == 2 else self.level_1)
        total = self.matched + missed
        recall = np.divide(self.matched, total, out=np.zeros_like(total), where=total > 0)
        found = self.matched + false
        return {
            name: average_precision(recall, np.divide(right, found, out=np.zeros_like(found), where=found > 0))
            for name, right in (('AP', self.matched), ('APH', self.heading))
        }


def _matches(weights: np.ndarray, kept_until: np.ndarray) -> Iterator[Tuple[int, int, np.ndarray, np.ndarray]]:
    """Cut-offs from, to, and the predictions and labelled boxes that are matched there, for the largest sum of weights.

    Args:
        weights: (P, T) 0 where a pair cannot match.
        kept_until: (P,) first cut-off that leaves a prediction out.
    """
    rows, columns = np.nonzero(weights)
    if not len(rows):
        return
    size = sum(weights.shape)
    graph = np.zeros((size, size), dtype=bool)
    graph[rows, len(weights) + columns] = True
    group = connected_components(graph, directed=False)[1]
    alone = np.bincount(group[rows])[group[rows]] == 1
    for row, column in zip(rows[alone], columns[alone]):
        yield 0, kept_until[row], np.array([row]), np.array([column])
    for number in np.unique(group[rows[~alone]]):
        own_rows, own_columns = (np.unique(each[group[rows] == number]) for each in (rows, columns))
        begin = 0
        for end in np.unique(kept_until[own_rows]):
            kept = own_rows[kept_until[own_rows] >= end]
            table = weights[np.ix_(kept, own_columns)]
            first, second = linear_sum_assignment(table, maximize=True)
            real = table[first, second] > 0
            yield begin, end, kept[first[real]], own_columns[second[real]]
            begin = end


def average_precision(recall: np.ndarray, precision: np.ndarray) -> float:
    """Area below the precision over recall, each precision the greatest at its recall or a higher one.

    Args:
        recall: (C,) at each cut-off.
        precision: (C,), any value where the recall is 0.
    """
    best: Dict[float, float] = {0.0: 1.0}
    for x, y in zip(recall, precision):
        if x > 0:
            best[x] = max(best.get(x, 0.0), y)
    curve: List[Tuple[float, float]] = []
    highest = 0.0
    for x in sorted(best, reverse=True):
        while curve and curve[-1][0] - x > RECALL_STEP + 1e-6:
            curve.append((curve[-1][0] - RECALL_STEP, highest))
        highest = max(highest, best[x]) if x > 0 else highest
        curve.append((x, highest))
    xs, ys = np.array(curve[::-1]).T
    return float(((ys[1:] + ys[:-1]) / 2 * np.diff(xs)).sum())


def waymo_precisions(predictions: FrameBoxes, truths: FrameBoxes) -> Dict[str, Dict[str, float]]:
    """``AP`` and ``APH`` under Waymo's own names: by type, and by type and range, at levels 1 and 2.

    Args:
        predictions: of all frames, vehicle frame; ``type`` is a key of ``TYPES``.
        truths: labelled boxes of the same frames; those without a point are left out.

    A prediction and a labelled box belong to the range of their own centres.
    """
    truths = truths[truths.num_points > 0]
    shards: Mapping[str, Tuple[str, Tuple[float, float]]] = {
        'OBJECT_TYPE_TYPE_{}_LEVEL_{}': (0.0, np.inf),
        **{f'RANGE_TYPE_{{}}_{name}_LEVEL_{{}}': limits for name, limits in RANGES_M.items()},
    }
    figures = {}
    for title, (low, high) in shards.items():
        for number, (name, threshold) in TYPES.items():
            counts = _Counts()
            for found, labelled in _frames(predictions, truths, number, low, high):
                counts.add(found, labelled, threshold)
            for level in LEVELS:
                figures[title.format(name, level)] = counts.precisions(level)
    return figures


def _frames(
    predictions: FrameBoxes, truths: FrameBoxes, number: int, low: float, high: float
) -> Iterator[Tuple[FrameBoxes, FrameBoxes]]:
    """Each frame's boxes of one type and range."""
    both = [
        each[(each.type == number) & (each.range_m >= low) & (each.range_m < high)] for each in (predictions, truths)
    ]
    both = [each[np.argsort(each.frame, kind='stable')] for each in both]
    for frame in np.union1d(both[0].frame, both[1].frame):
        yield tuple(each[slice(*np.searchsorted(each.frame, [frame, frame + 1]))] for each in both)
