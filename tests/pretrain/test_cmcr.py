from __future__ import annotations

import copy
from functools import partial
from typing import List

import numpy as np
import pytest
import torch
from mmdet3d.registry import MODELS
from mmdet3d.structures import PointData

from projects.CLAP.clap.engine.hooks.unmasked_norm_hook import estimate_norm_statistics
from projects.CLAP.clap.errors import ConfigError, DataError
from projects.CLAP.clap.pretrain.cmcr import CMCR
from projects.CLAP.clap.pretrain.heads.cmcr_heads import PixelHead
from projects.CLAP.clap.pretrain.pictures import Picture
from projects.CLAP.clap.pretrain.point_pixel import hide, pairs_of, stand_ins
from tests.fixtures.ranks import assert_ranks_equal_one
from tests.fixtures.tiny import batch, losses_of, street, tiny_model

#: The five rows of the paper's Table 6.
ROWS = [
    dict(reconstruct=False, num_codewords=0, geometry=False, orthogonal=False),
    dict(num_codewords=0, geometry=False, orthogonal=False),
    dict(geometry=False, orthogonal=False),
    dict(orthogonal=False),
    dict(num_classes=3, vmf_start=0),
]
TERMS = [
    {'contrast'},
    {'contrast', 'image', 'occupancy'},
    {'contrast', 'image', 'occupancy', 'commitment'},
    {'contrast', 'image', 'occupancy', 'commitment'},
    {'contrast', 'image', 'occupancy', 'commitment', 'orthogonal', 'vmf'},
]


def config(**overrides: object) -> dict:
    own = ('render_head', 'ray_sampler', 'prototype_head', 'masking')
    cfg = {key: value for key, value in tiny_model().items() if key not in own}
    small = dict(channels=16, num_pairs=128, num_queries=300, num_supports=256, num_codewords=16, decay=0.9)
    return {**cfg, 'type': 'CMCR', 'view_transform': None, 'fusion_layer': None, **small, **overrides}


def model_of(**overrides: object) -> CMCR:
    torch.manual_seed(0)
    return MODELS.build(config(**overrides)).train()


def labelled(data: dict) -> dict:
    """Weak classes: the side of a point, some unknown."""
    for sample, points in zip(data['data_samples'], data['inputs']['keyframe_points']):
        classes = (points[:, 1] > 0).to(torch.uint8)
        classes[::7] = 255
        sample.gt_pts_seg = PointData(pts_semantic_mask=classes)
    return data


def total(losses: dict) -> torch.Tensor:
    return sum(value for name, value in losses.items() if 'loss' in name)


@pytest.mark.parametrize('row', range(5))
def test_every_row_of_the_ladder_trains_all_that_it_has(row: int) -> None:
    model, data = model_of(**ROWS[row]), labelled(batch(1))
    losses = losses_of(model, data)
    assert {name for name in losses if 'loss' in name} == {f'loss_{term}' for term in TERMS[row]}
    total(losses).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and float(parameter.grad.abs().sum()) > 0, name
    parts = {name for name, _ in model.named_children()} & {'specific', 'colour_decoder', 'codebook'}
    assert parts == [set(), {'specific', 'colour_decoder'}, {'specific', 'colour_decoder', 'codebook'}][min(row, 2)]


def test_points_stand_in_for_pixels_only_where_geometry_says_so() -> None:
    """Then, and only then, the colours teach the LiDAR branch."""
    for geometry in (False, True):
        model = model_of(geometry=geometry)
        losses_of(model, batch(1))['loss_image'].backward()
        grads = [p.grad for p in (*model.shared.point.parameters(), *model.pts_middle_encoder.parameters())]
        assert all((g is not None and float(g.abs().sum()) > 0) == geometry for g in grads)


