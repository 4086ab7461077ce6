"""Labels of an info file: which class a number means, and whether the boxes can be learnt from."""

from __future__ import annotations

import difflib
import re
from typing import Any, Dict, List, Mapping, Optional, Sequence

import numpy as np

from ..errors import DatasetError
from .info_file import remake

_BOX_NUMBERS = 7


def label_mapping(
    categories: Any, classes: Sequence[str], ann_file: str, merged: Optional[Mapping[str, Sequence[str]]] = None
) -> Dict[int, int]:
    """Number in ``bbox_label_3d`` -> place in ``classes``, by name; -1 for what is not among them.

    A class that the file does not have is no error, it has no box; one that the file spells otherwise is.

    Args:
        categories: ``metainfo.categories`` of the info file, name -> number.
        classes: the classes that are wanted, in the order of the model's labels.
        ann_file: for messages.
        merged: class -> names of the file that count as it; None: every class has its own name.

    Raises:
        DatasetError: the file does not say what its numbers mean, spells a class otherwise, or has none of them; or
            ``merged`` has other classes.
    """
    if merged is not None and list(merged) != list(classes):
        raise DatasetError(
            f'merged_classes makes {", ".join(merged)}, metainfo.classes has {", ".join(classes)}: give both the same '
            'names in the same order'
        )
    place = {name: index for index, own in enumerate(classes) for name in ([own] if merged is None else merged[own])}
    classes = list(place)
    if not isinstance(categories, Mapping) or not all(
        isinstance(value, (int, np.integer)) for value in categories.values()
    ):
        raise DatasetError(
            f'{ann_file}: metainfo.categories, which says what the numbers in bbox_label_3d mean, is '
            f'{"missing" if categories is None else f"{categories!r}, expected name -> number"}. Add '
            f"metainfo['categories'] = {{'{classes[0]}': 0, ...}}, or {remake(ann_file)}"
        )
    unknown = [name for name in classes if name not in categories]
    near = spelt_otherwise(unknown, [name for name in categories if name not in classes])
    if near or len(unknown) == len(classes):
        raise DatasetError(
            f'{ann_file}: the data set is asked for the classes {", ".join(classes)}, but metainfo.categories of the '
            f'file has {", ".join(map(str, categories))}. {not_there(unknown, near)}. Correct metainfo.classes of the '
            'data set, the filters and the head, or make the file again'
        )
    return {**{int(number): place.get(name, -1) for name, number in categories.items()}, -1: -1}


def spelt_otherwise(names: Sequence[str], known: Sequence[str]) -> Dict[str, str]:
    """Those of the names that are almost one of the known ones -> that one."""
    others = {_plain(name): name for name in known}
    near = {name: difflib.get_close_matches(_plain(name), others, n=1, cutoff=0.9) for name in names}
    return {name: others[found[0]] for name, found in near.items() if found}


def not_there(names: Sequence[str], near: Mapping[str, str]) -> str:
    """For messages: names that are missing, and what may have been meant, see :func:`spelt_otherwise`."""
    return 'Not there: ' + ', '.join(f'{name} (did you mean {near[name]}?)' if name in near else name for name in names)


def _plain(name: str) -> str:
    return re.sub('[^a-z0-9]', '', str(name).lower())


def instance_problems(instances: Any, mapping: Mapping[int, int], where: str, flag: str) -> List[str]:
    """What is missing or cannot be understood in the boxes of a frame; at most one line.

    Args:
        instances: of the frame as in the info file.
        mapping: from :func:`label_mapping`.
        where: names the frame.
        flag: key that decides whether a box is used, ``num_lidar_pts`` or ``bbox_3d_isvalid``.
    """
    if _all_well(instances, mapping, flag):
        return []
    if not isinstance(instances, (list, tuple)):
        return [f'{where}: instances is a {type(instances).__name__}, expected a list of boxes']
    for index, item in enumerate(instances):
        name = f'{where}: instances[{index}]'
        if not isinstance(item, dict):
            return [f'{name} is a {type(item).__name__}, expected a dict']
        missing = [key for key in ('bbox_3d', 'bbox_label_3d', 'velocity', flag) if key not in item]
        if missing:
            return [f'{name} has no {", ".join(missing)}']
        if item['bbox_label_3d'] not in mapping:
            known = ', '.join(str(number) for number in sorted(mapping))
            return [f'{name}.bbox_label_3d is {item["bbox_label_3d"]!r}, but metainfo.categories has {known}']
        if np.shape(item['bbox_3d']) != (_BOX_NUMBERS,):
            return [
                f'{name}.bbox_3d has shape {np.shape(item["bbox_3d"])}, expected x, y, z, length, width, height, yaw'
            ]
    return []


def _all_well(instances: Any, mapping: Mapping[int, int], flag: str) -> bool:
    """Quick look at all boxes at once; False asks for the slow one that finds names for what is wrong."""
    try:
        labels = {item['bbox_label_3d'] for item in instances}
        [(item['velocity'], item[flag]) for item in instances]
        shape = np.array([item['bbox_3d'] for item in instances], dtype=np.float64).shape
    except (KeyError, TypeError, ValueError):
        return False
    return (
        isinstance(instances, (list, tuple))
        and labels <= mapping.keys()
        and (not labels or shape[1:] == (_BOX_NUMBERS,))
    )


def box_problems(boxes: np.ndarray, labels: np.ndarray, classes: Sequence[str], where: str) -> List[str]:
    """Boxes that no head can learn: of no size, or with numbers that are not finite; at most one line.

    Args:
        boxes: (M, 9) x, y, z, length, width, height, yaw, vx, vy, where an unknown velocity is 0.
        labels: (M,) places in ``classes``; negative ones are not used, and not looked at.
        classes: names.
        where: names the frame.
    """
    bad = (labels >= 0) & ~(np.isfinite(boxes).all(axis=1) & (boxes[:, 3:6] > 0).all(axis=1))
    if not bad.any():
        return []
    index = int(np.flatnonzero(bad)[0])
    size, velocity = (', '.join(f'{value:g}' for value in boxes[index, part]) for part in (slice(3, 6), slice(7, 9)))
    return [
        f'{where}: {np.count_nonzero(bad)} of {len(boxes)} boxes cannot be used; a {classes[labels[index]]} at '
        f'x = {boxes[index, 0]:.1f}, y = {boxes[index, 1]:.1f} m has length, width, height = {size} m '
        f'(each must be above 0), yaw = {boxes[index, 6]:g}, velocity = ({velocity}) m/s (NaN twice if it is not known)'
    ]
