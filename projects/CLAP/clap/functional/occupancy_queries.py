"""Questions to a field that a LiDAR sweep answers: is this place full or empty? (ALSO, and CMCR's section 4.4.)"""

from __future__ import annotations

from typing import List, NamedTuple, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ._shapes import expect_same_shape, expect_shape
from .random_draws import uniform
from .shared_mean import shared_mean


class OccupancyQueries(NamedTuple):
    """Places of Q queries and their answers."""

    points: Tensor  # (Q, 3) metres, the frame of the sweep
    occupied: Tensor  # (Q,) bool
    near: Tensor  # (Q,) bool: within delta of the hit
    source: Tensor  # (Q,) int64 index of the point that its ray ends on


@torch.no_grad()
def also_queries(
    points: Tensor,
    origins: Tensor,
    num_queries: int = 2048,
    delta_m: float = 0.1,
    generator: Optional[torch.Generator] = None,
) -> OccupancyQueries:
    """Queries on rays from the sensor to what it hit; rays are drawn uniformly, with replacement.

    A third each: behind the hit by U(0, delta), full; before it by U(0, delta), empty; uniform between sensor and hit,
    empty. What Q / 3 leaves over goes to the first kinds.
    Source: Boulch et al., ALSO: Automotive LiDAR self-supervision by occupancy estimation, CVPR 2023.

    Args:
        points: (N, 3) hits, metres.
        origins: (N, 3) or (1, 3) where the sensor was when it saw each point, the same frame.
        num_queries: Q.
        delta_m: how far from the hit a near query may lie; before the hit no farther than the sensor.
        generator: source of randomness.

    Returns:
        Q queries in the order of their kinds; none for an empty cloud.
    """
    expect_shape('points', points, None, 3)
    expect_shape('origins', origins, len(points) if len(origins) != 1 else 1, 3)
    if num_queries < 0 or delta_m <= 0:
        raise ValueError(f'expected num_queries >= 0 and delta_m > 0, got {num_queries} and {delta_m}')
    num = num_queries if len(points) else 0
    device = points.device if generator is None else generator.device
    source = torch.randint(max(len(points), 1), (num,), generator=generator, device=device).to(points.device)
    share = uniform((num,), points, generator)
    kind = torch.arange(num, device=points.device) % 3
    kind = kind.sort().values  # the first kinds are the larger ones
    hit, sensor = points[source], origins.expand_as(points)[source]
    reach = torch.linalg.vector_norm(hit - sensor, dim=-1)
    along = torch.stack([reach + share * delta_m, reach - share * reach.clamp(max=delta_m), share * reach])
    direction = F.normalize(hit - sensor, dim=-1)
    place = sensor + along.gather(0, kind[None])[0][:, None] * direction
    return OccupancyQueries(place, kind == 0, kind < 2, source)


@torch.no_grad()
def radius_pairs(queries: Tensor, supports: Tensor, radius_m: float, plane: bool = False) -> Tuple[Tensor, Tensor]:
    """All pairs of a query and a support that are no farther apart than the radius.

    Supports are sorted into cells of the radius' size; each query looks into its own cell and those around it, one
    neighbour at a time, so that no Q x S table is made.

    Args:
        queries: (Q, 2 or 3) metres.
        supports: (S, 2 or 3) metres.
        radius_m: largest distance.
        plane: measure in x and y alone (columns over BEV cells); else both have x, y, z.

    Returns:
        (P,) int64 query and (P,) int64 support of every pair, in the order of the queries, then of the supports.
    """
    axes = 2 if plane else 3
    for name, places in (('queries', queries), ('supports', supports)):
        if places.dim() != 2 or places.shape[1] < axes:
            raise ValueError(f'{name}: expected shape (number, {axes} or more), got {tuple(places.shape)}')
    if radius_m <= 0:
        raise ValueError(f'radius_m: expected a positive length, got {radius_m}')
    queries, supports = queries[:, :axes].double(), supports[:, :axes].double()
    if not len(queries) or not len(supports):
        nothing = torch.zeros(0, dtype=torch.int64, device=queries.device)
        return nothing, nothing
    # A little above the radius: rounding cannot put a pair at exactly the radius two cells apart.
    size = radius_m * (1 + 1e-9)
    low = torch.minimum(queries.amin(0), supports.amin(0))
    asked, cells = (((places - low) / size).floor().long() + 1 for places in (queries, supports))
    extent = torch.maximum(asked.amax(0), cells.amax(0)) + 2
    ordered, order = _keys(cells, extent).sort()
    pairs: List[Tuple[Tensor, Tensor]] = []
    for step in torch.cartesian_prod(*[torch.arange(-1, 2, device=asked.device)] * axes):
        key = _keys(asked + step, extent)
        first, last = torch.searchsorted(ordered, key), torch.searchsorted(ordered, key, right=True)
        query, support = _listed(first, last - first)
        support = order[support]
        close = (queries[query] - supports[support]).square().sum(-1) <= radius_m**2
        pairs.append((query[close], support[close]))
    query, support = (torch.cat(parts) for parts in zip(*pairs))
    by_query = (query * len(supports) + support).argsort()
    return query[by_query], support[by_query]


def _keys(cells: Tensor, extent: Tensor) -> Tensor:
    """One number (N,) for each cell (N, 2 or 3) of a grid of ``extent`` cells."""
    key = cells[:, 0]
    for axis in range(1, cells.shape[1]):
        key = key * extent[axis] + cells[:, axis]
    return key


def _listed(first: Tensor, count: Tensor) -> Tuple[Tensor, Tensor]:
    """Ranges first[i] .. first[i] + count[i] one after the other: i and the number, (sum of counts,) each."""
    row = torch.arange(len(count), device=count.device).repeat_interleave(count)
    before = (count.cumsum(0) - count)[row]
    return row, first[row] + torch.arange(len(row), device=count.device) - before


def occupancy_loss(logits: Tensor, occupied: Tensor, weights: Optional[Tensor] = None) -> Tensor:
    """CMCR Eq. 16: mean of -[o log sigmoid(l) + (1 - o) log(1 - sigmoid(l))] over the queries of all ranks.

    Args:
        logits: (N,) l.
        occupied: (N,) bool, o.
        weights: (N,) >= 0, relative weights in the mean; None weighs all alike.

    Returns:
        Scalar; exactly 0 and still connected to the graph where no rank has a query.
    """
    expect_shape('logits', logits, None)
    expect_same_shape(logits=logits, occupied=occupied)
    entropy = F.binary_cross_entropy_with_logits(logits, occupied.to(logits.dtype), weights, reduction='sum')
    return shared_mean(entropy, logits.numel() if weights is None else weights.sum())
