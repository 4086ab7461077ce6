"""Weights that do not arrive stop the run: every way in which they have been seen to be lost, really done."""

from __future__ import annotations

import json
import os
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from mmdet3d.registry import HOOKS
from mmengine.config import Config
from mmengine.runner import Runner

from projects.CLAP.clap.encoders.encoder_base import ENCODERS
from projects.CLAP.clap.engine.checkpoint.compare import GEOMETRY
from projects.CLAP.clap.engine.checkpoint.export import export_encoders
from projects.CLAP.clap.engine.checkpoint.read import allow_mmengine_checkpoints
from projects.CLAP.clap.errors import CheckpointError
from tests.fixtures.tiny import build, tiny_model
from tests.fixtures.tiny_detector import build_detector, tiny_detector
from tests.fixtures.tiny_run import training


class StopHere(Exception):
    """The run has passed the check."""


def load(work_dir: Path, checkpoint, model: dict = None, wandering: bool = False, **hook) -> torch.nn.Module:
    """A real runner with ``load_from``; returns its model just before the first step."""
    allow_mmengine_checkpoints()
    torch.manual_seed(7)
    runner = Runner.from_cfg(
        Config(
            dict(
                training(work_dir, model or tiny_detector(), 1, type='TinyLabelledFrames'),
                load_from=None if checkpoint is None else str(checkpoint),
                optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.0)),
                custom_hooks=[dict(type='TransferReportHook', **hook)],
            )
        )
    )
    runner.train_loop  # noqa: B018  built here, so that it can be stopped

    def stop(*args, **kwargs):
        raise StopHere

    runner.train_loop.run_epoch = stop
    with pytest.raises(StopHere):
        runner.train()
    return runner.model


@pytest.fixture(scope='module')
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pre-training writes: encoders, render head, prototypes, with its own numbers."""
    path = tmp_path_factory.mktemp('pretrained') / 'epoch_1.pth'
    torch.manual_seed(1)
    model = build()
    with torch.no_grad():
        for value in model.state_dict().values():
            if value.is_floating_point() and value.requires_grad is False and value.dim():
                value.add_(0.01)
    torch.save(dict(state_dict=model.state_dict(), meta=dict(epoch=1)), path)
    return path


@pytest.fixture(scope='module')
def exported(pretrained: Path) -> Path:
    target = pretrained.with_name('export.pth')
    export_encoders(str(pretrained), str(target))
    return target


def state(path: Path):
    return torch.load(path, weights_only=True)['state_dict']


@pytest.mark.parametrize('which', ['pretrained', 'exported'])
def test_round_trip(which: str, request, tmp_path: Path) -> None:
    path = request.getfixturevalue(which)
    model = load(tmp_path, path)
    source = state(path)
    for key, value in model.state_dict().items():
        if key.split('.')[0] in ENCODERS and key.split('.')[-1] not in ('dx', 'bx', 'nx', 'frustum'):
            assert torch.equal(value, source[key]), key
    record = json.loads((tmp_path / 'transfer.json').read_text())
    assert record['problems'] == [] and set(record['asked']) == set(ENCODERS)
    assert all(record['modules'][name]['share'] == 1.0 for name in ENCODERS)
    assert record['modules']['bbox_head']['loaded'] == 0
    log = next(tmp_path.glob('*/*.log')).read_text()
    assert '* pts_middle_encoder' in log and '100.00%' in log
    if which == 'pretrained':
        assert record['modules']['render_head']['unexpected'] > 0


@pytest.mark.parametrize('which', ['pretrained', 'exported'])
def test_a_pretrainer_goes_on_from_encoders_or_from_all(which: str, request, tmp_path: Path) -> None:
    """The encoders are asked for; heads come along where they fit, and others may be put on them."""
    path = request.getfixturevalue(which)
    other = tiny_model()
    other['prototype_head']['num_prototypes'] = 5
    source, model = state(path), load(tmp_path, path, model=other)
    for key, value in model.state_dict().items():
        if key.split('.')[0] in ENCODERS and key not in GEOMETRY:
            assert torch.equal(value, source[key]), key
    record = json.loads((tmp_path / 'transfer.json').read_text())
    assert record['problems'] == [] and set(record['asked']) == set(ENCODERS)
    render_head = record['modules']['render_head']
    assert render_head['loaded'] == (render_head['entries'] if which == 'pretrained' else 0)
    assert record['modules']['prototype_head']['other_shape'] == (1 if which == 'pretrained' else 0)


def test_a_dict_without_metadata_loses_the_sparse_kernels_and_stops(exported: Path, tmp_path: Path) -> None:
    path = tmp_path / 'plain.pth'
    torch.save(dict(state_dict=dict(state(exported))), path)
    silent = build_detector(3)
    from mmengine.runner import load_checkpoint

    load_checkpoint(silent, str(path), map_location='cpu')  # MMEngine warns and goes on
    lost = [k for k, v in state(exported).items() if v.dim() == 5 and not torch.equal(silent.state_dict()[k], v)]
    assert len(lost) == 21
    with pytest.raises(CheckpointError, match='(?s)21 entries were refused.*export_weights.py'):
        load(tmp_path, path)
    with pytest.raises(CheckpointError, match='plain dict'):
        export_encoders(str(path), str(tmp_path / 'again.pth'))


def test_the_layout_of_mmcv_is_converted_and_recognised(exported: Path, tmp_path: Path) -> None:
    """(kx, ky, kz, in, out) without metadata is what mmdetection3d expects of other libraries' checkpoints."""
    kernels = {k: v.permute(1, 2, 3, 4, 0).contiguous() if v.dim() == 5 else v for k, v in state(exported).items()}
    torch.save(dict(state_dict=kernels), tmp_path / 'mmcv.pth')
    model = load(tmp_path, tmp_path / 'mmcv.pth')
    assert all(torch.equal(model.state_dict()[key], value) for key, value in state(exported).items())


