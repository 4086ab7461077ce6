"""Mean IoU against figures worked out by hand, an independent count, and upstream's metric where that is right."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmdet3d.evaluation import seg_eval
from mmdet3d.structures import Det3DDataSample, PointData

from projects.CLAP.clap.errors import ConfigError, DatasetError
from projects.CLAP.clap.evaluation import CLAPSegMetric

CLASSES = [f'class{index}' for index in range(19)]


def sample(truth: list, found: list) -> dict:
    """What MMEngine's evaluator hands over."""
    frame = Det3DDataSample(metainfo=dict(lidar_path='08/000000.bin'))
    frame.gt_pts_seg = PointData(pts_semantic_mask=torch.as_tensor(truth))
    frame.pred_pts_seg = PointData(pts_semantic_mask=torch.as_tensor(found))
    return frame.to_dict()


def figures(*frames: dict, classes: list = CLASSES) -> dict:
    metric = CLAPSegMetric(classes)
    for frame in frames:
        metric.process({}, [frame])
    return metric.evaluate(size=len(frames))


def test_a_prediction_of_no_class_is_a_miss_and_nothing_else() -> None:
    """Ten points each of classes 3, 4 and 18; five of 3 and of 18 predicted as the twentieth class."""
    truth = [3] * 10 + [4] * 10 + [18] * 10
    found = [3] * 5 + [19] * 5 + [4] * 10 + [18] * 5 + [19] * 5
    result = figures(sample(truth, found))
    assert [result[f'seg/class{index}'] for index in (3, 4, 18)] == [0.5, 1.0, 0.5]
    assert result['seg/acc'] == pytest.approx(2 / 3) and result['seg/miou'] == pytest.approx(2 / 3)
    assert 'seg/class0' not in result, 'neither there nor predicted'
    spilt = seg_eval([np.array(truth)], [np.array(found)], dict(enumerate(CLASSES)), 19)
    assert spilt['acc'] == pytest.approx(0.8), 'what this metric is for'
    assert figures(sample(truth, [255 if c == 19 else c for c in found])) == result


def test_a_perfect_prediction_is_one_and_one_wrong_point_is_known() -> None:
    truth = [0, 0, 0, 1, 255]
    result = figures(sample(truth, [0, 0, 0, 1, 0]))
    assert {result[f'seg/{name}'] for name in ('class0', 'class1', 'miou', 'acc', 'acc_cls')} == {1.0}
    result = figures(sample(truth, [0, 0, 1, 1, 1]))
    assert result['seg/class0'] == pytest.approx(2 / 3) and result['seg/class1'] == pytest.approx(1 / 2)
    assert result['seg/miou'] == pytest.approx(7 / 12) and result['seg/acc'] == pytest.approx(3 / 4)
    assert result['seg/acc_cls'] == pytest.approx((2 / 3 + 1) / 2)


def test_equals_a_count_by_sets_and_upstream_where_all_predictions_are_classes() -> None:
    rng = np.random.default_rng(0)
    truths = [rng.integers(0, 5, count) for count in (200, 70)]
    founds = [np.where(rng.random(len(t)) < 0.6, t, rng.integers(0, 5, len(t))) for t in truths]
    truths = [np.where(rng.random(len(t)) < 0.1, 255, t) for t in truths]
    frames = [sample(t.astype(np.uint8), f) for t, f in zip(truths, founds)]
    result = figures(*frames, classes=CLASSES[:5])
    truth, found = np.concatenate(truths), np.concatenate(founds)
    for index in range(5):
        here, there = (set(np.flatnonzero((a == index) & (truth != 255))) for a in (truth, found))
        assert result[f'seg/class{index}'] == pytest.approx(len(here & there) / len(here | there))
    upstream = seg_eval(truths, founds, dict(enumerate(CLASSES[:5])), 255)
    for name, value in upstream.items():
        assert result[f'seg/{name}'] == pytest.approx(value), name


def test_frames_that_fill_the_last_batch_of_several_ranks_are_not_counted_twice() -> None:
    metric = CLAPSegMetric(CLASSES)
    for found in (0, 1, 1):
        metric.process({}, [sample([0, 0], [found, found])])
    assert all(entry.shape == (19, 20) for entry in metric.results), 'counts, not points, travel between ranks'
    assert metric.evaluate(size=2)['seg/acc'] == 0.5


@pytest.mark.parametrize(
    'frame, message',
    [
        (sample([0, 1, 2], [0, 1]), r'08/000000\.bin: 2 points were given a class, 3 have a label'),
        (sample([0, 40], [0, 1]), r'label 40 is none of 19 classes'),
        ({key: value for key, value in sample([0], [0]).items() if key != 'pred_pts_seg'}, r'no pred_pts_seg'),
        (sample([255, 255], [0, 1]), r'nothing to measure'),
    ],
    ids=['lengths', 'unmapped label', 'no prediction', 'all ignored'],
)
def test_what_cannot_be_measured_is_named(frame: dict, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        figures(frame)


@pytest.mark.parametrize(
    'dataset, num_classes, told',
    [
        (None, 2, 'set semantic_classes'),
        (['car', 'road'], 2, 'taken for each other'),
        (['road', 'car'], 3, 'num_classes is 3'),
    ],
)
def test_classes_of_another_order_or_number_are_named_before_the_first_step(dataset, num_classes, told) -> None:
    metric = CLAPSegMetric(['road', 'car'])
    asked = (
        SimpleNamespace(semantic_classes=dataset and dict.fromkeys(dataset)),
        SimpleNamespace(num_classes=num_classes),
    )
    with pytest.raises(ConfigError, match=told):
        metric.check(*asked)
    metric.check(SimpleNamespace(semantic_classes=dict(road=[], car=[])), SimpleNamespace(num_classes=2))
