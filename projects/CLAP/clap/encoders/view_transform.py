"""Depth-aware lift-splat view transform of BEVFusion (bevfusion_contract: module `view_transform`)."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence, Tuple

import torch
from mmdet3d.registry import MODELS
from torch import Tensor, nn

from ..errors import ConfigError
from ..functional.bev_pool import bev_pool, grid_cells
from ..functional.depth_map import sparse_depth_map
from ..structures import CameraMatrices
from .camera_matrices import camera_matrices

# what fixes the geometry of the module; kept in the state dict for compatibility, always set by the config
GEOMETRY = ('dx', 'bx', 'nx', 'frustum')


@MODELS.register_module()
class CLAPDepthLSSTransform(nn.Module):
    """Image features + LiDAR depth -> camera BEV.

    Every pixel predicts a distribution over D depth bins and a context vector; the context, weighted with the bin's
    probability, is summed in the BEV cell that the bin's 3-d point falls into. Heights are stacked as channels
    (z * C + c) and the map is reduced by `downsample`.

    Args:
        in_channels: Channels of the image features.
        out_channels: Channels of the context vector and of the output.
        image_size: (H, W) of the augmented image, pixels.
        feature_size: (h, w) of the image features; H / h = W / w must be a multiple of 4.
        xbound: (lower, upper, cell size) of the BEV along x, metres, augmented LiDAR frame.
        ybound: The same along y.
        zbound: The same along z.
        dbound: (first, end, step) of the depth bins, metres along the optical axis.
        downsample: Stride from the pooled grid to the output; 1 leaves out the convolutions.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        image_size: Sequence[int],
        feature_size: Sequence[int],
        xbound: Sequence[float],
        ybound: Sequence[float],
        zbound: Sequence[float],
        dbound: Sequence[float],
        downsample: int = 1,
    ) -> None:
        super().__init__()
        self.image_size: Tuple[int, int] = (int(image_size[0]), int(image_size[1]))
        self.feature_size: Tuple[int, int] = (int(feature_size[0]), int(feature_size[1]))
        self.in_channels, self.out_channels = in_channels, out_channels
        bounds = [xbound, ybound, zbound]
        self.bounds = [tuple(float(value) for value in bound) for bound in bounds]
        self.grid: Tuple[int, ...] = tuple(_num_cells(name, bound) for name, bound in zip('xyz', bounds))
        self.dx = _frozen(torch.tensor([bound[2] for bound in self.bounds]))
        self.bx = _frozen(torch.tensor([bound[0] + bound[2] / 2 for bound in self.bounds]))
        self.nx = _frozen(torch.tensor(self.grid, dtype=torch.long))
        self.frustum = _frozen(_make_frustum(self.image_size, self.feature_size, dbound))
        self.num_bins = self.frustum.shape[0]
        self.dtransform = _depth_layers(_image_stride(self.image_size, self.feature_size))
        self.depthnet = nn.Sequential(
            *_conv_norm_act(in_channels + 64, in_channels, 3, padding=1),
            *_conv_norm_act(in_channels, in_channels, 3, padding=1),
            nn.Conv2d(in_channels, self.num_bins + out_channels, 1),
        )
        pooled = out_channels * self.grid[2]
        self.bev_shape: Tuple[int, int] = tuple((size - 1) // downsample + 1 for size in self.grid[:2])
        self.bev_channels: int = pooled if downsample == 1 else out_channels
        self.downsample: nn.Module = nn.Identity()
        if downsample > 1:
            self.downsample = nn.Sequential(
                *_conv_norm_act(pooled, out_channels, 3, padding=1, bias=False),
                *_conv_norm_act(out_channels, out_channels, 3, stride=downsample, padding=1, bias=False),
                *_conv_norm_act(out_channels, out_channels, 3, padding=1, bias=False),
            )

    def forward(self, features: Tensor, points: List[Tensor], metas: Sequence[Dict[str, Any]]) -> Tensor:
        """features (B, C, in_channels, h, w), points: B clouds (N, >=3) in the augmented LiDAR frame, metas: B dicts
        with the camera matrices -> (B, bev_channels, X, Y)."""
        batch, num_cameras = features.shape[:2]
        if tuple(features.shape[-2:]) != self.feature_size:
            raise ConfigError(
                f'view_transform expected image features of {self.feature_size} (h, w), got '
                f'{tuple(features.shape[-2:])}; feature_size must match image_size and the backbone'
            )
        if len(points) != batch or len(metas) != batch:
            raise ConfigError(
                f'expected points and meta information of {batch} samples, got {len(points)} and {len(metas)}'
            )
        cameras = camera_matrices(metas, num_cameras)
        depth, context = self.predict_depth(features, self.depth_maps(points, cameras))
        cells = self.frustum_cells(cameras)
        size_x, size_y, size_z = self.grid
        bev = bev_pool(context, depth, cells, batch * size_x * size_y * size_z)
        # rows run over b, z, x, y; heights become channels
        bev = bev.view(batch, size_z, size_x, size_y, -1).permute(0, 1, 4, 2, 3).flatten(1, 2)
        return self.downsample(bev)

    def predict_depth(self, features: Tensor, depth_maps: Tensor) -> Tuple[Tensor, Tensor]:
        """(B, C, in_channels, h, w), (B, C, 1, H, W) -> depth (P, D) summing to 1, context (P, out_channels), with
        P = B * C * h * w."""
        x = torch.cat([self.dtransform(depth_maps.flatten(0, 1)), features.flatten(0, 1)], dim=1)
        x = self.depthnet(x).permute(0, 2, 3, 1).flatten(0, 2)
        depth_logits, context = x.split([self.num_bins, self.out_channels], dim=1)
        return depth_logits.float().softmax(dim=1), context

    def depth_maps(self, points: List[Tensor], cameras: CameraMatrices) -> Tensor:
        """Sparse depth images of all cameras, (B, C, 1, H, W) metres, 0 where no point fell."""
        maps = []
        for index, cloud in enumerate(points):
            own = cameras.sample(index, cloud.float())
            maps.append(sparse_depth_map(cloud, own.lidar2img, own.img_aug, own.lidar_aug, self.image_size))
        return torch.stack(maps)

    @torch.no_grad()
    def frustum_cells(self, cameras: CameraMatrices) -> Tensor:
        """Flat grid cell (over b, z, x, y) of every frustum point, -1 outside: (B * C * h * w, D) int64.

        p = lidar_aug cam2lidar K^-1 (u d, v d, d) with (u, v) = the pixel with the image augmentation undone.
        """
        cells = []
        num_cells = self.grid[0] * self.grid[1] * self.grid[2]
        for index in range(cameras.cam2img.shape[0]):
            # one sample at a time: the points of a frustum are 24 MB per sample at the paper's size
            sample = grid_cells(self.frustum_points(cameras, index), self.bx - self.dx / 2, self.dx, self.grid)
            cells.append(torch.where(sample >= 0, sample + index * num_cells, sample).flatten(0, 2))
        return torch.cat(cells)

    @torch.no_grad()
    def frustum_points(self, cameras: CameraMatrices, index: int) -> Tensor:
        """Frustum points of one sample in the augmented LiDAR frame: (C, h, w, D, 3) metres."""
        img_aug, lidar_aug = cameras.img_aug[index], cameras.lidar_aug[index]
        undo = torch.linalg.inv(img_aug[:, :3, :3])
        to_lidar = lidar_aug @ cameras.cam2lidar[index]
        unproject = to_lidar[:, :3, :3] @ torch.linalg.inv(cameras.cam2img[index][:, :3, :3])
        undo, shift, unproject, origin = (
            value.to(self.frustum)[:, None, None] for value in (undo, img_aug[:, :3, 3], unproject, to_lidar[:, :3, 3])
        )
        with torch.autocast(device_type=self.frustum.device.type, enabled=False):
            frustum = self.frustum.permute(1, 2, 0, 3)  # (h, w, D, 3)
            pixel = (frustum - shift.unsqueeze(-2)) @ undo.transpose(-1, -2)
            ray = torch.cat([pixel[..., :2] * pixel[..., 2:], pixel[..., 2:]], dim=-1)
            return ray @ unproject.transpose(-1, -2) + origin.unsqueeze(-2)

    def _load_from_state_dict(
        self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
    ):
        """As usual, but the geometry stays the config's: a checkpoint of other bounds is reported, not obeyed."""
        own = {name: getattr(self, name).detach().clone() for name in GEOMETRY}
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )
        for name, value in own.items():
            loaded = getattr(self, name).data
            if not torch.allclose(loaded.double(), value.double(), rtol=1e-5, atol=1e-5):
                error_msgs.append(
                    f'{prefix}{name}: the checkpoint was made with another geometry (expected '
                    f'{value.flatten()[:3].tolist()}, got {loaded.flatten()[:3].tolist()}); kept the '
                    "config's: use the checkpoint's xbound, ybound, zbound, dbound and image_size, or "
                    f'remove {", ".join(GEOMETRY)} from it'
                )
                loaded.copy_(value)


