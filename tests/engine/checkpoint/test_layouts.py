"""Encoders in other projects' files, by value: independent networks under those projects' names say what ours say."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Dict, Iterator, List

import pytest
import torch
from mmdet3d.registry import MODELS
from spconv.pytorch import SparseConv3d, SparseConvTensor, SubMConv3d
from torch import Tensor, nn

from projects.CLAP.clap.engine.checkpoint import layout_check, layouts
from projects.CLAP.clap.engine.checkpoint.compare import checkpoint_state
from projects.CLAP.clap.engine.checkpoint.export import merge_encoders
from projects.CLAP.clap.engine.checkpoint.read import load_checkpoint_file
from projects.CLAP.clap.errors import CheckpointError

GRID = (32, 48, 41)
NORM = dict(type='BN1d', eps=1e-3, momentum=0.01)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """spconv's own convolution is right with one thread only."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope='module')
def ours() -> nn.ModuleDict:
    """The paper's LiDAR encoder, and a BEV half as wide, with statistics that are not those of initialisation."""
    torch.manual_seed(0)
    parts = nn.ModuleDict(
        dict(
            pts_middle_encoder=MODELS.build(
                dict(type='CLAPSparseEncoder', in_channels=5, sparse_shape=GRID, norm_cfg=NORM)
            ),
            fusion_layer=MODELS.build(dict(type='CLAPConvFuser', in_channels=[80, 256], out_channels=256)),
            pts_backbone=MODELS.build(
                dict(
                    type='SECOND',
                    in_channels=256,
                    out_channels=[32, 64],
                    layer_nums=[2, 2],
                    layer_strides=[1, 2],
                    norm_cfg=dict(type='BN', eps=1e-3, momentum=0.01),
                    conv_cfg=dict(type='Conv2d', bias=False),
                )
            ),
            pts_neck=MODELS.build(
                dict(
                    type='SECONDFPN',
                    in_channels=[32, 64],
                    out_channels=[32, 64],
                    upsample_strides=[1, 2],
                    norm_cfg=dict(type='BN', eps=1e-3, momentum=0.01),
                    upsample_cfg=dict(type='deconv', bias=False),
                    use_conv_for_no_stride=True,
                )
            ),
        )
    )
    for name, value in parts.state_dict().items():
        if name.endswith(('running_mean', 'running_var')):
            value.copy_(torch.rand_like(value) + (0.5 if name.endswith('var') else -0.5))
    return parts.eval()


@pytest.fixture()
def checkpoint(ours: nn.ModuleDict, tmp_path: Path) -> str:
    torch.save(dict(state_dict=ours.state_dict(), meta={}), tmp_path / 'pretrained.pth')
    return str(tmp_path / 'pretrained.pth')


def cloud() -> tuple:
    """Features (V, 5) and cells (V, 4) = b, x, y, z."""
    draw = torch.Generator().manual_seed(1)
    cells = torch.stack([torch.randint(size, (1500,), generator=draw) for size in GRID], 1).unique(dim=0)
    return torch.randn(len(cells), 5, generator=draw), nn.functional.pad(cells.int(), (1, 0))


class ResidualBlock(nn.Module):
    def __init__(self, channels: int, bias: bool) -> None:
        super().__init__()
        self.conv1, self.bn1 = SubMConv3d(channels, channels, 3, padding=1, bias=bias), norm(channels)
        self.conv2, self.bn2 = SubMConv3d(channels, channels, 3, padding=1, bias=bias), norm(channels)

    def forward(self, x: SparseConvTensor) -> SparseConvTensor:
        out = self.conv1(x)
        out = self.conv2(out.replace_feature(self.bn1(out.features).relu()))
        return out.replace_feature((self.bn2(out.features) + x.features).relu())


def norm(channels: int) -> nn.BatchNorm1d:
    return nn.BatchNorm1d(channels, eps=1e-3, momentum=0.01)


class SparseStack(nn.Sequential):
    """Sparse layers, a batch norm and a rectifier after a bare convolution."""

    def forward(self, x: SparseConvTensor) -> SparseConvTensor:
        for layer in self:
            if isinstance(layer, SparseStack):
                x = layer(x)
            elif isinstance(layer, nn.BatchNorm1d):
                x = x.replace_feature(layer(x.features).relu())
            else:
                x = layer(x)
        return x


