from __future__ import annotations

import pytest
import torch
from mmdet3d.structures import LiDARInstance3DBoxes

from projects.CLAP.clap.evaluation import RenderMetric


def sample(pred: list, true: list, **rgb) -> dict:
    return dict(
        rendered=dict(
            range_m=torch.tensor(pred), range_true_m=torch.tensor(true), **{k: torch.tensor(v) for k, v in rgb.items()}
        )
    )


def test_pools_the_rays_of_all_frames() -> None:
    metric = RenderMetric()
    metric.process(
        {},
        [
            sample([1.0, 2.5], [1.0, 2.0], rgb_error=[0.1], rgb_mean_error=[0.4], rgb_grey_error=[0.2]),
            sample([9.0], [5.0], rgb_error=[0.3], rgb_mean_error=[0.4], rgb_grey_error=[0.5]),
        ],
    )
    result = metric.evaluate(size=2)
    assert result['render/range_median_m'] == pytest.approx(0.5)
    assert result['render/range_mae_m'] == pytest.approx(1.5)
    assert result['render/range_within_1m'] == pytest.approx(2 / 3)
    assert result['render/rgb_ratio'] == pytest.approx(0.5)
    assert result['render/rgb_mae_of_grey_images'] == pytest.approx(0.35)
    assert result['render/rays'] == 3


def test_rays_that_end_in_boxes_are_counted_apart() -> None:
    metric = RenderMetric()
    labelled = sample([1.0, 9.0], [2.0, 5.0])
    labelled['rendered']['points_m'] = torch.tensor([[2.0, 0.0, 0.5], [5.0, 0.0, 0.5]])
    box = LiDARInstance3DBoxes(torch.tensor([[2.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.3]]))  # stands on z = 0
    labelled['eval_ann_info'] = dict(gt_bboxes_3d=box)
    metric.process({}, [labelled])
    result = metric.evaluate(size=1)
    assert not any('rgb' in name for name in result)
    assert result['render/range_mae_m'] == pytest.approx(2.5)
    assert result['render/range_mae_m_objects'] == pytest.approx(1.0)
    assert result['render/rays_objects'] == 1


def test_no_rays_is_an_error_with_a_cause() -> None:
    metric = RenderMetric()
    metric.process({}, [sample([], [])])
    with pytest.raises(ValueError, match='heldout_ratio'):
        metric.evaluate(size=1)
