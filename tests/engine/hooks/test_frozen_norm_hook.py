"""Running statistics of frozen encoders, made anew before a probe."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import pytest
import torch
from torch.nn.modules.batchnorm import _BatchNorm

from projects.CLAP.clap.engine.hooks.frozen_norm_hook import FrozenNormHook
from tests.fixtures.tiny_detector import TinyLabelledFrames, build_detector


def runner_of(model: torch.nn.Module) -> SimpleNamespace:
    return SimpleNamespace(model=model, seed=0, epoch=3, train_dataloader=SimpleNamespace(dataset=TinyLabelledFrames()))


def test_statistics_become_those_of_the_features_and_nothing_else_changes() -> None:
    model = build_detector(freeze_encoders=True)
    before = copy.deepcopy(model.state_dict())
    random = torch.get_rng_state()
    FrozenNormHook(num_frames=2).before_train(runner_of(model))
    assert torch.equal(torch.get_rng_state(), random)
    after = model.state_dict()
    changed = {key for key in after if not torch.equal(after[key], before[key])}
    assert all(key.split('.')[-1] in ('running_mean', 'running_var', 'num_batches_tracked') for key in changed)
    parts = {key.split('.')[0] for key in changed}
    assert {'pts_middle_encoder', 'fusion_layer', 'pts_backbone', 'pts_neck'} <= parts and 'bbox_head' not in parts
    # The first norm behind the fusion now normalises what really comes out of its convolution.
    inputs, seen = [TinyLabelledFrames()[i] for i in range(2)], []
    handle = model.fusion_layer[1].register_forward_hook(lambda module, args, out: seen.append(args[0]))
    for frame in inputs:
        batch = dict(inputs={k: [v] for k, v in frame['inputs'].items()}, data_samples=[frame['data_samples']])
        data = model.data_preprocessor(batch, training=False)
        model.extract_feat(data['inputs'], [sample.metainfo for sample in data['data_samples']])
    handle.remove()
    mean = torch.stack([x.mean((0, 2, 3)) for x in seen]).mean(0)
    assert mean.abs().max() > 0.2  # before: 0; not exactly equal, because estimating normalises each frame by itself
    assert torch.allclose(model.fusion_layer[1].running_mean, mean, atol=0.02)
    assert model.training and not model.pts_backbone.training, 'modes are as before'
    assert all(m.momentum is not None for m in model.modules() if isinstance(m, _BatchNorm))
    again = copy.deepcopy(model.state_dict())
    FrozenNormHook(num_frames=2).before_train(runner_of(model))
    assert all(torch.equal(value, again[key]) for key, value in model.state_dict().items()), 'a resumed run agrees'


def test_it_is_for_frozen_encoders() -> None:
    with pytest.raises(TypeError, match='freeze_encoders=True'):
        FrozenNormHook().before_train(runner_of(build_detector()))
    with pytest.raises(ValueError, match='num_frames'):
        FrozenNormHook(num_frames=0)
