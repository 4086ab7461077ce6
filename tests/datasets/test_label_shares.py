"""Shares of the labels: which frames, how long an epoch is, and what is said when labels are missing."""

from __future__ import annotations

import copy
import logging
import pickle
from pathlib import Path

import pytest
from mmdet3d.registry import DATASETS
from mmengine.logging import MMLogger

from projects.CLAP.clap.errors import DatasetError

CLASSES = ['car', 'truck', 'pedestrian']
NUSCENES = [
    'car',
    'truck',
    'trailer',
    'bus',
    'construction_vehicle',
    'bicycle',
    'motorcycle',
    'pedestrian',
    'traffic_cone',
    'barrier',
]


def info_file(folder: Path, labels: list) -> Path:
    """One frame per entry of ``labels``, each with a box of every label named (in nuScenes' order of classes)."""
    frames = []
    for index, own in enumerate(labels):
        box = dict(
            bbox_3d=[5.0, 1.0, -1.0, 4.0, 2.0, 1.5, 0.1],
            bbox_3d_isvalid=True,
            num_lidar_pts=7,
            num_radar_pts=0,
            velocity=[0.5, 0.0],
        )
        frames.append(
            dict(
                sample_idx=index,
                token=f'frame {index}',
                timestamp=float(index),
                images={},
                lidar_points=dict(lidar_path=f'{index}.bin', num_pts_feats=5),
                lidar_sweeps=[],
                instances=[
                    dict(copy.deepcopy(box), bbox_label=NUSCENES.index(n), bbox_label_3d=NUSCENES.index(n)) for n in own
                ],
            )
        )
    content = dict(
        metainfo=dict(info_version='1.1', categories={n: i for i, n in enumerate(NUSCENES)}), data_list=frames
    )
    (folder / 'infos.pkl').write_bytes(pickle.dumps(content))
    return folder


def dataset(folder: Path, **changes):
    return DATASETS.build(
        dict(
            dict(
                type='CLAPDataset',
                data_root=str(folder),
                ann_file='infos.pkl',
                with_annotations=True,
                modality=dict(use_lidar=True, use_camera=False),
                metainfo=dict(classes=CLASSES),
                verify='off',
            ),
            **changes,
        )
    )


def tokens(data) -> list:
    return [int(data.get_data_info(index)['token'].split()[1]) for index in range(len(data))]


@pytest.fixture
def messages():
    """Warnings and infos that the data set logs."""
    found = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append((record.levelno, record.getMessage()))

    MMLogger._instance_dict.pop('label-shares', None)  # the current one is the last that was made
    logger, handler = MMLogger.get_instance('label-shares', log_level='INFO'), Keep()
    logger.addHandler(handler)
    yield found
    logger.removeHandler(handler)


def test_the_share_is_uniform_and_the_epoch_keeps_its_length(tmp_path: Path) -> None:
    folder = info_file(tmp_path, [CLASSES] * 10)
    assert tokens(dataset(folder, load_interval=4)) == [0, 4, 8]
    assert tokens(dataset(folder, indices=list(range(0, 10, 4)))) == [0, 4, 8]
    for serialize in (True, False):
        kept = dataset(folder, load_interval=4, keep_length=True, serialize_data=serialize)
        assert tokens(kept) == [0, 4, 8, 0, 4, 8, 0, 4, 8, 0]
    assert tokens(dataset(folder, load_interval=4, keep_length=True, lazy_init=True)) == [0, 4, 8, 0, 4, 8, 0, 4, 8, 0]
    assert tokens(dataset(folder, load_interval=200)) == [0]
    assert tokens(dataset(folder, load_interval=4, load_offset=3)) == [3, 7]
    assert tokens(dataset(folder, load_interval=4, load_offset=3, keep_length=True)) == [3, 7] * 5
    assert tokens(dataset(folder, load_interval=2, load_offset=1, indices=[9, 8, 7, 6])) == [8, 6]
    assert tokens(dataset(folder, indices=3)) == [0, 1, 2]


def test_labels_follow_the_chosen_classes(tmp_path: Path) -> None:
    info = dataset(info_file(tmp_path, [['pedestrian', 'barrier', 'car']])).get_data_info(0)
    assert info['ann_info']['gt_labels_3d'].tolist() == [2, -1, 0]
    assert info['ann_info']['gt_bboxes_3d'].tensor.shape == (3, 9)


def test_a_share_without_labels_is_an_error(tmp_path: Path) -> None:
    folder = info_file(tmp_path, [[], CLASSES, CLASSES])
    with pytest.raises(DatasetError, match='no labelled box.*load_interval'):
        dataset(folder, load_interval=3)
    with pytest.raises(DatasetError, match='no labelled box'):
        dataset(info_file(tmp_path, [['barrier']]))  # labels, but of no class that is asked for
    assert len(dataset(folder, load_interval=3, with_annotations=False)) == 1


def test_a_class_absent_from_the_share_is_announced(tmp_path: Path, messages: list) -> None:
    dataset(info_file(tmp_path, [['car'], CLASSES]), load_interval=2)
    warning = [text for level, text in messages if level == logging.WARNING]
    assert len(warning) == 1 and 'no box of truck, pedestrian' in warning[0]
    assert any('1 of 2 frames chosen (50.00%)' in text for _, text in messages)
    assert any('boxes: car 1, truck 0, pedestrian 0' in text for _, text in messages)


def test_indices_beyond_the_file_and_bad_intervals(tmp_path: Path) -> None:
    folder = info_file(tmp_path, [CLASSES] * 3)
    with pytest.raises(DatasetError, match='reach to 20.*3 frames'):
        dataset(folder, indices=[0, 20])
    with pytest.raises(DatasetError, match='no frame is left'):
        dataset(folder, indices=[])
    with pytest.raises(ValueError, match='load_interval'):
        dataset(folder, load_interval=0)
    with pytest.raises(ValueError, match='load_offset must be .* below load_interval = 2, got 2'):
        dataset(folder, load_interval=2, load_offset=2)
    with pytest.raises(DatasetError, match='smallest share that has a frame at every offset is load_interval=3'):
        dataset(folder, load_interval=5, load_offset=4)
