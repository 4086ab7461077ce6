"""What PPKT and SLidR share: features of points and of the pixels that they project to, and their contrast."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Dict, List, Optional, Sequence, Tuple

import torch
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor, nn

from ..errors import ConfigError
from ..functional import info_nce, unit_spread
from ..structures import KeyframeSweep
from . import contrast_pictures
from .base import Pretrainer
from .contrast_health import declaration
from .declaration import Declaration
from .pictures import Picture
from .point_pixel import pairs_of, retrieval
from .seen_points import SeenPoints


class ContrastPretrainer(Pretrainer):
    """Contrast of LiDAR and images: what lies on one line of sight is to have one embedding.

    A point's features are read, at its x and y, from the map of ``pts_neck``; without ``pts_backbone`` and ``pts_neck``
    from that of ``pts_middle_encoder``. A pixel's are those of ``img_neck``: images are not lifted into the BEV. A
    linear layer brings both to the width that they are compared in. A subclass says what is compared: :meth:`matches`.

    Args:
        embed_channels: width of the embeddings.
        temperature: of the contrast.
        freeze_images: the image backbone stays as it is (its neck is trained): the published methods learn from a
            network that is trained already. Off: it is pre-trained with the rest, as by CLAP.
        shared: arguments of :class:`Pretrainer`; nothing is masked.
    """

    lifts_images: ClassVar[bool] = False
    stages: ClassVar[Tuple[str, ...]] = ('encode', 'contrast')
    console_figures: ClassVar[Tuple[str, ...]] = ('contrast_of_chance',)
    picture_titles: ClassVar[Dict[str, str]] = contrast_pictures.TITLES

    def __init__(
        self, embed_channels: int = 64, temperature: float = 0.07, freeze_images: bool = False, **shared: Any
    ) -> None:
        self.uses_bev = any(shared.get(name) is not None for name in ('pts_backbone', 'pts_neck'))
        super().__init__(**shared)
        if not self.has_camera:
            raise ConfigError(f'{type(self).__name__} compares points with pixels: give img_backbone and img_neck')
        if self.masking is not None:
            raise ConfigError(f'{type(self).__name__} hides nothing from the encoders: set masking=None')
        if temperature <= 0:
            raise ConfigError(f'temperature must be positive, got {temperature}')
        self.temperature, self.freeze_images = temperature, freeze_images
        channels = sum(self.pts_neck.out_channels) if self.uses_bev else self.pts_middle_encoder.bev_channels
        self.point_head = nn.Conv2d(channels, embed_channels, 1)
        self.pixel_head = nn.Conv2d(self.img_neck.out_channels, embed_channels, 1)
        if freeze_images:
            self.img_backbone.requires_grad_(False)

    def train(self, mode: bool = True) -> ContrastPretrainer:
        """As the parent; a frozen image backbone stays in evaluation mode."""
        super().train(mode)
        if self.freeze_images:
            self.img_backbone.eval()
        return self

    def norm_modules(self) -> List[nn.Module]:
        """As the parent; a frozen image backbone keeps its statistics."""
        return [part for name, part in self.named_children() if not (self.freeze_images and name == 'img_backbone')]

    def fuse(self, lidar_bev: Tensor, camera_bev: Optional[Tensor]) -> Tensor:
        """As the parent; where there is no BEV encoder, the LiDAR map."""
        return super().fuse(lidar_bev, camera_bev) if self.uses_bev else lidar_bev

    # ---------------------------------------------------------------- the step

    def matches(self, seen: SeenPoints, draw: torch.Generator, share: int) -> Tuple[Tensor, Tensor]:
        """(M, D) of points and (M, D) of images: row i of both is of the same thing; one of ``share`` samples' rows."""
        raise NotImplementedError

    def loss(self, batch_inputs_dict: Dict, batch_data_samples: List, **unused: Any) -> Dict[str, Tensor]:
        """One step: the contrast over the global batch, and figures."""
        metas = [sample.metainfo for sample in batch_data_samples]
        draws = self.sample_generators(len(metas))
        with self.stage('encode'):
            bev, images = self.embed(batch_inputs_dict, metas)
        with self.stage('contrast'):
            seen = self.seen(bev, images, batch_inputs_dict, metas)
            share = len(metas) * get_world_size()
            points, pixels = map(torch.cat, zip(*(self.matches(*pair, share) for pair in zip(seen, draws))))
            loss = info_nce(points, pixels, self.temperature)
        self.step_counts = dict(pairs=len(points))
        counts = torch.tensor([len(points), len(metas)], dtype=torch.float64, device=loss.device)
        all_reduce(counts)
        return dict(
            loss_contrast=loss,
            contrast_of_chance=loss.detach() / math.log(max(float(counts[0]), 2)),
            pairs=(counts[0] / counts[1]).to(loss),
            feature_std_points=unit_spread(points),
            feature_std_pixels=unit_spread(pixels),
        )

    def embed(self, inputs: Dict, metas: List[dict]) -> Tuple[Tensor, Tensor]:
        """Embeddings of both modalities, (B, D, X, Y) and (B, C, D, h, w)."""
        bev = self.encode(inputs['points'], metas=metas).fused_bev
        images = self.image_features(self.images(inputs))
        pixels = self.pixel_head(images.flatten(0, 1)).unflatten(0, images.shape[:2])
        return self.point_head(bev), pixels

    def forward_norms(self, inputs: Dict, metas: List[dict]) -> None:
        """Both branches."""
        self.embed(inputs, metas)

    def seen(self, bev: Tensor, images: Tensor, inputs: Dict, metas: List[dict]) -> List[SeenPoints]:
        """The samples of a batch: in training without the held-back points, in evaluation with them alone (if any)."""
        samples, box = [], self.voxelize_cfg['point_cloud_range']
        superpixels = inputs.get('superpixels') or [None] * len(metas)
        for index, (sweep, view) in enumerate(zip(self.sweeps(inputs, metas), self.views(inputs, metas))):
            pairs = pairs_of(sweep.points, view, self._allowed(sweep))
            samples.append(SeenPoints(bev[index], images[index], sweep.points, pairs, box, superpixels[index]))
        return samples

    def _allowed(self, sweep: KeyframeSweep) -> Tensor:
        """(N,) bool: points in range that may be compared now."""
        kept = ~sweep.heldout if self.training or not self.heldout_ratio else sweep.heldout
        return self.inside(sweep) & kept

    # ---------------------------------------------------------------- evaluation, and what it says of itself

    @torch.no_grad()
    def predict(self, batch_inputs_dict: Dict, batch_data_samples: List, **unused: Any) -> List:
        """The samples, each with ``figures`` of its held-back points, which the encoder is not shown, for
        :class:`CLAPFigureMetric`: :func:`retrieval` of pixels (superpixels)."""
        metas = [sample.metainfo for sample in batch_data_samples]
        sweeps = self.sweeps(batch_inputs_dict, metas)
        embedded = self.embed(self.hold_back(batch_inputs_dict, sweeps), metas)
        samples = self.seen(*embedded, batch_inputs_dict, metas)
        for sample, seen in zip(batch_data_samples, samples):
            points, pixels = self.matches(seen, torch.Generator(seen.bev.device).manual_seed(0), 1)
            sample.set_field(retrieval(points, pixels), 'figures')
        return batch_data_samples

    @classmethod
    def declare(cls, facts: Dict[str, float]) -> Declaration:
        """See :mod:`.contrast_health`."""
        return declaration()

    def pictures(self, batch: Dict, names: Sequence[str], state: str = '', **options: Any) -> Dict[str, Picture]:
        """Pictures of the first sample of a batch."""
        inputs, metas = batch['inputs'], [sample.metainfo for sample in batch['data_samples']]
        with torch.no_grad():
            seen = self.seen(*self.embed(inputs, metas), inputs, metas)[0]
            return contrast_pictures.pictures(seen, self.views(inputs, metas)[0], metas[0], names, state)
