"""Waymo's and ONCE's detection metrics of a detector over a whole split, ground truth from the info file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
from mmdet3d.registry import METRICS
from torch import nn

from ..datasets.converters.frame_files import count_points_in_boxes
from ..datasets.info_file import read_info_file
from ..errors import ConfigError, DatasetError
from .frame_boxes import FrameBoxes, frame_boxes
from .info_metric import CLAPInfoMetric
from .once_boxes import SUPER_CLASS, THRESHOLDS, once_precisions
from .waymo_boxes import LEVELS, MEAN_OF, RANGES_M, TYPES, waymo_precisions
from .whole_split import check_whole_split


class _BoxMetric(CLAPInfoMetric):
    """Collects the boxes of both sides; ``TYPE_OF`` is the metric's type of each class of the data."""

    TYPE_OF: Dict[str, Any] = {}

    def __init__(
        self, ann_file: str, classes: Sequence[str], collect_device: str = 'cpu', prefix: Optional[str] = None
    ) -> None:
        super().__init__(ann_file, classes, None, collect_device, prefix or self.default_prefix)
        self._check_classes()

    def check(self, dataset: Any, model: nn.Module) -> None:
        """As the parent, without nuScenes' rules; that the classes are scored at all is known when it is built."""
        self._check_dataset(dataset)
        if not any(info.get('labelled', True) for info in read_info_file(self.ann_file, None)['data_list']):
            raise DatasetError(f'{self.ann_file} has no labelled frame, nothing can be measured; take another split')

    def _check_classes(self) -> None:
        foreign = [name for name in self.classes if name not in self.TYPE_OF]
        if foreign:
            raise ConfigError(
                f'{type(self).__name__} scores {", ".join(self.TYPE_OF)}, not {", ".join(foreign)}; correct classes'
            )

    def _sides(self, results: List[dict]) -> Tuple[FrameBoxes, FrameBoxes]:
        """Predictions and labelled boxes of the labelled frames; the metric's frame."""
        content = read_info_file(self.ann_file, None)
        infos = content['data_list']
        check_whole_split([result['token'] for result in results], [info['token'] for info in infos], self.ann_file)
        names = {label: name for name, label in content['metainfo']['categories'].items()}
        found = {result['token']: result for result in results}
        sides: Tuple[List[dict], List[dict]] = ([], [])
        for number, info in enumerate(infos):
            if info.get('labelled', True):
                sides[0].append(self._prediction(found[info['token']], info, number))
                sides[1].append(self._truth_of(info, names, number))
        return tuple(
            frame_boxes(**{key: np.concatenate([part[key] for part in side]) for key in side[0]}) for side in sides
        )

    def _prediction(self, result: dict, info: dict, number: int) -> dict:
        kinds = [self.TYPE_OF[self.classes[label]] for label in result['labels']]
        boxes = result['boxes'][:, :7].astype(np.float64)
        return dict(
            frame=np.full(len(boxes), number),
            box=self._moved(boxes, info),
            type=self._types(kinds),
            score=result['scores'],
            in_no_label_zone=self._not_labelled(boxes, info),
        )

    def _truth_of(self, info: dict, names: Dict[int, str], number: int) -> dict:
        own = [item for item in info['instances'] if names.get(item['bbox_label_3d']) in self.TYPE_OF]
        boxes = np.array([item['bbox_3d'] for item in own], dtype=np.float64).reshape(-1, 7)
        return dict(
            frame=np.full(len(own), number),
            box=self._moved(boxes, info),
            type=self._types([self.TYPE_OF[names[item['bbox_label_3d']]] for item in own]),
            num_points=np.array([item['num_lidar_pts'] for item in own], dtype=np.int64),
            level=np.array([item.get('difficulty', 0) for item in own], dtype=np.int64),
        )

    def _types(self, kinds: List[Any]) -> np.ndarray:
        return np.array(kinds, dtype=np.array(list(self.TYPE_OF.values())).dtype)

    def _moved(self, boxes: np.ndarray, info: dict) -> np.ndarray:
        """From the LiDAR frame to the metric's."""
        return boxes

    def _not_labelled(self, boxes: np.ndarray, info: dict) -> np.ndarray:
        """(N,) bool: predictions where nothing has been labelled."""
        return np.zeros(len(boxes), dtype=bool)


