"""``tools/setup_env.sh`` with a stand-in for Python: which pip calls it makes. Nothing is downloaded."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Callable, List

import pytest

ROOT = Path(__file__).resolve().parents[1]

#: Answers as an interpreter of version 3.$MINOR does, "installs" nothing, writes down what pip is called with.
_PYTHON = """#!/bin/sh
case "$*" in
  *version_info\\[0\\]*) echo "py3$MINOR-torch2.4.1+cu124" ;;
  *version_info*) echo "$MINOR" ;;
  '-m venv --clear '*) mkdir -p "$4/bin"; cp "$0" "$4/bin/python"; echo new >> "$CALLS" ;;
  '-m pip --version') ;;
  *' wheel '*) shift 3; echo "FORCE_CUDA=$FORCE_CUDA $*" | sed 's/ -w .*//' >> "$CALLS"
               for folder; do :; done; touch "$folder/mmcv-2.1.0-any.whl" ;;
  '-m pip '*) shift 3; echo "$*" >> "$CALLS" ;;
esac
"""


@pytest.fixture
def setup(tmp_path: Path) -> Callable[..., List[str]]:
    """Runs a copy of the script with arguments; the lines that it had pip do, its exit code asserted."""
    checkout, programs = tmp_path / 'checkout', tmp_path / 'bin'
    (checkout / 'tools').mkdir(parents=True)
    programs.mkdir()
    shutil.copy(ROOT / 'tools' / 'setup_env.sh', checkout / 'tools')
    shutil.copytree(ROOT / 'requirements', checkout / 'requirements')
    scripts = dict(python=_PYTHON, sleep='#!/bin/sh\nexec /bin/sleep 0.02\n')
    scripts['g++'] = '#!/bin/sh\n'

    def run(*arguments: str, code: int = 0, python: str = '3.11', nvcc: bool = False) -> List[str]:
        for name, text in dict(scripts, **({'nvcc': '#!/bin/sh\n'} if nvcc else {})).items():
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        calls = tmp_path / 'calls'
        calls.write_text('')
        env = dict(
            PATH=f'{programs}:/usr/bin:/bin',
            CLAP_PYTHON=str(programs / 'python'),
            CLAP_CACHE_DIR=str(tmp_path / 'cache'),
            CUDA_HOME=str(tmp_path / 'no_cuda'),
            HOME=str(tmp_path),
            CALLS=str(calls),
            MINOR=python.split('.')[1],
        )
        done = subprocess.run(
            ['bash', 'tools/setup_env.sh', *arguments],
            cwd=checkout,
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return calls.read_text().splitlines() if code == 0 else done.stderr.splitlines()

    return run


def mmcv_wheel(page: str) -> str:
    return f'install --no-deps --force-reinstall --only-binary mmcv mmcv==2.1.0 --find-links {page}'


@pytest.mark.parametrize('cuda', ['118', '121'])
def test_cuda_takes_everything_from_the_public_pages(setup: Callable, cuda: str) -> None:
    assert setup('--cuda', cuda) == [
        'new',
        f'install torch==2.1.2 --index-url https://download.pytorch.org/whl/cu{cuda}',
        'install -r requirements/build.txt',
        mmcv_wheel(f'https://download.openmmlab.com/mmcv/dist/cu{cuda}/torch2.1/index.html'),
        'install --no-deps mmengine==0.10.7 mmdet==3.3.0 mmdet3d==1.4.0',
        f'install -r requirements/runtime.txt spconv-cu{cuda}==2.3.8 torch==2.1.2',
        'install -r requirements/tests.txt',
    ]
    assert setup() == [], 'later calls keep the options, and find everything done'
    kept = setup('--force')
    assert kept[0] == f'install torch==2.1.2 --index-url https://download.pytorch.org/whl/cu{cuda}', 'in the same place'


def test_where_there_is_no_wheel_mmcv_is_compiled_for_the_gpu(setup: Callable) -> None:
    (message,) = setup('--cuda', '124', code=1)
    assert 'nvcc' in message and '124' in message and '2.4.1' in message
    calls = setup('--cuda', '124', nvcc=True)
    assert calls[1] == 'install torch==2.4.1 --index-url https://download.pytorch.org/whl/cu124'
    assert calls[3] == 'FORCE_CUDA=1 wheel -v --no-build-isolation --no-deps mmcv==2.1.0'
    assert calls[4].startswith('install --no-deps --force-reinstall /') and calls[4].endswith('/mmcv-2.1.0-any.whl')
    assert calls[6] == 'install -r requirements/runtime.txt spconv-cu124==2.3.8 torch==2.4.1'
    assert not any(' wheel ' in call for call in setup('--force')), 'the wheel is cached'


def test_the_cpu_is_the_default(setup: Callable) -> None:
    calls = setup()
    assert calls[1] == 'install torch==2.13.0'
    assert calls[3] == 'FORCE_CUDA= wheel -v --no-build-isolation --no-deps mmcv==2.1.0'
    assert calls[6] == 'install -r requirements/runtime.txt spconv==2.3.8 torch==2.13.0'
    changed = setup('--cuda', '118')
    assert changed[0] == 'new', 'spconv and spconv-cu118 overwrite each other in one environment'


def test_mirrors_override_the_table(setup: Callable) -> None:
    calls = setup('--cuda', '118', '--torch-index', 'https://mirror/torch', '--find-links', 'https://mirror/mmcv')
    assert calls[1] == 'install torch==2.1.2 --index-url https://mirror/torch'
    assert calls[3] == mmcv_wheel('https://mirror/mmcv')
    calls = setup('--cuda', '121', '--torch', '2.1.0', '--requirements', 'cuda118')
    assert calls[1] == 'install torch==2.1.0 --index-url https://download.pytorch.org/whl/cu121'
    assert calls[3] == mmcv_wheel('https://download.openmmlab.com/mmcv/dist/cu121/torch2.1/index.html')
    assert calls[5] == 'install -r requirements/runtime.txt spconv-cu118==2.3.8 torch==2.1.0'
    calls = setup('--torch', '2.1.2', '--torch-index', 'https://m/t', '--find-links', 'p', '--requirements', 'cuda118')
    assert calls[1] == 'install torch==2.1.2 --index-url https://m/t' and calls[3] == mmcv_wheel('p')
    assert calls[5] == 'install -r requirements/runtime.txt spconv-cu118==2.3.8 torch==2.1.2'
    (message,) = setup('--cuda', '121', '--torch', '2.3.1', code=1)
    assert 'no mmcv wheel' in message, 'the newest torch with wheels of mmcv 2.1 is 2.1'


@pytest.mark.parametrize('version', ['130', '11.8', 'cpu', ''])
def test_an_unknown_version_gets_the_known_ones(setup: Callable, version: str) -> None:
    if version == '':
        assert any('--cuda needs a value' in line for line in setup('--cuda', code=2))
        return
    (message,) = setup('--cuda', version, code=2)
    assert f'--cuda {version}' in message and '118 121 124' in message


def test_other_bad_input(setup: Callable) -> None:
    (message,) = setup('--requirements', 'cuda999', code=2)
    assert 'cpu cuda118 cuda121 cuda124' in message
    (message,) = setup('--cuda', '118', python='3.12', code=1)
    assert 'Python 3.9-3.11' in message and 'CLAP_PYTHON' in message
    assert "unknown option '--cudda'" in setup('--cudda', '118', code=2)[-1]
