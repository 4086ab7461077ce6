"""CenterPoint's head beside mmdetection3d's own, which is installed: same entries, losses and boxes."""

from __future__ import annotations

from typing import Dict, List

import pytest
import torch
from mmdet3d.models.dense_heads import CenterHead
from mmdet3d.structures import LiDARInstance3DBoxes
from mmengine.structures import InstanceData
from torch import Tensor

from projects.CLAP.clap.downstream import CLAPCenterHead
from projects.CLAP.clap.errors import ConfigError

RANGE, VOXEL, FACTOR = [-24.0, -16.0, -5.0, 24.0, 16.0, 3.0], [0.25, 0.25, 0.2], 4  # cells of 1 m, 48 x 32
TASKS = [1, 2]
META = [dict(box_type_3d=LiDARInstance3DBoxes)] * 2
NMS = dict(rotate={}, circle=dict(circle_nms=[4.0, 1.0]))


def own_head(**options) -> CLAPCenterHead:
    return CLAPCenterHead(
        **{**dict(in_channels=8, num_classes=3, tasks=TASKS, point_cloud_range=RANGE, voxel_size=VOXEL), **options},
        out_size_factor=FACTOR,
        shared_channels=8,
        head_channels=8,
    ).eval()


def upstream_head(nms: str) -> CenterHead:
    limits = [-61.2, -61.2, -10.0, 61.2, 61.2, 10.0]
    return CenterHead(
        in_channels=8,
        tasks=[dict(class_names=['a']), dict(class_names=['b', 'c'])],
        common_heads=dict(reg=(2, 2), height=(1, 2), dim=(3, 2), rot=(2, 2), vel=(2, 2)),
        share_conv_channel=8,
        bbox_coder=dict(
            type='CenterPointBBoxCoder',
            pc_range=RANGE[:2],
            post_center_range=limits,
            max_num=500,
            score_threshold=0.1,
            out_size_factor=FACTOR,
            voxel_size=VOXEL[:2],
            code_size=9,
        ),
        separate_head=dict(type='SeparateHead', init_bias=-2.19, final_kernel=3, head_conv=8),
        loss_cls=dict(type='mmdet.GaussianFocalLoss', reduction='mean'),
        loss_bbox=dict(type='mmdet.L1Loss', reduction='mean', loss_weight=0.25),
        train_cfg=dict(
            grid_size=[192, 128, 40],
            voxel_size=VOXEL,
            point_cloud_range=RANGE,
            out_size_factor=FACTOR,
            dense_reg=1,
            gaussian_overlap=0.1,
            max_objs=500,
            min_radius=2,
            code_weights=[1.0] * 8 + [0.2] * 2,
        ),
        test_cfg=dict(
            post_center_limit_range=limits,
            score_threshold=0.1,
            nms_type=nms,
            min_radius=[4.0, 1.0],
            pre_max_size=1000,
            post_max_size=83,
            nms_thr=0.2,
        ),
    ).eval()


def turned(state: Dict[str, Tensor]) -> Dict[str, Tensor]:
    """mmdetection3d's maps have the axes (y, x)."""
    return {key: value.transpose(2, 3) if value.dim() == 4 else value for key, value in state.items()}


def scene(num: int = 12, columns: int = 9, seed: int = 0) -> InstanceData:
    draw = torch.Generator().manual_seed(seed)
    low, high = torch.tensor([-23.0, -15.0, -2.0]), torch.tensor([23.0, 15.0, 0.0])
    centres = low + (high - low) * torch.rand(num, 3, generator=draw)
    sizes = 1 + 3 * torch.rand(num, 3, generator=draw)
    rest = torch.randn(num, columns - 6, generator=draw)
    boxes = LiDARInstance3DBoxes(torch.cat([centres, sizes, rest], 1), box_dim=columns)
    return InstanceData(bboxes_3d=boxes, labels_3d=torch.randint(3, (num,), generator=draw))


@pytest.mark.parametrize('nms', list(NMS))
def test_entries_losses_and_boxes_are_mmdetection3ds(nms: str) -> None:
    torch.manual_seed(0)
    own, other = own_head(**NMS[nms]), upstream_head(nms)
    assert list(own.state_dict()) == list(other.state_dict())
    for name, value in own.state_dict().items():
        if name.endswith(('bias', 'running_mean')):
            value.normal_(std=0.3)
    other.load_state_dict(turned(own.state_dict()))
    bev = torch.randn(2, 8, 48, 32)
    objects = [scene(), scene(seed=1)]
    expected = other.loss_by_feat(other([bev.transpose(2, 3)]), objects)
    found = own.loss(bev, objects)
    assert list(found) == ['task0.loss_heatmap', 'task0.loss_bbox', 'task1.loss_heatmap', 'task1.loss_bbox']
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-5)
    theirs = other.predict_by_feat(other([bev.transpose(2, 3)]), META)
    for ours, upstream in zip(own.predict(bev, META), theirs):
        assert 3 < len(ours.scores_3d) < 200
        torch.testing.assert_close(ours.scores_3d, upstream.scores_3d)
        assert torch.equal(ours.labels_3d, upstream.labels_3d)
        torch.testing.assert_close(ours.bboxes_3d.tensor, upstream.bboxes_3d.tensor, rtol=1e-4, atol=1e-4)


