"""nuScenes' official detection metric, class by class, over a whole split."""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import numpy as np
from mmdet3d.evaluation import NuScenesMetric
from mmdet3d.registry import METRICS
from mmdet3d.structures import BaseInstance3DBoxes
from mmengine.fileio import load
from torch import nn
from torch.nn.functional import pad

from ..datasets.info_file import read_info_file
from ..errors import ConfigError, DatasetError
from .whole_split import check_whole_split, evaluated_tokens

_SPLITS = {'v1.0-trainval': 'val', 'v1.0-mini': 'mini_val'}
_ERRORS = dict(trans_err='mATE', scale_err='mASE', orient_err='mAOE', vel_err='mAVE', attr_err='mAAE')


@METRICS.register_module()
class CLAPNuScenesMetric(NuScenesMetric):
    """mAP and NDS by the devkit's own evaluation on the dataset's tables.

    mmdetection3d turns boxes into a submission file, nuScenes' ``DetectionEval``
    scores it. Figures: ``mAP``, ``NDS``, the mean errors ``mATE`` ... ``mAAE``,
    and per class ``AP/<class>`` (mean over the distances 0.5, 1, 2, 4 m). A class
    that the split does not have counts 0 in ``mAP``, as in nuScenes;
    ``mAP_present`` leaves it out.

    Args:
        data_root: folder with the tables and maps.
        ann_file: info file of the split, whole.
        results_dir: keep the submission file there; a temporary folder if None.
        collect_device: where results are gathered, ``'cpu'`` or ``'gpu'``.
        prefix: prefix of the names in the log.
    """

    def __init__(
        self,
        data_root: str,
        ann_file: str,
        results_dir: Optional[str] = None,
        collect_device: str = 'cpu',
        prefix: str = 'nuscenes',
    ) -> None:
        super().__init__(
            data_root=data_root,
            ann_file=ann_file,
            modality=dict(use_camera=True, use_lidar=True, use_radar=False, use_map=False, use_external=False),
            jsonfile_prefix=results_dir,
            collect_device=collect_device,
            prefix=prefix,
        )

    def check(self, dataset: Any, model: nn.Module) -> None:
        """What would end the evaluation is known before it: tables, classes, frames of the split that are missing.

        Args:
            dataset: of the evaluation.
            model: not looked at.
        """
        version = self._check_tables(dataset.metainfo.get('version'))
        foreign = set(dataset.metainfo['classes']) - set(self.eval_detection_configs.class_names)
        if foreign:
            raise ConfigError(
                f'CLAPNuScenesMetric scores nuScenes\' classes, not {", ".join(sorted(foreign))}; correct '
                'metainfo.classes, or take CLAPInfoMetric'
            )
        tokens = evaluated_tokens(dataset, self.ann_file)
        asked = split_tokens(Path(self.data_root) / version, _SPLITS[version])
        if tokens is not None and set(tokens) != set(asked):
            raise DatasetError(
                f'the official metric scores the whole split {_SPLITS[version]} of {version}: its tables have '
                f'{len(asked)} frames, {self.ann_file} has {len(tokens)} ({len(set(asked) - set(tokens))} missing, '
                f'{len(set(tokens) - set(asked))} of another split). Make the info file again from whole data, or take '
                'CLAPInfoMetric, which scores the frames of the file (its page: docs/datasets)'
            )

    def _check_tables(self, version: Any) -> str:
        if version not in _SPLITS:
            raise DatasetError(
                f'{self.ann_file} names the version {version!r}; the official metric exists for '
                f'{" and ".join(_SPLITS)}. Make the info file again with tools/create_data.py'
            )
        if not (Path(self.data_root) / version).is_dir():
            raise DatasetError(
                f'{Path(self.data_root) / version} does not exist; the official metric needs the tables '
                'of the dataset. Set data_root of the evaluator'
            )
        return version

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the boxes of a batch under their sample's token."""
        for sample in data_samples:
            found = {name: value.to('cpu') for name, value in sample['pred_instances_3d'].items()}
            found['bboxes_3d'] = with_velocities(found['bboxes_3d'])
            self.results.append(dict(pred_instances_3d=found, token=sample['token']))

    def compute_metrics(self, results: List[dict]) -> Dict[str, float]:
        """Write the submission and score it."""
        self.data_infos = read_info_file(self.ann_file, None)['data_list']
        place = {info['token']: index for index, info in enumerate(self.data_infos)}
        check_whole_split([result['token'] for result in results], list(place), self.ann_file)
        submission = [dict(pred_instances_3d=r['pred_instances_3d'], sample_idx=place[r['token']]) for r in results]
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            files, _ = self.format_results(
                submission, list(self.dataset_meta['classes']), self.jsonfile_prefix or folder
            )
            written = files['pred_instances_3d']
            if not any(load(written)['results'].values()):  # all boxes were out of range; the devkit would stop
                return self._nothing_found()
            return self._score(written, folder)

    def _nothing_found(self) -> Dict[str, float]:
        classes = self.eval_detection_configs.class_names
        return dict(
            mAP=0.0,
            NDS=0.0,
            **average_precisions(dict(mean_dist_aps=dict.fromkeys(classes, 0.0)), set()),
            **dict.fromkeys(_ERRORS.values(), 1.0),
        )

    def _score(self, submission: str, folder: str) -> Dict[str, float]:
        from nuscenes import NuScenes
        from nuscenes.eval.detection.evaluate import DetectionEval

        version = self._check_tables(self.dataset_meta.get('version'))
        tables = NuScenes(version=version, dataroot=self.data_root, verbose=False)
        evaluation = DetectionEval(
            tables, self.eval_detection_configs, submission, _SPLITS[version], folder, verbose=False
        )
        summary = evaluation.evaluate()[0].serialize()
        present = {box.detection_name for box in evaluation.gt_boxes.all}
        figures = dict(mAP=summary['mean_ap'], NDS=summary['nd_score'], **average_precisions(summary, present))
        figures.update({name: summary['tp_errors'][key] for key, name in _ERRORS.items()})
        return figures


def average_precisions(summary: Dict[str, Any], present: set) -> Dict[str, float]:
    """``AP/<class>`` of every class and ``mAP_present`` over the classes in ``present``, from a devkit summary."""
    per_class = {f'AP/{name}': float(value) for name, value in summary['mean_dist_aps'].items()}
    there = [per_class[f'AP/{name}'] for name in present]
    return dict(mAP_present=float(np.mean(there)) if there else 0.0, **per_class)


def with_velocities(boxes: BaseInstance3DBoxes) -> BaseInstance3DBoxes:
    """Boxes of nine numbers, as the devkit wants them, from a head that may tell no velocity: zero."""
    return boxes if boxes.box_dim >= 9 else type(boxes)(pad(boxes.tensor, (0, 9 - boxes.box_dim)), box_dim=9)


def split_tokens(tables: Path, split: str) -> List[str]:
    """Tokens of the frames that the devkit asks for in a split, from the tables alone (the devkit takes half a minute).

    Args:
        tables: folder of a version, with ``scene.json`` and ``sample.json``.
        split: a name of ``nuscenes.utils.splits``.
    """
    from nuscenes.utils.splits import create_splits_scenes

    names = set(create_splits_scenes()[split])
    scenes = {record['token'] for record in load(str(tables / 'scene.json')) if record['name'] in names}
    return [record['token'] for record in load(str(tables / 'sample.json')) if record['scene_token'] in scenes]
