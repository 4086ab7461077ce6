"""Box code and matching against the golden figures."""

from __future__ import annotations

import pytest
import torch
from mmdet3d.registry import TASK_UTILS

from projects.CLAP.clap.downstream.transfusion.coder import TransFusionBoxCoder
from tests.fixtures.golden import golden, uniform

RANGE = [-54.0, -54.0, -5.0, 54.0, 54.0, 3.0]


def coder(threshold=0.0) -> TransFusionBoxCoder:
    return TransFusionBoxCoder([-54.0, -54.0], [0.6, 0.6], score_threshold=threshold)


@pytest.mark.usefixtures('place')
def test_encode_and_decode() -> None:
    entry = golden()['bbox_coder']
    boxes = torch.tensor(entry['boxes'])
    codes = coder().encode(boxes)
    assert torch.allclose(codes, torch.tensor(entry['encoded']), atol=1e-4)
    preds = dict(zip(('center', 'height', 'dim', 'rot', 'vel'), codes.split([2, 1, 3, 2, 2], dim=1)))
    back = coder().decode({name: value.t()[None] for name, value in preds.items()}, torch.ones(1, 1, 2)).boxes[0]
    assert torch.allclose(back, boxes, atol=1e-4)


@pytest.mark.usefixtures('place')
def test_decode_filters_by_range_and_strictly_by_score() -> None:
    entry = golden()['bbox_coder']['decode']
    preds = {name: torch.tensor(value) for name, value in entry['inputs'].items()}
    untouched = {name: value.clone() for name, value in preds.items()}
    lowest = min(entry['filtered']['scores'])
    for name, threshold in (('filtered', 0.0), ('thresholded', torch.tensor(lowest).item())):
        decoded = coder(threshold).decode(preds, preds['heatmap'])
        assert torch.allclose(decoded.boxes[0], torch.tensor(entry['unfiltered']['bboxes']), atol=1e-4)
        kept = coder(threshold).keep(decoded)[0]
        assert torch.allclose(decoded.boxes[0][kept], torch.tensor(entry[name]['bboxes']), atol=1e-4)
        assert decoded.labels[0][kept].tolist() == entry[name]['labels']
    assert all(torch.equal(preds[name], untouched[name]) for name in preds)


@pytest.mark.usefixtures('place')
def test_costs_and_matching() -> None:
    entry = golden()['assigner']
    assigner = TASK_UTILS.build(dict(type='CLAPHungarianAssigner3D'))
    args = (
        torch.tensor(entry['pred_boxes']),
        3 * uniform('logit', (1, 10, 6))[0],
        torch.tensor(entry['gt_boxes']),
        torch.tensor(entry['gt_labels']),
        RANGE,
    )
    costs = assigner.costs(*args)
    for name, value in (
        ('cls_cost', costs.classification),
        ('reg_cost', costs.position),
        ('iou', costs.ious),
        ('total', costs.total),
    ):
        assert torch.allclose(value, torch.tensor(entry[name]), atol=2e-6), name
    found = assigner.assign(*args)
    expected = [(query, index - 1) for query, index in enumerate(entry['gt_inds']) if index]
    assert list(zip(found.queries.tolist(), found.objects.tolist())) == expected
    assert found.ious.tolist() == pytest.approx([entry['max_overlaps'][query] for query, _ in expected], abs=1e-6)


def test_diverged_predictions_do_not_stop_the_matching() -> None:
    """The loss says what is wrong, not SciPy."""
    assigner = TASK_UTILS.build(dict(type='CLAPHungarianAssigner3D'))
    boxes, truth = torch.ones(4, 9), torch.ones(2, 9)
    boxes[0] = float('nan')
    found = assigner.assign(boxes, torch.full((10, 4), float('nan')), truth, torch.tensor([0, 1]), RANGE)
    assert len(found.queries) == 2
