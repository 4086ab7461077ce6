"""The sparse convolutions equal dense conv3d, in value and gradient, and carry spconv's state."""

from __future__ import annotations

import io
from collections import OrderedDict

import pytest
import torch
import torch.nn.functional as F
from spconv.pytorch import SparseConv3d, SparseConvTensor, SubMConv3d

from projects.CLAP.clap.encoders.sparse_conv import (
    CLAPSparseConv3d,
    CLAPSparseInverseConv3d,
    CLAPSubMConv3d,
    _forward_cpu,
    _forward_gpu,
    build_kernel_pairs,
)
from projects.CLAP.clap.errors import ConfigError

SHAPE, BATCH, VOXELS = (24, 20, 16), 2, 3000
LAYERS = {
    'submanifold': (CLAPSubMConv3d, dict(kernel_size=3, padding=1)),
    'submanifold_1x3x5': (CLAPSubMConv3d, dict(kernel_size=(1, 3, 5))),
    'strided': (CLAPSparseConv3d, dict(kernel_size=3, stride=2, padding=1)),
    'strided_uneven': (CLAPSparseConv3d, dict(kernel_size=3, stride=2, padding=(1, 1, 0))),
    'height': (CLAPSparseConv3d, dict(kernel_size=(1, 1, 3), stride=(1, 1, 2))),
    'pointwise': (CLAPSparseConv3d, dict(kernel_size=1)),
    'submanifold_pointwise': (CLAPSubMConv3d, dict(kernel_size=1)),
}


@pytest.fixture(params=[1, 2], ids=['one_thread', 'two_threads'])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def random_voxels(dtype=torch.float64, channels: int = 8):
    cells = torch.randperm(BATCH * SHAPE[0] * SHAPE[1] * SHAPE[2])[:VOXELS]
    columns = []
    for size in reversed(SHAPE):
        columns.append(cells % size)
        cells = torch.div(cells, size, rounding_mode='floor')
    coords = torch.stack([cells, *reversed(columns)], dim=1).int()
    return torch.randn(VOXELS, channels, dtype=dtype), coords


