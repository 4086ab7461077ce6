"""Ground truth as prediction scores 1; what is wrong with it costs what it should."""

from __future__ import annotations

import math

import pytest
import torch
from mmdet3d.registry import DATASETS, METRICS
from mmdet3d.structures import LiDARInstance3DBoxes
from mmengine.fileio import load

from projects.CLAP.clap.engine.config.load import load_config
from projects.CLAP.clap.errors import DatasetError
from tests.fixtures.sim_dataset import tiny_dataset

CONFIG = 'projects/CLAP/configs/finetune/bevfusion_sim_100pct.py'


@pytest.fixture(scope='module')
def sim():
    """Info file of the tiny val scene, the classes, and the truth of every frame as a detector would give it."""
    root, classes = tiny_dataset(), load_config(CONFIG).class_names
    ann_file = str(root / 'sim_infos_val.pkl')
    dataset = DATASETS.build(
        dict(
            type='CLAPDataset',
            data_root=str(root),
            ann_file='sim_infos_val.pkl',
            test_mode=True,
            with_annotations=True,
            metainfo=dict(classes=classes),
            verify='off',
            data_prefix=dict(pts='samples/LIDAR_TOP', sweeps='', img=''),
        )
    )
    samples = []
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        labels = torch.from_numpy(info['eval_ann_info']['gt_labels_3d'])
        boxes = info['eval_ann_info']['gt_bboxes_3d']
        samples.append(
            dict(
                token=info['token'],
                pred_instances_3d=dict(
                    bboxes_3d=boxes, labels_3d=labels, scores_3d=torch.linspace(1, 0.5, len(labels))
                ),
            )
        )
    return root, ann_file, classes, samples, dataset.metainfo


def evaluate(metric, samples, metainfo) -> dict:
    metric.dataset_meta = metainfo
    metric.process({}, samples)
    return metric.compute_metrics(metric.results)


def shifted(samples, metres: float) -> list:
    moved = []
    for sample in samples:
        boxes = sample['pred_instances_3d']['bboxes_3d']
        tensor = boxes.tensor.clone()
        tensor[:, 0] += metres
        moved.append(
            dict(
                sample,
                pred_instances_3d=dict(sample['pred_instances_3d'], bboxes_3d=LiDARInstance3DBoxes(tensor, box_dim=9)),
            )
        )
    return moved


def test_the_truth_scores_one_by_the_devkit(sim) -> None:
    root, ann_file, classes, samples, metainfo = sim
    metric = METRICS.build(dict(type='CLAPNuScenesMetric', data_root=str(root), ann_file=ann_file))
    figures = evaluate(metric, samples, metainfo)
    present = {name for name in classes if figures[f'AP/{name}'] > 0}
    assert {'car', 'pedestrian'} <= present
    assert all(figures[f'AP/{name}'] > 0.999 for name in present)
    assert figures['mAP_present'] > 0.999
    # A class that the split lacks counts 0 in the official mean.
    assert figures['mAP'] == pytest.approx(len(present) / 10, abs=1e-3)
    assert figures['NDS'] > 0.5 * figures['mAP']


def test_a_shift_costs_the_thresholds_that_it_exceeds(sim) -> None:
    """Off by 1.5 m, boxes match at 2 m and 4 m only: at most half of the precision is left."""
    root, ann_file, _, samples, metainfo = sim
    metric = METRICS.build(dict(type='CLAPNuScenesMetric', data_root=str(root), ann_file=ann_file))
    figures = evaluate(metric, shifted(samples, 1.5), metainfo)
    assert 0.3 < figures['AP/car'] < 0.6
    assert figures['mATE'] > 1.0 - 1e-6


def test_the_info_file_metric_agrees(sim) -> None:
    root, ann_file, classes, samples, metainfo = sim
    official = evaluate(
        METRICS.build(dict(type='CLAPNuScenesMetric', data_root=str(root), ann_file=ann_file)),
        shifted(samples, 0.7),
        metainfo,
    )
    ours = evaluate(
        METRICS.build(dict(type='CLAPInfoMetric', ann_file=ann_file, classes=classes)), shifted(samples, 0.7), metainfo
    )
    for name in classes:
        if f'AP/{name}' in ours:
            # Ranges are counted from the LiDAR instead of the car's rear axle: some boxes at the rim differ.
            assert ours[f'AP/{name}'] == pytest.approx(official[f'AP/{name}'], abs=0.08), name
    assert ours['mATE'] == pytest.approx(0.7, abs=0.02)
    assert not any(math.isnan(value) for value in ours.values())


