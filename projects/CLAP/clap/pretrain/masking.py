"""Masking of the encoders' input (section 1 of the supplement: ratio 0.9), and batch norm with the masked input's own
statistics."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import Iterator, Optional, Sequence, Tuple

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm

from ..errors import ConfigError
from ..functional import mask_image_patches, mask_point_blocks


class InputMasking:
    """Hides blocks of the cloud and patches of the images from the encoders.

    Holds no parameters and no state; the model calls it in training mode only.

    Args:
        point_cloud_range: (x0, y0, z0, x1, y1, z1), metres; blocks are counted from its lower corner.
        voxel_size: (3,) metres.
        point_ratio: share of the non-empty blocks of a sample that is dropped.
        image_ratio: share of the patches of an image that is set to the
            normalised mean colour, which is zero.
        block: block size in voxels, x, y, z.
        patch: patch size in pixels of the augmented image.
    """

    def __init__(
        self,
        point_cloud_range: Sequence[float],
        voxel_size: Sequence[float],
        point_ratio: float = 0.9,
        image_ratio: float = 0.9,
        block: Sequence[int] = (8, 8, 8),
        patch: int = 32,
    ) -> None:
        for name, ratio in (('point_ratio', point_ratio), ('image_ratio', image_ratio)):
            if not 0.0 <= ratio < 1.0:
                raise ConfigError(f'{name} must be in [0, 1), got {ratio}')
        if min(*block, patch) < 1:
            raise ConfigError(f'block and patch must be at least 1, got {tuple(block)} and {patch}')
        self.box_min = tuple(point_cloud_range[:3])
        self.voxel_size, self.block, self.patch = tuple(voxel_size), tuple(block), patch
        self.point_ratio, self.image_ratio = point_ratio, image_ratio

    def points(self, cloud: Tensor, generator: Optional[torch.Generator] = None) -> Tensor:
        """A cloud (N, 3 + d) without the points of the dropped blocks."""
        if not self.point_ratio:
            return cloud
        keep = mask_point_blocks(cloud, self.box_min, self.voxel_size, self.block, self.point_ratio, generator)
        # A cloud of one or two blocks would vanish, and with it everything there is to encode.
        return cloud[keep] if keep.any() else cloud

    def images(self, imgs: Tensor, generator: Optional[torch.Generator] = None) -> Tuple[Tensor, Optional[Tensor]]:
        """(B, C, 3, H, W) normalised images with dropped patches at zero, and which patches were dropped."""
        if not self.image_ratio:
            return imgs, None
        return mask_image_patches(imgs, self.patch, self.image_ratio, generator)


@contextmanager
def own_statistics(*modules: nn.Module) -> Iterator[None]:
    """Batch norms of modules normalise by what they are given, as in training, and remember nothing.

    Those they remember are of the whole input (UnmaskedNormHook), half hidden ones have others.
    """
    kind = nn.modules.batchnorm._BatchNorm
    norms = [part for module in modules for part in module.modules() if isinstance(part, kind)]
    for norm in norms:
        given = dict(running_mean=None, running_var=None, weight=norm.weight, bias=norm.bias, training=True)
        norm.forward = partial(batch_norm, **given, eps=norm.eps)
    try:
        yield
    finally:
        for norm in norms:
            del norm.forward
