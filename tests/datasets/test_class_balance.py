"""Class-balanced frames: mmdetection3d's frequencies, from the run's seed, with shares, repetition and ranks."""

from __future__ import annotations

import collections
import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet3d.datasets import CBGSDataset
from mmengine.dataset import ConcatDataset, RepeatDataset

from projects.CLAP.clap.datasets import SeededSampler
from projects.CLAP.clap.datasets.class_balance import balanced_frames, draws_per_class, frames_by_class
from projects.CLAP.clap.datasets.seeded_sampler import SeededIndex
from projects.CLAP.clap.errors import ConfigError, DatasetError
from tests.datasets.test_label_shares import CLASSES, dataset, info_file, messages, tokens  # noqa: F401
from tests.fixtures.driving_frames import read_infos, write_dataset, write_infos

#: Cars everywhere, trucks in every second frame, two frames with pedestrians.
LABELS = [['car', *(['truck'] if i % 2 else []), *(['pedestrian'] if i in (3, 8) else [])] for i in range(12)]


def classes_of(data) -> list:
    labels = [data.get_data_info(index)['ann_info']['gt_labels_3d'] for index in range(len(data))]
    return frames_by_class(labels, len(CLASSES))


def test_the_length_of_an_epoch_and_the_share_of_a_class_are_mmdetection3ds(tmp_path: Path) -> None:
    folder = info_file(tmp_path, LABELS)
    plain, ours = dataset(folder), dataset(folder, class_balanced=True)
    theirs = CBGSDataset(plain)
    by_class = classes_of(plain)
    assert [own.tolist() for own in by_class] == [list(range(12)), [1, 3, 5, 7, 9, 11], [3, 8]]
    each = (12 + 6 + 2) // 3
    assert draws_per_class(by_class) == each and len(ours) == 3 * each
    # Theirs rounds a quotient of floats down, which may lose a frame of a class.
    assert 3 * each - 3 <= len(theirs) <= 3 * each
    drawn = np.array(tokens(ours)).reshape(3, each)
    assert all(set(row) <= set(own.tolist()) for row, own in zip(drawn, by_class))


def test_expected_frequencies_are_mmdetection3ds(tmp_path: Path) -> None:
    """Over many seeds, frame by frame: both draw from the same distribution, whose mean has a closed form."""
    plain = dataset(info_file(tmp_path, LABELS))
    by_class = classes_of(plain)
    expected = np.zeros(12)
    for own in by_class:
        expected[own] += draws_per_class(by_class) / len(own)
    runs = 600
    ours = sum(np.bincount(balanced_frames(by_class, seed), minlength=12) for seed in range(runs)) / runs
    np.random.seed(0)
    upstream = CBGSDataset(plain)
    theirs = sum(np.bincount(upstream._get_sample_indices(plain), minlength=12) for _ in range(runs)) / runs
    spread = np.sqrt(expected / runs)
    assert (abs(ours - expected) < 5 * spread).all(), (ours, expected)
    assert (abs(theirs - expected) < 5 * spread + 0.35).all(), 'a lost frame of a class is allowed'


def test_frames_follow_the_runs_seed_and_nothing_else(tmp_path: Path) -> None:
    folder = info_file(tmp_path, LABELS)

    def order(seed: int, wrap=lambda data: data) -> list:
        data = dataset(folder, class_balanced=True)
        np.random.seed(seed + 7)
        torch.manual_seed(seed + 9)
        SeededSampler(wrap(data), seed=seed)
        return tokens(data)

    first = order(1)
    assert first == order(1) != order(2)
    assert order(1, lambda data: RepeatDataset(data, 2)) == order(1, lambda data: ConcatDataset([data])) == first


