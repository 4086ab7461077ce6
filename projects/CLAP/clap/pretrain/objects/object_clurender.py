"""CluRender in its paper's own setting: single objects and their rendered views."""

from __future__ import annotations

import copy
from typing import Any, ClassVar, Dict, List, Optional, Tuple

import torch
from mmdet3d.registry import MODELS
from mmengine.model import BaseModel
from torch import Tensor, nn

from ...encoders.finite_losses import FiniteLosses
from ...errors import ConfigError
from ...functional import usage_perplexity
from ...structures import CameraViews
from ..clurender_health import object_declaration
from ..declaration import Declaration
from ..method import Method

#: Steps in which the batch norms of the untrained backbone are settled.
SETTLING_STEPS = 20


@MODELS.register_module()
class ObjectCluRender(Method, FiniteLosses, BaseModel):
    """Pre-training of a point network by soft clusters and rendered colours of single objects (Mei et al., IJCV 2024).

    Beside the backbone stands a copy that is never trained: what its features are worth is what training is compared
    with.

    Args:
        backbone: config of :class:`CLAPPointNet` or :class:`CLAPDGCNN`.
        cluster_head: config of :class:`ClusterHead`, without ``in_channels``; None trains by rendering alone.
        splat_head: config of :class:`SplatHead`, without ``in_channels``; None trains by clustering alone.
        num_views: of an object's views so many are rendered in a step, a new draw in every one.
        data_preprocessor: as in MMEngine.
    """

    stages: ClassVar[Tuple[str, ...]] = ('encode', 'cluster', 'render')
    console_figures: ClassVar[Tuple[str, ...]] = ('clusters_used',)

    def __init__(
        self,
        backbone: dict,
        cluster_head: Optional[dict] = None,
        splat_head: Optional[dict] = None,
        num_views: int = 8,
        data_preprocessor: Optional[dict] = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        if cluster_head is None and splat_head is None:
            raise ConfigError('nothing to train by: give cluster_head, splat_head or both')
        if num_views < 1:
            raise ConfigError(f'num_views must be positive, got {num_views}')
        self.backbone = MODELS.build(backbone)
        self.untrained = copy.deepcopy(self.backbone).requires_grad_(False)
        self._norms = [m for m in self.untrained.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        for norm in self._norms:
            norm.momentum = None  # the mean over the settling steps
        channels = self.backbone.point_channels
        self.cluster_head = MODELS.build(dict(cluster_head, in_channels=channels)) if cluster_head else None
        self.splat_head = MODELS.build(dict(splat_head, in_channels=channels)) if splat_head else None
        self.num_views = num_views

    def forward(self, inputs: Dict, data_samples: Optional[List] = None, mode: str = 'tensor') -> Any:
        """Losses (``'loss'``), the samples with features and figures (``'predict'``), or the features (``'tensor'``).

        Args:
            inputs: lists, an entry per object, as :class:`CLAPObjectDataset` gives them.
            data_samples: their samples.
            mode: which.
        """
        if mode == 'loss':
            return self.loss(inputs)
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        return self.backbone(torch.stack(inputs['points']))

    def loss(self, inputs: Dict) -> Dict[str, Tensor]:
        """One step (Eq. 1): named losses and figures."""
        clouds, draws = inputs['points'], self.sample_generators(len(inputs['points']))
        points = torch.stack(clouds)
        self._settle(points)
        with self.stage('encode'):
            features = list(self.backbone(points)[0])
        self.step_counts = dict(points=points.shape[0] * points.shape[1])
        losses: Dict[str, Tensor] = {}
        if self.cluster_head is not None:
            with self.stage('cluster'):
                losses.update(self.cluster_head.loss(features, clouds))
        if self.splat_head is not None:
            with self.stage('render'):
                views = [self.views(inputs, index, draw) for index, draw in enumerate(draws)]
                losses.update(self.splat_head.loss(features, clouds, views, draws))
        return losses

    @torch.no_grad()
    def _settle(self, points: Tensor) -> None:
        """Batch norms of the untrained backbone take the mean of the first steps, as in any backbone that is used."""
        if self._norms and int(self._norms[0].num_batches_tracked) < SETTLING_STEPS:
            self.untrained(points)

    def views(self, inputs: Dict, index: int, draw: Optional[torch.Generator] = None) -> CameraViews:
        """The cameras of one object, ``num_views`` of them with a draw."""
        if 'images' not in inputs:
            raise ConfigError('splat_head renders views, and the objects have none: set model.splat_head=None')
        chosen = slice(None)
        if draw is not None:
            chosen = torch.randperm(len(inputs['images'][index]), generator=draw, device=draw.device)[: self.num_views]
            chosen = chosen.to(inputs['points'][index].device)
        images, cam2img, world2cam = (inputs[key][index][chosen] for key in ('images', 'cam2img', 'world2cam'))
        still = torch.eye(4, device=cam2img.device)
        return CameraViews(
            lidar2img=cam2img @ world2cam,
            cam2img=cam2img,
            cam2lidar=torch.linalg.inv(world2cam),
            img_aug=still.expand(len(images), 4, 4),
            lidar_aug=still,
            rgb=images.float() / 255,
            original_size=torch.tensor([list(images.shape[-2:])] * len(images), device=cam2img.device),
        )

    @torch.no_grad()
    def predict(self, inputs: Dict, data_samples: List) -> List:
        """The samples, each with ``features`` and ``untrained_features`` of the whole (C,) for
        :class:`LinearSVMMetric`, and ``figures`` for :class:`CLAPFigureMetric`, those of test objects alone:
        ``clusters_used`` and those of :meth:`SplatHead.errors`."""
        points = torch.stack(inputs['points'])
        features, whole = self.backbone(points)
        _, untrained = self.untrained(points)
        for index, sample in enumerate(data_samples):
            figures: Dict[str, tuple] = {}
            if sample.split == 'test' and self.cluster_head is not None:
                cluster = self.cluster_head.log_scores(features[index]).argmax(1)
                figures['clusters_used'] = (float(usage_perplexity(cluster)), 1)
            if sample.split == 'test' and self.splat_head is not None:
                views = self.views(inputs, index)
                figures.update(self.splat_head.errors(features[index], points[index], views))
            sample.set_field(whole[index], 'features', dtype=Tensor)
            sample.set_field(untrained[index], 'untrained_features', dtype=Tensor)
            sample.set_field(figures, 'figures')
        return data_samples

    def facts(self) -> Dict[str, float]:
        """Number of clusters."""
        return {} if self.cluster_head is None else dict(num_clusters=self.cluster_head.num_clusters)

    @classmethod
    def declare(cls, facts: Dict[str, float]) -> Declaration:
        """See :mod:`..clurender_health`."""
        return object_declaration(facts)
