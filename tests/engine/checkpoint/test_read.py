"""Loading a checkpoint runs nothing that is in it, on whichever path it comes."""

from __future__ import annotations

import io
import os
import pickle
import socket
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.runner import load_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader

from projects.CLAP.clap.engine.checkpoint.plain_state import plain_message_hub, restore_message_hub, to_plain
from projects.CLAP.clap.engine.checkpoint.read import (
    _restricted_pickle,
    allow_mmengine_checkpoints,
    load_checkpoint_file,
)
from projects.CLAP.clap.errors import CheckpointError
from tests.fixtures.driving_frames import write_dataset
from tests.fixtures.killed_runs import finish, launch_tool
from tests.fixtures.long_run import config


class Hostile:
    """Runs a command when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f'touch {self.path}',)


class Gadget:
    """Asks ``getattr`` for something that is not a statistic of the log history."""

    def __init__(self, owner: type, name: str) -> None:
        self.owner, self.name = owner, name

    def __reduce__(self):
        return getattr, (self.owner, self.name)


def history() -> HistoryBuffer:
    buffer = HistoryBuffer()
    buffer.update(1.5)
    return buffer


def old_checkpoint() -> dict:
    """As MMEngine's own CheckpointHook writes it."""
    hub = dict(log_scalars=dict(loss=history()), runtime_info=dict(best=np.float64(2.5)), resumed_keys=dict(loss=True))
    return dict(meta=dict(epoch=1), message_hub=hub, state_dict=dict(weight=torch.ones(2, 2), bias=torch.zeros(2)))


