"""Occupancy-MAE: most voxels are hidden from the sparse encoder, and a decoder tells which cells are occupied."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Dict, List, Optional, Sequence, Tuple

import numpy as np
import torch
import torch.nn.functional as F
from mmdet3d.registry import MODELS
from spconv.pytorch import SparseConvTensor
from torch import Tensor

from ..encoders.camera_matrices import lidar_augmentations
from ..encoders.checks import check_lidar_alone
from ..errors import ConfigError
from ..functional import drop_in_bands, grid_size, occupancy_loss, range_bands
from .base import Pretrainer
from .declaration import Chart, Declaration, HealthRule, Limits
from .heads.occupancy_decoder import OccupancyDecoder
from .masking import own_statistics
from .pictures import Block, Picture, Points, Quantity, title_of

#: Width after every doubling of the grid, as released.
_CHANNELS = (32, 8)


@MODELS.register_module()
class OccupancyMAE(Pretrainer):
    """Masked occupancy autoencoder, for the sparse LiDAR encoder alone.

    Source: Min et al., Occupancy-MAE, 2022. Voxels are hidden by their metric range. From the encoder's coarsest stage,
    before its height is squeezed, a decoder tells which cells of a finer grid hold a voxel of the whole cloud.
    ``conv_out`` takes no part, and there is no BEV encoder. ``max_voxels`` does not cut what is told or hidden.

    Args:
        edges_m: ranges where bands of another masking ratio begin, metres.
        ratios: share of the voxels of every band that is hidden.
        stride: voxels along x, y and z of a cell that is told, 2 or 4. The release tells every voxel; at the paper's
            grid those are 85 million.
        positive_weight: what an occupied cell weighs in the mean; an empty one weighs 1.
        shared: targets and encoders, see :class:`Pretrainer` and :class:`CLAPEncoderBase`.
    """

    uses_bev: ClassVar[bool] = False
    stages: ClassVar[Tuple[str, ...]] = ('encode', 'decode')
    console_figures: ClassVar[Tuple[str, ...]] = ('hidden_found', 'empty_found')
    picture_titles: ClassVar[Dict[str, str]] = dict(cells='Cells that are seen, told and true')

    def __init__(
        self,
        edges_m: Sequence[float] = (30.0, 50.0),
        ratios: Sequence[float] = (0.9, 0.7, 0.5),
        stride: int = 4,
        positive_weight: float = 10.0,
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        check_lidar_alone(self)
        if self.pts_backbone is not None or self.pts_neck is not None:
            raise ConfigError('OccupancyMAE trains the sparse encoder alone: set pts_backbone and pts_neck to None')
        if self.masking is not None:
            raise ConfigError('OccupancyMAE hides voxels by range (model.ratios): set model.masking to None')
        if len(ratios) != len(edges_m) + 1 or sorted(edges_m) != list(edges_m) or not all(0 <= r < 1 for r in ratios):
            raise ConfigError(
                f'edges_m must rise, ratios be one more and in [0, 1), got edges_m={edges_m} and ratios={ratios}'
            )
        if stride not in (2, 4) or positive_weight <= 0:
            raise ConfigError(f'stride must be 2 or 4 and positive_weight positive, got {stride} and {positive_weight}')
        self.edges_m, self.ratios, self.stride = tuple(edges_m), tuple(ratios), stride
        self.positive_weight = positive_weight
        encoder = self.pts_middle_encoder
        encoder.conv_out.requires_grad_(False)
        doublings = len(encoder.stride_paddings) - int(math.log2(stride))
        self._check_height(doublings)
        self.decoder = OccupancyDecoder(
            encoder.stage_channels[-1], _CHANNELS[:doublings], encoder.conv_input[1].momentum
        )

    def _check_height(self, doublings: int) -> None:
        cfg, levels = self.voxelize_cfg, self.pts_middle_encoder.sparse_shape[2]
        for paddings in self.pts_middle_encoder.stride_paddings:
            levels = (levels + 2 * paddings[2] - 3) // 2 + 1
        told, voxels = levels * 2**doublings * self.stride, grid_size(cfg['voxel_size'], cfg['point_cloud_range'])[2]
        if told < voxels:
            raise ConfigError(
                f'the decoder tells {told} of the {voxels} voxels of height: choose voxel_size or point_cloud_range so '
                'that the height is 40 voxels, as in the base configurations'
            )

    # ---------------------------------------------------------------- the step

    def loss(self, batch_inputs_dict: Dict, batch_data_samples: List, **unused: Any) -> Dict[str, Tensor]:
        """Weighted occupancy of all cells, and how many of the hidden and of the empty ones are told right."""
        metas = [sample.metainfo for sample in batch_data_samples]
        logits, true, seen = self.told(batch_inputs_dict['points'], metas, self.sample_generators(len(metas)))
        self.step_counts = dict(cells=true.numel())
        weights = torch.where(true, self.positive_weight, 1.0)
        figures = figures_of(logits.detach(), true, seen)
        return dict(
            loss_occupancy=occupancy_loss(logits.flatten(), true.flatten(), weights.flatten()),
            **{name: logits.new_tensor(figures[name][0] / max(figures[name][1], 1)) for name in self.console_figures},
        )

    def told(
        self, points: List[Tensor], metas: List[dict], draws: Optional[List[torch.Generator]]
    ) -> Tuple[Tensor, Tensor, Tensor]:
        """Logits, whether a voxel lies there, and whether the encoder sees one of them, (B, X, Y, Z) each.

        Args:
            points: clouds (N, 5), augmented LiDAR frame.
            metas: of the samples.
            draws: sources of the masks; None hides nothing.
        """
        with self.stage('encode'), torch.no_grad():
            features, coords = self.voxelize(points, limited=False)
            kept = ~self.hidden(coords, metas, draws) if draws else torch.ones_like(coords[:, 0], dtype=torch.bool)
        with self.stage('encode'):
            deepest = self.deepest(features[kept], coords[kept], len(points))
        with self.stage('decode'), torch.autocast(device_type=features.device.type, enabled=False):
            logits = self.decoder(deepest)
        return logits, self.cells(coords, logits), self.cells(coords[kept], logits)

    def hidden(self, coords: Tensor, metas: List[dict], draws: List[torch.Generator]) -> Tensor:
        """(V,) bool: voxels (V, 4) = b, x, y, z that the encoder does not see; none of a sample whose all would be."""
        cfg = self.voxelize_cfg
        low, size = (torch.tensor(cfg[key][:3], device=coords.device) for key in ('point_cloud_range', 'voxel_size'))
        hidden = torch.zeros_like(coords[:, 0], dtype=torch.bool)
        for index, (motion, draw) in enumerate(zip(lidar_augmentations(metas), draws)):
            own = (coords[:, 0] == index).nonzero().flatten()
            centres = low + (coords[own, 1:] + 0.5) * size
            ranges = torch.linalg.vector_norm(centres - motion[:3, 3].to(centres), dim=1)
            dropped = drop_in_bands(range_bands(ranges, self.edges_m, self.ratios), draw)
            hidden[own] = dropped & ~dropped.all()  # a cloud of a few voxels would vanish
        return hidden

    def deepest(self, features: Tensor, coords: Tensor, batch: int) -> SparseConvTensor:
        """The encoder's coarsest stage; zeros for a batch with fewer than the two voxels that batch norm needs."""
        if len(features) > 1:
            return self.pts_middle_encoder.stages(features, coords, batch)[-1]
        x = self.pts_middle_encoder.stages(*self.stand_in_voxels(features, coords), batch)[-1]
        return x.replace_feature(x.features * 0.0)

    def cells(self, coords: Tensor, like: Tensor) -> Tensor:
        """(B, X, Y, Z) bool as ``like``: whether a cell holds one of the voxels (V, 4)."""
        cells = torch.cat([coords[:, :1], coords[:, 1:] // self.stride], 1).long()
        found = torch.zeros_like(like, dtype=torch.bool)
        found[tuple(cells[(cells < cells.new_tensor(like.shape)).all(1)].t())] = True
        return found

    def forward_norms(self, inputs: Dict, metas: List[dict]) -> None:
        """Also those of ``conv_out``, which training does not use and whoever loads the encoder does."""
        deepest = self.deepest(*self.voxelize(inputs['points']), len(metas))
        self.pts_middle_encoder.conv_out(deepest)
        self.decoder(deepest)

    # ---------------------------------------------------------------- evaluation

    @torch.no_grad()
    def predict(self, batch_inputs_dict: Dict, batch_data_samples: List, **unused: Any) -> List:
        """Cells of a frame, masked as in training by the same draw at every evaluation.

        Returns:
            The samples, each with ``figures`` for :class:`CLAPFigureMetric`: those of :func:`figures_of`, and
            ``balanced_accuracy_of_neighbours``, if all cells that touch a seen one are told to be occupied.
        """
        metas = [sample.metainfo for sample in batch_data_samples]
        draws = [torch.Generator(p.device).manual_seed(0) for p in batch_inputs_dict['points']]
        with own_statistics(self):
            cells = self.told(batch_inputs_dict['points'], metas, draws)
        for sample, logits, true, seen in zip(batch_data_samples, *cells):
            figures = figures_of(logits, true, seen)
            touching = figures_of(F.max_pool3d(seen[None].float(), 3, 1, 1)[0] - 0.5, true, seen)
            if 'balanced_accuracy' in touching:
                figures['balanced_accuracy_of_neighbours'] = touching['balanced_accuracy']
            sample.set_field(figures, 'figures')
        return batch_data_samples

    # ---------------------------------------------------------------- what it says of itself

    @classmethod
    def declare(cls, facts: Dict[str, float]) -> Declaration:
        """Whether cells that the encoder does not see are told better than by what is beside them."""
        rule = HealthRule(
            'Hidden and empty cells of evaluation frames (over the neighbours of seen ones)',
            ('heldout/balanced_accuracy',),
            Limits(low_bad=0.7, low_watch=1.0),
            (
                'Hidden cells are found better than by what is beside them.',
                'Telling the neighbours of seen cells would do as well.',
                'Hidden cells are hardly found.',
            ),
            'Mean of the shares of hidden occupied cells and of empty cells that are told right (0.5 is chance, and '
            'what telling the visible cells alone gives), over the same if every cell that touches a seen one is told.',
            'Train longer or raise the learning rate. Is hidden_found low and empty_found near 1? Raise '
            'model.positive_weight.',
            evaluation=True,
            over='heldout/balanced_accuracy_of_neighbours',
        )
        found, all_cells = ('hidden_found', 'empty_found'), ('heldout/accuracy', 'heldout/accuracy_of_prior')
        balanced = ('heldout/balanced_accuracy', 'heldout/balanced_accuracy_of_neighbours')
        evaluated = (*balanced, *(f'heldout/{name}' for name in found))
        charts = (
            Chart('evaluation frames: hidden and empty cells told right', evaluated, True),
            Chart('evaluation frames: all cells, and the prior', all_cells, True),
            Chart('drawn masks: hidden and empty cells told right', found),
        )
        return Declaration((rule,), charts)

    @torch.no_grad()
    def pictures(self, batch: Dict, names: Sequence[str], state: str = '', **options: Any) -> Dict[str, Picture]:
        """The cells that the encoder sees, those that it tells to be occupied, and those that are, by height."""
        metas = [sample.metainfo for sample in batch['data_samples']][:1]
        points = batch['inputs']['points'][:1]
        with own_statistics(self):
            logits, true, seen = self.told(points, metas, [torch.Generator(points[0].device).manual_seed(0)])
        box, grid = self.voxelize_cfg['point_cloud_range'], np.array(self.voxelize_cfg['voxel_size']) * self.stride
        panels = []
        for title, cells in (('seen by the encoder', seen), ('told to be occupied', logits > 0), ('occupied', true)):
            places = (cells[0].nonzero().cpu().numpy() + 0.5) * grid
            height = Quantity(places[:, 2], 'turbo', box[5] - box[2], f'm above {box[2]:g} m')
            panels.append(Points(f'{title}: {len(places)} cells', places + np.array(box[:3]), height, 0.8))
        return dict(cells=Picture(title_of(metas[0], state), [Block(panels, 3)]))


def figures_of(logits: Tensor, true: Tensor, seen: Tensor) -> Dict[str, Tuple[float, float]]:
    """Sums and counts of cells that are told right, of tensors of one shape.

    ``hidden_found``: occupied cells of which the encoder sees no voxel. ``empty_found``: empty cells.
    ``balanced_accuracy``: their mean. ``accuracy``: all cells. ``accuracy_of_prior``: all cells, told to be empty.
    """
    right, hidden = (logits > 0) == true, true & ~seen
    counts = [float(cells.sum()) for cells in (right & hidden, hidden, right & ~true, ~true, right)]
    found, num_hidden, empty, num_empty, all_right = counts
    figures = dict(
        hidden_found=(found, num_hidden), empty_found=(empty, num_empty),
        accuracy=(all_right, true.numel()), accuracy_of_prior=(num_empty, true.numel()),
    )  # fmt: skip
    if num_hidden and num_empty:
        figures['balanced_accuracy'] = ((found / num_hidden + empty / num_empty) / 2, 1.0)
    return figures
