"""Consistency of the encoders' configuration, checked before anything runs."""

from __future__ import annotations

from typing import Any, Dict, Optional

from torch import nn

from ..errors import ConfigError

VOXELIZE_KEYS = {'max_num_points', 'max_voxels', 'voxel_size', 'point_cloud_range'}
CAMERA_PARTS = ('img_backbone', 'img_neck', 'view_transform')


def check_modalities(
    voxelize_cfg: Optional[Dict[str, Any]], configs: Dict[str, Optional[Dict[str, Any]]], bev: bool, lifts_images: bool
) -> None:
    """Each modality is whole or absent, at least one exists, the fusion joins two maps, and the BEV encoder exists
    for models that use it."""
    has_lidar = configs['pts_middle_encoder'] is not None
    parts = CAMERA_PARTS if lifts_images else CAMERA_PARTS[:2]
    missing = [name for name in parts if configs[name] is None]
    has_camera = len(missing) < len(parts)
    if has_camera and missing:
        raise ConfigError(
            f'the camera branch needs {", ".join(parts)}; missing: {", ".join(missing)}. Give all '
            'of them, or none for a LiDAR-only model'
        )
    if not lifts_images and (configs['view_transform'] is not None or configs['fusion_layer'] is not None):
        raise ConfigError(
            'this method reads image features in the image and brings none into the BEV: it expects '
            'view_transform=None and fusion_layer=None'
        )
    if not lifts_images and not has_lidar:
        raise ConfigError('this method needs the LiDAR branch: give pts_middle_encoder')
    # without a LiDAR branch voxelize_cfg may stay: its range also serves masking and rendering
    if has_lidar and voxelize_cfg is None:
        raise ConfigError(f'the LiDAR branch (pts_middle_encoder) needs voxelize_cfg: give it {sorted(VOXELIZE_KEYS)}')
    if not has_lidar and not has_camera:
        raise ConfigError('the model has no sensor: give pts_middle_encoder (LiDAR), img_backbone (camera) or both')
    if (has_lidar and has_camera and lifts_images) != (configs['fusion_layer'] is not None):
        raise ConfigError(
            'fusion_layer joins two modalities: expected it with LiDAR and camera, and None with one; got '
            f'LiDAR {has_lidar}, camera {has_camera}, fusion_layer '
            f'{configs["fusion_layer"] is not None}'
        )
    for name in ('pts_backbone', 'pts_neck'):
        if bev and configs[name] is None:
            raise ConfigError(f'{name} is missing; the BEV encoder needs pts_backbone and pts_neck')


def check_lidar_alone(model: nn.Module) -> None:
    """The LiDAR branch is all there is."""
    if not model.has_lidar or model.has_camera:
        raise ConfigError(
            f'{type(model).__name__} trains the LiDAR encoders alone: give pts_middle_encoder, and set img_backbone, '
            'img_neck, view_transform and fusion_layer to None'
        )


def check_init_cfg(init_cfg: Any, configs: Dict[str, Optional[Dict[str, Any]]]) -> None:
    """Weights of its own are read for the image backbone alone, see ``CLAPEncoderBase.init_weights``."""
    parts = {'model': init_cfg, **{name: config.get('init_cfg') for name, config in configs.items() if config}}
    ignored = [name for name, cfg in parts.items() if cfg and name != 'img_backbone']
    if ignored:
        raise ConfigError(
            f'init_cfg of {", ".join(ignored)} is not read: only img_backbone has weights of its own. Take load_from '
            'for the rest, and remove the key'
        )


def check_voxelize_cfg(cfg: Dict[str, Any]) -> None:
    if set(cfg) != VOXELIZE_KEYS:
        raise ConfigError(f'voxelize_cfg: expected the keys {sorted(VOXELIZE_KEYS)}, got {sorted(cfg)}')
    if len(cfg['max_voxels']) != 2:
        raise ConfigError(f'voxelize_cfg.max_voxels: expected [training, evaluation], got {cfg["max_voxels"]}')
    if len(cfg['voxel_size']) != 3 or len(cfg['point_cloud_range']) != 6:
        raise ConfigError(
            'voxelize_cfg: expected voxel_size (x, y, z) and point_cloud_range (x, y, z lower, x, y, z '
            f'upper), got {cfg["voxel_size"]} and {cfg["point_cloud_range"]}'
        )


