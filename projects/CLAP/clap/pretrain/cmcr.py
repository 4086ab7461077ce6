"""CMCR: contrast of points and pixels, one codebook for both, masked images and occupancy (Zhang and Hou)."""

from __future__ import annotations

from typing import Any, ClassVar, Dict, List, Optional, Sequence, Tuple

import torch
from mmdet3d.registry import MODELS
from torch import Tensor, nn
from torch.nn.functional import normalize

from ..encoders.geometry import STRIDE
from ..errors import ConfigError
from ..functional import also_queries, info_nce, occupancy_loss, orthogonal_loss, radius_pairs, weighted_draw
from ..modules import MLP, ClassDirections, Codebook
from ..structures import KeyframeSweep
from . import cmcr_pictures
from .base import Pretrainer
from .cmcr_figures import code_figures, colour_loss, figures_of
from .cmcr_health import declaration
from .declaration import Declaration
from .heads.cmcr_heads import ColourDecoder, PairHead
from .pictures import Picture
from .point_pixel import Pairs, hide, pairs_of, stand_ins
from .weak_labels import weak_labels


@MODELS.register_module()
class CMCR(Pretrainer):
    """Trains the LiDAR branch and the image backbone and neck on what they share, and on what each alone can tell.

    Images stay in the image plane: ``view_transform`` and ``fusion_layer`` are not part of it. With the defaults this
    is the whole method; the five rows of the paper's Table 6 are

    1. ``reconstruct=False, num_codewords=0, geometry=False, orthogonal=False``: contrast alone, nothing masked
    2. ``num_codewords=0, geometry=False, orthogonal=False``: and masked images and occupancy
    3. ``geometry=False, orthogonal=False``: and the codebook
    4. ``orthogonal=False``: and 3-D features that stand in for masked pixels
    5. the defaults with ``num_classes``, if there are weak labels: and orthogonality and the vMF loss

    Args:
        channels: width of shared and specific features, and of codewords.
        num_pairs: pairs of a point and a pixel of every frame that are contrasted.
        temperature: tau of Eq. 1.
        reconstruct: specific features, masked images and occupancy.
        num_queries: places of every frame whose occupancy is asked.
        delta_m: near queries lie within so many metres of a hit.
        num_supports: points of every frame whose features answer.
        radius_m: a point answers the queries within so many metres.
        num_codewords: V; 0 leaves the codebook out.
        decay: gamma of Eq. 14.
        unified: Eq. 15; else each modality is committed to codewords of its own choice.
        geometry: at masked cells of an image the nearest point's shared feature stands in.
        orthogonal: Eq. 18.
        num_classes: of the weak labels of the keyframe's points; 0 leaves the vMF loss out. The data set loads them
            (``semantic_classes``, or ``CLAPLoadLabelImages`` in the pipeline; ``pts_semantic_mask`` in the keys that
            are packed).
        image_weight: of the loss of colours in the sum; the paper has 1 for all terms.
        occupancy_weight: of the loss of occupancy.
        vmf_rate: see :class:`ClassDirections`.
        vmf_start: see :class:`ClassDirections`.
        masking: as of :class:`Pretrainer`; by default half of the patches of 16 pixels of every image if
            ``reconstruct``, and no points.
        shared: targets and encoders, see :class:`Pretrainer`.
    """

    lifts_images: ClassVar[bool] = False
    stages: ClassVar[Tuple[str, ...]] = ('encode', 'contrast', 'image', 'occupancy')
    console_figures: ClassVar[Tuple[str, ...]] = ('code_agreement', 'codes_used')
    picture_titles: ClassVar[Dict[str, str]] = cmcr_pictures.TITLES

    def __init__(
        self,
        channels: int = 64,
        num_pairs: int = 1024,
        temperature: float = 0.07,
        reconstruct: bool = True,
        num_queries: int = 2000,
        delta_m: float = 0.1,
        num_supports: int = 2048,
        radius_m: float = 1.0,
        num_codewords: int = 512,
        decay: float = 0.999,
        unified: bool = True,
        geometry: bool = True,
        orthogonal: bool = True,
        num_classes: int = 0,
        image_weight: float = 1.0,
        occupancy_weight: float = 1.0,
        vmf_rate: float = 1e-4,
        vmf_start: int = 10000,
        masking: Optional[dict] = None,
        **shared: Any,
    ) -> None:
        masking = {'point_ratio': 0.0, 'image_ratio': 0.5 if reconstruct else 0.0, 'patch': 16, **(masking or {})}
        super().__init__(masking=masking, **shared)
        if not (self.has_lidar and self.has_camera):
            raise ConfigError(
                'CMCR contrasts points with pixels and needs pts_middle_encoder and img_backbone; for LiDAR alone take '
                'ALSO or OccupancyMAE'
            )
        if masking['patch'] % STRIDE:
            raise ConfigError(f'masking.patch must be a multiple of {STRIDE} pixels, got {masking["patch"]}')
        if min(temperature, delta_m, radius_m) <= 0:
            raise ConfigError(f'temperature, delta_m, radius_m must be positive: {temperature}, {delta_m}, {radius_m}')
        if not reconstruct and (geometry or orthogonal):
            raise ConfigError(
                'reconstruct=False has neither masked images nor specific features: set geometry=False orthogonal=False'
            )
        self.num_pairs, self.temperature = num_pairs, temperature
        self.num_queries, self.delta_m, self.num_supports, self.radius_m = num_queries, delta_m, num_supports, radius_m
        self.reconstruct, self.geometry, self.orthogonal = reconstruct, geometry, orthogonal
        self.num_classes = num_classes
        self.image_weight, self.occupancy_weight = image_weight, occupancy_weight
        parts = (sum(self.pts_neck.out_channels), self.img_neck.out_channels, channels)
        geometry_of = (self.voxelize_cfg['point_cloud_range'], STRIDE)
        self.shared = PairHead(*parts, *geometry_of)
        if reconstruct:
            self.specific = PairHead(*parts, *geometry_of)
            self.colour_decoder = ColourDecoder(channels, STRIDE)
            self.occupancy_decoder = MLP(channels + 6, 128, 1, 2, nn.ReLU())
        self.codebook = Codebook(num_codewords, channels, decay, unified) if num_codewords else None
        self.class_directions = ClassDirections(num_classes, channels, vmf_rate, vmf_start) if num_classes else None

    # ---------------------------------------------------------------- the step

    def loss(self, batch_inputs_dict: Dict, batch_data_samples: List, **unused: Any) -> Dict[str, Tensor]:
        """One step (Eq. 17): named losses and figures."""
        metas = [sample.metainfo for sample in batch_data_samples]
        sweeps, views = self.sweeps(batch_inputs_dict, metas), self.views(batch_inputs_dict, metas)
        labels = weak_labels(batch_data_samples, [len(s.points) for s in sweeps], self.num_classes)
        draws = self.sample_generators(len(metas))
        with self.stage('encode'):
            clouds = [self.masking.points(one, draw) for one, draw in zip(batch_inputs_dict['points'], draws)]
            imgs, hidden = hide(self.masking, self.images(batch_inputs_dict), draws, STRIDE)
            bev, maps = self.encode(clouds, None, None, metas).fused_bev, self.image_features(imgs)
            bev, maps = bev.float(), maps.float()
        exact = torch.autocast(device_type=bev.device.type, enabled=False)
        points, seen = [sweep.points for sweep in sweeps], [self.targets(sweep) for sweep in sweeps]
        with self.stage('contrast'), exact:
            pairs = [pairs_of(*each) for each in zip(points, views, seen)]
            shown = [pair.at(~cells[pair.cells(STRIDE)]) for pair, cells in zip(pairs, hidden)]
            taken = [pair.drawn(self.num_pairs, draw) for pair, draw in zip(shown, draws)]
            losses = self.contrast(bev, maps, points, taken, labels)
        if self.reconstruct:
            with self.stage('image'), exact:
                standing = [stand_ins(*each, STRIDE) for each in zip(pairs, hidden)] if self.geometry else None
                told = self.restore(bev, maps, points, standing)
                losses['loss_image'] = self.image_weight * colour_loss(told, views)
            with self.stage('occupancy'), exact:
                asked = [self.occupancy(*each) for each in zip(bev, sweeps, seen, draws)]
                loss = occupancy_loss(*map(torch.cat, list(zip(*asked))[:2]))
                losses['loss_occupancy'] = self.occupancy_weight * loss
        self.step_counts = dict(pairs=sum(len(pair.point) for pair in taken))
        return losses

    def targets(self, sweep: KeyframeSweep) -> Tensor:
        """(N,) bool: points that the losses may see."""
        return self.inside(sweep) & ~sweep.heldout

    def contrast(
        self, bev: Tensor, maps: Tensor, points: List[Tensor], pairs: List[Pairs], labels: List[Tensor]
    ) -> Dict[str, Tensor]:
        """Losses of pairs: contrast, codebook, orthogonality, weak classes."""
        flat, deep = (normalize(rows, dim=1) for rows in self.shared(bev, maps, points, pairs))
        losses = dict(loss_contrast=info_nce(deep, flat, self.temperature))
        if self.codebook is not None:
            losses['loss_commitment'] = self.codebook.loss(flat, deep)
            losses.update(code_figures(*self.codebook.update(torch.cat([flat, deep])).chunk(2)))
        if self.orthogonal:
            own = self.specific(bev, maps, points, pairs)
            losses['loss_orthogonal'] = sum(orthogonal_loss(f, g) for f, g in zip((flat, deep), own))
        if self.class_directions is not None:
            of_pairs = torch.cat([classes[pair.point] for classes, pair in zip(labels, pairs)])
            losses['loss_vmf'] = self.class_directions.loss(deep, of_pairs)
        return losses

    def quantized(self, features: Tensor) -> Tensor:
        """Features (N, channels) at unit length, as codewords if there is a codebook."""
        units = normalize(features, dim=1)
        return units if self.codebook is None else self.codebook(units)[1]

    def restore(
        self,
        bev: Tensor,
        maps: Tensor,
        points: List[Tensor],
        standing: Optional[List[Tuple[Tensor, Tensor]]] = None,
    ) -> Tensor:
        """Colours (B, N, 3, H, W) from shared and specific features; with ``standing`` by points for hidden cells."""
        flat = maps.flatten(0, 1)
        rows = self.quantized(self.shared.pixel(flat).permute(0, 2, 3, 1).flatten(0, 2))
        if standing is not None:
            of_frame = len(rows) // len(maps)
            cells = torch.cat([own + place * of_frame for place, (own, _) in enumerate(standing)])
            deep = self.shared.of_points(bev, [own[index] for own, (_, index) in zip(points, standing)])
            rows = rows.index_copy(0, cells, self.quantized(deep))
        shared = rows.view(len(flat), *flat.shape[-2:], -1).permute(0, 3, 1, 2)
        return self.colour_decoder(shared + self.specific.pixel(flat)).unflatten(0, maps.shape[:2])

    def occupancy(self, bev: Tensor, sweep: KeyframeSweep, hits: Tensor, draw: torch.Generator) -> Tuple[Tensor, ...]:
        """What points of one sample say of queries near them.

        Args:
            bev: (C, X, Y).
            sweep: the sample's keyframe sweep.
            hits: (N,) bool, points whose rays the queries lie on.
            draw: source of randomness.

        Returns:
            for each pair of a query and a point (P,): logit, whether the query is full, is near, its index.
        """
        asked = also_queries(sweep.points[hits], sweep.origins[hits], self.num_queries, self.delta_m, draw)
        supports = sweep.points[weighted_draw(self.targets(sweep).float(), self.num_supports, draw)]
        query, support = radius_pairs(asked.points, supports, self.radius_m)
        features = self.quantized(self.shared.point(bev, supports)) + self.specific.point(bev, supports)
        offset = (asked.points[query] - supports[support]) / self.radius_m
        # a map does not tell where the sensor stands, and so not which side of a surface it saw
        ray = normalize(asked.points - sweep.origins[hits][asked.source], dim=1)[query]
        logits = self.occupancy_decoder(torch.cat([features[support], offset, ray], dim=1))[:, 0]
        return logits, asked.occupied[query], asked.near[query], query

    # ---------------------------------------------------------------- evaluation, and what it says of itself

    def forward_norms(self, inputs: Dict, metas: List[dict]) -> None:
        """Both branches see a batch."""
        self.encode(inputs['points'], None, None, metas)
        self.image_features(self.images(inputs))

    @torch.no_grad()
    def predict(self, batch_inputs_dict: Dict, batch_data_samples: List, **unused: Any) -> List:
        """The samples, each with ``figures`` for :class:`CLAPFigureMetric`, see :func:`.cmcr_figures.figures_of`."""
        for sample, figures in zip(batch_data_samples, figures_of(self, batch_inputs_dict, batch_data_samples)):
            sample.set_field(figures, 'figures')
        return batch_data_samples

    def pictures(self, batch: Dict, names: Sequence[str], **options: Any) -> Dict[str, Picture]:
        """Pictures of the first sample of a batch."""
        return cmcr_pictures.pictures(self, batch, names, **options)

    def facts(self) -> Dict[str, float]:
        """Which parts are on."""
        codewords = 0 if self.codebook is None else len(self.codebook.counts)
        parts = dict(reconstruct=self.reconstruct, geometry=self.geometry, num_codewords=codewords)
        return {name: float(value) for name, value in parts.items()}

    @classmethod
    def declare(cls, facts: Dict[str, float]) -> Declaration:
        """See :mod:`.cmcr_health`."""
        return declaration(facts)