def _frozen(value: Tensor) -> nn.Parameter:
    return nn.Parameter(value, requires_grad=False)


def _num_cells(name: str, bound: Sequence[float]) -> int:
    lower, upper, step = bound
    count = round((upper - lower) / step)
    if count < 1 or abs(count * step - (upper - lower)) > 1e-3 * step:
        raise ConfigError(
            f'{name}bound (lower, upper, cell size) = {tuple(bound)}: expected a whole number of cells, '
            f'got {(upper - lower) / step}'
        )
    return count


def _image_stride(image_size: Tuple[int, int], feature_size: Tuple[int, int]) -> int:
    stride = image_size[0] // feature_size[0]
    if stride < 4 or stride % 4 or tuple(stride * size for size in feature_size) != image_size:
        raise ConfigError(
            f'image_size {image_size} must be feature_size {feature_size} times one multiple of 4 (the '
            "stride of the backbone's first level); change one of them"
        )
    return stride


def _make_frustum(image_size: Tuple[int, int], feature_size: Tuple[int, int], dbound: Sequence[float]) -> Tensor:
    """(u, v, d) of every depth bin of every feature pixel, (D, h, w, 3): pixels spread from 0 to size - 1."""
    bins = torch.arange(*[float(value) for value in dbound])
    rows = torch.linspace(0, image_size[0] - 1, feature_size[0])
    cols = torch.linspace(0, image_size[1] - 1, feature_size[1])
    depth, v, u = torch.meshgrid(bins, rows, cols, indexing='ij')
    return torch.stack([u, v, depth], dim=-1)


def _conv_norm_act(
    in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, padding: int = 0, bias: bool = True
) -> List[nn.Module]:
    return [
        nn.Conv2d(in_channels, out_channels, kernel_size, stride=stride, padding=padding, bias=bias),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    ]


def _depth_layers(stride: int) -> nn.Sequential:
    """The depth image (1 channel, full size) to 64 channels at the features' size."""
    return nn.Sequential(
        *_conv_norm_act(1, 8, 1),
        *_conv_norm_act(8, 32, 5, stride=4, padding=2),
        *_conv_norm_act(32, 64, 5, stride=stride // 4, padding=2),
    )