def test_a_share_is_chosen_first_then_balanced_then_repeated(tmp_path: Path) -> None:
    folder = info_file(tmp_path, LABELS)
    share = dataset(folder, class_balanced=True, load_interval=3, load_offset=2)  # frames 2, 5, 8, 11
    each = (4 + 2 + 1) // 3
    assert len(share) == 3 * each and set(tokens(share)) <= {2, 5, 8, 11} and 8 in tokens(share)
    kept = dataset(folder, class_balanced=True, load_interval=3, load_offset=2, keep_length=True)
    assert len(kept) == len(dataset(folder, class_balanced=True)) == 18
    assert tokens(kept) == (tokens(share) * 4)[:18]
    lazy = dataset(folder, class_balanced=True, load_interval=3, load_offset=2, keep_length=True, lazy_init=True)
    assert len(lazy) == 18 and tokens(lazy) == tokens(kept)
    unpacked = dataset(folder, class_balanced=True, serialize_data=False)
    assert tokens(unpacked) == tokens(dataset(folder, class_balanced=True))
    with pytest.raises(IndexError):
        unpacked.get_data_info(18)


def test_a_class_without_a_box_is_named_and_left_out_or_stops(tmp_path: Path, messages: list) -> None:  # noqa: F811
    folder = info_file(tmp_path, [['car'], ['car', 'truck'], ['truck'], ['pedestrian']])
    share = dataset(folder, class_balanced=True, indices=3)
    warning = [text for level, text in messages if level == logging.WARNING]
    assert len(warning) == 1 and 'no box of pedestrian' in warning[0]
    assert len(share) == 4 and set(tokens(share)) <= {0, 1, 2}
    with pytest.raises(DatasetError, match="no box of pedestrian.*absent_classes='warn'"):
        dataset(folder, class_balanced=True, indices=3, absent_classes='stop')
    assert len(dataset(folder, class_balanced=True, absent_classes='stop')) == 3


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    folder = info_file(tmp_path, [CLASSES])
    for wrong in (dict(with_annotations=False), dict(test_mode=True)):
        with pytest.raises(ConfigError, match='class_balanced=True needs with_annotations=True'):
            dataset(folder, class_balanced=True, **wrong)
    with pytest.raises(ConfigError, match="absent_classes must be 'warn' or 'stop', got 'ignore'"):
        dataset(folder, absent_classes='ignore')


@pytest.fixture
def street(tmp_path: Path) -> Path:
    """Six frames with files; a box of class 1 in the last one only."""
    write_dataset(tmp_path, 6)
    infos = read_infos(tmp_path / 'infos.pkl')
    infos[5]['instances'][0].update(bbox_label=1, bbox_label_3d=1)
    write_infos(tmp_path / 'infos.pkl', infos)
    return tmp_path


def sensors(folder: Path):
    steps = [dict(type='CLAPLoadKeyframe'), dict(type='CLAPGlobalRotScaleTrans'), dict(type='PointShuffle')]
    return dataset(
        folder,
        pipeline=[*steps, dict(type='CLAPPackInputs', keys=['points'])],
        metainfo=dict(classes=['car', 'truck']),
        class_balanced=True,
        verify='stat',
    )


def test_the_seed_of_an_index_reaches_the_augmentation(street: Path) -> None:
    """mmdetection3d's wrapper drops it: a frame drawn twice would be augmented by whatever the worker did before."""
    data = sensors(street)
    places = collections.defaultdict(list)
    for place in range(len(data)):
        places[data.get_data_info(place)['token']].append(place)
    first, second, *_ = max(places.values(), key=len)
    points = [data[SeededIndex(*at)]['inputs']['points'] for at in ((first, 1), (second, 1), (first, 2))]
    assert torch.equal(points[0], points[1]) and not torch.equal(points[0], points[2])


def seen(folder: Path, monkeypatch, rank: int = 0, world: int = 1, start: int = 0) -> list:
    """Place in the list, seed and augmented points of what a rank gets in its second epoch."""
    monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info', lambda: (rank, world))
    data = sensors(folder)
    sampler = SeededSampler(data, seed=5)
    sampler.set_epoch(1)
    sampler.start_at(start)
    return [(int(index), index.seed, data[index]['inputs']['points'].tolist()) for index in sampler]


def test_two_ranks_see_what_one_sees_and_a_run_begun_in_the_middle_its_rest(street: Path, monkeypatch) -> None:
    whole = seen(street, monkeypatch)
    assert sorted(place for place, _, _ in whole) == list(range(6))
    assert seen(street, monkeypatch, start=2) == whole[2:]
    ranks = [seen(street, monkeypatch, rank, 2) for rank in (0, 1)]
    assert [item for pair in zip(*ranks) for item in pair] == whole
