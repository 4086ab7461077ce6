"""CluRender on driving frames: soft clusters of the cloud, and its colours splatted into the cameras."""

from __future__ import annotations

from typing import Any, ClassVar, Dict, List, NamedTuple, Optional, Sequence, Tuple

import torch
from mmdet3d.registry import MODELS
from torch import Tensor

from ..encoders.checks import check_lidar_alone
from ..errors import ConfigError
from ..functional import sample_bev, usage_perplexity
from ..structures import NO_CLASS, CameraViews, KeyframeSweep
from . import clurender_pictures
from .base import Pretrainer
from .clurender_health import declaration
from .declaration import Declaration
from .pictures import Picture


class PointSet(NamedTuple):
    """The points of one frame that the heads see."""

    index: Tensor  # (N,) their rows in the keyframe sweep
    points: Tensor  # (N, 3) metres, augmented LiDAR frame
    places: Tensor  # (N, 3) the same, in units of the range's half width
    features: Tensor  # (N, C + 1) of the BEV, and the height in the range, -1 to 1


@MODELS.register_module()
class CluRender(Pretrainer):
    """Pre-training of the LiDAR encoders by soft clustering and neural rendering (Mei et al., IJCV 2024).

    The feature of a point is the BEV map at its x, y, and its height, which the map has lost. A segmentation head tells
    its cluster, a colour network its colour; images are targets and nothing is trained of them. The whole input is
    encoded, unless ``masking`` says otherwise, and no point is held back from the loss: its figures are those of frames
    that it is not trained on. Where the paper does not augment, driving frames come as the pipeline
    gives them.

    Args:
        cluster_head: config of :class:`ClusterHead`, without ``in_channels``; None trains by rendering alone.
        splat_head: config of :class:`SplatHead`, without ``in_channels``; None trains by clustering alone.
        num_points: at most so many points of a frame's keyframe sweep are used, a new draw in every step.
        shared: masking, targets and encoders, see :class:`Pretrainer` and :class:`CLAPEncoderBase`.
    """

    stages: ClassVar[Tuple[str, ...]] = ('encode', 'cluster', 'render')
    console_figures: ClassVar[Tuple[str, ...]] = ('clusters_used',)
    picture_titles: ClassVar[Dict[str, str]] = clurender_pictures.TITLES
    images_as_targets: ClassVar[bool] = True

    def __init__(
        self,
        cluster_head: Optional[dict] = None,
        splat_head: Optional[dict] = None,
        num_points: int = 4096,
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        check_lidar_alone(self)
        if cluster_head is None and splat_head is None:
            raise ConfigError('nothing to train by: give cluster_head, splat_head or both')
        if num_points < 1:
            raise ConfigError(f'num_points must be positive, got {num_points}')
        channels = sum(self.pts_neck.out_channels) + 1
        self.cluster_head = MODELS.build(dict(cluster_head, in_channels=channels)) if cluster_head else None
        self.splat_head = MODELS.build(dict(splat_head, in_channels=channels)) if splat_head else None
        self.num_points = num_points

    # ---------------------------------------------------------------- the step

    def loss(self, batch_inputs_dict: Dict, batch_data_samples: List, **unused: Any) -> Dict[str, Tensor]:
        """One pre-training step (Eq. 1): named losses and figures.

        Args:
            batch_inputs_dict: what :class:`CLAPDataPreprocessor` gives, with images where ``splat_head`` is set.
            batch_data_samples: samples whose metainfo holds the calibration.
        """
        metas = [sample.metainfo for sample in batch_data_samples]
        draws = self.sample_generators(len(metas))
        with self.stage('encode'):
            bev = self.encode_masked(batch_inputs_dict, metas, draws).fused_bev
            sweeps = self.sweeps(batch_inputs_dict, metas)
            sets = [self.point_set(own, sweep, draw) for own, sweep, draw in zip(bev, sweeps, draws)]
        self.step_counts = dict(points=sum(len(own.index) for own in sets))
        features, losses = [own.features for own in sets], {}
        if self.cluster_head is not None:
            with self.stage('cluster'):
                losses.update(self.cluster_head.loss(features, [own.places for own in sets]))
        if self.splat_head is not None:
            with self.stage('render'):
                views = self.cameras(batch_inputs_dict, metas)
                losses.update(self.splat_head.loss(features, [own.points for own in sets], views, draws))
        return losses

    def point_set(self, bev: Tensor, sweep: KeyframeSweep, draw: Optional[torch.Generator] = None) -> PointSet:
        """Points in the range and not of the own vehicle with their features; ``num_points`` of them with a draw.

        Args:
            bev: (C, X, Y) of this frame.
            sweep: its keyframe.
            draw: source of the draw; None takes all points.
        """
        box = sweep.points.new_tensor(self.voxelize_cfg['point_cloud_range'])
        index = self.inside(sweep).nonzero().flatten()
        if draw is not None:
            index = index[torch.randperm(len(index), generator=draw, device=draw.device)[: self.num_points].to(index)]
        points, centre, half = sweep.points[index], (box[:3] + box[3:]) / 2, (box[3:] - box[:3]) / 2
        height = (points[:, 2:] - centre[2]) / half[2]
        features = torch.cat([sample_bev(bev, points, box.tolist()), height], dim=1)
        return PointSet(index, points, (points - centre) / half[:2].max(), features)

    def cameras(self, inputs: Dict, metas: List[dict]) -> List[CameraViews]:
        """The views that colours are compared with; ``ConfigError`` without images."""
        views = self.views(inputs, metas)
        if any(view is None for view in views):
            raise ConfigError(
                'splat_head renders into images, and the data have none: load them (pipeline.images, image_aug, '
                'modality.use_camera=True), or set model.splat_head=None'
            )
        return views

    # ---------------------------------------------------------------- evaluation

    @torch.no_grad()
    def predict(self, batch_inputs_dict: Dict, batch_data_samples: List, **unused: Any) -> List:
        """The samples, each with ``figures`` for :class:`CLAPFigureMetric`, over all points of the keyframe in range:

        those of :func:`purities` where the points have classes, ``clusters_used`` and those of
        :meth:`SplatHead.errors`.
        """
        metas = [sample.metainfo for sample in batch_data_samples]
        bev = self.encode_masked(batch_inputs_dict, metas).fused_bev
        views = self.cameras(batch_inputs_dict, metas) if self.splat_head is not None else [None] * len(metas)
        for sample, own, sweep, view in zip(batch_data_samples, bev, self.sweeps(batch_inputs_dict, metas), views):
            chosen, figures = self.point_set(own, sweep), {}
            if self.cluster_head is not None:
                cluster = self.cluster_head.log_scores(chosen.features).argmax(1)
                figures['clusters_used'] = (float(usage_perplexity(cluster)), 1)
                classes = self.classes(sample, chosen.index)
                figures.update(purities(cluster, classes, chosen.places, self.cluster_head.num_clusters))
            if view is not None:
                figures.update(self.splat_head.errors(chosen.features, chosen.points, view))
            sample.set_field(figures, 'figures')
        return batch_data_samples

    @staticmethod
    def classes(sample: Any, index: Tensor) -> Optional[Tensor]:
        """Semantic classes (N,) of points of the keyframe, None where the frame has none."""
        if 'gt_pts_seg' not in sample or 'pts_semantic_mask' not in sample.gt_pts_seg:
            return None
        return torch.as_tensor(sample.gt_pts_seg.pts_semantic_mask).to(index.device).long()[index]

    # ---------------------------------------------------------------- what it says of itself

    def facts(self) -> Dict[str, float]:
        """Number of clusters."""
        return {} if self.cluster_head is None else dict(num_clusters=self.cluster_head.num_clusters)

    @classmethod
    def declare(cls, facts: Dict[str, float]) -> Declaration:
        """See :mod:`.clurender_health`."""
        return declaration(facts)

    @torch.no_grad()
    def pictures(self, batch: Dict, names: Sequence[str], **options: Any) -> Dict[str, Picture]:
        """Pictures of the first sample of a batch."""
        return clurender_pictures.pictures(self, batch, names, str(options.get('state', '')))


def purities(cluster: Tensor, classes: Optional[Tensor], places: Tensor, num: int) -> Dict[str, Tuple[float, int]]:
    """Sum and count, over the points that have a class, of how many are of their cluster's most frequent one.

    ``purity``; ``purity_of_places``, if every point belongs to the nearest of ``num`` points that are drawn, the same
    at every call: what clusters have that know places alone; ``purity_of_one_cluster``.

    Args:
        cluster: (N,) int64.
        classes: (N,) int64, 255 for none; None gives no figures.
        places: (N, 3).
        num: number of clusters.
    """
    if classes is None or not bool((classes != NO_CLASS).any()):
        return {}
    cluster, classes, places = (values[classes != NO_CLASS] for values in (cluster, classes, places))
    draw = torch.Generator(places.device).manual_seed(0)
    drawn = places[torch.randperm(len(places), generator=draw, device=places.device)[:num]]
    width = int(classes.max()) + 1

    def pure(numbers: Tensor) -> Tuple[float, int]:
        table = torch.bincount(numbers * width + classes, minlength=(int(numbers.max()) + 1) * width)
        return float(table.view(-1, width).amax(1).sum()), len(classes)

    return dict(
        purity=pure(cluster),
        purity_of_places=pure(torch.cdist(places, drawn).argmin(1)),
        purity_of_one_cluster=pure(torch.zeros_like(cluster)),
    )