@METRICS.register_module()
class CLAPWaymoMetric(_BoxMetric):
    """mAP and mAPH by Waymo's definition (:mod:`.waymo_boxes`), distances from the vehicle's origin.

    Figures: ``mAP_L1``, ``mAPH_L1``, ``mAP_L2``, ``mAPH_L2`` over vehicles, pedestrians and cyclists, by type, and by
    type and range, ``AP_L1/vehicle``, ``APH_L2/cyclist [0, 30)`` and so on.

    Args:
        ann_file: info file of the split, whole.
        classes: names in the order of the model's labels.
        data_root: folder that the info file's paths are relative to, for the points in no-label zones.
        collect_device: where results are gathered, ``'cpu'`` or ``'gpu'``.
        prefix: prefix of the names in the log.
    """

    TYPE_OF = {name.capitalize(): number for number, (name, _) in TYPES.items()}
    default_prefix = 'waymo'

    def __init__(
        self,
        ann_file: str,
        classes: Sequence[str],
        data_root: str = '',
        collect_device: str = 'cpu',
        prefix: Optional[str] = None,
    ) -> None:
        super().__init__(ann_file, classes, collect_device, prefix)
        self.data_root = Path(data_root)

    def compute_metrics(self, results: List[dict]) -> Dict[str, float]:
        """Match, and average."""
        figures = waymo_precisions(*self._sides(results))
        named = {}
        for level in LEVELS:
            for key in ('AP', 'APH'):
                by_type = {name: figures[f'OBJECT_TYPE_TYPE_{name}_LEVEL_{level}'][key] for name, _ in TYPES.values()}
                named[f'm{key}_L{level}'] = float(np.mean([by_type[name] for name in MEAN_OF]))
                for name, value in by_type.items():
                    named[f'{key}_L{level}/{name.lower()}'] = value
                    for limits in RANGES_M:
                        value = figures[f'RANGE_TYPE_{name}_{limits}_LEVEL_{level}'][key]
                        named[f'{key}_L{level}/{name.lower()} {limits}'] = value
        return named

    def _moved(self, boxes: np.ndarray, info: dict) -> np.ndarray:
        lidar2ego = np.array(info['lidar_points']['lidar2ego'])  # the axes are the same
        return np.concatenate([boxes[:, :3] + lidar2ego[:3, 3], boxes[:, 3:]], axis=1)

    def _not_labelled(self, boxes: np.ndarray, info: dict) -> np.ndarray:
        if 'no_label_path' not in info['lidar_points']:
            return super()._not_labelled(boxes, info)
        points = np.fromfile(self.data_root / info['lidar_points']['no_label_path'], dtype=np.float32).reshape(-1, 3)
        return count_points_in_boxes(points, boxes) > 0


@METRICS.register_module()
class CLAPONCEMetric(_BoxMetric):
    """ONCE's average precision [%], headings within 90 degrees (:mod:`.once_boxes`), over the labelled frames.

    Figures: ``mAP``, ``mAP/0-30m``, ..., and the same by class, ``AP/Vehicle``, ``AP/Vehicle 0-30m``.

    Args:
        ann_file: info file of the split, whole.
        classes: names in the order of the model's labels.
        official_overlap: turn boxes by minus their yaw, as the official program does.
        collect_device: where results are gathered, ``'cpu'`` or ``'gpu'``.
        prefix: prefix of the names in the log.
    """

    TYPE_OF = {name: name for name in SUPER_CLASS}
    default_prefix = 'once'

    def __init__(
        self,
        ann_file: str,
        classes: Sequence[str],
        official_overlap: bool = False,
        collect_device: str = 'cpu',
        prefix: Optional[str] = None,
    ) -> None:
        super().__init__(ann_file, classes, collect_device, prefix)
        self.official_overlap = official_overlap

    def compute_metrics(self, results: List[dict]) -> Dict[str, float]:
        """Match, and average."""
        figures = once_precisions(*self._sides(results), self.official_overlap)
        named = {}
        for name in ('mAP', *THRESHOLDS):
            for limits, value in figures[name].items():
                title = name if name == 'mAP' else f'AP/{name}'
                named[title if limits == 'overall' else f'{title}{"/" if name == "mAP" else " "}{limits}'] = value
        return named
