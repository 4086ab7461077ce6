"""Waymo's and ONCE's metrics of a detector: ground truth as prediction scores 1, in the frame of the data set."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import List, Sequence

import numpy as np
import pytest
import torch
from mmdet3d.registry import METRICS
from mmdet3d.structures import LiDARInstance3DBoxes
from mmengine.fileio import dump, load

from projects.CLAP.clap.datasets.converters import once, waymo
from projects.CLAP.clap.errors import ConfigError, DatasetError
from tests.fixtures.once_recording import write_sequence
from tests.fixtures.waymo_recording import Recording, write_parquet

CLASSES = dict(waymo=('Vehicle', 'Pedestrian', 'Cyclist'), once=('Car', 'Bus', 'Truck', 'Pedestrian', 'Cyclist'))


@pytest.fixture(params=['waymo', 'once'])
def split(request: pytest.FixtureRequest, tmp_path: Path) -> tuple:
    """Kind, info file, and its frames."""
    if request.param == 'waymo':
        write_parquet(tmp_path / 'raw')
        waymo.convert(tmp_path / 'raw', tmp_path)
    else:
        write_sequence(tmp_path)
        once.convert(tmp_path, tmp_path)
    path = tmp_path / f'{request.param}_infos_train.pkl'
    return request.param, path, load(str(path))['data_list']


def sample(token: str, boxes: Sequence, labels: Sequence[int], scores: Sequence[float]) -> dict:
    tensor = torch.tensor(np.array(boxes, dtype=np.float64).reshape(-1, 7), dtype=torch.float32)
    return dict(
        token=token,
        pred_instances_3d=dict(
            bboxes_3d=LiDARInstance3DBoxes(tensor, origin=(0.5, 0.5, 0.5)),
            labels_3d=torch.tensor(labels, dtype=torch.long),
            scores_3d=torch.tensor(scores),
        ),
    )


def perfect(infos: List[dict]) -> List[dict]:
    samples = []
    for info in infos:
        own = [item for item in info['instances'] if item['bbox_label_3d'] >= 0]
        labels = [item['bbox_label_3d'] for item in own]
        samples.append(sample(info['token'], [item['bbox_3d'] for item in own], labels, [0.9] * len(own)))
    return samples


def evaluate(kind: str, path: Path, samples: List[dict]) -> dict:
    options = dict(data_root=str(path.parent)) if kind == 'waymo' else {}
    name = dict(waymo='CLAPWaymoMetric', once='CLAPONCEMetric')[kind]
    metric = METRICS.build(dict(type=name, ann_file=str(path), classes=list(CLASSES[kind]), **options))
    metric.process({}, samples)
    return metric.compute_metrics(metric.results)


def test_truth_as_prediction(split: tuple) -> None:
    kind, path, infos = split
    figures = evaluate(kind, path, perfect(infos))
    if kind == 'waymo':  # two cyclists, of which the second is of level 2
        assert figures['AP_L1/cyclist'] == 1.0 and figures['APH_L2/cyclist [0, 30)'] == pytest.approx(1.0)
        assert (figures['mAP_L1'], figures['mAPH_L2']) == pytest.approx((1 / 3, 1 / 3))
    else:
        assert figures['AP/Vehicle'] == figures['AP/Vehicle 0-30m'] == 100.0
        assert figures['mAP'] == figures['mAP/0-30m'] == pytest.approx(100 / 3) and figures['mAP/50m-inf'] == 0.0


def test_nothing_found_is_0_and_a_part_of_the_split_is_refused(split: tuple) -> None:
    kind, path, infos = split
    nothing = [sample(info['token'], [], [], []) for info in infos]
    assert set(evaluate(kind, path, nothing).values()) == {0.0}
    with pytest.raises(DatasetError, match='whole split'):
        evaluate(kind, path, nothing[:1])


def test_foreign_classes_are_refused(split: tuple) -> None:
    kind, path, _ = split
    name = dict(waymo='CLAPWaymoMetric', once='CLAPONCEMetric')[kind]
    with pytest.raises(ConfigError, match=f'{name} scores .*, not car'):
        METRICS.build(dict(type=name, ann_file=str(path), classes=['car']))


def test_waymos_distances_count_from_the_vehicle_and_no_label_zones_forgive(tmp_path: Path) -> None:
    """The wall's box: 29.1 m from TOP, 30.6 m from the vehicle. A false one holds the flagged point of TOP."""
    write_parquet(tmp_path / 'raw', recording=Recording(frames=1, speed=0.0, wall=30.6))
    waymo.convert(tmp_path / 'raw', tmp_path)
    path = tmp_path / 'waymo_infos_train.pkl'
    infos = load(str(path))['data_list']
    found = perfect(infos)
    figures = evaluate('waymo', path, found)
    assert figures['AP_L1/cyclist [30, 50)'] == 1.0 and figures['AP_L1/cyclist [0, 30)'] == 0.0
    zone = np.fromfile(tmp_path / infos[0]['lidar_points']['no_label_path'], dtype=np.float32).reshape(-1, 3)
    box = infos[0]['instances'][0]['bbox_3d']
    for centre, expected in ((zone[0], 1.0), (zone[0] + [0, 0, 9.0], 0.5)):
        false = sample(infos[0]['token'], [box, [*centre, 1, 1, 1, 0]], [2, 2], [0.8, 0.9])
        assert evaluate('waymo', path, [false])['AP_L1/cyclist'] == pytest.approx(expected)


def test_a_split_without_labels_is_refused_before_training(tmp_path: Path) -> None:
    write_sequence(tmp_path)
    once.convert(tmp_path, tmp_path)
    path = tmp_path / 'once_infos_train.pkl'
    content = load(str(path))
    metric = METRICS.build(dict(type='CLAPONCEMetric', ann_file=str(path), classes=list(CLASSES['once'])))
    frames = SimpleNamespace(metainfo=dict(classes=CLASSES['once']))
    metric.check(frames, None)
    for info in content['data_list']:
        info['labelled'] = False
    dump(content, str(path))
    with pytest.raises(DatasetError, match='no labelled frame'):
        metric.check(frames, None)


def test_once_leaves_out_frames_without_labels(tmp_path: Path) -> None:
    write_sequence(tmp_path)
    once.convert(tmp_path, tmp_path)
    path = tmp_path / 'once_infos_train.pkl'
    infos = load(str(path))['data_list']
    found = perfect(infos)
    false = sample(infos[3]['token'], [[0, -9, 0, 4, 3, 2, 0]], [0], [0.99])
    assert evaluate('once', path, [*found[:3], false])['AP/Vehicle'] == 100.0
    content = load(str(path))
    content['data_list'][3]['labelled'] = True
    dump(content, str(path))
    assert evaluate('once', path, [*found[:3], false])['AP/Vehicle'] == pytest.approx(75.0)
