"""A missing info file is answered with a command that exists."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from projects.CLAP.clap.datasets.info_file import MAKE, read_info_file
from projects.CLAP.clap.errors import DatasetError
from tools.create_data import parse_args


@pytest.mark.parametrize('kind', MAKE)
def test_the_command_is_that_of_the_kind_of_data(kind: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        read_info_file(str(tmp_path / f'{kind}_infos_train.pkl'), str(tmp_path))
    words = shlex.split(str(caught.value).split('python tools/create_data.py ')[1])
    args = parse_args(words)
    assert args.command == kind and args.out == tmp_path


def test_own_data_have_their_own_converter(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match='converter of these data .*your_own.md'):
        read_info_file(str(tmp_path / 'mine_infos_train.pkl'), str(tmp_path))
