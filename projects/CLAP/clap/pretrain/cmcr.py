"""CMCR: contrast of points and pixels, one codebook for both, masked images and occupancy (Zhang and Hou)."""

from __future__ import annotations

from typing import Any, ClassVar, Dict, List, Optional, Sequence, Tuple

import torch
from mmdet3d.registry import MODELS
from torch import Tensor, nn
from torch.nn.functional import normalize

from ..errors import ConfigError, DataError
from ..functional import also_queries, info_nce, occupancy_loss, orthogonal_loss, radius_pairs, weighted_draw
from ..functional import usage_perplexity
from ..functional.shared_mean import shared_mean
from ..modules import MLP, ClassDirections, Codebook
from ..structures import CameraViews, KeyframeSweep
from . import cmcr_pictures
from .base import Pretrainer
from .cmcr_evaluation import figures_of
from .cmcr_health import declaration
from .cmcr_projection import Pairs, chosen, drawn, in_hidden, pairs_of, stand_ins
from .declaration import Declaration
from .heads.cmcr_heads import ColourDecoder, PixelHead, PointHead
from .pictures import Picture

#: Edge of a cell of the image features, pixels.
STRIDE = 8
#: Value of a point without a class in files of classes.
NO_CLASS = 255


@MODELS.register_module()
class CMCR(Pretrainer):
    """Trains the LiDAR branch and the image backbone and neck on what they share, and on what each alone can tell.

    Images stay in the image plane: ``view_transform`` and ``fusion_layer`` are not part of it. With the defaults this
    is the whole method; the five rows of the paper's Table 6 are

    1. ``reconstruct=False, num_codewords=0, orthogonal=False``: contrast alone, nothing masked
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
            (``semantic_classes``, ``pts_semantic_mask`` in the keys that are packed).
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
        if not reconstruct and orthogonal:
            raise ConfigError('orthogonal=True needs the specific features of reconstruct=True; set orthogonal=False')
        self.num_pairs, self.temperature = num_pairs, temperature
        self.num_queries, self.delta_m, self.num_supports, self.radius_m = num_queries, delta_m, num_supports, radius_m
        self.reconstruct, self.geometry, self.orthogonal = reconstruct, geometry, orthogonal
        bev_channels, box = sum(self.pts_neck.out_channels), self.voxelize_cfg['point_cloud_range']
        self.point_shared = PointHead(bev_channels, channels, box)
        self.pixel_shared = PixelHead(self.img_neck.out_channels, channels)
        if reconstruct:
            self.point_specific = PointHead(bev_channels, channels, box)
            self.pixel_specific = PixelHead(self.img_neck.out_channels, channels)
            self.colour_decoder = ColourDecoder(channels, STRIDE)
            self.occupancy_decoder = MLP(channels + 3, 128, 1, 2, nn.ReLU())
        self.codebook = Codebook(num_codewords, channels, decay, unified) if num_codewords else None
        self.class_directions = ClassDirections(num_classes, channels, vmf_rate, vmf_start) if num_classes else None

    # ---------------------------------------------------------------- the step

    def loss(self, batch_inputs_dict: Dict, batch_data_samples: List, **unused: Any) -> Dict[str, Tensor]:
        """One step (Eq. 17, all weights 1): named losses and figures."""
        metas = [sample.metainfo for sample in batch_data_samples]
        sweeps, views = self.sweeps(batch_inputs_dict, metas), self.views(batch_inputs_dict, metas)
        labels = self.weak_labels(batch_data_samples, sweeps)
        draws = self.sample_generators(len(metas))
        with self.stage('encode'):
            bev, maps, hidden = self.encode_views(batch_inputs_dict, metas, draws)
        with self.stage('contrast'):
            pairs = [pairs_of(sweep, view, self.targets(sweep)) for sweep, view in zip(sweeps, views)]
            shown = [chosen(p, ~in_hidden(p, h, STRIDE)) for p, h in zip(pairs, hidden)]
            taken = [drawn(p, self.num_pairs, draw) for p, draw in zip(shown, draws)]
            losses = self.contrast(bev, maps, sweeps, taken, labels)
        if self.reconstruct:
            with self.stage('image'):
                standing = [stand_ins(p, h, STRIDE) for p, h in zip(pairs, hidden)] if self.geometry else None
                told = self.restore(bev, maps, sweeps, standing)
                losses['loss_image'] = colour_loss(told, views)
            with self.stage('occupancy'):
                answers = [self.occupancy(*each) for each in zip(bev, sweeps, map(self.targets, sweeps), draws)]
                logits, full = (torch.cat(parts) for parts in list(zip(*answers))[:2])
                losses['loss_occupancy'] = occupancy_loss(logits, full)
        self.step_counts = dict(pairs=sum(len(p.point) for p in taken))
        return losses

    def encode_views(
        self, inputs: Dict, metas: List[dict], draws: Optional[List[torch.Generator]] = None
    ) -> Tuple[Tensor, Tensor, Tensor]:
        """Map of the LiDAR branch, image features, and which of their cells are hidden.

        Returns:
            (B, C, X, Y), (B, N, C, h, w) and (B, N, h, w) bool; nothing is hidden without ``draws``.
        """
        points, imgs = inputs['points'], inputs['imgs']
        hidden = torch.zeros(*imgs.shape[:2], imgs.shape[-2] // STRIDE, imgs.shape[-1] // STRIDE, dtype=torch.bool)
        if draws is not None:
            points = [self.masking.points([cloud], draw)[0] for cloud, draw in zip(points, draws)]
            if self.masking.image_ratio:
                masked, dropped = zip(*(self.masking.images(views, draw) for views, draw in zip(imgs, draws)))
                imgs, cells = torch.stack(masked), self.masking.patch // STRIDE
                whole = torch.stack(dropped).repeat_interleave(cells, -2).repeat_interleave(cells, -1)
                hidden = whole[..., : hidden.shape[-2], : hidden.shape[-1]]
        return self.encode(points, None, None, metas).fused_bev, self.image_features(imgs), hidden.to(imgs.device)

    def targets(self, sweep: KeyframeSweep) -> Tensor:
        """(N,) bool: points that the losses may see."""
        low, high = sweep.points.new_tensor(self.voxelize_cfg['point_cloud_range']).view(2, 3)
        return ~sweep.heldout & ~sweep.own & ((sweep.points >= low) & (sweep.points < high)).all(-1)

    def matching(
        self, bev: Tensor, maps: Tensor, sweeps: List[KeyframeSweep], pairs: List[Pairs], kind: str = 'shared'
    ) -> Tuple[Tensor, Tensor]:
        """Features of pixels and of points of the pairs of all samples, (M, channels) each."""
        point_head, pixel_head = getattr(self, f'point_{kind}'), getattr(self, f'pixel_{kind}')
        size = tuple(STRIDE * edge for edge in maps.shape[-2:])
        pixels = [pixel_head.at(one, pair.camera, pair.uv, size) for one, pair in zip(maps, pairs)]
        points = [point_head(one, sweep.points[pair.point]) for one, sweep, pair in zip(bev, sweeps, pairs)]
        return torch.cat(pixels), torch.cat(points)

    def contrast(
        self, bev: Tensor, maps: Tensor, sweeps: List[KeyframeSweep], pairs: List[Pairs], labels: List[Tensor]
    ) -> Dict[str, Tensor]:
        """Losses of pairs: contrast, codebook, orthogonality, weak classes."""
        flat, deep = (normalize(rows, dim=1) for rows in self.matching(bev, maps, sweeps, pairs))
        losses = dict(loss_contrast=info_nce(deep, flat, self.temperature))
        if self.codebook is not None:
            losses['loss_commitment'] = self.codebook.loss(flat, deep)
            index = self.codebook.update(torch.cat([flat, deep]).detach())
            losses.update(code_figures(*index.chunk(2)))
        if self.orthogonal:
            own = self.matching(bev, maps, sweeps, pairs, 'specific')
            losses['loss_orthogonal'] = orthogonal_loss(flat, own[0]) + orthogonal_loss(deep, own[1])
        if self.class_directions is not None:
            of_pairs = torch.cat([classes[pair.point] for classes, pair in zip(labels, pairs)])
            losses['loss_vmf'] = self.class_directions.loss(deep, of_pairs)
        return losses

    def quantized(self, features: Tensor) -> Tensor:
        """Unit features (N, channels), as codewords if there is a codebook."""
        units = normalize(features.float(), dim=1)
        return units if self.codebook is None else self.codebook(units)[1]

    def restore(
        self,
        bev: Tensor,
        maps: Tensor,
        sweeps: List[KeyframeSweep],
        standing: Optional[List[Tuple[Tensor, Pairs]]] = None,
    ) -> Tensor:
        """Colours (B, N, 3, H, W) from shared and specific features, and from points that stand in for cells."""
        flat = maps.flatten(0, 1)
        shape = flat.shape[0], *flat.shape[-2:], -1
        rows = self.quantized(self.pixel_shared(flat).permute(0, 2, 3, 1).flatten(0, 2))
        if standing is not None:
            per_frame = len(rows) // len(maps)
            cells = torch.cat([own + place * per_frame for place, (own, _) in enumerate(standing)])
            deep = [self.point_shared(one, s.points[p.point]) for one, s, (_, p) in zip(bev, sweeps, standing)]
            rows = rows.index_copy(0, cells, self.quantized(torch.cat(deep)))
        told = self.colour_decoder(rows.view(shape).permute(0, 3, 1, 2) + self.pixel_specific(flat))
        return told.unflatten(0, maps.shape[:2])

    def occupancy(
        self,
        bev: Tensor,
        sweep: KeyframeSweep,
        hits: Tensor,
        draw: Optional[torch.Generator],
    ) -> Tuple[Tensor, Tensor, Tensor]:
        """Answers to queries on the rays of some points of one sample.

        Args:
            bev: (C, X, Y).
            sweep: its keyframe sweep.
            hits: (N,) bool, points that the rays end on.
            draw: source of randomness.

        Returns:
            for each pair of a query and a support: logit (P,), whether the query is full (P,) bool, its index (P,).
        """
        asked = also_queries(sweep.points[hits], sweep.origins[hits], self.num_queries, self.delta_m, draw)
        known = weighted_draw(self.targets(sweep).float(), self.num_supports, draw)
        supports = sweep.points[known]
        query, support = radius_pairs(asked.points, supports, self.radius_m)
        features = self.quantized(self.point_shared(bev, supports)) + self.point_specific(bev, supports)
        offset = (asked.points[query] - supports[support]) / self.radius_m
        logits = self.occupancy_decoder(torch.cat([features[support], offset], dim=1))[:, 0]
        return logits, asked.occupied[query], query
