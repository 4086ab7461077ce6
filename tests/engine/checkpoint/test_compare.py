"""A checkpoint of another model: what does not fit is listed, and what to give instead."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from projects.CLAP.clap.engine.checkpoint.compare import mismatch
from projects.CLAP.clap.engine.checkpoint.restore import restore_model, single_batch
from projects.CLAP.clap.errors import CheckpointError, DataError
from tests.fixtures.tiny import build, tiny_model


def test_geometry_is_told_from_weights() -> None:
    model = build()
    state = dict(model.state_dict())
    frustum = state['view_transform.frustum']
    state['view_transform.frustum'] = frustum[:, 1:]
    text = str(mismatch(model, state, 'epoch_8.pth', RuntimeError('of MMEngine')))
    other = tuple(frustum[:, 1:].shape)
    assert f'view_transform.frustum: {other} in the checkpoint, {tuple(frustum.shape)} here' in text
    assert 'another image size' in text and '%' not in text and 'incomplete' not in text
    assert 'work directory' in text and 'of MMEngine' not in text


def refusal(state: dict, tmp_path: Path) -> str:
    """What is said about a checkpoint that the tiny model does not take."""
    file = tmp_path / 'other.pth'
    torch.save(dict(state_dict=state, meta={}), file)
    cfg = Config(dict(model=tiny_model(), val_dataloader=dict(dataset=dict(type='CLAPDataset'))))
    with pytest.raises(CheckpointError) as caught:
        restore_model(cfg, str(file))
    return str(caught.value)


def test_a_rebuilt_dict_is_told_from_another_configuration(tmp_path: Path) -> None:
    """Names and shapes fit, and the loader permutes and refuses the sparse kernels."""
    text = refusal(dict(build().state_dict()), tmp_path)
    assert 'could not be loaded whole' in text
    assert '21 entries of fitting shape were refused by the model, e.g. pts_middle_encoder' in text
    assert 'has lost the layout version' in text and 'Give the configuration' not in text
    assert [line.split()[1] for line in text.splitlines() if line.startswith('! ')] == ['pts_middle_encoder']


@pytest.mark.parametrize('name', ['dx', 'bx', 'nx', 'frustum'])
def test_geometry_of_equal_shape_is_compared_by_value(name: str, tmp_path: Path) -> None:
    state = build().state_dict()
    state[f'view_transform.{name}'] = state[f'view_transform.{name}'] + 1
    text = refusal(state, tmp_path)
    other, own = {'dx': (2.0, 1.0), 'bx': (-14.5, -15.5), 'nx': (33.0, 32.0), 'frustum': (1.0, 0.0)}[name]
    assert f'view_transform.{name}: [{other}, ' in text and f' in the checkpoint, [{own}, ' in text
    assert text.count('in the checkpoint,') == 1 and 'other bounds' in text and 'Give the configuration' in text


def test_a_reason_that_no_entry_shows_is_passed_on() -> None:
    model = build()
    text = str(mismatch(model, model.state_dict(), 'epoch_8.pth', RuntimeError('out of memory')))
    assert '  - out of memory' in text


def test_every_other_entry_is_listed_and_marked(tmp_path: Path) -> None:
    state = build().state_dict()
    state['prototype_head.prototypes'] = torch.zeros(3, 5)
    key = next(key for key in state if key.startswith('pts_neck.'))
    del state[key]
    state['extra.weight'] = torch.zeros(1)
    text = refusal(state, tmp_path)
    assert 'prototype_head.prototypes: (3, 5) in the checkpoint' in text
    assert f'{key} is missing' in text and 'extra.weight is in the checkpoint' in text
    marked = [line.split()[1] for line in text.splitlines() if line.startswith('! ')]
    assert sorted(marked) == ['extra', 'prototype_head', 'pts_neck'] and '*' not in text


def test_a_frame_that_does_not_exist() -> None:
    with pytest.raises(DataError, match='frame 99 does not exist: the dataset has frames 0 to 2'):
        single_batch(build(), [0, 1, 2], 99)
