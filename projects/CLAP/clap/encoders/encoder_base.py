"""The encoders of BEVFusion under its attribute names (Eqs. 1-3), shared by the pre-trainer and the detector."""

from __future__ import annotations

import copy
from typing import Any, ClassVar, Dict, List, Optional, Sequence, Set, Tuple

import torch
from mmdet3d.models.detectors.base import Base3DDetector
from mmdet3d.registry import MODELS
from torch import Tensor, nn

from ..errors import ConfigError
from ..functional.voxelize import cartesian, grid_size, voxelize
from ..structures import EncoderOutput
from .checks import (
    CAMERA_PARTS,
    VOXELIZE_KEYS,
    check_bev,
    check_init_cfg,
    check_modalities,
    check_voxel_grid,
    check_voxelize_cfg,
)
from .finite_losses import FiniteLosses
from .geometry import with_geometry

ConfigType = Optional[Dict[str, Any]]
#: Names of the encoders in the order of the data's way; pre-training and detection share them.
ENCODERS = ('pts_middle_encoder', *CAMERA_PARTS, 'fusion_layer', 'pts_backbone', 'pts_neck')


class CLAPEncoderBase(FiniteLosses, Base3DDetector):
    """LiDAR and camera to one BEV. A modality whose parts are None does not exist.

    Eq. 1: P-hat = pts_middle_encoder(voxels), Eq. 2: I-hat = view_transform(img_neck(img_backbone(images))), Eq. 3:
    F-hat = pts_neck(pts_backbone(fusion_layer([I-hat, P-hat]))). BEV axes are (..., x, y).

    Args:
        data_preprocessor: Config of the data preprocessor.
        voxelize_cfg: max_num_points, max_voxels (training, evaluation), voxel_size, point_cloud_range; the parts'
            configs may leave out what follows from them, see :func:`with_geometry`.
        pts_middle_encoder: Config of the sparse encoder.
        img_backbone: Config of the image backbone.
        img_neck: Config of the image neck; only its finest level is used.
        view_transform: Config of the view transform.
        fusion_layer: Config of the fusion; needed exactly when both modalities exist.
        pts_backbone: Config of the BEV backbone.
        pts_neck: Config of the BEV neck.
        init_cfg: must be None; weights come by ``load_from``, those of the image backbone by its own ``init_cfg``.
    """

    #: Whether the model needs pts_backbone and pts_neck.
    uses_bev: ClassVar[bool] = True
    #: Whether image features go into the BEV. Without, the camera branch ends with img_neck: :meth:`image_features`.
    lifts_images: ClassVar[bool] = True

    def __init__(
        self,
        data_preprocessor: ConfigType = None,
        voxelize_cfg: ConfigType = None,
        pts_middle_encoder: ConfigType = None,
        img_backbone: ConfigType = None,
        img_neck: ConfigType = None,
        view_transform: ConfigType = None,
        fusion_layer: ConfigType = None,
        pts_backbone: ConfigType = None,
        pts_neck: ConfigType = None,
        init_cfg: ConfigType = None,
    ) -> None:
        super().__init__(data_preprocessor=copy.deepcopy(data_preprocessor), init_cfg=init_cfg)
        configs = dict(
            zip(
                ENCODERS,
                (pts_middle_encoder, img_backbone, img_neck, view_transform, fusion_layer, pts_backbone, pts_neck),
            )
        )
        check_modalities(voxelize_cfg, configs, self.uses_bev, self.lifts_images)
        check_init_cfg(init_cfg, configs)
        configs = with_geometry(voxelize_cfg, configs)
        self.voxelize_cfg = None if voxelize_cfg is None else copy.deepcopy(dict(voxelize_cfg))
        for name, config in configs.items():
            setattr(self, name, None if config is None else MODELS.build(copy.deepcopy(config)))
        if self.voxelize_cfg is not None:
            check_voxelize_cfg(self.voxelize_cfg)
        if self.has_lidar:
            check_voxel_grid(self.voxelize_cfg, self.pts_middle_encoder)
        if self.uses_bev:
            check_bev(self, configs)

    @classmethod
    def option_keys(cls) -> Dict[str, Set[str]]:
        """Keys of options that are dicts without a type, for the check of configurations."""
        return {'voxelize_cfg': set(VOXELIZE_KEYS)}

    @property
    def encoders(self) -> List[nn.Module]:
        """The encoders that exist."""
        return [part for part in (getattr(self, name) for name in ENCODERS) if part is not None]

    def norm_modules(self) -> List[nn.Module]:
        """Modules whose batch norms :meth:`forward_norms` feeds."""
        return self.encoders

    def forward_norms(self, inputs: Dict[str, Any], metas: List[Dict[str, Any]]) -> None:
        """Let the batch norms of :meth:`norm_modules` see a preprocessed batch."""
        self.extract_feat(inputs, metas)

    @property
    def has_lidar(self) -> bool:
        return self.pts_middle_encoder is not None

    @property
    def has_camera(self) -> bool:
        return self.img_backbone is not None

    @property
    def bev_shape(self) -> Tuple[int, int]:
        """(X, Y) of the BEV before the fusion."""
        return (self.pts_middle_encoder if self.has_lidar else self.view_transform).bev_shape

    def init_weights(self) -> None:
        """Initialise the image backbone only (from its init_cfg), as BEVFusion does.

        The other encoders keep PyTorch's initialisation, and MMEngine's general procedure cannot handle the integer
        parameter of the view transform.
        """
        if self.img_backbone is not None:
            self.img_backbone.init_weights()

    def in_grid(self, points: Tensor) -> Tensor:
        """Points (N, 3 or more), metres -> their place (N, 3) in the axes of the voxels."""
        return cartesian(points)

    def voxelize(self, points: Sequence[Tensor], limited: bool = True) -> Tuple[Tensor, Tensor]:
        """Clouds (N, F) in the augmented LiDAR frame -> mean features (V, F), coords (V, 4) int32 = b, x, y, z.

        At most ``max_voxels`` of each cloud if they are ``limited``.
        """
        cfg = self.voxelize_cfg
        max_voxels = cfg['max_voxels'][0 if self.training else 1]
        features, coords = [], []
        for index, cloud in enumerate(points):
            cloud = cloud.float()
            means, cells = voxelize(
                cloud,
                cfg['voxel_size'],
                cfg['point_cloud_range'],
                cfg['max_num_points'],
                max_voxels if limited else len(cloud) + 1,
                self.in_grid(cloud),
            )
            features.append(means)
            coords.append(torch.nn.functional.pad(cells.int(), (1, 0), value=index))
        return torch.cat(features), torch.cat(coords)

    def extract_lidar(self, points: Optional[Sequence[Tensor]]) -> Optional[Tensor]:
        """Eq. 1: B clouds (N, F) -> P-hat (B, C, X, Y), or None without a LiDAR branch."""
        if not self.has_lidar:
            return None
        if points is None:
            raise ConfigError('this model has a LiDAR branch but got no "points"; expected one cloud per sample')
        with torch.no_grad():
            features, coords = self.voxelize(points)
        if features.shape[0] < (2 if self.training else 1):  # batch norm in training has no spread of one row
            return self._empty_lidar(features, coords, len(points))
        return self.pts_middle_encoder(features, coords, len(points))

    def _empty_lidar(self, features: Tensor, coords: Tensor, batch: int) -> Tensor:
        """Zeros (B, C, X, Y) for a batch without a point in range, as an empty cloud among others gives.

        Other ranks may have points and wait for this one's gradients, so the
        encoder runs on a few stand-in voxels, and its output counts nothing.
        """
        return self.pts_middle_encoder(*self.stand_in_voxels(features, coords), batch) * 0.0

    def stand_in_voxels(self, features: Tensor, coords: Tensor) -> Tuple[Tensor, Tensor]:
        """Four voxels of zeros, like those of :meth:`voxelize`."""
        size = grid_size(self.voxelize_cfg['voxel_size'], self.voxelize_cfg['point_cloud_range'])
        places = [
            [0, int(share_x * size[0]), int(share_y * size[1]), int(0.5 * size[2])]
            for share_x in (0.25, 0.75)
            for share_y in (0.25, 0.75)
        ]
        return features.new_zeros(len(places), features.shape[1]), coords.new_tensor(places)

    def extract_camera(
        self,
        imgs: Optional[Tensor],
        depth_points: Optional[Sequence[Tensor]],
        metas: Optional[Sequence[Dict[str, Any]]],
    ) -> Optional[Tensor]:
        """Eq. 2: imgs (B, N, 3, H, W) normalised, clouds for the depth images, camera matrices -> I-hat (B, C, X, Y).

        None without a camera branch, and where images are not lifted.
        """
        if self.view_transform is None:
            return None
        if imgs is None or depth_points is None or metas is None:
            raise ConfigError(
                'this model has a camera branch; expected images, depth points and meta information, got '
                f'imgs={type(imgs).__name__}, depth_points={type(depth_points).__name__}, '
                f'metas={type(metas).__name__}'
            )
        if imgs.dim() != 5 or tuple(imgs.shape[-2:]) != self.view_transform.image_size:
            raise ConfigError(
                f'expected images (B, cameras, 3, H, W) with (H, W) = {self.view_transform.image_size} '
                f'(view_transform.image_size), got {tuple(imgs.shape)}; change the image augmentation or '
                'image_size'
            )
        return self.view_transform(self.image_features(imgs), list(depth_points), metas)

    def image_features(self, imgs: Tensor) -> Tensor:
        """Images (B, N, 3, H, W), normalised -> the finest level of the image neck (B, N, C, H / 8, W / 8)."""
        return self.img_neck(self.img_backbone(imgs.flatten(0, 1)))[0].unflatten(0, imgs.shape[:2])

    def fuse(self, lidar_bev: Optional[Tensor], camera_bev: Optional[Tensor]) -> Tensor:
        """Eq. 3: (B, C_P, X, Y), (B, C_I, X, Y) -> F-hat (B, C, X, Y)."""
        if self.fusion_layer is None:
            bev = lidar_bev if camera_bev is None else camera_bev
        else:
            bev = self.fusion_layer([camera_bev, lidar_bev])
        fused = self.pts_neck(self.pts_backbone(bev))
        return fused[0] if isinstance(fused, (list, tuple)) else fused

    def encode(
        self,
        points: Optional[Sequence[Tensor]] = None,
        imgs: Optional[Tensor] = None,
        depth_points: Optional[Sequence[Tensor]] = None,
        metas: Optional[Sequence[Dict[str, Any]]] = None,
    ) -> EncoderOutput:
        """All three BEV maps. `depth_points` are the clouds behind the depth images; default: `points`."""
        lidar_bev = self.extract_lidar(points)
        camera_bev = self.extract_camera(imgs, points if depth_points is None else depth_points, metas)
        return EncoderOutput(lidar_bev, camera_bev, self.fuse(lidar_bev, camera_bev))

    def extract_feat(self, batch_inputs: Dict[str, Any], batch_metas: List[Dict[str, Any]]) -> EncoderOutput:
        """`encode` on the preprocessor's dictionary."""
        return self.encode(batch_inputs.get('points'), batch_inputs.get('imgs'), metas=batch_metas)
