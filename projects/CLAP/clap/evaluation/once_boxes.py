"""ONCE's detection metric: average precision by range, where a match must look the same way.

By the published definition: a first pass over all predictions finds the scores at which a fiftieth more of the labelled
boxes is found; a second one counts, at each of these, matches and false predictions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Tuple

import numpy as np

from .box_overlap import heading_difference, overlap_3d
from .frame_boxes import FrameBoxes

#: Class of the data -> class of the metric.
SUPER_CLASS = dict(Car='Vehicle', Bus='Vehicle', Truck='Vehicle', Pedestrian='Pedestrian', Cyclist='Cyclist')
#: A match needs more overlap (IoU) than this.
THRESHOLDS = dict(Vehicle=0.7, Pedestrian=0.3, Cyclist=0.5)
RANGES_M = {'overall': (0.0, np.inf), '0-30m': (0.0, 30.0), '30-50m': (30.0, 50.0), '50m-inf': (50.0, np.inf)}
RECALLS = 50


@dataclass(frozen=True)
class _Frame:
    """Boxes of one class; ``candidates``: for each labelled box, predictions that it may match, with the overlaps."""

    scores: np.ndarray
    ranges_m: Tuple[np.ndarray, np.ndarray]
    candidates: List[List[Tuple[int, float]]]


def once_precisions(
    predictions: FrameBoxes, truths: FrameBoxes, official_overlap: bool = False
) -> Dict[str, Dict[str, float]]:
    """Average precision [%] by class and range, and of their mean (``mAP``).

    Args:
        predictions: of all frames, LiDAR frame; ``type`` is a key of ``SUPER_CLASS``.
        truths: labelled boxes of the same frames.
        official_overlap: turn boxes by minus their yaw, as the official program does: for a comparison with published
            figures.
    """
    figures: Dict[str, Dict[str, float]] = {}
    for name, threshold in THRESHOLDS.items():
        frames = _frames(_of_class(predictions, name), _of_class(truths, name), threshold, official_overlap)
        figures[name] = {title: _average_precision(frames, *limits) for title, limits in RANGES_M.items()}
    figures['mAP'] = {title: float(np.mean([figures[name][title] for name in THRESHOLDS])) for title in RANGES_M}
    return figures


def _of_class(boxes: FrameBoxes, name: str) -> FrameBoxes:
    return boxes[np.array([SUPER_CLASS[str(own)] == name for own in boxes.type], dtype=bool)]


def _frames(predictions: FrameBoxes, truths: FrameBoxes, threshold: float, official_overlap: bool) -> List[_Frame]:
    frames = []
    for number in np.union1d(predictions.frame, truths.frame):
        found, labelled = (each[each.frame == number] for each in (predictions, truths))
        sign = np.array([1, 1, 1, 1, 1, 1, -1 if official_overlap else 1])
        overlaps = overlap_3d(labelled.box * sign, found.box * sign)
        opposite = heading_difference(labelled.box[:, None, 6], found.box[None, :, 6]) > np.pi / 2
        overlaps[opposite] = 0
        candidates = [[(int(j), float(row[j])) for j in np.nonzero(row > threshold)[0]] for row in overlaps]
        ranges_m = tuple(np.linalg.norm(each.box[:, :3], axis=1) for each in (labelled, found))
        frames.append(_Frame(found.score, ranges_m, candidates))
    return frames


def _average_precision(frames: List[_Frame], low: float, high: float) -> float:
    """Boxes out of the range are ignored, not left out: what matches one is neither right nor wrong."""
    ignored = [tuple((each < low) | (each >= high) for each in frame.ranges_m) for frame in frames]
    scores = [score for frame, skip in zip(frames, ignored) for score in _matched_scores(frame, *skip)]
    cut_offs = _cut_offs(scores, sum(int((~skip[0]).sum()) for skip in ignored))
    precision = np.zeros(RECALLS + 1)
    for slot, cut_off in enumerate(cut_offs[: RECALLS + 1]):
        counts = [_count(frame, *skip, cut_off) for frame, skip in zip(frames, ignored)]
        right, wrong = np.sum(counts, axis=0)
        precision[slot] = right / (right + wrong) if right + wrong else 0.0
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float(100 * precision[1:].sum() / RECALLS)


def _matched_scores(frame: _Frame, ignored_truths: np.ndarray, ignored_predictions: np.ndarray) -> List[float]:
    """Each labelled box in turn takes the best scored prediction that is left."""
    taken, scores = set(), []
    for truth, candidates in enumerate(frame.candidates):
        left = [(frame.scores[j], -j) for j, _ in candidates if j not in taken]
        if left:
            score, place = max(left)
            taken.add(-place)
            if not ignored_truths[truth] and not ignored_predictions[-place]:
                scores.append(float(score))
    return scores


def _cut_offs(scores: List[float], num_truths: int) -> List[float]:
    """Scores at which the share of found boxes passes 0, 1 / 50, 2 / 50, ..."""
    chosen, level = [], 0.0  # summed up, not i / 50: where both sides are equal rounding decides
    ordered = sorted(scores, reverse=True)
    for i, score in enumerate(ordered):
        last = i == len(ordered) - 1
        left, right = (i + 1) / num_truths, (i + 1 if last else i + 2) / num_truths
        if left + right < 2 * level and not last:
            continue
        chosen.append(score)
        level += 1 / RECALLS
        while left + right + 1e-6 > 2 * level:
            chosen.append(score)
            level += 1 / RECALLS
    return chosen


def _count(
    frame: _Frame, ignored_truths: np.ndarray, ignored_predictions: np.ndarray, cut_off: float
) -> Tuple[int, int]:
    """Right and wrong predictions with a score of at least ``cut_off``; the best overlap is taken first."""
    kept = frame.scores >= cut_off
    taken, right = set(), 0
    for truth, candidates in enumerate(frame.candidates):
        left = [(not ignored_predictions[j], overlap, -j) for j, overlap in candidates if kept[j] and j not in taken]
        if left:
            counted, _, place = max(left)
            taken.add(-place)
            right += counted and not ignored_truths[truth]
    wrong = kept & ~ignored_predictions
    wrong[list(taken)] = False
    return right, int(wrong.sum())
