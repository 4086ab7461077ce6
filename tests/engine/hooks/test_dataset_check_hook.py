"""What would end a run hours later ends it before its first step."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any, Dict

import pytest
import torch
from mmengine.config import Config

from projects.CLAP.clap.engine.checkpoint.read import allow_mmengine_checkpoints
from projects.CLAP.clap.engine.runner import QuietRunner
from projects.CLAP.clap.errors import CheckpointError, CLAPError, ConfigError
from tests.fixtures.command_run import CLASSES, LABELLED, PLAIN
from tests.fixtures.driving_frames import write_dataset
from tests.fixtures.long_run import PIPELINE
from tests.fixtures.tiny import tiny_model
from tests.fixtures.tiny_detector import tiny_detector
from tests.fixtures.tiny_run import training

Usage = namedtuple('Usage', 'total used free')
NAMES = dict(type='CLAPInfoMetric', classes=CLASSES)


@pytest.fixture(scope='module')
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('frames')
    write_dataset(folder, 3)
    return folder


def loader(frames: Path, **dataset: Any) -> Dict[str, Any]:
    return dict(
        batch_size=1,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(type='CLAPDataset', data_root=str(frames), ann_file='infos.pkl', **dataset),
        collate_fn=dict(type='pseudo_collate'),
    )


def runner(frames: Path, work: Path, detector: bool, **options: Any) -> QuietRunner:
    allow_mmengine_checkpoints()
    cfg = training(work, tiny_detector() if detector else tiny_model(), 1)
    labelled = dict(with_annotations=True, metainfo=dict(classes=CLASSES), pipeline=LABELLED)
    cfg['train_dataloader'] = loader(frames, **(labelled if detector else dict(pipeline=PIPELINE)))
    cfg['val_dataloader'] = loader(frames, pipeline=PLAIN, test_mode=True, metainfo=dict(classes=CLASSES))
    cfg['val_evaluator'] = dict(NAMES, ann_file=str(frames / 'infos.pkl')) if detector else dict(type='RenderMetric')
    cfg.update(val_cfg=dict(type='ValLoop'), custom_hooks=[dict(type='DatasetCheckHook')])
    cfg['default_hooks'] = dict(checkpoint=dict(type='AtomicCheckpointHook', interval=1))
    cfg['experiment_name'] = f'{work.parent.name}_{work.name}'
    cfg = Config(cfg)
    cfg.merge_from_dict(options)
    for part in ('dataloader', 'evaluator', 'cfg'):
        cfg[f'test_{part}'] = dict(type='TestLoop') if part == 'cfg' else cfg[f'val_{part}']
    return QuietRunner.from_cfg(cfg)


@pytest.mark.parametrize(
    'detector,options,told',
    [
        (True, {'val_dataloader.dataset.indices': 2}, 'whole split: .* has 3 frames, 2 are evaluated .1 missing'),
        (True, {'val_evaluator.classes': CLASSES[::-1]}, 'val_evaluator.classes are pedestrian, truck, car, but'),
        (True, {'val_evaluator.classes': ['Car', 'truck', 'pedestrian']}, r'Not there: Car \(did you mean car\?\)'),
        (
            True,
            {'model.bbox_head.num_classes': 5},
            'the head has 5 classes, the data set of train_dataloader has 3: car',
        ),
        (False, {'model.heldout_ratio': 0.0}, 'heldout_ratio is 0'),
        (True, {'val_evaluator': dict(_delete_=True, type='RenderMetric')}, 'CLAPBEVFusion does not'),
        (
            True,
            {'val_evaluator': dict(_delete_=True, type='CLAPNuScenesMetric', data_root='nowhere', ann_file='x')},
            "names the version 'v1.0'; the official metric exists for v1.0-trainval",
        ),
    ],
)
def test_an_evaluation_that_cannot_be_is_known_before_the_first_step(
    detector: bool, options: dict, told: str, frames: Path, tmp_path: Path
) -> None:
    run = runner(frames, tmp_path, detector, **options)
    with pytest.raises(CLAPError, match=told):
        run.train()
    assert run.iter == 0


def test_frames_of_the_evaluation_are_looked_at_too(frames: Path, tmp_path: Path) -> None:
    steps = [dict(step) for step in PLAIN]
    steps[3]['point_cloud_range'] = [500, 500, 0, 501, 501, 1]
    with pytest.raises(CLAPError, match='no point left after the pipeline'):
        runner(frames, tmp_path, False, **{'val_dataloader.dataset.pipeline': steps}).train()


def test_shared_memory_is_measured_on_a_frame(frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, 'disk_usage', lambda path: Usage(2**20, 0, 2**20))
    workers = {'train_dataloader.num_workers': 4, 'train_dataloader.batch_size': 3}
    # Two images of 64 x 128 x 3 bytes, and up to 400 points of 5 + 3 numbers of 4 bytes.
    with pytest.raises(
        ConfigError, match=r'train_dataloader: 4 workers x 2 batches .* 0\.05 MiB a frame.* 1\.\d\d MiB of'
    ):
        runner(frames, tmp_path, False, **workers).train()


def test_a_checkpoint_is_tested_with_the_classes_that_it_was_trained_with(frames: Path, tmp_path: Path) -> None:
    trained = runner(frames, tmp_path / 'a', True)
    trained.train()
    path, others = str(tmp_path / 'a/epoch_1.pth'), list(CLASSES[::-1])
    order = {'val_dataloader.dataset.metainfo.classes': others, 'val_evaluator.classes': others}
    for name, told in (('same', None), ('other', 'trained with the classes car, truck, pedestrian, in this order')):
        run = runner(frames, tmp_path / name, True, **(order if told else {}))
        run.load_checkpoint(path, strict=True)
        if told is None:
            assert 'boxes/mAP' in run.test()
        else:
            with pytest.raises(CheckpointError, match=told):
                run.test()
    order['train_dataloader.dataset.metainfo.classes'] = others
    with pytest.raises(CheckpointError, match='train_dataloader.dataset has pedestrian, truck, car'):
        runner(frames, tmp_path / 'b', True, resume=True, load_from=path, **order).train()
    assert torch.load(path, weights_only=True)['meta']['epoch'] == 1