def check_voxel_grid(cfg: Dict[str, Any], encoder: nn.Module) -> None:
    """sparse_shape is the number of voxels; the height may have spare cells (the paper's has one)."""
    lower, upper = cfg['point_cloud_range'][:3], cfg['point_cloud_range'][3:]
    exact = [(high - low) / size for low, high, size in zip(lower, upper, cfg['voxel_size'])]
    cells = [round(count) for count in exact]
    if any(abs(count - whole) > 1e-3 for count, whole in zip(exact, cells)):
        raise ConfigError(
            f'point_cloud_range {cfg["point_cloud_range"]} is no whole number of voxels of '
            f'{cfg["voxel_size"]}: {exact}; change one of them'
        )
    shape = list(encoder.sparse_shape)
    if shape[:2] != cells[:2] or shape[2] < cells[2]:
        raise ConfigError(
            f'pts_middle_encoder.sparse_shape {shape} does not fit the voxel grid: expected '
            f'[{cells[0]}, {cells[1]}, {cells[2]} or more] from point_cloud_range / voxel_size'
        )


def check_bev(model: nn.Module, configs: Dict[str, Optional[Dict[str, Any]]]) -> None:
    """Both branches give the same grid over the same area, and the channels of what follows fit."""
    if model.has_lidar and model.view_transform is not None:
        _check_same_area(model)
        lidar, camera = model.pts_middle_encoder, model.view_transform
        if lidar.bev_shape != camera.bev_shape:
            raise ConfigError(
                f'the BEV grids differ: LiDAR {lidar.bev_shape} (sparse_shape {lidar.sparse_shape}), '
                f'camera {camera.bev_shape} (bounds {camera.bounds} and downsample); make them equal'
            )
        expected = [camera.bev_channels, lidar.bev_channels]
        if model.fusion_layer.in_channels != expected:
            raise ConfigError(
                f'fusion_layer.in_channels (camera, LiDAR): expected {expected}, got {model.fusion_layer.in_channels}'
            )
        channels = model.fusion_layer.out_channels
    else:
        channels = (model.pts_middle_encoder if model.has_lidar else model.view_transform).bev_channels
    if model.view_transform is not None:
        context = model.view_transform.in_channels
        if model.img_neck.out_channels != context:
            raise ConfigError(
                f'view_transform.in_channels: expected {model.img_neck.out_channels} '
                f'(img_neck.out_channels), got {context}'
            )
    first = next(module for module in model.pts_backbone.modules() if isinstance(module, nn.Conv2d))
    if first.in_channels != channels:
        raise ConfigError(
            f'pts_backbone.in_channels: expected {channels} (the channels of the '
            f'{"fused" if model.fusion_layer is not None else "only"} BEV), got {first.in_channels}'
        )
    stride = 1
    for factor in configs['pts_backbone'].get('layer_strides', ()):
        stride *= factor
    if any(size % stride for size in model.bev_shape):
        raise ConfigError(
            f'the BEV grid {model.bev_shape} must be divisible by {stride}, the product of '
            'pts_backbone.layer_strides; change the range, the voxel size or the strides'
        )


def _check_same_area(model: nn.Module) -> None:
    box = model.voxelize_cfg['point_cloud_range']
    for axis, name in enumerate('xy'):
        lower, upper, _ = model.view_transform.bounds[axis]
        if abs(lower - box[axis]) > 1e-3 or abs(upper - box[axis + 3]) > 1e-3:
            raise ConfigError(
                f'view_transform.{name}bound covers {lower} to {upper} m, point_cloud_range '
                f'{box[axis]} to {box[axis + 3]} m; both branches must cover the same area'
            )
