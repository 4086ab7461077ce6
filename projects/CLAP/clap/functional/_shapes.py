"""Shape checks shared by the functions of this package."""

from __future__ import annotations

from typing import Optional

from torch import Tensor


def expect_shape(name: str, tensor: Tensor, *dims: Optional[int]) -> None:
    """Raise a ValueError unless ``tensor`` has exactly ``dims``; ``None`` stands for any length.

    A check is worth its line because a shape such as (N, 1) where (N,) is meant broadcasts silently and trains on
    an N x N table.
    """
    shape = tuple(tensor.shape)
    if len(shape) == len(dims) and all(want is None or want == got for want, got in zip(dims, shape)):
        return
    wanted = ', '.join('any' if dim is None else str(dim) for dim in dims)
    raise ValueError(f'{name}: expected shape ({wanted}), got {shape}; reshape it before the call')


def expect_same_shape(**tensors: Tensor) -> None:
    """Raise a ValueError unless all named tensors have one shape."""
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if len(set(shapes.values())) > 1:
        listing = ', '.join(f'{name} {shape}' for name, shape in shapes.items())
        raise ValueError(f'expected tensors of one shape, got {listing}; select the same entries for all of them')
