"""A checkpoint that is named by ``--resume`` is this model's and whole, or the run stops before anything is lost."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Dict

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from projects.CLAP.clap.engine.checkpoint.export import export_encoders
from projects.CLAP.clap.engine.checkpoint.read import allow_mmengine_checkpoints
from projects.CLAP.clap.errors import CheckpointError
from tests.fixtures.tiny import build
from tests.fixtures.tiny_detector import tiny_detector
from tests.fixtures.tiny_run import training


def runner(work_dir: Path, resume: str = '', epochs: int = 2, **overrides) -> Runner:
    """A detector's run of one step an epoch."""
    allow_mmengine_checkpoints()
    cfg = dict(
        training(work_dir, tiny_detector(), epochs, type='TinyLabelledFrames'),
        resume=bool(resume),
        load_from=None if resume in ('', 'auto') else resume,
        default_hooks=dict(checkpoint=dict(type='AtomicCheckpointHook', interval=1)),
        experiment_name=f'{work_dir.parent.name}_{work_dir.name}',
    )
    return Runner.from_cfg(Config({**cfg, **overrides}))


@pytest.fixture(scope='module')
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work directory of a run of one epoch."""
    work = tmp_path_factory.mktemp('trained')
    runner(work, epochs=1).train()
    return work


def content(trained: Path) -> dict:
    return torch.load(trained / 'epoch_1.pth', weights_only=True)


def foreign(kind: str, trained: Path, folder: Path) -> Path:
    """A checkpoint that is not the detector's, or no longer."""
    path, whole = folder / f'{kind}.pth', content(trained)
    weights = whole['state_dict']
    if kind == 'export':
        export_encoders(str(trained / 'epoch_1.pth'), str(path))
        return path
    if kind == 'cut':
        path.write_bytes((trained / 'epoch_1.pth').read_bytes()[:-1000])
        return path
    if kind == 'pretraining':
        whole['state_dict'] = build().state_dict()
    elif kind == 'missing':
        del weights['bbox_head.shared_conv.weight']
    elif kind == 'unexpected':
        weights['bbox_head.extra'] = torch.zeros(1)
    elif kind == 'shape':
        weights['bbox_head.shared_conv.weight'] = weights['bbox_head.shared_conv.weight'][:8]
    elif kind == 'bounds':
        weights['view_transform.bx'] = weights['view_transform.bx'] + 1
    elif kind == 'plain':
        whole['state_dict'] = dict(weights)
    torch.save(whole, path)
    return path


def checkpoints(folder: Path) -> Dict[str, bytes]:
    return {path.name: path.read_bytes() for path in [*folder.glob('*.pth'), folder / 'last_checkpoint']}


@pytest.mark.parametrize(
    'kind,cause',
    [
        ('export', 'export.pth: no optimizer, message_hub in it'),
        ('cut', 'cut.pth'),
        ('pretraining', r'(?s)pretraining.pth is no checkpoint of the model.*bbox_head.*missing.*Give the config'),
        ('missing', 'bbox_head.shared_conv.weight is missing'),
        ('unexpected', 'bbox_head.extra is in the checkpoint, the model has no such entry'),
        ('shape', r'bbox_head.shared_conv.weight: \(8, 16, 3, 3\) in the checkpoint, \(16, 16, 3, 3\) here'),
        ('bounds', 'view_transform.bx: .* in the checkpoint'),
        ('plain', '21 entries of fitting shape were refused'),
    ],
)
def test_what_cannot_be_resumed_whole_is_refused(kind: str, cause: str, trained: Path, tmp_path: Path) -> None:
    before = checkpoints(trained)
    run = runner(trained, str(foreign(kind, trained, tmp_path)))
    with pytest.raises(CheckpointError, match=cause) as caught:
        run.train()
    assert 'load_from=CHECKPOINT' in str(caught.value) and 'instead of --resume' in str(caught.value)
    assert checkpoints(trained) == before


def test_the_last_one_is_refused_alike_when_the_model_has_changed(trained: Path, tmp_path: Path) -> None:
    """``--resume`` without a name, in the folder of another configuration."""
    cfg = tiny_detector()
    cfg['bbox_head']['num_classes'] = 2
    with pytest.raises(CheckpointError, match=r'(?s)epoch_1.pth is no checkpoint of the model.*load_from=CHECKPOINT'):
        runner(trained, 'auto', model=cfg).train()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='no.pth does not exist'):
        runner(tmp_path / 'run', str(tmp_path / 'no.pth')).train()


@pytest.mark.parametrize('kind', ['as written', 'of a distributed wrapper', 'with EMA'])
def test_what_fits_is_resumed_as_ever(kind: str, trained: Path, tmp_path: Path) -> None:
    path, hooks = trained / 'epoch_1.pth', []
    if kind == 'with EMA':
        hooks = [dict(type='EMAHook')]
        runner(tmp_path / 'ema', epochs=1, custom_hooks=hooks).train()
        path = tmp_path / 'ema' / 'epoch_1.pth'
    whole = torch.load(path, weights_only=True)
    weights = whole['state_dict']
    if kind == 'of a distributed wrapper':
        wrapped = OrderedDict((f'module.{key}', value) for key, value in weights.items())
        wrapped._metadata = weights._metadata  # MMEngine strips names only
        path = tmp_path / 'wrapped.pth'
        torch.save({**whole, 'state_dict': wrapped}, path)
    run = runner(tmp_path / 'run', str(path), epochs=1, custom_hooks=hooks)
    run.train()  # nothing is left to be done
    assert run.epoch == 1 and run.iter == 1
    if kind == 'with EMA':  # a checkpoint's state_dict is the average; the weights that are trained lie beside it
        weights = {key[7:]: value for key, value in whole['ema_state_dict'].items() if key.startswith('module.')}
    assert all(torch.equal(value, weights[key]) for key, value in run.model.state_dict().items())
    moments = run.optim_wrapper.optimizer.state_dict()['state']
    for key, item in whole['optimizer']['state'].items():
        assert torch.equal(moments[key]['exp_avg'], item['exp_avg'])
