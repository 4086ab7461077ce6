"""The TransFusion head against the figures of mmdetection3d's, and against what follows from its definition."""

from __future__ import annotations

import pytest
import torch
from mmdet3d.registry import MODELS
from mmdet3d.structures import LiDARInstance3DBoxes
from mmengine.structures import InstanceData

from projects.CLAP.clap.downstream.objects import labelled_objects
from projects.CLAP.clap.downstream.transfusion.decoder import TransFusionDecoderLayer
from projects.CLAP.clap.downstream.transfusion.nms import circle_nms_mask
from projects.CLAP.clap.downstream.transfusion.targets import heatmap_target
from tests.fixtures.golden import check, fill, golden, hashed, uniform

META = dict(box_type_3d=LiDARInstance3DBoxes)
LAYER = dict(num_heads=4, feedforward_channels=64, dropout=0.0, ffn_drop=0.0)


def config(size_y: float = 3.6, **changes) -> dict:
    """A head on 16 cells along x and 12 (3.6 m) or 16 (4.8 m) along y."""
    return dict(
        dict(
            type='CLAPTransFusionHead',
            in_channels=16,
            num_classes=10,
            hidden_channel=32,
            num_proposals=20,
            point_cloud_range=[-4.8, -size_y, -5.0, 4.8, size_y, 3.0],
            voxel_size=[0.075, 0.075, 0.2],
            out_size_factor=8,
            post_center_range=[-5.8, -size_y - 1, -10.0, 5.8, size_y + 1, 10.0],
            decoder_layer=LAYER,
        ),
        **changes,
    )


def head(size_y: float = 3.6, **changes):
    return fill(MODELS.build(config(size_y, **changes))).eval()


def objects(name: str) -> InstanceData:
    entry = golden()['targets'][name]
    return InstanceData(
        bboxes_3d=LiDARInstance3DBoxes(torch.tensor(entry['boxes']), box_dim=9), labels_3d=torch.tensor(entry['labels'])
    )


def test_the_rule_that_makes_the_numbers() -> None:
    expected = golden()['fill_rule']['check']
    assert hashed('check', 5).tolist() == pytest.approx(expected['u_check_5'], abs=1e-12)
    assert hashed('check', 1000001)[-1] == pytest.approx(expected['u_check_at_1000000'], abs=1e-12)


@pytest.mark.usefixtures('place')
def test_decoder_layer() -> None:
    layer = fill(TransFusionDecoderLayer(32, **LAYER)).eval()
    with torch.no_grad():
        out = layer(
            uniform('q', (2, 32, 5)),
            uniform('k', (2, 32, 12)),
            8 * (uniform('qp', (2, 5, 2)) + 1),
            8 * (uniform('kp', (2, 12, 2)) + 1),
        )
    check(out, golden()['decoder_layer']['output'])


@pytest.mark.usefixtures('place')
@pytest.mark.parametrize('layers,entry', [(1, 'head_forward_nuscenes'), (2, 'head_two_layers')])
def test_forward(layers: int, entry: str) -> None:
    with torch.no_grad():
        preds = head(num_decoder_layers=layers)(uniform('bev', (2, 16, 16, 12)))
    for name, summary in golden()[entry]['predictions'].items():
        check(preds[name], summary)
    expected = golden()['head_forward_nuscenes']
    assert preds['query_labels'].tolist() == expected['query_labels']


@pytest.mark.usefixtures('place')
@pytest.mark.parametrize('layers,entry', [(1, 'head_predict_nuscenes'), (2, 'head_two_layers')])
def test_predict(layers: int, entry: str) -> None:
    results = head(num_decoder_layers=layers).predict(uniform('bev', (2, 16, 16, 12)), [META, META])
    for result, expected in zip(results, golden()[entry]['samples']):
        check(result.bboxes_3d.tensor, expected['bboxes'])
        check(result.scores_3d, expected['scores'])
        assert result.labels_3d.tolist() == expected['labels'] and result.labels_3d.dtype == torch.int32
        assert result.bboxes_3d.tensor[0].tolist() == pytest.approx(expected['first_box'], rel=1e-3, abs=1e-4)


@pytest.mark.usefixtures('place')
def test_a_query_without_score_is_kept_with_label_0() -> None:
    model = head()
    preds = model(uniform('bev', (2, 16, 16, 12)))
    preds['query_heatmap_score'][:, :, 3] = 0
    results = model.boxes_of(preds, [META, META])
    assert [r.labels_3d.tolist() for r in results] == golden()['zero_score_query']['labels']
    assert [len(r.scores_3d) for r in results] == golden()['zero_score_query']['n']


