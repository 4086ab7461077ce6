"""Soft clustering of a cloud by the features of its points (CluRender, section 4)."""

from __future__ import annotations

from typing import Dict, List

import torch
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...errors import ConfigError
from ...functional import cluster_centres, soft_label_loss, spread_loss, transport_plan, usage_perplexity
from ...functional.shared_mean import shared_mean


@MODELS.register_module()
class ClusterHead(BaseModule):
    """Points of a cloud tell their cluster from their feature, and learn from where the clusters lie (Eqs. 2-14).

    The scores make centres in space; the transport plan between points and centres, which gives every cluster an even
    share, is the label of the scores. Three linear layers, layer norm and ReLU between them, half as wide as the
    features.

    Args:
        in_channels: channels of a point's feature.
        num_clusters: J.
        epsilon: of the plan, on squared distances in units of the cloud's size.
        num_iters: rounds of the plan.
        spread_weight: omega of Eq. 14.
        loss_weight: of both terms.
    """

    def __init__(
        self,
        in_channels: int,
        num_clusters: int = 64,
        epsilon: float = 1e-3,
        num_iters: int = 20,
        spread_weight: float = 0.01,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        if num_clusters < 2:
            raise ConfigError(f'num_clusters must be at least 2, got {num_clusters}')
        if not epsilon > 0 or num_iters < 1:
            raise ConfigError(f'epsilon must be positive and num_iters at least 1, got {epsilon} and {num_iters}')
        self.epsilon, self.num_iters = epsilon, num_iters
        self.spread_weight, self.loss_weight = spread_weight, loss_weight
        width = max(in_channels // 2, 1)
        self.layers = nn.Sequential(
            *(nn.Linear(in_channels, width), nn.LayerNorm(width), nn.ReLU()),
            *(nn.Linear(width, width), nn.LayerNorm(width), nn.ReLU()),
            nn.Linear(width, num_clusters),
        )

    @property
    def num_clusters(self) -> int:
        """J."""
        return self.layers[-1].out_features

    def log_scores(self, features: Tensor) -> Tensor:
        """(N, C) -> log s (N, J), float32."""
        return self.layers(features).float().log_softmax(1)

    def loss(self, features: List[Tensor], places: List[Tensor]) -> Dict[str, Tensor]:
        """Eq. 14 over a batch of clouds.

        Args:
            features: per cloud (N, C).
            places: per cloud (N, 3), in units of its size: about 1 from end to end.

        Returns:
            ``loss_cluster`` (mean over points) and ``loss_spread`` (mean over clouds); ``cluster_ratio``, the former
            over that of equal scores; ``clusters_used``, how many clusters the points of a cloud spread over
            (perplexity).
        """
        scores = [self.log_scores(own) for own in features]
        with torch.autocast(device_type=scores[0].device.type, enabled=False):
            centres = [cluster_centres(place.float(), own.exp()) for place, own in zip(places, scores)]
            labels = [self._soft_labels(place.float(), own) for place, own in zip(places, centres)]
            label_loss = soft_label_loss(torch.cat(scores), torch.cat(labels))
            spread = [spread_loss(own) for own, place in zip(centres, places) if len(place)]
            total = torch.stack(spread).sum() if spread else torch.cat(scores).sum() * 0.0
            spread_mean = shared_mean(total, len(spread))
        used = torch.stack([usage_perplexity(own.argmax(1)) for own in scores]).mean()
        return dict(
            loss_cluster=self.loss_weight * label_loss,
            loss_spread=self.loss_weight * self.spread_weight * spread_mean,
            cluster_ratio=label_loss.detach() / torch.log(label_loss.new_tensor(float(self.num_clusters))),
            clusters_used=used.to(label_loss),
        )

    @torch.no_grad()
    def _soft_labels(self, places: Tensor, centres: Tensor) -> Tensor:
        """gamma = N times the plan (Eq. 12): (N, 3), (J, 3) -> (N, J), rows sum to 1."""
        cost = (places.square().sum(1, keepdim=True) + centres.square().sum(1) - 2 * places @ centres.t()).clamp(min=0)
        return len(places) * transport_plan(cost, self.epsilon, self.num_iters)