class PcdetEncoder(nn.Module):
    """OpenPCDet's VoxelResBackBone8x from its description: names, widths, strides, paddings; axes (z, y, x)."""

    def __init__(self, in_channels: int, bias: bool) -> None:
        super().__init__()
        self.conv_input = SparseStack(SubMConv3d(in_channels, 16, 3, padding=1, bias=False), norm(16))
        self.conv1 = SparseStack(ResidualBlock(16, bias), ResidualBlock(16, bias))
        for stage, (given, width) in enumerate([(16, 32), (32, 64), (64, 128)], start=2):
            padding = (0, 1, 1) if stage == 4 else 1
            down = SparseStack(SparseConv3d(given, width, 3, stride=2, padding=padding, bias=False), norm(width))
            blocks = SparseStack(down, ResidualBlock(width, bias), ResidualBlock(width, bias))
            self.add_module(f'conv{stage}', blocks)
        self.conv_out = SparseStack(SparseConv3d(128, 128, (3, 1, 1), stride=(2, 1, 1), bias=False), norm(128))

    def forward(self, features: Tensor, coords: Tensor) -> Tensor:
        x = SparseConvTensor(features, coords, list(GRID[::-1]), 1)
        for stage in (self.conv_input, self.conv1, self.conv2, self.conv3, self.conv4, self.conv_out):
            x = stage(x)
        return x.dense().flatten(1, 2)


class PcdetBev(nn.Module):
    """OpenPCDet's BaseBEVBackbone: a layer of padding first, and 1 x 1 transposed convolutions (CenterPoint)."""

    def __init__(self, transposed: bool) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(self.block(*widths) for widths in ((256, 32, 1), (32, 64, 2)))
        first = nn.ConvTranspose2d(32, 32, 1, bias=False) if transposed else nn.Conv2d(32, 32, 1, bias=False)
        ups = (first, nn.ConvTranspose2d(64, 64, 2, stride=2, bias=False))
        self.deblocks = nn.ModuleList(
            nn.Sequential(up, nn.BatchNorm2d(width, eps=1e-3), nn.ReLU()) for up, width in zip(ups, (32, 64))
        )

    @staticmethod
    def block(given: int, width: int, stride: int) -> nn.Sequential:
        layers: List[nn.Module] = [nn.ZeroPad2d(1), nn.Conv2d(given, width, 3, stride=stride, bias=False)]
        layers += [nn.BatchNorm2d(width, eps=1e-3), nn.ReLU()]
        for _ in range(2):
            layers += [nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width, eps=1e-3), nn.ReLU()]
        return nn.Sequential(*layers)

    def forward(self, bev: Tensor) -> Tensor:
        ups = []
        for block, deblock in zip(self.blocks, self.deblocks):
            bev = block(bev)
            ups.append(deblock(bev))
        return torch.cat(ups, 1)


def part(state: Dict[str, Tensor], name: str) -> OrderedDict[str, Tensor]:
    own = OrderedDict((k[len(name) + 1 :], v) for k, v in state.items() if k.startswith(f'{name}.'))
    own._metadata = layouts.sparse_metadata(own)  # mmdetection3d, loaded here, asks every sparse module for it
    return own


def close(found: Tensor, expected: Tensor) -> bool:
    return bool((found - expected).abs().max() < 1e-5 * expected.abs().max())


@pytest.mark.parametrize('to', ['openpcdet-centerpoint', 'openpcdet-bevfusion'])
def test_openpcdets_networks_say_what_ours_say(to: str, ours: nn.ModuleDict, checkpoint: str, tmp_path: Path) -> None:
    summary = merge_encoders([(checkpoint, None)], str(tmp_path / 'out.pth'), to)
    content = torch.load(tmp_path / 'out.pth', weights_only=True)
    state = content['model_state']
    encoder, bev = PcdetEncoder(5, bias=False).eval(), PcdetBev(to == 'openpcdet-centerpoint').eval()
    assert len(part(state, 'backbone_3d')) == 126
    encoder.load_state_dict(part(state, 'backbone_3d'))
    bev.load_state_dict(part(state, 'backbone_2d'))
    features, coords = cloud()
    with torch.no_grad():
        lidar = ours.pts_middle_encoder(features, coords, 1)
        assert close(encoder(features, coords[:, [0, 3, 2, 1]].contiguous()).transpose(2, 3), lidar)
        expected = ours.pts_neck(ours.pts_backbone(lidar))[0]
        assert close(bev(lidar.transpose(2, 3)).transpose(2, 3), expected)
        if to == 'openpcdet-bevfusion':
            fuser = nn.Sequential(nn.Conv2d(336, 256, 3, padding=1, bias=False), nn.BatchNorm2d(256), nn.ReLU()).eval()
            fuser.load_state_dict(part(state, 'fuser.conv'))
            camera = torch.randn(1, 80, *lidar.shape[2:])
            both = torch.cat([camera, lidar], 1).transpose(2, 3)
            assert close(fuser(both).transpose(2, 3), ours.fusion_layer([camera, lidar]))
    assert max(summary['checked'].values()) < 1e-5 and len(summary['checked']) == 2
    assert ('fusion_layer' in summary['dropped']) == (to == 'openpcdet-centerpoint'), 'what is left out is told'


