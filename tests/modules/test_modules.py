from __future__ import annotations

import pytest
import torch

from projects.CLAP.clap.functional import curvature_weights
from projects.CLAP.clap.modules import MLP, SDFField, VolumeDecoder

BOX = (-8.0, -4.0, -2.0, 8.0, 4.0, 2.0)


def test_volume_decoder_keeps_axes() -> None:
    """(B, C, X, Y) -> (B, C_v, Z, Y, X): an impulse at x = 5, y = 2 stays around there."""
    torch.manual_seed(0)
    decoder = VolumeDecoder(3, volume_channels=8, num_z=4).eval()
    bev = torch.zeros(1, 3, 9, 6)
    base = decoder(bev)
    assert base.shape == (1, 8, 4, 6, 9)
    bev[0, :, 5, 2] = 10.0
    # Group normalisation shifts every cell a little; the neighbourhood of the impulse changes most.
    change = (decoder(bev) - base).abs().sum((0, 1, 2))
    peak = change.argmax()
    assert (abs(int(peak) // 9 - 2) <= 1) and (abs(int(peak) % 9 - 5) <= 1)


def test_volume_decoder_is_the_same_in_evaluation() -> None:
    decoder, bev = VolumeDecoder(3, 8, 4), torch.randn(2, 3, 6, 6)
    assert torch.equal(decoder.train()(bev), decoder.eval()(bev))


def test_field_reads_position_and_feature() -> None:
    """Eq. 6: the same numbers as the two MLPs on [p / scale, f] with f looked up at the cell of p."""
    torch.manual_seed(0)
    mlps = SDFField(4, BOX, hidden_channels=8)
    volume = torch.randn(4, 4, 8, 16)  # cells of 1 m
    field = mlps.bind(volume)
    point = torch.tensor([[-7.5 + 3, -3.5 + 2, -1.5 + 1]])  # the centre of cell x = 3, y = 2, z = 1
    inputs = torch.cat([point / 8.0, volume[:, 1, 2, 3][None]], dim=1)
    ((sdf, rgb), (again, nothing)) = field.query([point, point[None]], [True, False])
    torch.testing.assert_close(sdf, mlps.sdf_mlp(inputs)[:, 0])
    torch.testing.assert_close(rgb, torch.sigmoid(mlps.rgb_mlp(inputs)))
    torch.testing.assert_close(field.sdf(point), sdf)
    torch.testing.assert_close(again, sdf[None])
    assert nothing is None


def test_gradients_reach_the_volume_unless_detached() -> None:
    mlps = SDFField(4, BOX, hidden_channels=8)
    volume = torch.randn(4, 4, 8, 16, requires_grad=True)
    field = mlps.bind(volume)
    with torch.no_grad():
        field.query([torch.zeros(1, 3)], [False])  # a look without gradient first must not cut later ones off
    field.query([torch.rand(10, 2, 3)], [False])[0][0].sum().backward()
    assert volume.grad.abs().sum() > 0
    assert not field.detach().table.requires_grad


def test_field_has_curvature() -> None:
    """Softplus and trilinear weights leave second derivatives; a ReLU network would have none."""
    mlps = SDFField(4, BOX, hidden_channels=8)
    weights = curvature_weights(mlps.bind(torch.randn(4, 4, 8, 16)).sdf, torch.rand(50, 3) * 2 - 1)
    assert (weights > 0).all()


def test_geometry_is_not_in_the_state_dict() -> None:
    assert not [name for name in SDFField(4, BOX).state_dict() if 'box' in name]


def test_wrong_groups_are_named() -> None:
    with pytest.raises(ValueError, match='multiple of 8'):
        VolumeDecoder(3, volume_channels=6, num_z=4)


def test_mlp_shape() -> None:
    mlp = MLP(3, 16, 2, num_hidden=2, activation=torch.nn.ReLU())
    assert [m.out_features for m in mlp if isinstance(m, torch.nn.Linear)] == [16, 16, 2]
    assert mlp(torch.randn(5, 4, 3)).shape == (5, 4, 2)
