"""Point a configuration's evaluation data at another folder, whatever is in it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Optional

from mmengine.config import Config, ConfigDict

from ...errors import DatasetError


def use_data_root(cfg: Config, folder: Optional[str]) -> None:
    """Make ``cfg.val_dataloader.dataset`` read from ``folder``, with labels and without leaving frames out for good.

    Accepted are: a converted data set (holds the configuration's info file), a folder of converted data sets
    (``CLAP_DATA_ROOT``), a folder with a single info file and its sensor files beside it, and PandaSet recordings in
    their native layout, which are converted into a temporary folder. ``None`` keeps the configuration's folder.

    Raises:
        DatasetError: the folder is none of these.
    """
    dataset = cfg.val_dataloader.dataset
    dataset.with_annotations = True
    if folder is None:
        return
    root = Path(folder)
    below = root / Path(dataset.data_root).name
    for candidate in (root, below):
        if (candidate / dataset.ann_file).is_file():
            dataset.data_root = str(candidate)
            return
    infos = sorted(root.glob('*.pkl'))
    dataset.pop('indices', None)  # they belong to the configuration's own frames
    if len(infos) == 1:
        _read(dataset, str(root), infos[0].name, dict(pts='', sweeps='', img=''))
    elif root.is_dir() and next(root.rglob('lidar/poses.json'), None) is not None:
        from ...datasets.converters.pandaset import LIDAR_FOLDER, convert

        out = tempfile.mkdtemp(prefix='clap_pandaset_')
        convert(root, Path(out))
        _read(dataset, out, 'pandaset_infos_all.pkl', dict(pts=LIDAR_FOLDER, sweeps=LIDAR_FOLDER, img=''))
    else:
        raise DatasetError(
            f'{root} holds neither {dataset.ann_file}, nor a single info file, nor PandaSet recordings; '
            'give the folder of a converted data set (tools/create_data.py makes one)'
        )


def _read(dataset: ConfigDict, root: str, ann_file: str, prefix: dict) -> None:
    # Assigned, because ConfigDict.update would merge the prefixes with those of the configuration's own cameras.
    dataset.data_root, dataset.ann_file, dataset.data_prefix = root, ann_file, prefix
