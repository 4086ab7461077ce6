from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from mmengine.logging import HistoryBuffer

from projects.CLAP.clap.utils.safe_load import allow_mmengine_checkpoints


class Hostile:
    """Runs a command when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f'touch {self.path}',)


def test_log_history_loads_and_a_program_does_not(tmp_path: Path) -> None:
    allow_mmengine_checkpoints()
    history = HistoryBuffer()
    history.update(1.5)
    torch.save(dict(message_hub=dict(loss=history), state_dict=dict(w=torch.ones(2))), tmp_path / 'good.pth')
    loaded = torch.load(tmp_path / 'good.pth', weights_only=True)
    assert loaded['message_hub']['loss'].current() == 1.5

    torch.save(dict(state_dict=Hostile(tmp_path / 'was_run')), tmp_path / 'bad.pth')
    with pytest.raises(Exception, match='system'):
        torch.load(tmp_path / 'bad.pth', weights_only=True)
    assert not (tmp_path / 'was_run').exists()