def test_boxes_come_back_from_their_targets() -> None:
    head, objects = own_head(), scene(6, seed=3)
    boxes, labels = objects.bboxes_3d.tensor, objects.labels_3d
    targets = head.targets([boxes], [labels])
    preds: List[Dict[str, Tensor]] = []
    for target in targets:
        maps = torch.zeros(1, 10, 48 * 32)
        maps[target.sample, :, target.cell] = target.codes
        parts = dict(zip(['reg', 'height', 'dim', 'rot', 'vel'], maps.view(1, 10, 48, 32).split([2, 1, 3, 2, 2], 1)))
        preds.append(dict(parts, heatmap=torch.where(target.heatmap == 1, 5.0, -9.0)))
    found = head.boxes_of(preds, META[:1])[0]
    order = [int((found.bboxes_3d.tensor[:, :2] - box[:2]).norm(dim=1).argmin()) for box in boxes]
    assert sorted(order) == list(range(6)) and torch.equal(found.labels_3d[order].long(), labels)
    torch.testing.assert_close(found.bboxes_3d.tensor[order][:, :6], boxes[:, :6], rtol=1e-4, atol=1e-4)
    angle = found.bboxes_3d.tensor[order][:, 6] - boxes[:, 6]
    torch.testing.assert_close(angle.cos(), torch.ones(6))


def test_an_unknown_velocity_counts_nothing() -> None:
    """In mmdetection3d's head it makes the loss NaN."""
    torch.manual_seed(0)
    head, bev, objects = own_head(), torch.randn(1, 8, 48, 32), scene()
    known = head.loss(bev, [objects])
    others = head(bev)
    task = 0 if int(objects.labels_3d[3]) == 0 else 1
    target = head.targets([objects.bboxes_3d.tensor[3:4]], [objects.labels_3d[3:4]])[task]
    error = (others[task]['vel'].flatten(2)[0, :, target.cell[0]] - target.codes[0, 8:]).abs().sum()
    objects.bboxes_3d.tensor[3, 7:] = float('nan')
    less = head.loss(bev, [objects])
    share = 0.25 * 0.2 * error / float((objects.labels_3d > 0).eq(task > 0).sum())
    torch.testing.assert_close(
        known[f'task{task}.loss_bbox'] - less[f'task{task}.loss_bbox'], share, rtol=1e-2, atol=1e-4
    )


def test_boxes_of_seven_numbers_train() -> None:
    head = own_head(with_velocity=False).train()
    assert not any('vel' in key for key in head.state_dict())
    losses = head.loss(torch.randn(1, 8, 48, 32), [scene(columns=7)])
    sum(losses.values()).backward()
    assert all(bool(p.grad.abs().sum() > 0) for name, p in head.named_parameters() if name.endswith('weight'))
    assert head.predict(torch.randn(1, 8, 48, 32), META[:1])[0].bboxes_3d.tensor.shape[1] == 7


def test_a_new_heatmap_begins_at_its_prior() -> None:
    bev = torch.zeros(1, 8, 48, 32)
    with torch.no_grad():
        found = [float(preds['heatmap'].sigmoid().mean()) for preds in own_head()(bev)]
        upstream = float(upstream_head('rotate')([bev])[1][0]['heatmap'].sigmoid().mean())
    assert found == pytest.approx([0.1, 0.1], abs=0.02) and upstream > 0.4


def test_a_sample_without_objects_gives_losses() -> None:
    empty = InstanceData(bboxes_3d=LiDARInstance3DBoxes(torch.zeros(0, 9), box_dim=9), labels_3d=torch.zeros(0).long())
    losses = own_head().train().loss(torch.randn(1, 8, 48, 32), [empty])
    assert all(bool(value.isfinite()) for value in losses.values()) and float(losses['task0.loss_bbox']) == 0
    sum(losses.values()).backward()


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ConfigError, match='tasks'):
        own_head(num_classes=4)
    with pytest.raises(ConfigError, match='circle_nms'):
        own_head(circle_nms=[1.0])
    with pytest.raises(ConfigError, match='48, 32'):
        own_head()(torch.zeros(1, 8, 32, 48))