def test_a_head_may_tell_no_velocity(sim) -> None:
    root, ann_file, classes, samples, metainfo = sim
    bare = [
        dict(sample, pred_instances_3d=dict(found, bboxes_3d=LiDARInstance3DBoxes(found['bboxes_3d'].tensor[:, :7])))
        for sample, found in ((sample, sample['pred_instances_3d']) for sample in samples)
    ]
    for config in (
        dict(type='CLAPNuScenesMetric', data_root=str(root), ann_file=ann_file),
        dict(type='CLAPInfoMetric', ann_file=ann_file, classes=classes),
    ):
        full, without = (evaluate(METRICS.build(config), given, metainfo) for given in (samples, bare))
        assert without['AP/car'] == full['AP/car'] > 0.999 and without['mATE'] == full['mATE']


def test_nothing_found_scores_zero(sim) -> None:
    root, ann_file, classes, samples, metainfo = sim
    none = [
        dict(
            sample,
            pred_instances_3d=dict(
                bboxes_3d=LiDARInstance3DBoxes(torch.zeros(0, 9), box_dim=9),
                labels_3d=torch.zeros(0, dtype=torch.int32),
                scores_3d=torch.zeros(0),
            ),
        )
        for sample in samples
    ]
    for config in (
        dict(type='CLAPNuScenesMetric', data_root=str(root), ann_file=ann_file),
        dict(type='CLAPInfoMetric', ann_file=ann_file, classes=classes),
    ):
        assert evaluate(METRICS.build(config), none, metainfo)['mAP'] == 0
        assert evaluate(METRICS.build(config), shifted(samples, 1000.0), metainfo)['mAP'] == 0


def test_a_part_of_the_split_is_refused(sim) -> None:
    root, ann_file, classes, samples, metainfo = sim
    for config in (
        dict(type='CLAPNuScenesMetric', data_root=str(root), ann_file=ann_file),
        dict(type='CLAPInfoMetric', ann_file=ann_file, classes=classes),
    ):
        with pytest.raises(DatasetError, match='whole split.*1 missing'):
            evaluate(METRICS.build(config), samples[:-1], metainfo)
    with pytest.raises(DatasetError, match="version 'v9'"):
        metric = METRICS.build(dict(type='CLAPNuScenesMetric', data_root=str(root), ann_file=ann_file))
        evaluate(metric, samples, dict(metainfo, version='v9'))
    assert len(load(ann_file)['data_list']) == len(samples)


def test_merged_classes_are_measured_as_one(sim) -> None:
    """Trucks found as vehicles are right; the class is told by its own name."""
    root, ann_file, classes, samples, metainfo = sim
    merged = dict(vehicle=['car', 'truck', 'bus', 'trailer', 'construction_vehicle'], pedestrian=['pedestrian'])
    place = {name: index for index, own in enumerate(merged.values()) for name in own}
    found = []
    for sample in samples:
        own = sample['pred_instances_3d']
        kept = torch.tensor([classes[label] in place if label >= 0 else False for label in own['labels_3d'].tolist()])
        labels = torch.tensor([place[classes[label]] for label in own['labels_3d'][kept].tolist()])
        parts = dict(bboxes_3d=own['bboxes_3d'][kept], labels_3d=labels, scores_3d=own['scores_3d'][kept])
        found.append(dict(sample, pred_instances_3d=parts))
    metric = METRICS.build(dict(type='CLAPInfoMetric', ann_file=ann_file, classes=list(merged), merged_classes=merged))
    figures = evaluate(metric, found, metainfo)
    assert figures['AP/vehicle'] > 0.999 and figures['AP/pedestrian'] > 0.999 and figures['mAP'] > 0.999
    assert not any(name in figures for name in ('AP/car', 'AP/truck'))
