"""The dataset configurations as users get them, on real data where there is some."""

from __future__ import annotations

import numpy as np
import pytest
from mmdet3d.registry import DATASETS
from mmengine.config import Config
from mmengine.runner import Runner

from projects.CLAP.clap.datasets import check_dataset
from projects.CLAP.clap.datasets.clap_dataset import steps_of
from projects.CLAP.clap.datasets.converters.pandaset import convert
from projects.CLAP.clap.encoders.data_preprocessor import CLAPDataPreprocessor

NAMES = ('nus', 'pandaset', 'sim', 'semantickitti', 'kitti_raw', 'argoverse2', 'waymo', 'once')


def _config(repo_root, name: str) -> Config:
    return Config.fromfile(repo_root / f'configs/_base_/datasets/{name}.py')


@pytest.mark.parametrize('name, folder', zip(NAMES, ('nuscenes', *NAMES[1:])))
def test_the_data_root_follows_the_environment(repo_root, monkeypatch, name, folder):
    monkeypatch.delenv('CLAP_DATA_ROOT', raising=False)
    assert _config(repo_root, name).train_dataloader.dataset.data_root == f'data/{folder}/'
    monkeypatch.setenv('CLAP_DATA_ROOT', '/elsewhere')
    for part in ('train_dataloader', 'val_dataloader'):
        assert _config(repo_root, name)[part].dataset.data_root == f'/elsewhere/{folder}/'


@pytest.mark.parametrize('name', NAMES)
def test_evaluation_is_without_chance_and_both_pipelines_agree_on_sizes(repo_root, name):
    config = _config(repo_root, name)
    train, val = (
        {step.type: step for step in steps_of(loader.dataset.pipeline)}
        for loader in (config.train_dataloader, config.val_dataloader)
    )
    assert not {'CLAPGlobalRotScaleTrans', 'CLAPRandomFlip3D', 'PointShuffle'} & set(val)
    assert val['CLAPImageAug3D'].is_train is False
    assert val.get('CLAPLoadSweeps', {}).get('test_mode', True) is True
    assert val['CLAPImageAug3D'].final_dim == train['CLAPImageAug3D'].final_dim == config.image_size
    assert config.image_size[0] % 32 == 0 and config.image_size[1] % 32 == 0


def test_the_nuscenes_frame_needs_only_paths(repo_root, real_data):
    config = _config(repo_root, 'nus')
    ann_file = 'n015-2018-07-24-11-22-45+0800.pkl'
    for loader in (config.train_dataloader, config.val_dataloader):
        loader.dataset.data_root = str(real_data / 'nuscenes_frame')
        loader.dataset.ann_file = ann_file
        loader.dataset.data_prefix = dict(pts='', sweeps='', img='')
    for loader in (config.train_dataloader, config.val_dataloader):
        dataset = DATASETS.build(loader.dataset)
        inputs = dataset[0]['inputs']
        assert inputs['img'].shape == (6, 3, 256, 704)
        assert inputs['keyframe_points'].shape == (34688, 3)
        assert len(inputs['points']) > 200_000, 'keyframe and nine copies where no sweeps are'
        report = check_dataset(dataset)[0]
        assert 0.9 < report.in_range < 1.0, "of the keyframe, before the range filter"
        assert all(0.03 < share < 0.2 for share in report.visible.values())


def test_evaluation_of_the_real_frame_is_repeatable(repo_root, real_data):
    config = _config(repo_root, 'nus').val_dataloader.dataset
    config.update(data_root=str(real_data / 'nuscenes_frame'), ann_file='n015-2018-07-24-11-22-45+0800.pkl')
    config.data_prefix = dict(pts='', sweeps='', img='')
    first, second = (DATASETS.build(config)[0]['inputs'] for _ in range(2))
    for key in first:
        assert np.array_equal(first[key], second[key]), key


def test_real_pandaset_frames_through_the_dataloader(repo_root, real_data, tmp_path):
    convert(real_data / 'pandaset', tmp_path)
    config = _config(repo_root, 'pandaset')
    loader = config.train_dataloader
    loader.dataset.data_root = str(tmp_path)
    dataset = DATASETS.build(loader.dataset)
    dataloader = Runner.build_dataloader(dict(batch_size=2, sampler=loader.sampler, dataset=dataset), seed=0)
    assert len(dataloader.dataset) == 14
    batch = CLAPDataPreprocessor()(next(iter(dataloader)), training=True)['inputs']
    assert batch['imgs'].shape == (2, 6, 3, 192, 352)
    for points, origins in zip(batch['keyframe_points'], batch['keyframe_origins']):
        assert points.shape == origins.shape
        assert 100_000 < len(points) < 110_000
    for report in check_dataset(dataloader.dataset, num_frames=14):
        assert all(0.05 < share < 0.35 for share in report.visible.values()), report