def test_another_architecture_stops(exported: Path, tmp_path: Path) -> None:
    cfg = tiny_detector()
    cfg['pts_neck']['out_channels'] = [8, 12]
    cfg['bbox_head']['in_channels'] = 20
    with pytest.raises(CheckpointError, match='pts_neck: another architecture') as caught:
        load(tmp_path, exported, model=cfg)
    assert '* img_backbone' in str(caught.value)  # the table is part of the message
    assert json.loads((tmp_path / 'transfer.json').read_text())['modules']['pts_neck']['other_shape'] > 0


def test_other_names_stop(exported: Path, tmp_path: Path) -> None:
    renamed = OrderedDict((f'encoders.{key}', value) for key, value in state(exported).items())
    torch.save(dict(state_dict=renamed), tmp_path / 'renamed.pth')
    with pytest.raises(CheckpointError, match='(?s)pts_middle_encoder: 0.00%.*missing, e.g.'):
        load(tmp_path, tmp_path / 'renamed.pth')


def test_a_part_can_be_asked_for(exported: Path, tmp_path: Path) -> None:
    source = state(exported)
    lidar = OrderedDict((key, value) for key, value in source.items() if key.startswith('pts_middle_encoder'))
    lidar._metadata = source._metadata
    torch.save(dict(state_dict=lidar), tmp_path / 'lidar.pth')
    with pytest.raises(CheckpointError, match='img_backbone: 0.00%.*at least 99.00%'):
        load(tmp_path / 'all', tmp_path / 'lidar.pth')
    model = load(tmp_path / 'part', tmp_path / 'lidar.pth', modules=['pts_middle_encoder'])
    assert all(torch.equal(model.state_dict()[key], value) for key, value in lidar.items())
    with pytest.raises(ValueError, match='pts_midle_encoder unknown'):
        HOOKS.build(dict(type='TransferReportHook', modules=['pts_midle_encoder']))


