"""ALSO: the LiDAR encoders tell which places along the sensor's rays are full and which are empty."""

from __future__ import annotations

from typing import Any, ClassVar, Dict, List, Sequence, Tuple

import numpy as np
import torch
from mmdet3d.registry import MODELS
from torch import Tensor

from ..encoders.checks import check_lidar_alone
from ..errors import ConfigError
from ..functional import OccupancyQueries, also_queries, occupancy_loss, radius_pairs
from ..functional.shared_mean import shared_mean
from ..structures import KeyframeSweep
from .base import Pretrainer
from .declaration import Chart, Declaration, HealthRule, Limits
from .heads.occupancy_query_head import OccupancyQueryHead
from .occupancy_figures import mean_map, query_charts, query_figures, query_rules
from .pictures import Block, Image, Picture, Quantity, title_of

#: Intensities of the data are 0 to this.
_BRIGHTEST = 255.0
#: The same return in two clouds, which were carried into the frame by the same motion in another arithmetic.
_SAME_POINT_M = 1e-3
#: Of the slices in the picture.
_PIXEL_M, _SLICE_M = 0.25, 0.3


@MODELS.register_module()
class ALSO(Pretrainer):
    """Self-supervision by occupancy estimation, for the LiDAR encoders alone.

    Source: Boulch et al., CVPR 2023. Queries lie on rays from each sweep's sensor to its points; the cells of the
    neck's map around a query answer it, each on its own. The intensity of the hit is told, too, where the query is
    near it.

    Args:
        num_queries: queries per sample.
        delta_m: distance from the hit within which a near query lies.
        radius_m: cells within this distance in the plane answer a query.
        latent_channels: width of a cell's latent vector and of the decoder.
        intensity_weight: of the L1 loss of intensities (0 to 1) of near queries.
        shared: targets and encoders, see :class:`Pretrainer` and :class:`CLAPEncoderBase`.
    """

    stages: ClassVar[Tuple[str, ...]] = ('encode', 'queries', 'answer')
    console_figures: ClassVar[Tuple[str, ...]] = ('occupancy_accuracy', 'near_accuracy')
    picture_titles: ClassVar[Dict[str, str]] = dict(slices='Occupancy in two upright slices through the sensor')

    def __init__(
        self,
        num_queries: int = 2048,
        delta_m: float = 0.1,
        radius_m: float = 1.0,
        latent_channels: int = 128,
        intensity_weight: float = 1.0,
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        check_lidar_alone(self)
        if num_queries < 1 or delta_m <= 0 or radius_m <= 0:
            raise ConfigError(
                f'num_queries, delta_m and radius_m must be positive, got {num_queries}, {delta_m} m and {radius_m} m'
            )
        self.num_queries, self.delta_m, self.intensity_weight = num_queries, delta_m, intensity_weight
        box, channels = self.voxelize_cfg['point_cloud_range'], sum(self.pts_neck.out_channels)
        self.query_head = OccupancyQueryHead(channels, box, radius_m, latent_channels)

    # ---------------------------------------------------------------- the step

    def loss(self, batch_inputs_dict: Dict, batch_data_samples: List, **unused: Any) -> Dict[str, Tensor]:
        """Occupancy of all (query, cell) pairs, intensity of the near ones, and how many queries are told right."""
        metas = [sample.metainfo for sample in batch_data_samples]
        sweeps = self.with_earlier(self.sweeps(batch_inputs_dict, metas), batch_inputs_dict, metas)
        draws = self.sample_generators(len(metas))
        with self.stage('encode'):
            bev = self.encode_masked(batch_inputs_dict, metas, draws).fused_bev
        with self.stage('queries'):
            asked, intensities = [], []
            for sweep, cloud, draw in zip(sweeps, batch_inputs_dict['points'], draws):
                hits, origins = self.targets(sweep, ~sweep.heldout)
                asked.append(also_queries(hits, origins, self.num_queries, self.delta_m, draw))
                intensities.append(intensity_of(hits[asked[-1].source], cloud))
        with self.stage('answer'):
            answers = self.query_head(bev, [queries.points for queries in asked])
            occupied, near, intensity = map(
                torch.cat, ([q.occupied for q in asked], [q.near for q in asked], intensities)
            )
            known = (near & (intensity >= 0))[answers.query]
            error = (answers.intensity - intensity[answers.query]).abs()[known]
        told, answered = answers.told(len(occupied))
        right = (told > 0) == occupied
        self.step_counts = dict(queries=len(occupied))
        return dict(
            loss_occupancy=occupancy_loss(answers.logits, occupied[answers.query]),
            loss_intensity=self.intensity_weight * shared_mean(error.sum(), len(error)),
            occupancy_accuracy=_share(right[answered]),
            near_accuracy=_share(right[answered & near]),
            answered_queries=_share(answered),
        )

    def targets(self, sweep: KeyframeSweep, chosen: Tensor) -> Tuple[Tensor, Tensor]:
        """Those of the chosen (N,) points that lie in range and not on the own vehicle, and where they were seen from;
        (M, 3) metres, augmented LiDAR frame."""
        kept = chosen & self.inside(sweep)
        return sweep.points[kept], sweep.origins[kept]

    # ---------------------------------------------------------------- evaluation

    @torch.no_grad()
    def predict(self, batch_inputs_dict: Dict, batch_data_samples: List, **unused: Any) -> List:
        """Queries on rays to the held-back points, which the encoders do not see; the same at every evaluation.

        Returns:
            The samples, each with ``figures`` for :class:`CLAPFigureMetric`, see :func:`.query_figures`.
        """
        metas = [sample.metainfo for sample in batch_data_samples]
        sweeps = self.sweeps(batch_inputs_dict, metas)
        bev = self.encode_masked(self.hold_back(batch_inputs_dict, sweeps), metas).fused_bev
        for sample, sweep, one in zip(batch_data_samples, sweeps, bev):
            generator = torch.Generator(bev.device).manual_seed(0)
            asked = also_queries(*self.targets(sweep, sweep.heldout), self.num_queries, self.delta_m, generator)
            sample.set_field(self.figures(asked, one), 'figures')
        return batch_data_samples

    def figures(self, asked: OccupancyQueries, bev: Tensor) -> Dict[str, Tuple[float, float]]:
        """:func:`.query_figures` of one sample's map (C, X, Y)."""
        answers = self.query_head(torch.stack([bev, mean_map(bev)]), [asked.points] * 2)
        (told, without_map), (answered, _) = (part.chunk(2) for part in answers.told(2 * len(asked.points)))
        return query_figures(*(part[answered] for part in (told, without_map, asked.occupied, asked.near)))

    # ---------------------------------------------------------------- what it says of itself

    @classmethod
    def declare(cls, facts: Dict[str, float]) -> Declaration:
        """Whether held-back queries are answered better than by the prior."""
        rules = (
            *query_rules(),
            HealthRule(
                'Queries that a cell answers',
                ('answered_queries',),
                Limits(low_bad=0.5, low_watch=0.9),
                ('Nearly all have one.', 'Some have none.', 'Most have none.'),
                'Share of the queries with the centre of a BEV cell within radius_m.',
                'Raise model.radius_m to 0.71 times the length of a cell or more.',
                from_start=True,
            ),
        )
        charts = (
            *query_charts(),
            Chart('accuracy of drawn queries', ('occupancy_accuracy', 'near_accuracy')),
        )
        return Declaration(rules, charts)

    @torch.no_grad()
    def pictures(self, batch: Dict, names: Sequence[str], state: str = '', **options: Any) -> Dict[str, Picture]:
        """How full every place of the planes y = 0 and x = 0 is told to be, and the points beside them."""
        metas = [sample.metainfo for sample in batch['data_samples']]
        cloud = batch['inputs']['points'][0][:, :3]
        bev = self.encode_masked(batch['inputs'], metas).fused_bev[:1]
        low, high = self.voxelize_cfg['point_cloud_range'][:3], self.voxelize_cfg['point_cloud_range'][3:]
        panels = []
        for axis, name in ((0, 'x'), (1, 'y')):
            along = torch.arange(low[axis], high[axis], _PIXEL_M) + _PIXEL_M / 2
            height = torch.arange(low[2], high[2], _PIXEL_M).flip(0) + _PIXEL_M / 2
            places = torch.zeros(len(height), len(along), 3)
            places[..., axis], places[..., 2] = along, height[:, None]
            told, answered = self.query_head(bev, [places.view(-1, 3).to(bev)]).told(height.numel() * along.numel())
            chance = torch.where(answered, told.sigmoid(), told.new_tensor(np.nan)).view(places.shape[:2])
            beside = cloud[cloud[:, 1 - axis].abs() < _SLICE_M]
            dots = torch.stack([beside[:, axis] - low[axis], high[2] - beside[:, 2]], 1) / _PIXEL_M
            over = Quantity(chance.cpu().numpy(), 'viridis', 1.0, 'told chance of being full')
            title = f'along {name}, {low[axis]:g} to {high[axis]:g} m; red: points within {_SLICE_M:g} m of the plane'
            panels.append(Image(title, np.ones((*places.shape[:2], 3)), over=over, dots=dots.cpu().numpy()))
        return dict(slices=Picture(title_of(metas[0], state), [Block(panels, size=(14.0, 1.9))]))


def intensity_of(hits: Tensor, cloud: Tensor) -> Tensor:
    """(N,) intensity in [0, 1] of hits (N, 3) from the encoders' cloud (M, 5), -1 where it lacks the point."""
    hit, same = radius_pairs(hits, cloud, _SAME_POINT_M)
    found = hits.new_full((len(hits),), -1.0)
    first = torch.ones_like(hit, dtype=torch.bool)
    first[1:] = hit[1:] != hit[:-1]
    found[hit[first]] = cloud[same[first], 3] / _BRIGHTEST
    return found


def _share(right: Tensor) -> Tensor:
    """Share of true entries, 0 of none."""
    return right.float().sum() / max(len(right), 1)
