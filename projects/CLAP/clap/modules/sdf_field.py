"""The neural field of Eqs. 5 and 6: features of a volume, read by two small MLPs."""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple

import torch
from torch import Tensor, nn

from ..functional import channel_last_table, metres_to_cells, trilinear_from_table
from .mlp import MLP


class SDFField(nn.Module):
    """Signed distance and colour at a point (Eq. 6).

    Both MLPs read ``[p / scale, f_p]``. One scale serves all three axes, so
    that the distance stays metric; the SDF's hidden layers are smooth because
    curvature (Eq. 12) is its second derivative.

    Args:
        feature_channels: C_v, channels of the feature volume.
        point_cloud_range: (x0, y0, z0, x1, y1, z1) of the volume, metres.
        hidden_channels: width of the hidden layers.
        num_hidden: number of hidden layers.
        softplus_beta: sharpness of the SDF's Softplus; larger is closer to a ReLU.
    """

    def __init__(
        self,
        feature_channels: int,
        point_cloud_range: Sequence[float],
        hidden_channels: int = 64,
        num_hidden: int = 2,
        softplus_beta: float = 100.0,
    ) -> None:
        super().__init__()
        box = torch.tensor(point_cloud_range, dtype=torch.float32)
        # Kept out of the state dict: geometry belongs to the config, a checkpoint must not overwrite it.
        self.register_buffer('box_min', box[:3], persistent=False)
        self.register_buffer('box_max', box[3:], persistent=False)
        self.scale = float(box.abs().max())
        self.sdf_mlp = MLP(3 + feature_channels, hidden_channels, 1, num_hidden, nn.Softplus(beta=softplus_beta))
        self.rgb_mlp = MLP(3 + feature_channels, hidden_channels, 3, num_hidden, nn.ReLU(inplace=True))

    def bind(self, volume: Tensor) -> BoundField:
        """The field of one sample; ``volume`` (C_v, Z, Y, X)."""
        return BoundField(self, channel_last_table(volume.float()), volume.shape[1:])

    def inputs(self, points: Tensor, features: Tensor) -> Tensor:
        """(N, 3), (N, C_v) -> (N, 3 + C_v)."""
        return torch.cat([points / self.scale, features], dim=-1)


class BoundField:
    """An :class:`SDFField` together with the feature volume of one sample.

    This is all that a ray sampler gets to see of the model.

    Args:
        mlps: the field's networks.
        table: (Z*Y*X, C_v) float32, the volume with one row per cell.
        grid_shape: (Z, Y, X).
    """

    def __init__(self, mlps: SDFField, table: Tensor, grid_shape: Sequence[int]) -> None:
        self.mlps, self.table, self.grid_shape = mlps, table, tuple(grid_shape)
        self.box_min, self.box_max = mlps.box_min, mlps.box_max
        self.cell_m = (self.box_max - self.box_min) / table.new_tensor(self.grid_shape[::-1])

    def detach(self) -> BoundField:
        """The same field without a gradient to the volume, for samplers."""
        return BoundField(self.mlps, self.table.detach(), self.grid_shape)

    def _inputs(self, points: Tensor, second_order: bool) -> Tensor:
        cells = metres_to_cells(points, self.box_min, self.cell_m)
        features = trilinear_from_table(self.table, self.grid_shape, cells, second_order)
        return self.mlps.inputs(points, features)

    def sdf(self, points: Tensor) -> Tensor:
        """Signed distance (N,) in metres at points (N, 3); differentiable twice in the points (Eqs. 11, 12)."""
        return self.mlps.sdf_mlp(self._inputs(points, second_order=True)).squeeze(-1)

    def query(self, sets: Sequence[Tensor], with_rgb: Sequence[bool]) -> List[Tuple[Tensor, Optional[Tensor]]]:
        """SDF and, where asked for, colour at several sets of points without a gradient of their own.

        The fast way for rendering: gradients reach the volume and the MLPs only. All sets are looked up at once,
        because every look-up makes a gradient as large as the volume.

        Args:
            sets: points (..., 3) metres.
            with_rgb: for each set, whether to run the colour MLP too.

        Returns:
            for each set sdf (...,) in metres and rgb (..., 3) in [0, 1] or None.
        """
        flat = [points.reshape(-1, 3) for points in sets]
        inputs = self._inputs(torch.cat(flat), second_order=False).split([len(points) for points in flat])
        return [
            (
                self.mlps.sdf_mlp(part).reshape(points.shape[:-1]),
                torch.sigmoid(self.mlps.rgb_mlp(part)).reshape(points.shape) if coloured else None,
            )
            for points, part, coloured in zip(sets, inputs, with_rgb)
        ]
