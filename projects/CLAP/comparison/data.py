"""The data of a comparison: fingerprints of the info files, and what is labelled in a share."""

from __future__ import annotations

import hashlib
import logging
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict

import numpy as np
from mmdet3d.registry import DATASETS
from mmengine.config import Config
from mmengine.logging import MMLogger

from projects.CLAP.clap.errors import DatasetError


def data_fingerprint(cfg: Config, make_data: str) -> Dict[str, str]:
    """``train`` and ``val``: name of the info file and the beginning of its SHA-256.

    The info file names every sensor file and holds all calibration and labels. ``make_data`` is the command that makes
    it, with ``{data_root}``, for the error.

    Raises:
        DatasetError: there is no such file.
    """
    found = {}
    for name in ('train', 'val'):
        dataset = cfg[f'{name}_dataloader'].dataset
        path = Path(dataset.data_root) / dataset.ann_file
        if not path.is_file():
            raise DatasetError(
                f'{path} does not exist. Say where the data are: export CLAP_DATA_ROOT=/folder/with/the/data; or '
                f'make them: {make_data.format(data_root=dataset.data_root)}'
            )
        found[name] = f'{path.name} {_sha256(str(path), path.stat().st_mtime_ns)}'
    return found


@lru_cache(maxsize=None)
def _sha256(path: str, changed: int) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]


def labelled_subset(cfg: Config) -> Dict[str, Any]:
    """Frames and boxes per class that a detector's training set has.

    Returns:
        ``frames``, ``of``, ``percent``, ``boxes`` by class, and ``absent`` classes.

    Raises:
        DatasetError: no frame, or no box of any class, is left.
    """
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.ERROR)  # the runs log the same
    try:
        dataset = DATASETS.build(
            {
                **cfg.train_dataloader.dataset,
                'pipeline': [],
                'verify': 'off',
                'serialize_data': False,
                'keep_length': False,
            }
        )
    finally:
        logger.setLevel(level)
    names = dataset.metainfo['classes']
    labels = [info['ann_info']['gt_labels_3d'] for info in dataset.data_list]
    found = np.concatenate(labels)
    boxes = {name: int((found == index).sum()) for index, name in enumerate(names)}
    frames, total = len(dataset), dataset._full_length
    return dict(
        frames=frames,
        of=total,
        percent=round(100 * frames / total, 3),
        boxes=boxes,
        absent=[name for name, count in boxes.items() if not count],
    )
