"""What follows from range, voxel size and image size, so that a configuration says each of them once."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence

#: Voxels along x and y of a cell of the BEV that both branches give, and pixels of an image feature's.
STRIDE = 8
Parts = Dict[str, Optional[Dict[str, Any]]]


def with_geometry(voxelize_cfg: Optional[Dict[str, Any]], parts: Parts) -> Parts:
    """Copies of the encoders' configs in which what was left out (or is None) follows from the rest.

    ``pts_middle_encoder.sparse_shape`` is the range in voxels with one spare cell of height, as in the paper;
    ``view_transform.xbound`` and ``ybound`` are the range with cells (metres) that ``downsample`` brings to the LiDAR
    map's; ``feature_size`` is an eighth of ``image_size``. What is given stays, and is checked when the model is built.

    Args:
        voxelize_cfg: voxel_size (x, y, z) and point_cloud_range (x, y, z lower, x, y, z upper), metres.
        parts: config of every encoder by name, None for one that does not exist.
    """
    parts = {name: None if part is None else dict(part) for name, part in parts.items()}
    view = parts.get('view_transform')
    if view is not None and view.get('image_size') is not None:
        _fill(view, feature_size=[size // STRIDE for size in view['image_size']])
    if not {'voxel_size', 'point_cloud_range'} <= set(voxelize_cfg or {}):
        return parts
    voxel, (low, high) = voxelize_cfg['voxel_size'], _corners(voxelize_cfg['point_cloud_range'])
    if view is not None:
        cells = [round(STRIDE * size / view.get('downsample', 1), 9) for size in voxel]
        _fill(view, xbound=[low[0], high[0], cells[0]], ybound=[low[1], high[1], cells[1]])
    if parts.get('pts_middle_encoder') is not None:
        counts = [round((top - bottom) / size) for bottom, top, size in zip(low, high, voxel)]
        _fill(parts['pts_middle_encoder'], sparse_shape=[*counts[:2], *(count + 1 for count in counts[2:])])
    return parts


def _corners(box: Sequence[float]) -> List[Sequence[float]]:
    return [box[:3], box[3:]]


def _fill(config: Dict[str, Any], **values: Any) -> None:
    config.update({name: value for name, value in values.items() if config.get(name) is None})
