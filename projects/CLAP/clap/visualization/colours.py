"""From quantities to colours, shared by points, pixels and the 3-D viewer."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import hsv_to_rgb, to_rgba_array

from ..pretrain.pictures import Quantity


def to_rgba(quantity: Quantity) -> np.ndarray:
    """(..., 4) in [0, 1]; NaN is transparent."""
    values = np.asarray(quantity.values)
    if quantity.colour_map:
        return colormaps[quantity.colour_map](values.astype(float) / quantity.top)
    return to_rgba_array(category_colours(int(values.max(initial=-1)) + 1))[values]


def category_colours(count: int) -> np.ndarray:
    """(count + 1, 3) RGB in [0, 1]; the last row, which index -1 reads, is the grey of "none".

    Hues go round by the golden ratio, so that neighbouring indices differ;
    saturation and brightness alternate to tell more of them apart. A
    category's colour depends on its index alone: pictures of different
    iterations can be compared.
    """
    index = np.arange(count)
    hue = (index * 0.61803398875) % 1.0
    saturation = np.array([0.95, 0.65, 0.8])[index % 3]
    value = np.array([0.9, 0.75, 1.0, 0.6])[(index // 3) % 4]
    table = hsv_to_rgb(np.stack([hue, saturation, value], axis=1)) if count else np.zeros((0, 3))
    return np.concatenate([table, np.full((1, 3), 0.6)])