def test_biases_of_openpcdets_default_are_zero(checkpoint: str, tmp_path: Path) -> None:
    merge_encoders([(checkpoint, None)], str(tmp_path / 'out.pth'), 'openpcdet-centerpoint', use_bias=True)
    state = part(torch.load(tmp_path / 'out.pth', weights_only=True)['model_state'], 'backbone_3d')
    PcdetEncoder(5, bias=True).load_state_dict(state)
    assert len(state) == 142 and all(
        bool((v == 0).all()) for k, v in state.items() if 'conv' in k and k.endswith('bias')
    )


def test_mmdetection3ds_centerpoint_says_what_ours_says(ours: nn.ModuleDict, checkpoint: str, tmp_path: Path) -> None:
    merge_encoders([(checkpoint, None)], str(tmp_path / 'out.pth'), 'mmdet3d-centerpoint')
    content = torch.load(tmp_path / 'out.pth', weights_only=True)
    encoder = MODELS.build(
        dict(
            type='SparseEncoder',
            in_channels=5,
            sparse_shape=GRID[::-1],
            output_channels=128,
            order=('conv', 'norm', 'act'),
            encoder_channels=((16, 16, 32), (32, 32, 64), (64, 64, 128), (128, 128)),
            encoder_paddings=((0, 0, 1), (0, 0, 1), (0, 0, [0, 1, 1]), (0, 0)),
            block_type='basicblock',
            norm_cfg=NORM,
        )
    ).eval()
    # As MMEngine loads it: the metadata of the file decides how mmdetection3d reads the kernels.
    whole = nn.ModuleDict(dict(pts_middle_encoder=encoder))
    assert not whole.load_state_dict(content['state_dict'], strict=False).missing_keys
    features, coords = cloud()
    with torch.no_grad():
        found = encoder(features, coords[:, [0, 3, 2, 1]].contiguous(), 1).transpose(2, 3)
        assert close(found, ours.pts_middle_encoder(features, coords, 1))


