"""Labels mean what the info file says, and boxes that no head can learn are known before a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List

import numpy as np
import pytest
from mmengine.fileio import dump, load

from projects.CLAP.clap.datasets import CLAPDataset, DatasetError
from projects.CLAP.clap.datasets.labels import label_mapping
from tests.fixtures.driving_frames import read_infos, write_dataset, write_infos


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_dataset(tmp_path)
    return tmp_path


def dataset(folder: Path, **arguments: Any) -> CLAPDataset:
    return CLAPDataset(**{**dict(data_root=str(folder), ann_file='infos.pkl', with_annotations=True), **arguments})


def meta(folder: Path, **entries: Any) -> None:
    """Entries of ``metainfo``; None takes one out."""
    content = load(str(folder / 'infos.pkl'))
    content['metainfo'].update(entries)
    content['metainfo'] = {key: value for key, value in content['metainfo'].items() if value is not None}
    dump(content, str(folder / 'infos.pkl'))


def box(folder: Path, **entries: Any) -> None:
    """Entries of the box of frame 1; None takes one out."""
    infos = read_infos(folder / 'infos.pkl')
    infos[1]['instances'][0].update(entries)
    for key in [key for key, value in entries.items() if value is None]:
        del infos[1]['instances'][0][key]
    write_infos(folder / 'infos.pkl', infos)


def labels(data: CLAPDataset) -> List[int]:
    return [data.get_data_info(index)['ann_info']['gt_labels_3d'].tolist() for index in range(len(data))]


def test_a_file_with_classes_in_another_order_is_read_by_name(folder: Path) -> None:
    """The boxes have the number 0: a truck there, and never a car because mmdetection3d's order begins with it."""
    meta(folder, categories=dict(truck=0, car=1, ignored=-1))
    assert labels(dataset(folder, metainfo=dict(classes=['car', 'truck']))) == [[1]] * 3
    assert labels(dataset(folder, metainfo=dict(classes=['truck']))) == [[0]] * 3
    assert labels(dataset(folder)) == [[1]] * 3
    with pytest.raises(DatasetError, match='no labelled box of the classes car'):
        dataset(folder, metainfo=dict(classes=['car']))


def test_any_names_will_do(folder: Path) -> None:
    meta(folder, categories=dict(tram=0, horse=7))
    data = dataset(folder, metainfo=dict(classes=['horse', 'tram']))
    assert labels(data) == [[1]] * 3 and list(data.metainfo['classes']) == ['horse', 'tram']
    assert data.labels['boxes'] == dict(horse=0, tram=3)


def test_the_file_says_its_own_version(folder: Path) -> None:
    """The devkit's tables are looked for under it; mmdetection3d's class says v1.0-trainval of every data set."""
    meta(folder, version='v1.0-mini')
    assert dataset(folder).metainfo['version'] == 'v1.0-mini'
    assert dataset(folder, metainfo=dict(version='v1.0-trainval')).metainfo['version'] == 'v1.0-trainval'


@pytest.mark.parametrize(
    'entries,arguments,told',
    [
        (dict(categories=None), {}, 'metainfo.categories, which says what .* is missing.*create_data'),
        (dict(categories=['car']), {}, r"is \['car'\], expected name -> number"),
        (dict(categories=dict(Car=0)), {}, 'asked for the classes car, truck.*categories of the file has Car'),
        (
            dict(categories=dict(Car=0, Truck=1)),
            dict(metainfo=dict(classes=['Truck', 'car'])),
            r'asked for the classes Truck, car, but .* has Car, Truck\. Not there: car \(did you mean Car\?\)',
        ),
    ],
)
def test_names_that_do_not_agree(folder: Path, entries: dict, arguments: dict, told: str) -> None:
    meta(folder, **entries)
    with pytest.raises(DatasetError, match=f'(?s){told}'):
        dataset(folder, **arguments)
    CLAPDataset(data_root=str(folder), ann_file='infos.pkl')  # without labels nobody asks


@pytest.mark.parametrize(
    'entries,told',
    [
        (
            dict(bbox_3d=[2, 10, -1, 0.0, 2, 1.6, 0.3]),
            r'a car at x = 2\.0, y = 10\.0 m has length, .* = 0, 2, 1\.6 m',
        ),
        (dict(bbox_3d=[2, 10, -1, 4, -2, 1.6, 0.3]), '4, -2, 1.6 m'),
        (dict(bbox_3d=[2, 10, -1, 4, 2, 1.6, np.nan]), 'yaw = nan'),
        (dict(bbox_3d=[np.inf, 10, -1, 4, 2, 1.6, 0]), r'a car at x = inf, y = 10'),
        (dict(velocity=[1.0, np.nan]), r'velocity = \(1, nan\) m/s \(NaN twice if it is not known\)'),
        (dict(velocity=[np.inf, 0.0]), r'velocity = \(inf, 0\)'),
        (dict(velocity=None), r'instances\[0\] has no velocity'),
        (dict(num_lidar_pts=None), r'instances\[0\] has no num_lidar_pts'),
        (dict(bbox_label_3d=17), 'bbox_label_3d is 17, but metainfo.categories has -1, 0, 1'),
        (dict(bbox_3d=[2, 10, -1, 4, 2, 1.6]), r'bbox_3d has shape \(6,\)'),
    ],
)
@pytest.mark.parametrize('test_mode', [False, True])
def test_boxes_that_no_head_can_learn(folder: Path, entries: dict, told: str, test_mode: bool) -> None:
    box(folder, **entries)
    with pytest.raises(DatasetError, match=f'frame 1 .token1.: .*{told}'):
        dataset(folder, test_mode=test_mode)
    skipping = dataset(folder, on_broken_frame='skip', test_mode=test_mode)
    assert skipping.tokens == ['token0', 'token2'] and skipping.tokens_of_file == ['token0', 'token1', 'token2']


@pytest.mark.parametrize('change', [dict(velocity=[np.nan, np.nan]), dict(num_lidar_pts=0), dict(bbox_label_3d=-1)])
def test_what_is_not_used_is_not_looked_at(folder: Path, change: dict) -> None:
    """An unknown velocity is none; boxes without points and of no class are left out, whatever their size."""
    box(folder, **change, bbox_3d=[2, 10, -1, 4, 2, 1.6, 0.3] if 'velocity' in change else [0.0] * 7)
    found = dataset(folder).get_data_info(1)['ann_info']
    used = found['gt_labels_3d'] >= 0
    assert np.isfinite(found['gt_bboxes_3d'].tensor[used]).all() and used.sum() == ('velocity' in change)


def test_classes_are_merged_by_name(folder: Path) -> None:
    meta(folder, categories=dict(truck=0, car=1, bike=2))
    merged = dict(vehicle=['car', 'truck'], two=['bike'])
    found = label_mapping(dict(truck=0, car=1, bike=2), ['vehicle', 'two'], 'a', merged)
    assert found == {0: 0, 1: 0, 2: 1, -1: -1}
    with pytest.raises(DatasetError, match='merged_classes makes two, vehicle'):
        label_mapping(dict(car=0), ['vehicle'], 'a', dict(two=['car'], vehicle=['car']))
    merged = dict(thing=['truck', 'car'])
    data = dataset(folder, metainfo=dict(classes=['thing']), merged_classes=merged)
    labels = np.concatenate([data.get_data_info(index)['ann_info']['gt_labels_3d'] for index in range(len(data))])
    assert len(labels) and set(labels.tolist()) <= {0, -1} and 0 in labels
