"""Superpixels of all images that a training reads."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

from mmdet3d.registry import DATASETS

from ...errors import ConfigError, DataError, DatasetError
from ..clap_dataset import steps_of
from ..superpixels import check_count, read_superpixels, write_superpixels
from .conversion import damage, progress, run_each


def convert(datasets: List[Mapping[str, Any]], jobs: int = 1) -> Dict[str, Any]:
    """Superpixels of all images of the data sets whose pipeline loads any; those that are there stay.

    Args:
        datasets: configurations of data sets; their pipelines' ``CLAPLoadSuperpixels`` say where and how many.
        jobs: processes at a time; no influence on the result.

    Returns:
        Figures: ``images``, how many of them were ``made`` now, and the ``folders``.
    """
    if jobs < 1:
        raise ConfigError(f'--jobs must be at least 1, got {jobs}')
    wanted: Dict[Tuple[Path, int], Dict[str, None]] = {}
    for config in datasets:
        steps = [step for step in steps_of(config['pipeline']) if step['type'] == 'CLAPLoadSuperpixels']
        frames = DATASETS.build({**config, 'pipeline': []}) if steps else ()
        for step in steps:
            key = Path(step['folder']), step.get('num_segments', 30)
            check_count(key[1])
            paths = (c['img_path'] for i in range(len(frames)) for c in frames.get_data_info(i)['images'].values())
            wanted.setdefault(key, {}).update(dict.fromkeys(paths))
    if not wanted:
        raise ConfigError('no pipeline of this configuration has CLAPLoadSuperpixels; give that of a SLidR training')
    made, problems = 0, []
    for (folder, count), images in wanted.items():
        work = partial(_make_one, folder, count)
        for _, (new, problem) in progress(run_each(work, list(images), jobs), len(images)):
            made += new
            problems += [problem] if problem else []
    if problems:
        advice = 'Copy these images again and repeat the command: it goes on with what is missing.'
        raise DatasetError.from_problems('images without superpixels', problems, advice)
    total = sum(map(len, wanted.values()))
    return dict(images=total, made=made, folders=[str(folder) for folder, _ in wanted])


def _make_one(folder: Path, num_segments: int, image: str) -> Tuple[bool, Optional[str]]:
    """Whether superpixels were made, and what is wrong with the image."""
    try:
        read_superpixels(folder, image, num_segments)
        return False, None
    except (DataError, OSError):
        pass
    try:
        write_superpixels(folder, image, num_segments)
    except Exception as error:  # whatever a damaged image leads to, the others are segmented
        return False, damage(error, image)
    return True, None