@pytest.mark.usefixtures('place')
def test_queries_are_local_maxima() -> None:
    entry = golden()['local_maximum']
    logits = torch.full((2, 10, 16, 12), -6.0)
    for batch, label, ix, iy, value in entry['peaks']:
        logits[int(batch), int(label), int(ix), int(iy)] = value
    index, labels, scores = head().choose_queries(logits)
    for sample, expected in enumerate(entry['expected']):
        for query, (label, ix, iy, score) in enumerate(expected):
            assert (int(labels[sample, query]), divmod(int(index[sample, query]), 12)) == (label, (ix, iy))
            assert float(scores[sample, label, query]) == pytest.approx(score, abs=1e-6)


@pytest.mark.usefixtures('place')
def test_circle_nms() -> None:
    entry = golden()['circle_nms']
    preds = {name: torch.tensor(value) for name, value in entry['inputs'].items()}
    preds['query_labels'] = torch.tensor(entry['query_labels'])
    model = head(4.8, num_proposals=8, circle_nms={8: 0.175, 9: 0.175})
    result = model.boxes_of(preds, [META])[0]
    assert torch.allclose(result.bboxes_3d.tensor, torch.tensor(entry['bboxes']), atol=1e-5)
    assert torch.allclose(result.scores_3d, torch.tensor(entry['scores']), atol=1e-6)
    assert result.labels_3d.tolist() == entry['labels']


def test_circle_nms_compares_squared_distances_within_a_class() -> None:
    centres = torch.tensor([[0.0, 0.0], [0.4, 0.0], [0.6, 0.0], [0.0, 0.0]])
    scores, labels = torch.tensor([0.5, 0.9, 0.8, 0.1]), torch.tensor([1, 1, 1, 0])
    assert circle_nms_mask(centres, scores, labels, {1: 0.165}).tolist() == [False, True, False, True]
    assert circle_nms_mask(centres, scores, labels, {1: 0.03}).tolist() == [True, True, True, True]


def test_targets(place: torch.device) -> None:
    entry, model = golden()['targets'], head(4.8)
    preds = model(uniform('bevs4', (2, 16, 16, 16)))
    boxes, labels = labelled_objects([objects('gt0'), objects('gt1')], place, model.num_classes, True)
    targets = model.targets(preds, boxes, labels)
    matched = [[*pair, int(targets.labels[tuple(pair)])] for pair in targets.matched.nonzero().tolist()]
    assert matched == entry['matched']
    assert torch.allclose(targets.boxes[targets.matched], torch.tensor(entry['bbox_targets']), atol=1e-4)
    assert float(targets.mean_iou) == pytest.approx(entry['mean_iou'], abs=1e-5)
    assert (targets.labels[~targets.matched] == entry['background_label']).all()
    maps = torch.stack([heatmap_target(b, c, 10, (16, 16), [-4.8, -4.8], [0.6, 0.6]) for b, c in zip(boxes, labels)])
    check(maps, entry['heatmap'])
    assert sorted((maps == 1).nonzero().tolist()) == sorted(entry['heatmap_peaks'])


@pytest.mark.usefixtures('place')
def test_losses_and_gradients() -> None:
    entry, model = golden()['losses_eval'], head(4.8)
    bev = uniform('bevs4', (2, 16, 16, 16)).requires_grad_()
    losses = model.loss(bev, [objects('gt0'), objects('gt1')])
    assert set(losses) == set(entry['losses'])
    for name, expected in entry['losses'].items():
        assert float(losses[name].detach()) == pytest.approx(expected, rel=1e-4), name
    total = sum(value for name, value in losses.items() if 'loss' in name)
    assert float(total.detach()) == pytest.approx(entry['total'], rel=1e-4)
    total.backward()
    # float32 sums in another order put single ReLU inputs on the other side of zero: a few
    # entries of a gradient differ between processors, by 2e-4 of its absolute sum so far.
    for name, summary in entry['grads'].items():
        check(model.get_parameter(name).grad, summary, relative=5e-2)
    check(bev.grad, entry['input_grad'], relative=5e-2)