def test_pairs_are_where_a_loop_puts_them_and_hidden_ones_are_not_contrasted() -> None:
    model, data = model_of(min_range_m=0.0), batch(1)
    inputs = model.data_preprocessor(copy.deepcopy(data), training=True)
    metas = [sample.metainfo for sample in inputs['data_samples']]
    sweep, view = model.sweeps(inputs['inputs'], metas)[0], model.views(inputs['inputs'], metas)[0]
    allowed = model.targets(sweep)
    assert not (allowed & sweep.heldout).any() and float(allowed.float().mean()) > 0.8
    pairs, found = pairs_of(sweep.points, view, allowed), []
    for camera, matrix in enumerate(metas[0]['lidar2img']):
        for index in allowed.nonzero()[:, 0].tolist():
            x, y, depth = (matrix @ np.append(sweep.points[index].numpy(), 1))[:3]
            if depth > 0 and 0 <= x / depth < 128 and 0 <= y / depth < 64:
                found.append((camera, index))
    assert list(zip(pairs.camera.tolist(), pairs.point.tolist())) == found
    contrasted, hiding = [], {}
    contrast, restore = model.contrast, model.restore
    model.contrast = lambda *args: contrasted.extend(args[3]) or contrast(*args)
    model.restore = lambda *args: hiding.update(standing=args[3][0]) or restore(*args)
    losses_of(model, data)
    taken, (cells, points) = contrasted[0], hiding['standing']
    assert len(taken.point) == 128 and not sweep.heldout[taken.point].any() and not sweep.heldout[points].any()
    camera, row, column = taken.cells(8)
    assert not set(((camera * 8 + row) * 16 + column).tolist()) & set(cells.tolist()), 'a pixel of a hidden cell'


def test_the_nearest_point_stands_in_for_a_hidden_cell() -> None:
    model = model_of()
    inputs = model.data_preprocessor(batch(1), training=True)
    view = model.views(inputs['inputs'], [s.metainfo for s in inputs['data_samples']])[0]
    # straight ahead in camera 0, two behind one another, one behind the car, which camera 1 sees
    points = torch.tensor([[8.0, -0.2, -0.2], [4.0, -0.1, -0.1], [-4.0, -0.1, -0.1]])
    pairs = pairs_of(points, view, torch.ones(3, dtype=torch.bool))
    hidden = torch.zeros(2, 8, 16, dtype=torch.bool)
    hidden[0, 4, 8] = True
    cells, chosen = stand_ins(pairs, hidden, 8)
    assert cells.tolist() == [4 * 16 + 8] and chosen.tolist() == [1]


def test_half_of_every_image_is_hidden_by_patches() -> None:
    model = model_of()
    imgs = torch.rand(2, 3, 3, 64, 128) + 1
    draws = [torch.Generator().manual_seed(seed) for seed in (0, 1)]
    masked, hidden = hide(model.masking, imgs, draws, 8)
    assert hidden.shape == (2, 3, 8, 16) and (hidden.float().mean((-2, -1)) == 0.5).all()
    pixels = hidden.repeat_interleave(8, -2).repeat_interleave(8, -1)[:, :, None]
    assert torch.equal(masked, torch.where(pixels, torch.zeros(()), imgs))
    patches = hidden.unfold(-2, 2, 2).unfold(-2, 2, 2).flatten(-2)
    assert (patches.all(-1) | ~patches.any(-1)).all(), 'patches of 16 pixels, two cells'
    assert not torch.equal(hidden[0], hidden[1])


def test_a_step_depends_on_its_seed_and_on_the_codebook_which_is_in_the_checkpoint() -> None:
    model, data = model_of(), batch(1)
    losses_of(model, data)
    state = copy.deepcopy(model.state_dict())
    assert float(state['codebook.counts'].sum()) == pytest.approx(0.1 * 2 * 128)
    values = []
    for seed in (1, 1, 2):
        model.load_state_dict(state)
        values.append((float(total(losses_of(model, data, seed)).detach()), model.codebook.codewords.clone()))
    assert values[0][0] == values[1][0] != values[2][0]
    assert torch.equal(values[0][1], values[1][1]) and not torch.equal(values[0][1], state['codebook.codewords'])
    model.eval()
    model(**model.data_preprocessor(batch(1), training=False), mode='predict')
    model.load_state_dict(state)
    assert torch.equal(model.codebook.codewords, state['codebook.codewords'])


