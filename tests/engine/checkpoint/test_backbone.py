"""The image backbone's weights arrive from any layout of the file, or the run does not begin."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Dict

import pytest
import torch
from mmdet.models.backbones import ResNet, SwinTransformer
from mmdet.models.backbones.swin import swin_converter
from torch import Tensor, nn

from projects.CLAP.clap.engine.checkpoint.backbone import init_model
from projects.CLAP.clap.errors import CheckpointError

State = Dict[str, Tensor]


def swin(file: object = None, **changes) -> SwinTransformer:
    arguments = dict(embed_dims=8, depths=[2, 2], num_heads=[2, 2], strides=[4, 2], out_indices=(0, 1), window_size=2)
    init_cfg = dict(type='Pretrained', checkpoint=str(file)) if file else None
    return SwinTransformer(**{**arguments, **changes}, init_cfg=init_cfg)


class Model(nn.Module):
    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.img_backbone = backbone

    def init_weights(self) -> None:
        self.img_backbone.init_weights()


def authors(state: State) -> State:
    """The names of Swin's authors; the order inside ``downsample`` is theirs, too, and converted while loading."""
    names = {'stages.': 'layers.', 'attn.w_msa.': 'attn.', 'ffn.layers.0.0.': 'mlp.fc1.', 'ffn.layers.1.': 'mlp.fc2.'}
    names['projection'] = 'proj'
    renamed = {}
    for key, value in state.items():
        for ours, theirs in names.items():
            key = key.replace(ours, theirs, 1)
        renamed[key] = value
    return renamed


LAYOUTS: Dict[str, Callable[[State], object]] = {
    'of the authors': lambda state: dict(model={**authors(state), 'head.weight': torch.zeros(3, 8)}),
    'of a detector': lambda state: dict(
        state_dict={**{f'backbone.{key}': value for key, value in state.items()}, 'neck.weight': torch.zeros(3)}
    ),
    'of a run of ours': lambda state: dict(state_dict={f'img_backbone.{key}': value for key, value in state.items()}),
    'of the authors, distributed': lambda state: {f'module.{key}': value for key, value in authors(state).items()},
    'bare': lambda state: state,
}


@pytest.mark.parametrize('converts', [True, False])
@pytest.mark.parametrize('layout', list(LAYOUTS))
def test_every_layout_gives_the_weights(tmp_path: Path, layout: str, converts: bool) -> None:
    torch.manual_seed(1)
    given = {
        key: torch.rand_like(value) if value.is_floating_point() else value
        for key, value in swin().state_dict().items()
    }
    torch.save(LAYOUTS[layout](given), tmp_path / 'swin.pth')
    model = Model(swin(tmp_path / 'swin.pth', convert_weights=converts))
    init_model(model)
    expected = given
    if 'authors' in layout:
        expected = {key[len('backbone.') :]: value for key, value in swin_converter(authors(given)).items()}
    for key, value in model.img_backbone.state_dict().items():
        assert torch.equal(value, expected[key]), key
    assert model.img_backbone.init_cfg['checkpoint'] == str(tmp_path / 'swin.pth')
    assert model.img_backbone.convert_weights == converts


def test_another_window_is_interpolated_and_norms_may_be_new(tmp_path: Path) -> None:
    given = {key: value for key, value in swin().state_dict().items() if not key.startswith('norm')}
    torch.save(given, tmp_path / 'swin.pth')
    model = Model(swin(tmp_path / 'swin.pth', window_size=3))
    init_model(model)
    table = 'stages.0.blocks.0.attn.w_msa.qkv.weight'
    assert torch.equal(model.img_backbone.state_dict()[table], given[table])


@pytest.mark.parametrize(
    'content, message',
    [
        (lambda: swin(embed_dims=16).state_dict(), r'patch_embed.* in the file, .* here'),
        (lambda: ResNet(18).state_dict(), 'has no entry of a SwinTransformer. It holds conv1.weight'),
        (
            lambda: {k: v for k, v in swin().state_dict().items() if 'stages.1' not in k},
            r'% of the numbers, expected 99%[\s\S]*stages.1.* is missing',
        ),
        (lambda: dict(optimizer={}), 'holds no weights'),
        (lambda: {k: v * float('nan') for k, v in swin().state_dict().items()}, 'was not taken'),
    ],
)
def test_what_does_not_fit_is_named_before_training(tmp_path: Path, content: Callable, message: str) -> None:
    torch.save(content(), tmp_path / 'other.pth')
    with pytest.raises(CheckpointError, match=message):
        init_model(Model(swin(tmp_path / 'other.pth')))


def test_without_weights_it_is_the_model_s_own_way() -> None:
    model = Model(swin())
    before = model.img_backbone.state_dict()['stages.0.blocks.0.ffn.layers.1.weight'].clone()
    init_model(model)
    assert not torch.equal(before, model.img_backbone.state_dict()['stages.0.blocks.0.ffn.layers.1.weight'])
