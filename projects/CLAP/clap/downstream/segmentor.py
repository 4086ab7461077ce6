"""LiDAR segmentation: a sparse U-Net whose encoder is the pre-trained one."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Dict, List, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from mmdet3d.models.layers import SparseBasicBlock, make_sparse_convmodule
from mmdet3d.models.losses.lovasz_loss import lovasz_softmax_flat
from mmdet3d.registry import MODELS
from mmdet3d.structures import PointData
from spconv.pytorch import SparseConvTensor, SparseSequential
from torch import Tensor, nn

from ..encoders.camera_matrices import lidar_augmentations
from ..encoders.sparse_conv import CLAPSparseInverseConv3d, CLAPSubMConv3d
from ..errors import ConfigError
from ..functional import transform_points
from ..functional.voxelize import GRIDS, voxel_rows
from ..neighbours import neighbour_indices
from ..structures import NO_CLASS
from .on_encoders import OnEncoders


class SparseDecoder(nn.Module):
    """From the coarsest stage of a sparse encoder back to its voxels: an inverse convolution to the rows of the stage
    before, joined with what that stage had, and a residual block.

    Args:
        encoder_channels: width of every stage before it is strided, the finest first.
        channels: width after every step upwards, the coarsest first.
        norm_cfg: norm of all layers, a 1-d batch norm.
    """

    def __init__(self, encoder_channels: Sequence[int], channels: Sequence[int], norm_cfg: dict) -> None:
        super().__init__()
        if len(channels) != len(encoder_channels) - 1:
            raise ConfigError(
                f'decoder_channels {list(channels)}: expected {len(encoder_channels) - 1} widths, one per stride'
            )
        self.ups, self.merges = nn.ModuleList(), nn.ModuleList()
        given = encoder_channels[-1]
        for stage, width in zip(range(len(channels), 0, -1), channels):
            inverse = CLAPSparseInverseConv3d(given, width, 3, indice_key=f'spconv{stage}', bias=False)
            norm = nn.BatchNorm1d(width, eps=norm_cfg['eps'], momentum=norm_cfg['momentum'])
            self.ups.append(SparseSequential(inverse, norm, nn.ReLU(inplace=True)))
            conv = dict(type=CLAPSubMConv3d, indice_key=f'subm{stage}')
            joined = make_sparse_convmodule(
                width + encoder_channels[stage - 1],
                width,
                3,
                padding=1,
                norm_cfg=norm_cfg,
                indice_key=conv['indice_key'],
                conv_type=CLAPSubMConv3d,
            )
            self.merges.append(
                SparseSequential(*joined, SparseBasicBlock(width, width, norm_cfg=norm_cfg, conv_cfg=conv))
            )
            given = width

    def forward(self, stages: List[SparseConvTensor]) -> Tensor:
        """Stages of :meth:`CLAPSparseEncoder.stages` -> (V, channels[-1]), a row per voxel."""
        x = stages[-1]
        for up, merge, skip in zip(self.ups, self.merges, stages[-2::-1]):
            x = up(x)
            x = merge(x.replace_feature(torch.cat([x.features, skip.features], 1)))
        return x.features


@MODELS.register_module()
class CLAPSegmentor(OnEncoders):
    """A class for every point of the keyframe sweep, from the LiDAR alone.

    The encoder is ``pts_middle_encoder`` under its own names, fed as in pre-training (earlier sweeps too), so that
    pre-trained weights load by value; its ``conv_out``, which makes the BEV, is not used and stays as it is. A point
    gets the class of its voxel; one without a voxel (out of range, or beyond ``max_voxels``) that of the nearest point
    that has one, and does not count in the loss.

    Args:
        num_classes: C.
        decoder_channels: see :class:`SparseDecoder`.
        grid: ``'cartesian'``; or ``'cylinder'``, Cylinder3D's: voxels of (rho in m, phi in rad, z in m), so that
            ``voxelize_cfg`` has these units. The encoder's kernels then see rho for x, phi for y.
        lovasz_weight: of the Lovasz-softmax term beside cross-entropy.
        encoders: see :class:`OnEncoders`; only the LiDAR encoder.
    """

    uses_bev: ClassVar[bool] = False

    def __init__(
        self,
        num_classes: int,
        decoder_channels: Sequence[int] = (64, 32, 32),
        grid: str = 'cartesian',
        lovasz_weight: float = 1.0,
        **encoders: Any,
    ) -> None:
        super().__init__(**encoders)
        if grid not in GRIDS:
            raise ConfigError(f'grid must be one of {", ".join(GRIDS)}, got {grid!r}')
        if not self.has_lidar or len(self.encoders) > 1:
            raise ConfigError('CLAPSegmentor has the LiDAR encoder alone: set the other encoders to None')
        if grid == 'cylinder':
            lower, upper = self.voxelize_cfg['point_cloud_range'][1], self.voxelize_cfg['point_cloud_range'][4]
            if abs(lower + math.pi) > 1e-3 or abs(upper - math.pi) > 1e-3:
                raise ConfigError(
                    'grid=cylinder: the second axis of point_cloud_range is the angle, from -pi to pi; got '
                    f'{lower} to {upper}'
                )
        self.num_classes, self.grid, self.lovasz_weight = num_classes, grid, lovasz_weight
        self.pts_middle_encoder.conv_out.requires_grad_(False)
        norm = dict(type='BN1d', eps=1e-3, momentum=self.pts_middle_encoder.conv_input[1].momentum)
        self.decoder = SparseDecoder(self.pts_middle_encoder.stage_channels, decoder_channels, norm)
        self.classify = nn.Linear(decoder_channels[-1], num_classes)

    # ---------------------------------------------------------------- voxels

    def in_grid(self, points: Tensor) -> Tensor:
        """As the parent's; the encoder gets x, y, z on either grid, as in pre-training."""
        return GRIDS[self.grid](points)

    def rows_of(self, points: Sequence[Tensor], coords: Tensor) -> List[Tensor]:
        """Clouds (N, 3) and voxels (V, 4) = b, x, y, z -> row of every point's voxel, (N,) int64, -1 where none is."""
        cfg, rows = self.voxelize_cfg, []
        for index, cloud in enumerate(points):
            own = (coords[:, 0] == index).nonzero().flatten()
            place, occupied = self.in_grid(cloud.float()), coords[own, 1:].long()
            found = voxel_rows(place, occupied, cfg['voxel_size'], cfg['point_cloud_range'])
            rows.append(torch.where(found < 0, found, own[found]) if len(own) else found)
        return rows

    def forward_norms(self, inputs: Dict[str, Any], metas: List[Dict[str, Any]]) -> None:
        """Let the encoder's batch norms see a preprocessed batch."""
        self.logits(inputs, metas)

    # ---------------------------------------------------------------- classes

    def logits(self, inputs: Dict, metas: List[dict]) -> Tuple[Tensor, List[Tensor], List[Tensor]]:
        """(V, C) of all voxels; the keyframes' points in the augmented frame and the rows of their voxels."""
        with torch.no_grad():
            features, coords = self.voxelize(inputs['points'])
            if not len(coords):
                features, coords = self.stand_in_voxels(features, coords)
        with self.encoding():
            stages = self.pts_middle_encoder.stages(features, coords, len(inputs['points']))
        clouds = [
            transform_points(points, matrix.to(points))
            for points, matrix in zip(inputs['keyframe_points'], lidar_augmentations(metas))
        ]
        return self.classify(self.decoder(stages)), clouds, self.rows_of(clouds, coords)

    def loss(self, batch_inputs_dict: Dict, batch_data_samples: List, **unused) -> Dict[str, Tensor]:
        """Cross-entropy and Lovasz-softmax over the points that have a voxel and a class; ``acc`` is their accuracy."""
        voxels, _, rows = self.logits(batch_inputs_dict, [sample.metainfo for sample in batch_data_samples])
        labels = torch.cat([self._labels(sample, len(own)) for sample, own in zip(batch_data_samples, rows)])
        rows = torch.cat(rows)
        labels = labels.to(rows.device)
        counted = (rows >= 0) & (labels != NO_CLASS)
        logits, labels = voxels[rows[counted]].float(), labels[counted]
        if not len(labels):
            nothing = voxels.sum() * 0.0
            return dict(loss_ce=nothing, loss_lovasz=nothing)
        return dict(
            loss_ce=F.cross_entropy(logits, labels),
            loss_lovasz=self.lovasz_weight * lovasz_softmax_flat(logits.softmax(1), labels),
            acc=(logits.argmax(1) == labels).float().mean(),
        )

    def _labels(self, sample: Any, num_points: int) -> Tensor:
        if 'gt_pts_seg' not in sample or 'pts_semantic_mask' not in sample.gt_pts_seg:
            raise ConfigError(
                'training a segmentor needs classes of points, and a sample has none: set semantic_classes in the data '
                "set, CLAPLoadSemantics in the pipeline and 'pts_semantic_mask' in the keys of CLAPPackInputs"
            )
        labels = sample.gt_pts_seg.pts_semantic_mask.long()
        wrong = labels[(labels >= self.num_classes) & (labels != NO_CLASS)]
        if len(labels) != num_points or len(wrong):
            raise ConfigError(
                f'{len(labels)} classes of {num_points} points, the largest {int(labels.max()) if len(labels) else 0}; '
                f'expected one per point of the keyframe, below num_classes={self.num_classes} or {NO_CLASS}'
            )
        return labels

    @torch.no_grad()
    def predict(self, batch_inputs_dict: Dict, batch_data_samples: List, **unused) -> List:
        """The samples, each with ``pred_pts_seg.pts_semantic_mask``: (N,) class of every keyframe point."""
        voxels, clouds, rows = self.logits(batch_inputs_dict, [sample.metainfo for sample in batch_data_samples])
        classes = voxels.argmax(1)
        for sample, cloud, own in zip(batch_data_samples, clouds, rows):
            sample.pred_pts_seg = PointData(pts_semantic_mask=classes[nearest_row(cloud, own)])
        return batch_data_samples

    def _forward(self, batch_inputs_dict: Dict, batch_data_samples: Optional[List] = None, **unused) -> Tensor:
        """Logits of all voxels (mode ``tensor``)."""
        return self.logits(batch_inputs_dict, [sample.metainfo for sample in batch_data_samples or []])[0]


def nearest_row(cloud: Tensor, rows: Tensor) -> Tensor:
    """Points (N, 3), metres, and their rows (N,), -1 for none -> rows, for those that of the nearest point with one."""
    lacking = rows < 0
    if not bool(lacking.any()):
        return rows
    if bool(lacking.all()):
        raise ConfigError('no point of a frame lies in point_cloud_range; see tools/doctor.py')
    index = neighbour_indices(cloud[~lacking].cpu().numpy(), 1, cloud[lacking].cpu().numpy())
    found = rows.clone()
    found[lacking] = rows[~lacking][torch.from_numpy(index).to(rows.device)]
    return found