def test_it_learns_one_frame() -> None:
    """Images whose colours tell where a pixel is."""
    data = batch(1)
    row, column = torch.meshgrid(torch.arange(64) * 4, torch.arange(128) * 2, indexing='ij')
    for camera in range(2):
        data['inputs']['img'][0][camera] = torch.stack([row, column, 0 * row + 200 * camera]).to(torch.uint8)
    model = model_of(min_range_m=0.0)
    optimizer, seen = torch.optim.AdamW(model.parameters(), 3e-3), []
    for step in range(30):
        optimizer.zero_grad()
        losses = losses_of(model, data, step)
        total(losses).backward()
        optimizer.step()
        seen.append({name: float(value.detach()) for name, value in losses.items()})
    first, last = ({k: np.mean([s[k] for s in part]) for k in seen[0]} for part in (seen[:3], seen[-3:]))
    assert last['loss_contrast'] < first['loss_contrast'] - 1.0
    assert last['loss_image'] < 0.8 * first['loss_image']
    assert last['loss_occupancy'] < first['loss_occupancy'] - 0.05
    estimate_norm_statistics(model, [copy.deepcopy(data)])
    figures = figures_of(model, data)
    assert figures['retrieval'] > 3 * figures['retrieval_chance']


def figures_of(model: CMCR, data: dict) -> dict:
    model.eval()
    out = model(**model.data_preprocessor(copy.deepcopy(data), training=False), mode='predict')
    return {name: a / b for name, (a, b) in out[0].get('figures').items()}


@pytest.mark.parametrize('row', [0, 2, 4])
def test_evaluation_hides_the_held_back_points_and_repeats_itself(row: int) -> None:
    model, data, seen = model_of(**ROWS[row]), labelled(batch(1)), []
    encode = model.encode
    model.encode = lambda points, *args: seen.append(len(points[0])) or encode(points, *args)
    figures = figures_of(model, data)
    held = int(model.heldout(data['inputs']['keyframe_points'][0]).sum())
    assert seen == [len(data['inputs']['points'][0]) - held] and held > 300
    assert figures == figures_of(model, data)
    expected = {'retrieval', 'retrieval_chance'}
    if row:
        expected |= {'codes_of_both', 'code_agreement', 'colour_error', 'colour_error_of_mean'}
        shares = ('accuracy', 'accuracy_of_prior', 'near_accuracy', 'balanced_accuracy')
        expected |= {f'occupancy_{name}' for name in shares}
        expected |= {f'occupancy_cross_entropy{of}' for of in ('', '_of_prior', '_without_map')}
    if row == 4:  # the only one of these with points that stand in
        expected.add('colour_error_without_points')
    assert set(figures) == expected
    assert all(np.isfinite(value) for value in figures.values())


def test_what_it_says_is_what_it_logs() -> None:
    for row, rules in ((0, 1), (1, 4), (2, 6), (4, 7)):
        model = model_of(**ROWS[row])
        assert len(CMCR.declare(model.facts()).rules) == rules
    logged = {*losses_of(model, labelled(batch(1)))}
    logged |= {f'heldout/{name}' for name in figures_of(model, labelled(batch(1)))}
    judged = {name for rule in CMCR.declare({}).rules for name in (*rule.scalars, rule.over) if name}
    charted = {name for chart in CMCR.declare({}).charts for name in chart.scalars}
    assert judged | charted <= logged
    data = model.data_preprocessor(batch(1), training=False)
    drawn = model.pictures(data, list(CMCR.picture_titles))
    assert set(drawn) == set(CMCR.picture_titles) and all(isinstance(one, Picture) for one in drawn.values())
    assert len(drawn['restored'].blocks[0].panels) == 8, 'four for each of two cameras'
    drawn = model_of(**ROWS[2]).pictures(data, ['restored'])
    assert len(drawn['restored'].blocks[0].panels) == 6, 'nothing stands in'


