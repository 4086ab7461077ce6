"""Reads KITTI raw's labelled boxes (``tracklet_labels.xml``).

A tracklet is a box size and one pose per frame in the LiDAR frame: tx, ty, tz is the middle of the box's *bottom*, rz
its yaw counter-clockwise from x. Only what camera 2 sees is labelled.
"""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List
from xml.etree import ElementTree

import numpy as np

from ...errors import DataError
from .labelled_boxes import LabelledBox

#: Others (Tram, Misc) are ignored by a detector.
MERGED: Dict[str, str] = {
    'Car': 'vehicle',
    'Van': 'vehicle',
    'Truck': 'vehicle',
    'Pedestrian': 'pedestrian',
    'Person (sitting)': 'pedestrian',
    'Cyclist': 'cyclist',
}


def read_tracklets(path: Path) -> Dict[int, List[LabelledBox]]:
    """Frame number -> its boxes; ``DataError`` if the file is damaged."""
    frames: Dict[int, List[LabelledBox]] = {}
    try:
        for number, track in enumerate(ElementTree.parse(path).getroot().findall('tracklets/item')):
            length, width, height = (_number(track, name) for name in 'lwh')
            first = int(_number(track, 'first_frame'))
            for index, pose in enumerate(track.findall('poses/item'), first):
                x, y, z, yaw = (_number(pose, name) for name in ('tx', 'ty', 'tz', 'rz'))
                box = np.array([x, y, z + height / 2, length, width, height, yaw])
                label = LabelledBox(str(number), str(track.findtext('objectType')), box)
                frames.setdefault(index, []).append(label)
    except (ElementTree.ParseError, ValueError) as error:
        raise DataError(f'{path}: no readable tracklets ({error}); download them again, or remove the file') from None
    return frames


def _number(node: ElementTree.Element, name: str) -> float:
    text = node.findtext(name)
    if text is None:
        raise ValueError(f'an item has no {name}')
    return float(text)
