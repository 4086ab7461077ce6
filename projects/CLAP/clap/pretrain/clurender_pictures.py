"""What CluRender shows of a frame: its clusters, and its points splatted into the cameras."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence

import numpy as np
from torch import Tensor

from ..structures import NO_CLASS
from .pictures import Block, Image, Picture, Points, Quantity, photos, title_of

TITLES = dict(clusters='Clusters of points', rendered='Image, and colours of splatted points')


def pictures(model: Any, batch: dict, names: Sequence[str], state: str) -> Dict[str, Picture]:
    """The named pictures of the first sample of a batch, as far as the :class:`CluRender` has heads for them."""
    inputs, metas = batch['inputs'], [sample.metainfo for sample in batch['data_samples']]
    bev = model.encode_masked(inputs, metas).fused_bev
    chosen = model.point_set(bev[0], model.sweeps(inputs, metas)[0])
    blocks = {}
    if 'clusters' in names and model.cluster_head is not None:
        cluster = model.cluster_head.log_scores(chosen.features).argmax(1)
        blocks['clusters'] = _clusters(chosen.points, cluster, model.classes(batch['data_samples'][0], chosen.index))
    if 'rendered' in names and model.splat_head is not None:
        view = model.cameras(inputs, metas)[0]
        rendered = model.splat_head.render(model.splat_head.colours(chosen.features), chosen.points, view)
        blocks['rendered'] = _rendered(photos(view, metas[0]), rendered)
    return {name: Picture(title_of(metas[0], state), some) for name, some in blocks.items()}


def _clusters(points: Tensor, cluster: Tensor, classes: Any) -> List[Block]:
    cloud, own = points.cpu().numpy(), cluster.cpu().numpy()
    panels = [Points(f'a colour for each of {len(np.unique(own))} clusters', cloud, Quantity(own), 1.2)]
    if classes is not None:
        shown = classes.cpu().numpy()
        panels.append(Points('semantic classes', cloud, Quantity(np.where(shown == NO_CLASS, -1, shown)), 1.2))
    return [Block(panels, len(panels), (5.2, 5.0))]


def _rendered(images: Sequence[Image], rendered: Sequence) -> List[Block]:
    """A row per camera: the image, and what the points make of it, grey where there are none."""
    panels = []
    for row, (photo, view) in enumerate(zip(images, rendered)):
        shown = (view.rgb * view.covered + 0.5 * ~view.covered).permute(1, 2, 0).clamp(0, 1).cpu().numpy()
        titles = ('', '') if row else ('image', 'splatted points')
        panels += [Image(titles[0], photo.rgb, side=photo.title), Image(titles[1], shown)]
    return [Block(panels, 2, (4.0, 1.85))]