@pytest.fixture(params=['weights_only', 'restricted'])
def old_torch(request, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways: torch of today, and torch < 2.5, whose ``weights_only`` has no list to add to."""
    if request.param == 'restricted' and hasattr(torch.serialization, 'safe_globals'):
        monkeypatch.delattr(torch.serialization, 'safe_globals')
        real = torch.load

        def old_load(path, weights_only=False, pickle_module=None, **options):
            return (
                real(path, weights_only=weights_only, **options)
                if weights_only
                else real(path, weights_only=False, pickle_module=pickle_module, **options)
            )

        monkeypatch.setattr(torch, 'load', old_load)


def test_checkpoints_of_mmengine_load(old_torch: None, tmp_path: Path) -> None:
    torch.save(old_checkpoint(), tmp_path / 'old.pth')
    allow_mmengine_checkpoints()
    loaded = CheckpointLoader.load_checkpoint(str(tmp_path / 'old.pth'), 'cpu')
    assert loaded['message_hub']['log_scalars']['loss'].current() == 1.5
    assert loaded['message_hub']['log_scalars']['loss'].statistics('mean') == 1.5
    assert loaded['message_hub']['runtime_info']['best'] == 2.5
    assert torch.equal(loaded['state_dict']['weight'], torch.ones(2, 2))
    model = torch.nn.Linear(2, 2)
    load_checkpoint(model, str(tmp_path / 'old.pth'), map_location='cpu')
    assert torch.equal(model.weight, torch.ones(2, 2))


@pytest.mark.parametrize('kind', ['command', 'getattr', 'getattr_history'])
@pytest.mark.parametrize('legacy', [False, True])
def test_a_program_is_refused(old_torch: None, tmp_path: Path, kind: str, legacy: bool) -> None:
    bad = dict(
        command=Hostile(tmp_path / 'was_run'),
        getattr=Gadget(dict, '__init__'),
        getattr_history=Gadget(HistoryBuffer, '__init__'),
    )[kind]
    torch.save(dict(state_dict=bad), tmp_path / 'bad.pth', _use_new_zipfile_serialization=not legacy)
    with pytest.raises(CheckpointError, match='refused'):
        load_checkpoint_file(str(tmp_path / 'bad.pth'))
    assert not (tmp_path / 'was_run').exists()


def test_the_restricted_unpickler_lets_nothing_else_through() -> None:
    unpickler = _restricted_pickle().Unpickler
    for module, name in [
        ('os', 'system'),
        ('builtins', 'eval'),
        ('torch', 'load'),
        ('torch', 'hub'),
        ('torch.serialization', 'load'),
        ('numpy', 'load'),
        ('subprocess', 'Popen'),
        ('builtins', '__import__'),
        ('torch._utils', '_import_dotted_name'),
    ]:
        with pytest.raises(pickle.UnpicklingError):
            unpickler(io.BytesIO()).find_class(module, name)


def test_other_addresses_are_refused() -> None:
    allow_mmengine_checkpoints()
    for address in ('torchvision://resnet50', 'open-mmlab://x', 's3://bucket/x.pth', 'pavi://x'):
        with pytest.raises(CheckpointError, match='download it first'):
            CheckpointLoader.load_checkpoint(address)


@pytest.mark.parametrize('damage', ['empty', 'text', 'half', 'one byte less'])
def test_a_damaged_file_is_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / 'broken.pth'
    torch.save(old_checkpoint(), path)
    content = path.read_bytes()
    path.write_bytes(
        {'empty': b'', 'text': b'hello\n', 'half': content[: len(content) // 2], 'one byte less': content[:-1]}[damage]
    )
    with pytest.raises(CheckpointError, match='broken.pth'):
        load_checkpoint_file(str(path))


def test_the_log_history_survives_as_plain_tensors_bit_for_bit(tmp_path: Path) -> None:
    buffer = HistoryBuffer()
    for value in (0.1, 1e300, float('nan'), 3, 5e-324):
        buffer.update(value)
    hub = MessageHub.get_instance('plain')
    hub.update_info('note', dict(path=Path('x'), number=np.int64(3), pair=(1, [np.float32(0.5)])))
    state = {**hub.state_dict(), 'log_scalars': dict(loss=buffer)}
    torch.save(plain_message_hub(state), tmp_path / 'hub.pth')
    plain = torch.load(tmp_path / 'hub.pth', weights_only=True)  # no class needed: the same on every torch
    restored = restore_message_hub(plain)['log_scalars']['loss']
    for a, b in zip(buffer.data, restored.data):
        assert a.tobytes() == b.tobytes()
    restored.update(1.0)
    assert to_plain(plain['runtime_info']['note']) == dict(path="PosixPath('x')", number=3, pair=(1, [0.5]))


@pytest.mark.parametrize('tool', ['train --resume', 'train load_from', 'test', 'visualize'])
def test_the_commands_refuse_a_hostile_checkpoint(tmp_path: Path, tool: str) -> None:
    write_dataset(tmp_path, 2)
    torch.save(dict(meta=dict(epoch=1, iter=1), state_dict=Hostile(tmp_path / 'was_run')), tmp_path / 'bad.pth')
    cfg = config(tmp_path, tmp_path / 'work')
    cfg.custom_imports = dict(imports=['projects.CLAP.clap', 'tests.fixtures.long_run'], allow_failed_imports=False)
    cfg.val_dataloader = cfg.test_dataloader = dict(
        dataset=cfg.train_dataloader.dataset, batch_size=1, sampler=dict(type='DefaultSampler', shuffle=False)
    )
    cfg.val_cfg, cfg.test_cfg = dict(type='ValLoop'), dict(type='TestLoop')
    cfg.val_evaluator = cfg.test_evaluator = dict(type='RenderMetric')
    cfg.dump(str(tmp_path / 'cfg.py'))
    bad, name = str(tmp_path / 'bad.pth'), tool.split()[0]
    arguments = {
        'train --resume': ['--resume', bad],
        'train load_from': ['--cfg-options', f'load_from={bad}'],
        'test': [bad],
        'visualize': [bad],
    }[tool]
    process = launch_tool(tmp_path, name, str(tmp_path / 'cfg.py'), *arguments)
    printed = finish(process, tmp_path, ok=False)
    assert process.exitcode == 1, printed[-3000:]
    assert 'error: ' in printed and 'refused' in printed and 'Traceback' not in printed, printed[-3000:]
    assert not (tmp_path / 'was_run').exists()


def test_a_network_that_does_not_answer_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = []

    def fetch(*_: object, **__: object) -> None:
        waits.append(socket.getdefaulttimeout())
        raise URLError('timed out')

    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, 'download_url_to_file', fetch)
    allow_mmengine_checkpoints()
    with pytest.raises(
        CheckpointError, match=r'swin\.pth cannot be fetched .*timed out.* Put the file at .*checkpoints'
    ):
        CheckpointLoader.load_checkpoint('https://example.org/swin.pth')
    assert waits == [60] and socket.getdefaulttimeout() is None
