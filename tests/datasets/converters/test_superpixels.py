"""Superpixels of all images of a training."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmdet3d.registry import DATASETS

from projects.CLAP.clap.datasets.converters.superpixels import convert
from projects.CLAP.clap.errors import ConfigError, DataError, DatasetError
from tests.fixtures.driving_frames import PIPELINE, write_dataset


def config(folder: Path) -> dict:
    write_dataset(folder, 2)
    step = dict(type='CLAPLoadSuperpixels', folder=str(folder / 'superpixels'), num_segments=12)
    return dict(
        type='CLAPDataset', data_root=str(folder), ann_file='infos.pkl', pipeline=[*PIPELINE[:3], step, *PIPELINE[3:]]
    )


def test_they_are_made_once_and_load(tmp_path: Path):
    frames = config(tmp_path)
    with pytest.raises(DatasetError, match='superpixels --config'):
        DATASETS.build(frames)
    assert convert([frames], jobs=2) == dict(images=4, made=4, folders=[str(tmp_path / 'superpixels')])
    (missing,) = (tmp_path / 'superpixels').glob('CAM_LEFT_1*')
    missing.unlink()
    assert convert([frames, frames])['made'] == 1
    inputs = DATASETS.build(frames)[1]['inputs']
    assert inputs['superpixels'].shape == (2, 64, 128) and 4 < len(inputs['superpixels'].unique()) < 20

    (tmp_path / 'CAM_LEFT_1.png').write_bytes((tmp_path / 'CAM_LEFT_0.png').read_bytes())
    with pytest.raises(DataError, match='another image'):
        DATASETS.build(frames)[1]
    assert convert([frames])['made'] == 1


def test_bad_input_is_named(tmp_path: Path):
    frames = config(tmp_path)
    (tmp_path / 'CAM_LEFT_1.png').write_bytes(b'no picture')
    with pytest.raises(DatasetError, match='CAM_LEFT_1.png'):
        convert([frames])
    assert len(list((tmp_path / 'superpixels').iterdir())) == 3, 'the others are made'
    with pytest.raises(ConfigError, match='SLidR'):
        convert([dict(frames, pipeline=PIPELINE)])
    with pytest.raises(ConfigError, match='--jobs'):
        convert([frames], jobs=0)