@pytest.mark.parametrize('kind', ['empty', 'unseen'])
def test_frames_with_nothing_to_learn_from_give_connected_zeros(kind: str) -> None:
    cloud = street()
    if kind == 'unseen':  # above both cameras' views
        cloud[:, 2] += 60
    data = labelled(batch(clouds=[cloud[: 0 if kind == 'empty' else len(cloud)]]))
    model = model_of(**ROWS[4])
    losses = losses_of(model, data)
    assert torch.isfinite(total(losses)) and float(losses['loss_contrast'].detach()) == 0
    total(losses).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())
    assert torch.isfinite(model.codebook.codewords).all()
    figures_of_nothing = model.eval()(**model.data_preprocessor(data, training=False), mode='predict')
    assert figures_of_nothing[0].get('figures')['retrieval'][1] == 0


@pytest.mark.parametrize(
    ('classes', 'message'),
    [
        (torch.zeros(10, dtype=torch.uint8), 'expected one weak label for each of the 3750 points'),
        (torch.full((3750,), 9, dtype=torch.uint8), 'class 9 among the weak labels'),
    ],
)
def test_weak_labels_of_other_points_or_classes_are_refused(classes: torch.Tensor, message: str) -> None:
    data = batch(1)
    data['data_samples'][0].gt_pts_seg = PointData(pts_semantic_mask=classes)
    with pytest.raises(DataError, match=message):
        losses_of(model_of(num_classes=3), data)


def test_missing_inputs_are_named() -> None:
    with pytest.raises(ConfigError, match='set semantic_classes'):
        losses_of(model_of(num_classes=3), batch(1))
    data, model = batch(1), model_of()
    del data['inputs']['img']
    for mode in ('loss', 'predict'):
        with pytest.raises(ConfigError, match='load images'):
            model(**model.data_preprocessor(copy.deepcopy(data), training=False), mode=mode)


def test_a_pixel_at_the_border_has_the_feature_of_its_cell() -> None:
    head, maps = PixelHead(3, 4), torch.randn(2, 3, 8, 16)
    uv = torch.tensor([[0.5, 0.5], [127.5, 63.5], [12.0, 0.1], [60.0, 28.0]])
    camera, column, row = torch.tensor([0, 1, 1, 0]), [0, 15, 1, 7], [0, 7, 0, 3]
    torch.testing.assert_close(head.at(maps, camera, uv, 8), head(maps)[camera, :, row, column])


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(img_backbone=None, img_neck=None), 'needs pts_middle_encoder and img_backbone; for LiDAR alone'),
        (dict(view_transform=tiny_model()['view_transform']), 'view_transform=None'),
        (dict(masking=dict(patch=12)), 'masking.patch must be a multiple of 8'),
        (dict(reconstruct=False), 'geometry=False orthogonal=False'),
        (dict(radius_m=0.0), 'radius_m must be positive'),
        (dict(decay=1.0), r'decay must be in \[0, 1\)'),
    ],
)
def test_bad_configurations_say_the_way_out(options: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        model_of(**options)


# ---------------------------------------------------------------- ranks


def test_ranks_equal_one(tmp_path) -> None:
    """Losses, gradients, codebook and class means; one cloud is empty, one small."""
    streets: List[np.ndarray] = [street(num=1200, seed=seed) for seed in range(4)]
    streets[1], streets[2] = streets[1][:0], streets[2][:300]
    data = labelled(batch(clouds=streets))
    assert_ranks_equal_one(partial(model_of, **ROWS[4]), data, tmp_path, gradient_tolerance=5e-4)