@pytest.mark.parametrize('left', [5, 4])
def test_the_check_catches_kernels_whose_axes_were_not_exchanged(
    left: int, checkpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything would load: of the sparse kernels all but the last have three equal axes."""
    turned = layouts._turned

    def only_the_others(key: str, value: Tensor, layout: str) -> Tensor:
        spared = value.dim() == left and 'conv_out' not in key and 'deblocks.0' not in key
        return value if spared else turned(key, value, layout)

    monkeypatch.setattr(layouts, '_turned', only_the_others)
    with pytest.raises(CheckpointError, match='encoder|backbone') as caught:
        merge_encoders([(checkpoint, None)], str(tmp_path / 'out.pth'), 'openpcdet-centerpoint')
    assert 'nothing was written' in str(caught.value) and not (tmp_path / 'out.pth').exists()


@pytest.mark.parametrize('to', list(layouts.LAYOUTS))
def test_the_way_back(to: str, ours: nn.ModuleDict, checkpoint: str, tmp_path: Path) -> None:
    merge_encoders([(checkpoint, None)], str(tmp_path / 'out.pth'), to, use_bias=to.startswith('openpcdet'))
    content = load_checkpoint_file(str(tmp_path / 'out.pth'), 'cpu')
    state, expected = checkpoint_state(content), ours.state_dict()
    assert len(state) == len(expected) - (0 if to.endswith('bevfusion') else 6)  # CenterPoint has no fusion
    assert all(torch.equal(value, expected[key]) for key, value in state.items())
    fresh = MODELS.build(dict(type='CLAPSparseEncoder', in_channels=5, sparse_shape=GRID, norm_cfg=NORM))
    whole = nn.ModuleDict(dict(pts_middle_encoder=fresh))
    whole.load_state_dict(content['state_dict'], strict=False)
    assert all(torch.equal(v, ours.pts_middle_encoder.state_dict()[k]) for k, v in fresh.state_dict().items())


def test_files_of_trained_models_of_others(tmp_path: Path) -> None:
    """Biases that have learned, kernels of spconv 1, and entries without a counterpart."""
    torch.manual_seed(2)
    encoder = PcdetEncoder(5, bias=False).eval()
    state = {f'backbone_3d.{key}': value for key, value in encoder.state_dict().items()}
    for name, block in encoder.named_modules():
        if isinstance(block, ResidualBlock):  # b before a norm of mean m + b is nothing before one of mean m
            for index in (1, 2):
                mean = f'backbone_3d.{name}.bn{index}.running_mean'
                bias = state[f'backbone_3d.{name}.conv{index}.bias'] = torch.randn_like(state[mean])
                state[mean] = state[mean] + bias
    state = {key: value.permute(1, 2, 3, 4, 0) if value.dim() == 5 else value for key, value in state.items()}
    torch.save(dict(model_state={**state, 'dense_head.x': torch.ones(1)}), tmp_path / 'theirs.pth')
    content = load_checkpoint_file(str(tmp_path / 'theirs.pth'), 'cpu')
    own = MODELS.build(dict(type='CLAPSparseEncoder', in_channels=5, sparse_shape=GRID, norm_cfg=NORM)).eval()
    whole = nn.ModuleDict(dict(pts_middle_encoder=own))
    assert whole.load_state_dict(content['state_dict'], strict=False).unexpected_keys == ['dense_head.x']
    features, coords = cloud()
    with torch.no_grad():
        expected = encoder(features, coords[:, [0, 3, 2, 1]].contiguous())
        assert close(own(features, coords, 1).transpose(2, 3), expected)


def test_numbers_of_a_point_are_chosen_by_name(ours: nn.ModuleDict, checkpoint: str, tmp_path: Path) -> None:
    names = ['x', 'y', 'z', 'elongation', 'intensity']
    summary = merge_encoders(
        [(checkpoint, ['pts_middle_encoder'])], str(tmp_path / 'a.pth'), 'openpcdet-centerpoint', features=names
    )
    kernel = torch.load(tmp_path / 'a.pth', weights_only=True)['model_state']['backbone_3d.conv_input.0.weight']
    own = ours.state_dict()[layouts.INPUT_KERNEL].permute(0, 3, 2, 1, 4)
    assert summary['unlearned'] == ['elongation'] and bool((kernel[..., 3] == 0).all())
    assert torch.equal(kernel[..., [0, 1, 2, 4]], own[..., :4]) and list(summary['checked']) == ['pts_middle_encoder']


@pytest.mark.parametrize(
    'parts, options, match',
    [
        (['pts_middle_encoder'], dict(features=['x', 'x']), 'distinct names'),
        (['pts_backbone'], dict(features=['x']), 'not exported'),
        (['fusion_layer'], {}, 'no such encoder'),
    ],
)
def test_what_does_not_fit_is_named(parts: list, options: dict, match: str, checkpoint: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=match):
        merge_encoders([(checkpoint, parts)], str(tmp_path / 'o.pth'), 'openpcdet-centerpoint', **options)
    assert not (tmp_path / 'o.pth').exists()


def test_other_widths_are_refused_for_openpcdet(tmp_path: Path) -> None:
    narrow = dict(base_channels=8, encoder_channels=((8, 8, 16), (16, 16, 32), (32, 32, 48), (48, 48)))
    small = MODELS.build(dict(type='CLAPSparseEncoder', in_channels=5, sparse_shape=GRID, norm_cfg=NORM, **narrow))
    torch.save(dict(state_dict=nn.ModuleDict(dict(pts_middle_encoder=small)).state_dict()), tmp_path / 's.pth')
    with pytest.raises(CheckpointError, match='VoxelResBackBone8x has 16'):
        merge_encoders([(str(tmp_path / 's.pth'), None)], str(tmp_path / 'o.pth'), 'openpcdet-centerpoint')


def test_the_check_needs_no_neck(ours: nn.ModuleDict) -> None:
    state = {k: v for k, v in ours.state_dict().items() if k.startswith('pts_backbone.')}
    found = layout_check.check_by_value(state, layouts.to_layout(state, 'mmdet3d-centerpoint'), 'mmdet3d-centerpoint')
    assert list(found) == ['pts_backbone, pts_neck'] and max(found.values()) < 1e-5
