"""nuScenes' average precision for data without nuScenes tables: ground truth from the info file."""

from __future__ import annotations

from typing import Any, Collection, Dict, Iterable, List, Mapping, Optional, Sequence

import numpy as np
from mmdet3d.registry import METRICS
from mmengine.evaluator import BaseMetric
from torch import nn

from ..datasets.info_file import frame_name, read_info_file
from ..datasets.labels import box_problems, instance_problems, label_mapping
from ..errors import ConfigError, DatasetError
from .nuscenes_metric import average_precisions, with_velocities
from .whole_split import check_same_classes, check_whole_split, evaluated_tokens, tokens_of

_ERRORS = dict(trans_err='mATE', scale_err='mASE', orient_err='mAOE', vel_err='mAVE')
#: Classes whose heading or motion nuScenes does not score.
_UNDEFINED = {'traffic_cone': ('orient_err', 'vel_err'), 'barrier': ('vel_err',)}


@METRICS.register_module()
class CLAPInfoMetric(BaseMetric):
    """The devkit's matching and average precision, in the LiDAR frame.

    As in nuScenes: matching by the distance of centres (0.5, 1, 2, 4 m), a range
    per class, boxes without LiDAR points left out. Unlike it: ranges are
    counted from the LiDAR, ``mAP`` averages the classes that the split has, and
    there are no attributes, hence no NDS.

    Args:
        ann_file: info file of the split, whole.
        classes: names in the order of the model's labels.
        merged_classes: as the data set's; a merged class is measured by the rules of its first name (range, errors).
        collect_device: where results are gathered, ``'cpu'`` or ``'gpu'``.
        prefix: prefix of the names in the log.
    """

    def __init__(
        self,
        ann_file: str,
        classes: Sequence[str],
        merged_classes: Optional[Mapping[str, Sequence[str]]] = None,
        collect_device: str = 'cpu',
        prefix: Optional[str] = 'boxes',
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.ann_file, self.classes, self.merged_classes = ann_file, list(classes), merged_classes
        members = merged_classes or {name: [name] for name in classes}
        #: Our class -> the nuScenes class by whose rules it is measured; name in the file -> likewise.
        self._rules = {name: own[0] for name, own in members.items()}
        self._of_file = {name: own[0] for own in members.values() for name in own}

    def check(self, dataset: Any, model: nn.Module) -> None:
        """What would end the evaluation, or make it mean nothing, is known before it.

        Args:
            dataset: of the evaluation.
            model: not looked at.
        """
        from nuscenes.eval.common.config import config_factory

        self._check_dataset(dataset)
        content = read_info_file(self.ann_file, None)
        mapping = label_mapping(content['metainfo'].get('categories'), self.classes, self.ann_file, self.merged_classes)
        scored = config_factory('detection_cvpr_2019').class_range
        foreign = [name for name in self._rules.values() if name not in scored]
        if foreign:
            raise ConfigError(
                f'CLAPInfoMetric has ranges for {", ".join(scored)}, not for {", ".join(foreign)}; take another '
                'metric, or none: val_dataloader=None val_cfg=None val_evaluator=None'
            )
        self._check_boxes(content['data_list'], self._scored_names(content, scored), mapping)

    def _check_dataset(self, dataset: Any) -> None:
        evaluated_tokens(dataset, self.ann_file)
        check_same_classes(getattr(dataset, 'metainfo', {}).get('classes'), self.classes)

    def _check_boxes(self, infos: Sequence[dict], names: Dict[int, str], mapping: Dict[int, int]) -> None:
        problems, used = [], 0
        for index, info in enumerate(infos):
            where = frame_name(info, index)
            found = instance_problems(info.get('instances'), mapping, where, 'num_lidar_pts')
            if not found:
                boxes, own, _, counts = self._truth(info, names)
                labels = np.array([row if count else -1 for row, count in enumerate(counts)], dtype=np.int64)
                found = box_problems(boxes, labels, own, where)
                used += np.count_nonzero(labels >= 0)
            problems += found
        if not problems and not used:
            problems = ['no labelled box with LiDAR points in any frame: there is nothing to measure']
        if problems:
            raise DatasetError.from_problems(
                f'boxes of {self.ann_file}', problems, 'Correct them, or make the info file again.'
            )

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the boxes of a batch under their sample's token."""
        for sample in data_samples:
            found = sample['pred_instances_3d']
            boxes = with_velocities(found['bboxes_3d'])
            columns = np.concatenate([boxes.gravity_center.cpu().numpy(), boxes.tensor[:, 3:].cpu().numpy()], axis=1)
            self.results.append(
                dict(
                    token=sample['token'],
                    boxes=columns,
                    scores=found['scores_3d'].cpu().numpy(),
                    labels=found['labels_3d'].cpu().numpy(),
                )
            )

    def compute_metrics(self, results: List[dict]) -> Dict[str, float]:
        """Match, and average."""
        from nuscenes.eval.common.config import config_factory
        from nuscenes.eval.detection.algo import accumulate, calc_ap, calc_tp
        from nuscenes.eval.detection.data_classes import DetectionMetrics

        content = read_info_file(self.ann_file, None)
        check_whole_split([r['token'] for r in results], tokens_of(content), self.ann_file)
        cfg = config_factory('detection_cvpr_2019')
        names = self._scored_names(content, cfg.class_range)
        truth = self._collect(cfg, ((i['token'], *self._truth(i, names)) for i in content['data_list']))
        found = self._collect(
            cfg,
            (
                (r['token'], r['boxes'], [self._rules[self.classes[k]] for k in r['labels']], r['scores'], None)
                for r in results
            ),
        )
        present = {box.detection_name for box in truth.all}
        if not present:
            raise DatasetError(f'{self.ann_file} has no labelled box with LiDAR points in range; nothing to measure')
        metrics = DetectionMetrics(cfg)
        for name in cfg.class_names:
            for threshold in cfg.dist_ths:
                data = accumulate(truth, found, name, cfg.dist_fcn_callable, threshold)
                metrics.add_label_ap(name, threshold, calc_ap(data, cfg.min_recall, cfg.min_precision))
                if threshold == cfg.dist_th_tp:
                    for error in _ERRORS:
                        undefined = name not in present or error in _UNDEFINED.get(name, ())
                        metrics.add_label_tp(name, error, np.nan if undefined else calc_tp(data, cfg.min_recall, error))
        figures = average_precisions(dict(mean_dist_aps=metrics.mean_dist_aps), present)
        figures['mAP'] = figures.pop('mAP_present')
        for error, short in _ERRORS.items():
            values = [metrics.get_label_tp(name, error) for name in present]
            figures[short] = float(np.nanmean(values)) if not np.isnan(values).all() else 1.0
        figures.update({f'AP/{name}': float('nan') for name in cfg.class_names if name not in present})
        ours = {f'AP/{rule}': f'AP/{name}' for name, rule in self._rules.items()}
        return {ours.get(name, name): value for name, value in figures.items() if not np.isnan(value)}

    def _scored_names(self, content: dict, scored: Collection[str]) -> Dict[int, str]:
        """Number in ``bbox_label_3d`` -> class by whose rules it is measured; boxes of others count nowhere."""
        merged = self._of_file if self.merged_classes else {name: name for name in scored}
        numbers = content['metainfo']['categories'].items()
        return {number: merged[name] for name, number in numbers if merged.get(name) in scored}

    @staticmethod
    def _truth(info: dict, names: Dict[int, str]) -> tuple:
        """Boxes (G, 9), names, scores and numbers of points of a frame's labelled objects."""
        own = [item for item in info['instances'] if item['bbox_label_3d'] in names]
        boxes = [list(item['bbox_3d']) + np.nan_to_num(item['velocity']).tolist() for item in own]
        return (
            np.array(boxes, dtype=np.float64).reshape(-1, 9),
            [names[item['bbox_label_3d']] for item in own],
            [-1.0] * len(own),
            [int(item['num_lidar_pts']) for item in own],
        )

    @staticmethod
    def _collect(cfg, frames: Iterable[tuple]):
        """The devkit's boxes, those without points and out of their class's range left out."""
        from nuscenes.eval.common.data_classes import EvalBoxes
        from nuscenes.eval.detection.data_classes import DetectionBox
        from pyquaternion import Quaternion

        kept = EvalBoxes()
        for token, boxes, labels, scores, counts in frames:
            own = []
            for row, (box, name, score) in enumerate(zip(boxes.astype(np.float64), labels, scores)):
                if np.hypot(box[0], box[1]) >= cfg.class_range[name] or (counts is not None and counts[row] == 0):
                    continue
                own.append(
                    DetectionBox(
                        sample_token=token,
                        translation=tuple(box[:3]),
                        size=(box[4], box[3], box[5]),
                        rotation=tuple(Quaternion(axis=[0, 0, 1], radians=box[6]).elements),
                        velocity=tuple(box[7:9]),
                        ego_translation=tuple(box[:3]),
                        detection_name=name,
                        detection_score=float(score),
                    )
                )
            kept.add_boxes(token, own)
        return kept