def test_heatmap_radius_and_axes() -> None:
    for dx, dy, _, radius in golden()['gaussian_radius']['table']:
        box = torch.tensor([[0.3, 1.5, 0.0, dx, dy, 1.0, 0.0]])
        target = heatmap_target(box, torch.tensor([0]), 1, (40, 30), [-12.0, -9.0], [0.6, 0.6])[0]
        assert target[20, 17] == 1
        assert (target > 0).any(1).sum() == (target > 0).any(0).sum() == 2 * radius + 1


def test_two_layers_are_both_supervised_and_samples_without_objects_train() -> None:
    model = head(4.8, num_decoder_layers=2).train()
    empty = InstanceData(
        bboxes_3d=LiDARInstance3DBoxes(torch.zeros(0, 9), box_dim=9), labels_3d=torch.zeros(0, dtype=torch.long)
    )
    losses = model.loss(uniform('bevs4', (2, 16, 16, 16)), [empty, objects('gt0')])
    assert {'layer_0_loss_cls', 'layer_-1_loss_cls', 'layer_0_loss_bbox', 'layer_-1_loss_bbox'} < set(losses)
    sum(value for name, value in losses.items() if 'loss' in name).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    nothing = model.loss(uniform('bevs4', (1, 16, 16, 16)), [empty])
    assert float(nothing['layer_-1_loss_bbox'].detach()) == 0 and nothing['loss_heatmap'] > 0


def test_a_head_learns_an_object() -> None:
    """A few steps on one scene put its highest boxes where the objects are, on a non-square grid."""
    torch.manual_seed(0)
    model = MODELS.build(config(num_classes=3, small_classes=(), num_proposals=10)).train()
    boxes = torch.tensor(
        [[2.0, 1.2, -1.0, 1.9, 0.9, 1.5, 0.6, 0.5, 0.0], [-3.0, -2.0, -1.0, 1.0, 0.6, 1.7, -1.2, 0.0, 0.0]]
    )
    truth = InstanceData(bboxes_3d=LiDARInstance3DBoxes(boxes, box_dim=9), labels_3d=torch.tensor([0, 2]))
    bev = torch.randn(1, 16, 16, 12)
    optim = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(120):
        losses = model.loss(bev, [truth])
        optim.zero_grad()
        sum(value for name, value in losses.items() if 'loss' in name).backward()
        optim.step()
    found = model.eval().predict(bev, [META])[0]
    best = found.scores_3d.argsort(descending=True)[:2]
    assert sorted(found.labels_3d[best].tolist()) == [0, 2]
    for row in best.tolist():
        expected = boxes[0 if found.labels_3d[row] == 0 else 1]
        assert torch.allclose(found.bboxes_3d.tensor[row, :3], expected[:3], atol=0.3)
        assert found.scores_3d[row] > 0.3


def test_a_new_head_with_a_prior_begins_with_a_small_loss() -> None:
    """Else the first steps train encoders, pre-trained ones too, for a heatmap of one half everywhere."""

    def first(**changes) -> float:
        torch.manual_seed(0)
        model = MODELS.build(config(4.8, **changes)).train()
        return float(model.loss(uniform('bevs4', (2, 16, 16, 16)), [objects('gt0')] * 2)['loss_heatmap'].detach())

    assert first(heatmap_prior=0.1) < first() / 10


@pytest.mark.parametrize(
    'changes,message',
    [
        (dict(num_proposals=5000), 'exceeds the 10 classes'),
        (dict(nms_kernel_size=2), 'must be odd'),
        (dict(heatmap_prior=1.0), 'heatmap_prior must lie between'),
        (dict(decoder_layer=dict(num_heads=5)), 'must divide hidden_channel'),
        (dict(post_center_range=[1, 2]), 'post_center_range'),
    ],
)
def test_bad_configurations_are_explained(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MODELS.build(config(**changes))


def test_bad_inputs_are_explained() -> None:
    model = head(4.8)
    with pytest.raises(ValueError, match=r'the head expects \(16, 16\)'):
        model(uniform('bev', (1, 16, 16, 12)))
    bev = uniform('bev', (1, 16, 16, 16))
    with pytest.raises(ValueError, match='with_annotations=True'):
        model.loss(bev, [InstanceData()])
    wrong = objects('gt0')
    wrong.labels_3d = torch.tensor([0, -1, 2, 3])
    with pytest.raises(ValueError, match='ObjectNameFilter'):
        model.loss(bev, [wrong])
    flat = InstanceData(bboxes_3d=LiDARInstance3DBoxes(torch.ones(1, 7)), labels_3d=torch.tensor([0]))
    with pytest.raises(ValueError, match='with_velocity=False'):
        model.loss(bev, [flat])
