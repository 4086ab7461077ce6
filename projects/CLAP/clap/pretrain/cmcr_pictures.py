"""What CMCR shows of a frame: hidden images restored with and without points, codewords of points and pixels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, List, Sequence

import torch
from torch import Tensor, nn

from ..structures import CameraViews, KeyframeSweep
from .cmcr_figures import hidden_views
from .pictures import Block, Image, Picture, Points, Quantity, photos, title_of
from .point_pixel import enlarged, pairs_of, stand_ins, without_padding

TITLES = dict(restored='Hidden images, restored', codewords='Codewords of points and pixels')
_CAMERA_INCHES = (3.2, 1.75)


@torch.no_grad()
def pictures(model: nn.Module, batch: dict, names: Sequence[str], state: str = '', **unused: Any) -> Dict[str, Picture]:
    """The named pictures of the first sample of a batch, without those of parts that the model does not have."""
    inputs, metas = batch['inputs'], [sample.metainfo for sample in batch['data_samples']][:1]
    inputs = {key: value[:1] for key, value in inputs.items()}
    sweep, view = model.sweeps(inputs, metas)[0], model.views(inputs, metas)[0]
    bev, panels = model.encode(inputs['points'], None, None, metas).fused_bev, photos(view, metas[0])
    blocks: Dict[str, List[Block]] = {}
    if 'restored' in names and model.reconstruct:
        blocks['restored'] = [_restored(model, bev, inputs['imgs'], sweep, view, panels)]
    if 'codewords' in names and model.codebook is not None:
        blocks['codewords'] = _codewords(model, bev, model.image_features(inputs['imgs']), sweep, panels)
    return {name: Picture(title_of(metas[0], state), parts) for name, parts in blocks.items()}


def _restored(
    model: nn.Module, bev: Tensor, imgs: Tensor, sweep: KeyframeSweep, view: CameraViews, panels: List[Image]
) -> Block:
    """A row per camera: image, what is left of it, restored from that alone and, with ``geometry``, with the points."""
    draw, stride = torch.Generator(bev.device).manual_seed(0), model.shared.stride
    maps, hidden = hidden_views(model, imgs, draw)
    standing = stand_ins(pairs_of(sweep.points, view, model.targets(sweep)), hidden, stride)
    height, width = view.rgb.shape[-2:]
    left = (view.rgb * ~enlarged(hidden, stride)[:, None, :height, :width]).clamp(0, 1)
    ways = [None, [standing]][: 1 + model.geometry]
    told = [model.restore(bev, maps, [sweep.points], those)[0] for those in ways]
    rows = []
    for number, panel in enumerate(panels):
        shown = [left[number], *(one[number, :, :height, :width] for one in told)]
        titles = ('', '', '') if number else ('half of it hidden', 'restored from that', 'restored with points')
        rows.append(replace(panel, title='' if number else 'image', side=panel.title))
        rows += [Image(title, one.permute(1, 2, 0).cpu().numpy()) for title, one in zip(titles, shown)]
    return Block(rows, 2 + len(told), _CAMERA_INCHES)


def _codewords(model: nn.Module, bev: Tensor, maps: Tensor, sweep: KeyframeSweep, panels: List[Image]) -> List[Block]:
    """Codewords of the points from above and of the cells of every image, in the same colours."""
    points = sweep.points[model.targets(sweep)]
    deep = _codes(model, model.shared.of_points(bev, [points]))
    own = without_padding(model.shared.pixel(maps[0]), panels[0].rgb.shape, model.shared.stride)
    flat = _codes(model, own.permute(0, 2, 3, 1).flatten(0, 2))
    either, both = set(deep.tolist()) | set(flat.tolist()), set(deep.tolist()) & set(flat.tolist())
    above = Points('codewords of points', points.cpu().numpy(), Quantity(deep.cpu().numpy()), 1.2)
    cells = flat.view(len(own), *own.shape[-2:]).cpu().numpy()
    images = [replace(panel, kept=0.0, over=Quantity(codes), alpha=0.6) for panel, codes in zip(panels, cells)]
    heading = f'A colour stands for a codeword; of {len(either)} in use, points and pixels share {len(both)}'
    return [Block([above], heading=heading), Block(images, 2, _CAMERA_INCHES)]


def _codes(model: nn.Module, features: Tensor) -> Tensor:
    return model.codebook(nn.functional.normalize(features.float(), dim=1))[0]