def test_other_geometry_is_reported_and_not_obeyed(pretrained: Path, tmp_path: Path) -> None:
    source = state(pretrained)
    source['view_transform.dx'] = source['view_transform.dx'] * 2
    source['view_transform.nx'] = source['view_transform.nx'] // 2
    torch.save(dict(state_dict=source), tmp_path / 'other.pth')
    model = load(tmp_path, tmp_path / 'other.pth')
    assert model.view_transform.dx[0] == 1.0 and model.view_transform.nx[0] == 32
    assert 'another geometry of the view transform (view_transform.dx' in next(tmp_path.glob('*/*.log')).read_text()


def test_another_grid_is_named(pretrained: Path, tmp_path: Path) -> None:
    content, other = torch.load(pretrained, map_location='cpu'), tiny_model()
    other['voxelize_cfg']['voxel_size'] = [0.1, 0.1, 0.2]
    for name, model in (('same', tiny_model()), ('other', other)):
        content['meta']['cfg'] = Config(dict(model=model)).pretty_text
        torch.save(content, tmp_path / f'{name}.pth')
        export_encoders(str(tmp_path / f'{name}.pth'), str(tmp_path / f'{name}_exported.pth'))
    for name in ('same', 'same_exported', 'other', 'other_exported'):
        load(tmp_path / name, tmp_path / f'{name}.pth')
        log = next((tmp_path / name).glob('*/*.log')).read_text()
        said = 'the encoder learned on voxels of [0.1, 0.1, 0.2], this model has [0.25, 0.25, 0.2]' in log
        assert said == name.startswith('other')


def test_weights_that_are_not_finite_stop(exported: Path, tmp_path: Path) -> None:
    source = state(exported)
    source['img_neck.fpn_convs.0.conv.weight'][0] = float('nan')
    torch.save(dict(state_dict=source), tmp_path / 'nan.pth')
    with pytest.raises(CheckpointError, match='NaN or infinity in img_neck'):
        load(tmp_path, tmp_path / 'nan.pth')
    with pytest.raises(CheckpointError, match='NaN or infinity in img_neck'):
        export_encoders(str(tmp_path / 'nan.pth'), str(tmp_path / 'out.pth'))


class Hostile:
    """Runs a command when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f'touch {self.path}',)


def bad_file(kind: str, exported: Path, folder: Path) -> Path:
    path = folder / f'{kind}.pth'
    if kind == 'truncated':
        path.write_bytes(exported.read_bytes()[:-1000])
    elif kind == 'text':
        path.write_text('not a checkpoint at all')
    elif kind == 'hostile':
        torch.save(dict(state_dict=Hostile(folder / 'was_run')), path)
    elif kind == 'other':
        torch.save(dict(epoch=1, loss=[0.5]), path)
    elif kind == 'list':
        torch.save([1, 2], path)
    return path


@pytest.mark.parametrize('kind', ['truncated', 'text', 'hostile', 'other', 'list'])
def test_files_that_are_no_checkpoints(kind: str, exported: Path, tmp_path: Path) -> None:
    path = bad_file(kind, exported, tmp_path)
    for attempt in (lambda: export_encoders(str(path), str(tmp_path / 'out.pth')), lambda: load(tmp_path, path)):
        with pytest.raises(CheckpointError, match=path.name):
            attempt()
    assert not (tmp_path / 'was_run').exists() and not (tmp_path / 'out.pth').exists()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for attempt in (
        lambda: export_encoders(str(tmp_path / 'no.pth'), str(tmp_path / 'out.pth')),
        lambda: load(tmp_path, tmp_path / 'no.pth'),
    ):
        with pytest.raises(FileNotFoundError, match='no.pth'):
            attempt()


def test_without_load_from_nothing_is_asked(tmp_path: Path) -> None:
    load(tmp_path, None)
    assert not (tmp_path / 'transfer.json').exists()
    assert 'load_from is not set' in next(tmp_path.glob('*/*.log')).read_text()