def dense_reference(layer, features, coords):
    """The same convolution by conv3d on the dense grid: (B, C, X, Y, Z)."""
    b, x, y, z = coords.long().unbind(1)
    grid = features.new_zeros(BATCH, *SHAPE, features.shape[1]).index_put((b, x, y, z), features)
    padding = [size // 2 for size in layer.kernel_size] if layer.subm else layer.padding
    return F.conv3d(
        grid.permute(0, 4, 1, 2, 3),
        layer.weight.permute(0, 4, 1, 2, 3),
        layer.bias,
        stride=layer.stride,
        padding=padding,
    )


@pytest.mark.parametrize('name', LAYERS)
@pytest.mark.parametrize('bias', [False, True])
def test_equals_dense_convolution_in_value_and_gradient(name, bias, threads, place):
    cls, arguments = LAYERS[name]
    exact = place.type == 'cpu'  # spconv's kernels on the GPU know no float64
    dtype, tolerance = (torch.float64, 1e-10) if exact else (torch.float32, 1e-3)
    layer = cls(8, 12, bias=bias, **arguments).to(dtype)
    features, coords = random_voxels(dtype)
    features.requires_grad_()
    out = layer(SparseConvTensor(features, coords, SHAPE, BATCH))
    dense = dense_reference(layer, features, coords)
    assert list(out.spatial_shape) == list(dense.shape[2:])
    b, x, y, z = out.indices.long().unbind(1)
    expected = dense[b, :, x, y, z]
    torch.testing.assert_close(out.features, expected, rtol=tolerance, atol=tolerance)
    if not layer.subm and not bias:  # an output row exists wherever the dense result is not zero
        silent = dense.detach().clone()
        silent[b, :, x, y, z] = 0
        assert silent.abs().max() <= (0 if exact else 1e-6)
    upstream = torch.randn_like(expected)
    wanted = [features, *layer.parameters()]
    ours = torch.autograd.grad((out.features * upstream).sum(), wanted)
    theirs = torch.autograd.grad((expected * upstream).sum(), wanted)
    for got, reference in zip(ours, theirs):
        torch.testing.assert_close(got, reference, rtol=10 * tolerance, atol=10 * tolerance)


@pytest.mark.parametrize('name', ['pointwise', 'submanifold_pointwise'])
def test_a_kernel_of_one_cell_is_the_same_on_the_way_of_a_gpu(name):
    cls, arguments = LAYERS[name]
    layer = cls(8, 12, **arguments)
    features, coords = random_voxels(torch.float32)
    here, there = (run(layer, SparseConvTensor(features, coords, SHAPE, BATCH)) for run in (_forward_cpu, _forward_gpu))
    assert torch.equal(here.indices, there.indices)
    torch.testing.assert_close(here.features, there.features)


@pytest.mark.parametrize('name', ['submanifold', 'strided'])
def test_same_bits_from_run_to_run(name, threads):
    cls, arguments = LAYERS[name]
    layer = cls(16, 32, bias=False, **arguments)
    features, coords = random_voxels(torch.float32, 16)

    def run():
        leaf = features.clone().requires_grad_()
        out = layer(SparseConvTensor(leaf, coords, SHAPE, BATCH))
        return (out.indices, out.features, *torch.autograd.grad(out.features.square().sum(), [leaf, layer.weight]))

    first = run()
    for _ in range(5):
        assert all(torch.equal(a, b) for a, b in zip(first, run()))


def test_layers_of_a_stage_share_their_index_pairs():
    features, coords = random_voxels(torch.float32)
    x = SparseConvTensor(features, coords, SHAPE, BATCH)
    first = CLAPSubMConv3d(8, 8, 3, bias=False, indice_key='stage')
    second = CLAPSubMConv3d(8, 8, 3, bias=False, indice_key='stage')
    middle = first(x)
    after = second(middle)
    assert middle.indice_dict['stage'] is after.indice_dict['stage']
    assert 'stage' not in x.indice_dict, 'the caller\'s tensor must not change'
    alone = CLAPSubMConv3d(8, 8, 3, bias=False)
    alone.load_state_dict(second.state_dict())
    torch.testing.assert_close(after.features, alone(middle).features)


def test_a_key_of_another_kernel_is_refused():
    features, coords = random_voxels(torch.float32)
    x = CLAPSubMConv3d(8, 8, 3, bias=False, indice_key='k')(SparseConvTensor(features, coords, SHAPE, BATCH))
    with pytest.raises(ValueError, match='indice_key "k"'):
        CLAPSubMConv3d(8, 8, 5, bias=False, indice_key='k')(x)


def test_wrong_channels_and_vanishing_grids_are_named():
    features, coords = random_voxels(torch.float32)
    x = SparseConvTensor(features, coords, SHAPE, BATCH)
    with pytest.raises(ValueError, match='expected 5 input channels'):
        CLAPSubMConv3d(5, 8, 3)(x)
    flat = SparseConvTensor(features[:1], torch.zeros(1, 4, dtype=torch.int32), (4, 4, 2), 1)
    with pytest.raises(ValueError, match='shrinks the grid'):
        CLAPSparseConv3d(8, 8, 3, stride=2, padding=0)(flat)


def test_no_voxels_give_no_rows():
    layer = CLAPSparseConv3d(8, 4, 3, stride=2, padding=1, bias=False)
    x = SparseConvTensor(torch.zeros(0, 8), torch.zeros(0, 4, dtype=torch.int32), SHAPE, 1)
    pairs = build_kernel_pairs(x, layer)
    assert pairs.out_spatial_shape == [12, 10, 8]
    assert layer(x).features.shape == (0, 4)


def test_autocast_keeps_full_precision():
    layer = CLAPSubMConv3d(8, 8, 3, bias=False)
    features, coords = random_voxels(torch.float32)
    plain = layer(SparseConvTensor(features, coords, SHAPE, BATCH)).features
    with torch.autocast('cpu', dtype=torch.bfloat16):
        mixed = layer(SparseConvTensor(features, coords, SHAPE, BATCH)).features
    assert mixed.dtype == torch.float32 and torch.equal(plain, mixed)


@pytest.mark.parametrize('ours,theirs', [(CLAPSubMConv3d, SubMConv3d), (CLAPSparseConv3d, SparseConv3d)])
def test_state_is_spconvs_with_and_without_metadata(ours, theirs):
    """mmdet3d reads a dict with version 2 as it is and permutes one without: ours must do the same."""
    source = theirs(5, 16, 3, bias=False)
    state = source.state_dict()
    assert list(state) == ['weight'] and state['weight'].shape == (16, 3, 3, 3, 5)
    assert ours(5, 16, 3, bias=False).state_dict()._metadata == state._metadata
    target = ours(5, 16, 3, bias=False)
    target.load_state_dict(state)
    assert torch.equal(target.weight, source.weight)

    mmcv_layout = OrderedDict(weight=source.weight.detach().permute(1, 2, 3, 4, 0).contiguous())
    for cls in (theirs, ours):
        plain = cls(5, 16, 3, bias=False)
        plain.load_state_dict(mmcv_layout)
        assert torch.equal(plain.weight, source.weight), cls.__name__
    with pytest.raises(RuntimeError, match='size mismatch'):
        ours(5, 16, 3, bias=False).load_state_dict(OrderedDict(state))


def test_saved_and_loaded_values_are_equal():
    layer = CLAPSubMConv3d(5, 16, 3, bias=False)
    buffer = io.BytesIO()
    torch.save(layer.state_dict(), buffer)
    buffer.seek(0)
    other = CLAPSubMConv3d(5, 16, 3, bias=False)
    other.load_state_dict(torch.load(buffer, weights_only=True))
    assert torch.equal(other.weight, layer.weight)


@pytest.mark.parametrize('name', ['strided', 'strided_uneven', 'height'])
def test_the_inverse_convolution_equals_a_transposed_one(name, threads, place):
    """Its result is the dense transposed convolution's at the rows that the strided one was given."""
    exact = place.type == 'cpu'
    dtype, tolerance = (torch.float64, 1e-10) if exact else (torch.float32, 1e-3)
    _, arguments = LAYERS[name]
    down = CLAPSparseConv3d(8, 6, bias=False, indice_key='down', **arguments).to(dtype)
    up = CLAPSparseInverseConv3d(6, 5, arguments['kernel_size'], indice_key='down', bias=False).to(dtype)
    features, coords = random_voxels(dtype)
    small = down(SparseConvTensor(features, coords, SHAPE, BATCH))
    given = torch.randn_like(small.features).requires_grad_()
    out = up(small.replace_feature(given))
    assert list(out.spatial_shape) == list(SHAPE) and torch.equal(out.indices.cpu(), coords.cpu())
    b, x, y, z = small.indices.long().unbind(1)
    dense = given.new_zeros(BATCH, *small.spatial_shape, 6).index_put((b, x, y, z), given).permute(0, 4, 1, 2, 3)
    steps = zip(SHAPE, small.spatial_shape, down.stride, down.padding, down.kernel_size)
    rest = [size - ((cells - 1) * step - 2 * pad + kernel) for size, cells, step, pad, kernel in steps]
    weight = up.weight.permute(4, 0, 1, 2, 3)  # (out, x, y, z, in) -> (in, out, x, y, z)
    whole = F.conv_transpose3d(dense, weight, stride=down.stride, padding=down.padding, output_padding=rest)
    b, x, y, z = coords.long().unbind(1)
    expected = whole[b, :, x, y, z]
    torch.testing.assert_close(out.features, expected, rtol=tolerance, atol=tolerance)
    probe = torch.randn_like(expected)
    found = torch.autograd.grad((out.features * probe).sum(), [given, up.weight], retain_graph=True)
    reference = torch.autograd.grad((expected * probe).sum(), [given, up.weight])
    for one, other in zip(found, reference):
        torch.testing.assert_close(one, other, rtol=tolerance, atol=10 * tolerance)


def test_an_inverse_convolution_without_its_convolution_is_named():
    features, coords = random_voxels()
    up = CLAPSparseInverseConv3d(8, 5, 3, indice_key='down').double()
    with pytest.raises(ConfigError, match='there was none before it'):
        up(SparseConvTensor(features, coords, SHAPE, BATCH))
    other = CLAPSparseConv3d(8, 8, (1, 1, 3), stride=(1, 1, 2), indice_key='down').double()
    with pytest.raises(ConfigError, match='another kernel'):
        up(other(SparseConvTensor(features, coords, SHAPE, BATCH)))
