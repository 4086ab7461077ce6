"""Shapes, axes and channel order of the sparse encoder."""

from __future__ import annotations

import pytest
import torch
from mmdet3d.registry import MODELS
from spconv.pytorch import SparseConvTensor

from projects.CLAP.clap.encoders.sparse_encoder import CLAPSparseEncoder, _dense_bev

SMALL = dict(
    base_channels=4, output_channels=6, encoder_channels=((4, 4, 8), (8, 8)), encoder_paddings=((0, 0, 1), (0, 0))
)


def test_an_impulse_peaks_at_its_cell():
    """Axis -2 is x and axis -1 is y: voxel (150, 10) of 160 x 160 peaks at cell (19, 1) after a stride of 8."""
    encoder = CLAPSparseEncoder(in_channels=5, sparse_shape=[160, 160, 41]).eval()
    for parameter in encoder.parameters():
        if parameter.dim() == 5:  # equal positive kernels: the response grows with the overlap only
            torch.nn.init.constant_(parameter, 1.0 / parameter[0].numel())
    coords = torch.tensor([[0, 150, 10, 20]], dtype=torch.int32)
    with torch.no_grad():
        bev = encoder(torch.ones(1, 5), coords, 1)
    assert bev.shape == (1, 256, 20, 20) == (1, encoder.bev_channels, *encoder.bev_shape)
    peak = bev[0].sum(0).argmax()
    assert (int(peak) // 20, int(peak) % 20) == (19, 1)


@pytest.mark.parametrize('widths', [((8, 12), (16,), (16, 20), (20,)), ((8, 8, 12), (12, 12, 16), (16, 16))])
def test_widths_of_the_stages_are_those_of_their_features(widths):
    paddings = [[0] * len(stage) for stage in widths]
    encoder = CLAPSparseEncoder(5, [40, 40, 33], None, 8, 8, widths, paddings)
    coords = torch.tensor([[0, 3, 4, 5], [0, 20, 21, 16], [0, 21, 21, 16]], dtype=torch.int32)
    stages = encoder.stages(torch.rand(3, 5), coords, 1)
    assert [stage.features.shape[1] for stage in stages] == encoder.stage_channels


def test_channels_are_c_times_heights_plus_z():
    rows = torch.tensor([[0, 2, 1, 0], [0, 2, 1, 1], [1, 0, 3, 1]], dtype=torch.int32)
    features = torch.arange(1.0, 10.0).view(3, 3)
    bev = _dense_bev(SparseConvTensor(features, rows, [3, 4, 2], 2))
    expected = torch.zeros(2, 6, 3, 4)
    for (b, x, y, z), row in zip(rows.tolist(), features):
        for c in range(3):
            expected[b, c * 2 + z, x, y] = row[c]
    assert torch.equal(bev, expected)


def test_samples_of_a_batch_do_not_mix():
    encoder = MODELS.build(dict(type='CLAPSparseEncoder', in_channels=3, sparse_shape=[16, 12, 9], **SMALL)).eval()
    coords = [torch.randint(0, 9, (30, 3)).unique(dim=0).int() for _ in range(2)]
    features = [torch.randn(len(c), 3) for c in coords]
    labelled = [torch.nn.functional.pad(c, (1, 0), value=i) for i, c in enumerate(coords)]
    with torch.no_grad():
        both = encoder(torch.cat(features), torch.cat(labelled), 2)
        alone = [encoder(f, torch.nn.functional.pad(c, (1, 0)), 1) for f, c in zip(features, coords)]
    torch.testing.assert_close(both, torch.cat(alone), rtol=1e-5, atol=1e-6)


def test_every_parameter_gets_a_gradient_and_the_cap_of_heights_fits():
    encoder = CLAPSparseEncoder(in_channels=3, sparse_shape=[16, 12, 9], **SMALL)
    coords = torch.nn.functional.pad(torch.randint(0, 9, (200, 3)).unique(dim=0).int(), (1, 0))
    bev = encoder(torch.randn(len(coords), 3), coords, 1)
    assert bev.shape == (1, 12, 8, 6) == (1, encoder.bev_channels, *encoder.bev_shape)
    bev.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in encoder.parameters())


@pytest.mark.parametrize(
    'change,message',
    [
        (dict(sparse_shape=[16, 16]), 'three sizes'),
        (dict(sparse_shape=[16, 16, 3]), 'shrinks to'),
        (dict(encoder_paddings=((0, 0, 1),)), 'nested like encoder_channels'),
        (dict(encoder_channels=((4, 8, 8), (8, 8))), 'keeps its channels'),
    ],
)
def test_bad_configurations_are_explained(change, message):
    with pytest.raises(ValueError, match=message):
        CLAPSparseEncoder(**{**dict(in_channels=3, sparse_shape=[16, 16, 9]), **SMALL, **change})
