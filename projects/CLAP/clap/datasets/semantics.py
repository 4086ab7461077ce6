"""From the classes that a file stores for its points to those that a model learns."""

from __future__ import annotations

from typing import Dict, List, Mapping, Optional, Sequence

import numpy as np

from ..errors import DatasetError
from ..structures import NO_CLASS

#: Class -> names in the info file that count as it.
ClassNames = Mapping[str, Sequence[str]]


def semantic_table(known: Optional[Mapping[str, int]], classes: ClassNames, ann_file: str) -> np.ndarray:
    """(256,) uint8: stored number -> place of its class in ``classes``, 255 for all that no class takes.

    Args:
        known: names of the stored numbers, ``semantic_classes`` of the info file's metainfo.
        classes: what a model learns.
        ann_file: for messages.

    Raises:
        DatasetError: the file names no classes, lacks one of the names, or two classes take the same one.
    """
    if not known:
        raise DatasetError(
            f'{ann_file} names no classes of points (metainfo.semantic_classes): it has none, or it was converted '
            'before they were written. Convert the data again with tools/create_data.py'
        )
    unknown = sorted({name for names in classes.values() for name in names} - set(known))
    if unknown:
        raise DatasetError(
            f'semantic_classes: {ann_file} has no {", ".join(map(repr, unknown))}; it has {", ".join(sorted(known))}'
        )
    owner: Dict[str, str] = {}
    for target, names in classes.items():
        for name in names:
            if owner.setdefault(name, target) != target:
                raise DatasetError(
                    f"semantic_classes: '{name}' counts as '{owner[name]}' and as '{target}'; choose one"
                )
    table = np.full(256, NO_CLASS, dtype=np.uint8)
    for index, names in enumerate(classes.values()):
        table[[known[name] for name in names]] = index
    return table


def labelled_frames(frames: List[dict], ann_file: str) -> List[dict]:
    """Those whose points have classes; some data sets label a few frames of many."""
    kept = [frame for frame in frames if 'semantic_path' in frame.get('lidar_points', {})]
    if not kept:
        raise DatasetError(
            f'{ann_file}: none of {len(frames)} frames names a semantic_path; the split has no classes of points, or '
            'was converted without them'
        )
    return kept
