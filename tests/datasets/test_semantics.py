"""Classes of points: from the stored numbers, by name, to what a model learns."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from projects.CLAP.clap.datasets import CLAPDataset
from projects.CLAP.clap.datasets.semantics import labelled_frames, semantic_table
from projects.CLAP.clap.errors import DataError, DatasetError
from tests.fixtures.sim_dataset import tiny_dataset

KNOWN = dict(car=17, truck=23, road=24, tree=30, dust=0)


def test_stored_numbers_become_places() -> None:
    table = semantic_table(KNOWN, dict(vehicle=['car', 'truck'], road=['road']), 'a.pkl')
    assert table[[17, 24, 23, 0, 30, 99]].tolist() == [0, 1, 0, 255, 255, 255] and table.dtype == np.uint8


@pytest.mark.parametrize(
    'known, classes, match',
    [
        (None, dict(road=['road']), 'names no classes of points'),
        (KNOWN, dict(road=['Road']), "has no 'Road'; it has car, dust, road"),
        (KNOWN, dict(a=['car'], b=['car']), "'car' counts as 'a' and as 'b'"),
    ],
)
def test_classes_that_a_file_does_not_know_are_named(known: dict, classes: dict, match: str) -> None:
    with pytest.raises(DatasetError, match=match):
        semantic_table(known, classes, 'a.pkl')


def test_frames_without_classes_are_left_out() -> None:
    frames = [dict(lidar_points={}), dict(lidar_points=dict(semantic_path='b'))]
    assert labelled_frames(frames, 'a.pkl') == frames[1:]
    with pytest.raises(DatasetError, match='none of 1 frames'):
        labelled_frames(frames[:1], 'a.pkl')


def frames(ann_file: str = 'sim_infos_train.pkl', **options) -> CLAPDataset:
    return CLAPDataset(
        str(tiny_dataset()),
        ann_file,
        pipeline=[
            dict(type='CLAPLoadKeyframe', nonfinite='drop'),
            # neither takes a class away from a point of the keyframe
            dict(type='PointsRangeFilter', point_cloud_range=[-20, -20, -5, 20, 20, 3]),
            dict(type='PointShuffle'),
            dict(type='CLAPPackInputs', keys=['points', 'keyframe_points', 'pts_semantic_mask']),
        ],
        data_prefix=dict(pts='samples/LIDAR_TOP', sweeps='sweeps/LIDAR_TOP', semantic='lidarseg'),
        modality=dict(use_lidar=True, use_camera=False),
        semantic_classes=dict(road=['flat.driveable_surface'], building=['static.manmade'], car=['vehicle.car']),
        **options,
    )


def test_the_simulators_classes_arrive_at_the_points() -> None:
    data = frames()
    assert len(data) == 3
    sample = data[1]['data_samples']
    points, labels = data[1]['inputs']['keyframe_points'], sample.gt_pts_seg.pts_semantic_mask
    assert len(points) == len(labels) and set(labels.unique().tolist()) == {0, 1, 2, 255}
    assert abs(float(points[labels == 0][:, 2].median()) + 1.84) < 0.2, 'the road lies below the sensor'
    assert float(points[labels == 1][:, 2].max()) > 2.0


def test_points_that_are_dropped_take_their_classes_along(tmp_path: Path) -> None:
    content = pickle.loads((tiny_dataset() / 'sim_infos_train.pkl').read_bytes())
    root = tiny_dataset()
    entry = content['data_list'][0]
    raw = np.fromfile(root / 'samples/LIDAR_TOP' / entry['lidar_points']['lidar_path'], np.float32).reshape(-1, 5)
    raw[::10, 0] = np.nan
    raw.tofile(tmp_path / 'points.bin')
    entry['lidar_points']['lidar_path'] = str(tmp_path / 'points.bin')
    entry['lidar_points']['semantic_path'] = str(root / 'lidarseg' / entry['lidar_points']['semantic_path'])
    content['data_list'] = [entry]
    (tmp_path / 'infos.pkl').write_bytes(pickle.dumps(content))
    whole = frames(indices=[0])[0]['data_samples'].gt_pts_seg.pts_semantic_mask
    left = frames(str(tmp_path / 'infos.pkl'))[0]
    kept = np.arange(len(whole)) % 10 != 0
    assert left['data_samples'].gt_pts_seg.pts_semantic_mask.tolist() == whole[kept].tolist()

    np.zeros(7, np.uint8).tofile(tmp_path / 'classes.bin')
    entry['lidar_points']['semantic_path'] = str(tmp_path / 'classes.bin')
    (tmp_path / 'infos.pkl').write_bytes(pickle.dumps(content))
    with pytest.raises(DataError, match=f'expected {len(raw)} classes .* found 7'):
        frames(str(tmp_path / 'infos.pkl'), verify='off').pipeline.transforms[0](
            frames(str(tmp_path / 'infos.pkl'), verify='off').get_data_info(0)
        )
    with pytest.raises(DatasetError, match='7 rows'):
        frames(str(tmp_path / 'infos.pkl'))
