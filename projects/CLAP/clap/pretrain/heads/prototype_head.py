"""Prototype learning across the two modalities (section 3.4, Eqs. 13-18)."""

from __future__ import annotations

import math
from typing import Dict, Optional, Tuple

import torch
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from ...errors import ConfigError
from ...functional import (
    em_loss,
    gram_loss,
    similarity,
    sinkhorn,
    swapped_prediction_loss,
    unit_spread,
    usage_perplexity,
)
from ...modules import MLP


@MODELS.register_module()
class PrototypeHead(BaseModule):
    """Learnable prototypes that both modalities are assigned to.

    Args:
        lidar_channels: channels of the LiDAR BEV map.
        camera_channels: channels of the camera BEV map.
        embed_channels: d_K, width of the common space.
        hidden_channels: width of the hidden layer of the projection MLPs.
        num_prototypes: N_K.
        temperature: tau of Eq. 16, also of the softmax of Eq. 15. The paper's 1.0
            keeps Eq. 15 within 7.6 % of its maximum for unit vectors (see EQUATIONS.md).
        epsilon: entropy regularisation of Sinkhorn; not printed in the paper.
        sinkhorn_iters: N_sink.
        normalization: ``'entries'`` divides Eqs. 15 and 16 by N_3D * N_K as
            printed, ``'cells'`` by N_3D only (the scale of SwAV).
        cells: ``'all'`` BEV cells as printed, or only the ``'occupied'`` ones, in
            which the LiDAR encoder left a feature. Empty cells all look the same, so
            balanced codes spend most prototypes on them, and no code of theirs can be
            predicted.
        batch_norm: centre and scale every channel of the embeddings over the cells
            before they are normalised. Without it, modalities that know little of each
            other (both are masked) soon find that the best prediction is none: all
            cells get the same embedding, ``swav_ratio`` is 1. Not in the paper.
        squared_gram: penalise squared similarities of prototypes instead of signed ones.
        loss_weight: omega_proto of Eq. 4.
        swav_weight: omega_SwAV of Eq. 18.
        em_weight: omega_EM of Eq. 18.
        gram_weight: omega_GMM of Eq. 18.
    """

    def __init__(
        self,
        lidar_channels: int = 256,
        camera_channels: int = 80,
        embed_channels: int = 128,
        hidden_channels: int = 256,
        num_prototypes: int = 512,
        temperature: float = 1.0,
        epsilon: float = 0.05,
        sinkhorn_iters: int = 3,
        normalization: str = 'entries',
        cells: str = 'all',
        batch_norm: bool = False,
        squared_gram: bool = False,
        loss_weight: float = 1.0,
        swav_weight: float = 1.0,
        em_weight: float = 0.1,
        gram_weight: float = 0.1,
    ) -> None:
        super().__init__()
        if cells not in ('all', 'occupied'):
            raise ConfigError(f"cells must be 'all' or 'occupied', got {cells!r}")
        if normalization not in ('entries', 'cells'):
            raise ConfigError(f"normalization must be 'entries' or 'cells', got {normalization!r}")
        if num_prototypes < 2 or sinkhorn_iters < 1 or min(temperature, epsilon) <= 0:
            raise ConfigError(
                'num_prototypes must be at least 2, sinkhorn_iters at least 1, temperature and epsilon positive, got '
                f'{num_prototypes}, {sinkhorn_iters}, {temperature} and {epsilon}'
            )
        self.lidar_projection = MLP(lidar_channels, hidden_channels, embed_channels, 1, nn.ReLU())
        self.camera_projection = MLP(camera_channels, hidden_channels, embed_channels, 1, nn.ReLU())
        self.lidar_norm = nn.BatchNorm1d(embed_channels, affine=False) if batch_norm else None
        self.camera_norm = nn.BatchNorm1d(embed_channels, affine=False) if batch_norm else None
        self.prototypes = nn.Parameter(F.normalize(torch.randn(num_prototypes, embed_channels), dim=-1))
        self.temperature, self.epsilon, self.sinkhorn_iters = temperature, epsilon, sinkhorn_iters
        self.normalization, self.cells, self.squared_gram = normalization, cells, squared_gram
        self.loss_weight, self.swav_weight = loss_weight, swav_weight
        self.em_weight, self.gram_weight = em_weight, gram_weight

    def embed(self, lidar_bev: Tensor, camera_bev: Tensor) -> Tuple[Tensor, Tensor]:
        """Eq. 13: BEV maps (B, C, X, Y) -> two (N_3D, d_K) tables of unit vectors, row for row the same cells."""
        occupied = lidar_bev.detach().ne(0).any(1) if self.cells == 'occupied' else None

        def rows(bev: Tensor) -> Tensor:
            table = bev.float().permute(0, 2, 3, 1)
            return table.reshape(-1, bev.shape[1]) if occupied is None else table[occupied]

        lidar = _unit(self.lidar_projection, self.lidar_norm, rows(lidar_bev))
        camera = _unit(self.camera_projection, self.camera_norm, rows(camera_bev))
        return lidar, camera

    def loss(self, lidar_bev: Tensor, camera_bev: Tensor) -> Dict[str, Tensor]:
        """L_proto (Eq. 18) times omega_proto, with its health figures.

        Args:
            lidar_bev: (B, C_P, X, Y).
            camera_bev: (B, C_I, X, Y).
        """
        with torch.autocast(device_type=lidar_bev.device.type, enabled=False):
            lidar, camera = self.embed(lidar_bev, camera_bev)
            sim_lidar = similarity(lidar, self.prototypes)  # Eq. 14
            sim_camera = similarity(camera, self.prototypes)
            codes_lidar = sinkhorn(sim_lidar, self.epsilon, self.sinkhorn_iters)
            codes_camera = sinkhorn(sim_camera, self.epsilon, self.sinkhorn_iters)
            swav = swapped_prediction_loss(
                sim_lidar, sim_camera, codes_lidar, codes_camera, self.temperature, self.normalization
            )
            em = em_loss(sim_lidar, sim_camera, self.temperature, self.normalization)
            gram = gram_loss(self.prototypes, self.squared_gram)
            losses = dict(
                loss_swav=self.loss_weight * self.swav_weight * swav,
                loss_em=self.loss_weight * self.em_weight * em,
                loss_gram=self.loss_weight * self.gram_weight * gram,
            )
            losses.update(self._health(sim_lidar, sim_camera, lidar, camera))
            # At 1 every prediction is uniform: the modalities say nothing about each other (collapse).
            num = len(self.prototypes)
            uniform = 2 * math.log(num) / (num if self.normalization == 'entries' else 1)
            losses.update(swav_ratio=swav.detach() / uniform)
        return losses

    def assign(self, lidar_bev: Tensor, camera_bev: Tensor) -> Tuple[Tensor, ...]:
        """Index of the most similar prototype of every cell: two (B, X, Y) integer maps."""
        maps = []
        for bev, projection, norm in (
            (lidar_bev, self.lidar_projection, self.lidar_norm),
            (camera_bev, self.camera_projection, self.camera_norm),
        ):
            cells = bev.float().permute(0, 2, 3, 1)
            scores = similarity(_unit(projection, norm, cells.flatten(0, 2)), self.prototypes)
            maps.append(scores.argmax(-1).view(cells.shape[:3]))
        return tuple(maps)

    @torch.no_grad()
    def _health(self, sim_lidar: Tensor, sim_camera: Tensor, lidar: Tensor, camera: Tensor) -> Dict[str, Tensor]:
        """Figures that tell whether prototypes are alive; logged, not optimised."""
        units = F.normalize(self.prototypes, dim=-1)
        gram = units @ units.t()
        off_diagonal = gram[~torch.eye(len(gram), dtype=torch.bool, device=gram.device)]
        figures = dict(gram_mean=off_diagonal.mean(), gram_max=off_diagonal.max())
        if not len(lidar):  # the same names on every rank: they are averaged over ranks
            names = (
                'proto_perplexity_lidar',
                'proto_perplexity_camera',
                'proto_agreement',
                'proto_max_prob',
                'feature_std_lidar',
                'feature_std_camera',
            )
            return {**figures, **{name: gram.new_zeros(()) for name in names}}
        assigned_lidar, assigned_camera = sim_lidar.argmax(-1), sim_camera.argmax(-1)
        figures.update(
            proto_perplexity_lidar=usage_perplexity(assigned_lidar),
            proto_perplexity_camera=usage_perplexity(assigned_camera),
            proto_agreement=(assigned_lidar == assigned_camera).float().mean(),
            proto_max_prob=(sim_lidar / self.temperature).softmax(-1).amax(-1).mean(),
            feature_std_lidar=unit_spread(lidar),
            feature_std_camera=unit_spread(camera),
        )
        return figures


def _unit(projection: nn.Module, norm: Optional[nn.Module], rows: Tensor) -> Tensor:
    """Projected (N, C) rows as unit vectors (N, d_K)."""
    embeddings = projection(rows)
    # One row has no variance; where ranks share theirs, all take part.
    if norm is not None and (len(rows) > 1 or not norm.training or isinstance(norm, nn.SyncBatchNorm)):
        embeddings = norm(embeddings)
    return F.normalize(embeddings, dim=-1)
