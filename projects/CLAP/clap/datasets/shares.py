"""Which frames of an info file a data set has."""

from __future__ import annotations

from typing import List, Optional, Sequence, Union

from mmengine.logging import print_log

from ..errors import DatasetError


def chosen_frames(
    frames: List[dict], indices: Optional[Union[int, Sequence[int]]], interval: int, offset: int, ann_file: str
) -> List[dict]:
    """The frames that ``indices``, and of these ``load_interval`` and ``load_offset``, leave.

    Args:
        frames: of the file.
        indices: an int takes the first frames, a list these frames; None takes all.
        interval: every n-th of them.
        offset: which of them is the first.
        ann_file: for messages.

    Raises:
        DatasetError: an index is outside, or nothing is left.
    """
    total = len(frames)
    if isinstance(indices, int):
        frames = frames[:indices] if indices >= 0 else frames[indices:]
    elif indices is not None:
        outside = [index for index in indices if not -total <= index < total]
        if outside:
            raise DatasetError(
                f'indices of the data set reach to {max(outside, key=abs)}, but {ann_file} has '
                f'{total} frames; choose them below {total}, or take load_interval'
            )
        frames = [frames[index] for index in indices]
    available, frames = len(frames), frames[offset::interval]
    if not frames:
        least = f'; the smallest share that has a frame at every offset is load_interval={available}'
        raise DatasetError(
            f'no frame is left of the {total} in {ann_file}: indices is {indices!r}, load_interval {interval}, '
            f'load_offset {offset}' + (least if available else '')
        )
    if len(frames) < total:
        print_log(f'{ann_file}: {len(frames)} of {total} frames chosen ({len(frames) / total:.2%})', 'current')
    return frames
