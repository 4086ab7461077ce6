"""The run card: what it says must be what was."""

from __future__ import annotations

import hashlib
import json
import subprocess
from datetime import datetime
from pathlib import Path

import pytest
import torch

from projects.CLAP.clap.engine.run_record import code_version, fingerprint, read_card
from tests.fixtures.tiny_run import TinyStreet, tiny_runner


def test_every_start_of_training_is_a_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('CLAP_DATA_ROOT', 'somewhere')
    monkeypatch.chdir(Path(__file__).resolve().parents[3])
    infos = tmp_path / 'infos.pkl'
    infos.write_bytes(b'frames')
    work = tmp_path / 'run'
    tiny_runner(work, [dict(type='RunRecordHook')], epochs=1, ann_file=str(infos)).train()
    tiny_runner(work, [dict(type='RunRecordHook')], epochs=2, ann_file=str(infos), resume=True).train()
    first, second = read_card(work)
    assert first['environment'].get('CLAP_DATA_ROOT') == 'somewhere' and first['folder'] == '.'
    assert first['seed'] == 3 and first['processes'] == 1
    data = dict(file='infos.pkl', bytes=6, sha256=hashlib.sha256(b'frames').hexdigest(), frames=4)
    assert first['data'] == dict(train=data, val=data)
    assert (first['first_iter'], first['last_iter'], second['first_iter'], second['last_iter']) == (0, 2, 2, 4)
    for session in (first, second):
        assert datetime.fromisoformat(session['started']) <= datetime.fromisoformat(session['ended'])
        assert session['versions']['torch'].split('+')[0] == torch.__version__.split('+')[0]
        assert session['hardware']['cores'] >= 1 and session['hardware']['processor']
    assert json.loads((work / 'run_card.json').read_text())['sessions'] == [first, second]


def test_an_interrupted_session_has_no_end(tmp_path: Path) -> None:
    run = tiny_runner(tmp_path / 'run', [dict(type='RunRecordHook')], epochs=2)

    def stop(*args, **kwargs) -> None:
        raise KeyboardInterrupt

    run.val_loop.run = stop  # after the first epoch
    with pytest.raises(KeyboardInterrupt):
        run.train()
    (session,) = read_card(tmp_path / 'run')
    assert session['ended'] is None and session['last_iter'] == 2 and session['last_seen']


def test_fingerprint_follows_the_content_through_wrappers(tmp_path: Path) -> None:
    class Twice:
        def __init__(self, dataset: TinyStreet) -> None:
            self.dataset = dataset

        def __len__(self) -> int:
            return 8

    path = tmp_path / 'a.pkl'
    path.write_bytes(b'1')
    one = fingerprint(TinyStreet(str(path)))
    assert fingerprint(Twice(TinyStreet(str(path)))) == dict(one, frames=8)
    path.write_bytes(b'2')
    assert fingerprint(TinyStreet(str(path)))['sha256'] != one['sha256']
    assert fingerprint(TinyStreet()) is None
    rooted = TinyStreet(str(path))
    rooted.data_root = str(tmp_path)
    assert fingerprint(rooted)['root'] == str(tmp_path) and 'root' not in one


def test_code_version_sees_commit_and_changes(tmp_path: Path) -> None:
    assert code_version(tmp_path) == dict(commit=None, modified=None)
    git = ['git', '-C', str(tmp_path), '-c', 'user.name=a', '-c', 'user.email=a@example.org']
    (tmp_path / 'f').write_text('1')
    for command in (['init', '-q'], ['add', 'f'], ['commit', '-q', '-m', 'm']):
        subprocess.run([*git, *command], check=True)
    clean = code_version(tmp_path)
    assert len(clean['commit']) == 40 and clean['modified'] is False
    (tmp_path / 'f').write_text('2')
    assert code_version(tmp_path) == dict(clean, modified=True)


def test_a_card_that_cannot_be_read_is_no_card(tmp_path: Path) -> None:
    assert read_card(tmp_path) == []
    (tmp_path / 'run_card.json').write_text('{')
    assert read_card(tmp_path) == []
