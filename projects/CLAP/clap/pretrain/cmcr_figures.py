"""CMCR's loss of colours, and the figures that tell whether it learns."""

from __future__ import annotations

from typing import Dict, List, Tuple

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from ..functional import usage_perplexity
from ..functional.shared_mean import shared_mean
from ..structures import CameraViews, KeyframeSweep
from .masking import own_statistics
from .occupancy_figures import mean_map, query_figures
from .point_pixel import enlarged, hide, pairs_of, retrieval, stand_ins
from .samplers.base import valid_pixels

#: Pairs of a frame that point to pixel retrieval is measured among: chance is one over it.
NUM_RETRIEVED = 512
Figures = Dict[str, Tuple[float, float]]


def colour_loss(told: Tensor, views: List[CameraViews]) -> Tensor:
    """Mean squared error of colours in [0, 1], (B, N, 3, H, W), over all pixels that show the photographs.

    The paper leaves the form of L_rec open; this is the release's.
    """
    total, count = told.sum() * 0.0, 0
    for one, view in zip(told, views):
        valid = valid_pixels(view)[:, None]
        height, width = view.rgb.shape[-2:]
        total = total + ((one[..., :height, :width].float() - view.rgb).square() * valid).sum()
        count = count + 3 * valid.sum()
    return shared_mean(total, count)


def code_figures(flat: Tensor, deep: Tensor) -> Dict[str, Tensor]:
    """How pixels and points of pairs use the codebook, from their codewords (M,) each."""
    both = len(set(flat.tolist()) & set(deep.tolist()))
    either = len(set(flat.tolist()) | set(deep.tolist()))
    perplexity = usage_perplexity(torch.cat([flat, deep])).float()
    return dict(
        code_perplexity=perplexity,
        code_agreement=(flat == deep).float().sum() / max(len(flat), 1),
        codes_used=perplexity.new_tensor(float(either)),
        codes_of_both=perplexity.new_tensor(both / max(either, 1)),
    )


def hidden_views(model: nn.Module, imgs: Tensor, draw: torch.Generator) -> Tuple[Tensor, Tensor]:
    """Features (1, N, C, h, w) of images (1, N, 3, H, W) of which patches are hidden, and hidden cells (N, h, w)."""
    masked, hidden = hide(model.masking, imgs, [draw], model.shared.stride)
    with own_statistics(model.img_backbone, model.img_neck):
        return model.image_features(masked), hidden[0]


def figures_of(model: nn.Module, inputs: Dict, samples: List) -> List[Figures]:
    """Sum and count of every figure, for each frame; the encoder is not shown the held-back points.

    ``retrieval``: held-back points that are nearest to their own pixel among up to 512 pairs of the frame, beside
    ``retrieval_chance``. ``occupancy_``: :func:`.query_figures` of rays of held-back points.
    ``colour_error``: absolute error at hidden cells with a point, beside ``colour_error_without_points`` (nothing
    stands in, where the model has ``geometry``) and ``colour_error_of_mean`` (mean colour of these pixels of an image).
    ``codes_of_both``: codewords that points and pixels of these pairs both chose, of those that any chose;
    ``code_agreement``: pairs that chose the same one.
    """
    metas = [sample.metainfo for sample in samples]
    sweeps, views = model.sweeps(inputs, metas), model.views(inputs, metas)
    clouds = model.hold_back(inputs, sweeps)['points']
    bev, maps = model.encode(clouds, None, None, metas).fused_bev, model.image_features(model.images(inputs))
    draws = [torch.Generator(bev.device).manual_seed(0) for _ in sweeps]
    found: List[Figures] = []
    for place, (sweep, view, draw) in enumerate(zip(sweeps, views, draws)):
        one = slice(place, place + 1)
        figures = _pair_figures(model, bev[one], maps[one], sweep, view, draw)
        if model.reconstruct:
            figures.update(_occupancy_figures(model, bev[place], sweep, draw))
            figures.update(_colour_figures(model, bev[one], inputs['imgs'][one], sweep, view, draw))
        found.append(figures)
    return found


def _pair_figures(
    model: nn.Module, bev: Tensor, maps: Tensor, sweep: KeyframeSweep, view: CameraViews, draw: torch.Generator
) -> Figures:
    pairs = pairs_of(sweep.points, view, model.inside(sweep) & sweep.heldout).drawn(NUM_RETRIEVED, draw)
    flat, deep = (normalize(rows.float(), dim=1) for rows in model.shared(bev, maps, [sweep.points], [pairs]))
    count, figures = len(pairs.point), retrieval(deep, flat)
    if model.codebook is not None:
        codes = [model.codebook(rows)[0] for rows in (flat, deep)]
        told, either = code_figures(*codes), float(len(torch.cat(codes).unique()))
        figures.update(
            codes_of_both=(float(told['codes_of_both']) * either, either),
            code_agreement=(float(told['code_agreement']) * count, float(count)),
        )
    return figures


def _occupancy_figures(model: nn.Module, bev: Tensor, sweep: KeyframeSweep, draw: torch.Generator) -> Figures:
    hits, start = model.inside(sweep) & sweep.heldout, draw.get_state()
    told, *facts, query = model.occupancy(bev, sweep, hits, draw)
    draw.set_state(start)  # the same queries
    without_map = model.occupancy(mean_map(bev), sweep, hits, draw)[0]
    count = query.bincount(minlength=model.num_queries)
    nothing = told.new_zeros(model.num_queries)
    odds = [nothing.index_add(0, query, one) / count.clamp(min=1) for one in (told, without_map)]
    truth = [torch.zeros_like(count, dtype=torch.bool).index_put_((query,), fact) for fact in facts]
    figures = query_figures(*(values[count > 0] for values in (*odds, *truth)))
    return {f'occupancy_{name}': figure for name, figure in figures.items()}


def _colour_figures(
    model: nn.Module, bev: Tensor, imgs: Tensor, sweep: KeyframeSweep, view: CameraViews, draw: torch.Generator
) -> Figures:
    stride, (height, width) = model.shared.stride, view.rgb.shape[-2:]
    maps, hidden = hidden_views(model, imgs, draw)
    standing = stand_ins(pairs_of(sweep.points, view, model.targets(sweep)), hidden, stride)
    cells = torch.zeros(hidden.numel(), dtype=torch.bool, device=bev.device).index_fill_(0, standing[0], True)
    pixels = enlarged(cells.view(hidden.shape), stride)[:, :height, :width] & valid_pixels(view)
    count = float(pixels.sum())
    mean = (view.rgb * pixels[:, None]).sum((-2, -1)) / pixels.sum((-2, -1)).clamp(min=1)[:, None]

    def error(told: Tensor) -> Tuple[float, float]:
        return float((told[..., :height, :width] - view.rgb).abs().mean(1)[pixels].sum()), count

    figures = dict(colour_error_of_mean=error(mean[..., None, None].expand_as(view.rgb)))
    alone = error(model.restore(bev, maps, [sweep.points])[0])
    if not model.geometry:
        return dict(figures, colour_error=alone)
    helped = error(model.restore(bev, maps, [sweep.points], [standing])[0])
    return dict(figures, colour_error=helped, colour_error_without_points=alone)
