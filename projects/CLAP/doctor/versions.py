"""The supported versions. ``docs/installation.md`` shows the tables; a test keeps them equal."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

from .findings import BAD, GOOD, WATCH, Finding

SETUP = 'bash tools/setup_env.sh --force, then use .venv/bin/python'
#: Not the package's own constant: that imports what may be missing here.
_REQUIREMENTS = Path(__file__).resolve().parents[3] / 'requirements'


class Build(NamedTuple):
    """What is installed together: a line of ``requirements/builds.txt``, which ``tools/setup_env.sh`` reads too."""

    torch: str
    python: str
    mmcv: str
    spconv: str


def _read_builds() -> Dict[str, Build]:
    lines = (line.split() for line in (_REQUIREMENTS / 'builds.txt').read_text().splitlines())
    return {words[0]: Build(*words[1:]) for words in lines if words and words[0] != '#'}


BUILDS = _read_builds()
CUDA_VERSIONS = ', '.join(name[len('cuda') :] for name in BUILDS if name != 'cpu')
_SPCONV = [build.spconv.split('==')[0] for build in BUILDS.values()]


@dataclass(frozen=True)
class Supported:
    """One row: ``minimum`` <= version < ``below`` is supported, ``tested`` is what the tests run on.

    ``optional`` names what cannot be done without the package; None: nothing works without it.
    """

    name: str
    minimum: str
    below: str
    tested: str
    why: str
    distributions: Tuple[str, ...] = ()
    optional: Optional[str] = None


SUPPORTED = (
    Supported('python', '3.9', '3.13', '3.11', 'wheels of the packages below; torch 2.13 needs 3.10'),
    Supported('torch', '2.1', '3', BUILDS['cpu'].torch, 'code uses nothing newer than 2.1'),
    Supported('numpy', '1.20', '2', '1.26.4', 'nuscenes-devkit 1.2.0 needs numpy < 2'),
    Supported('mmengine', '0.10.3', '1', '0.10.7', 'mmdet3d 1.4'),
    Supported('mmcv', '2.1.0', '2.2', '2.1.0', 'mmdet3d 1.4 refuses mmcv >= 2.2', ('mmcv', 'mmcv-full', 'mmcv-lite')),
    Supported('mmdet', '3.0.0', '3.4', '3.3.0', 'mmdet3d 1.4 refuses mmdet >= 3.4'),
    Supported('mmdet3d', '1.4.0', '1.5', '1.4.0', 'the project is built on its 1.4 interfaces'),
    Supported(
        'spconv',
        '2.3',
        '3',
        BUILDS['cpu'].spconv.split('==')[1],
        'sparse convolution; spconv-cuXXX on a GPU',
        (*_SPCONV, 'spconv-cu120', 'spconv-cu126'),
    ),
    Supported('nuscenes-devkit', '1.1.10', '2', '1.2.0', 'mmdet3d imports it'),
    Supported('rich', '10', '100', '15.0.0', 'progress bar', optional='no progress bar'),
    Supported('tensorboard', '2', '3', '2.21.0', 'curves', optional='TensorboardVisBackend does not work'),
    Supported('embreex', '4', '5', '4.4.0', 'ray casting of the simulator', optional='tools/create_data.py sim'),
)


def as_numbers(version: str) -> Tuple[int, ...]:
    """``'2.13.0+cpu'`` -> (2, 13, 0); what follows the first non-numeric part is ignored."""
    match = re.match(r'\d+(?:\.\d+)*', version)
    return tuple(int(part) for part in match.group().split('.')) if match else ()


def installed(row: Supported) -> Optional[Tuple[str, str]]:
    """Name and version of the installed distribution, None if there is none."""
    if row.name == 'python':
        return 'python', platform.python_version()
    for name in row.distributions or (row.name,):
        try:
            return name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def check_row(row: Supported, found: Optional[Tuple[str, str]]) -> Finding:
    """Judge one row against what is installed."""
    wanted = f'{row.minimum} <= version < {row.below}'
    if found is None:
        level, without = (WATCH, f'; without it: {row.optional}') if row.optional else (BAD, '')
        return Finding(level, row.name, f'not installed in this Python (supported: {wanted}){without}', SETUP)
    name, version = found
    if name == 'mmcv-lite':
        return Finding(BAD, row.name, 'mmcv-lite has no compiled ops', f'pip uninstall mmcv-lite; {SETUP}')
    if not as_numbers(row.minimum) <= as_numbers(version) < as_numbers(row.below):
        level = WATCH if row.optional else BAD
        if row.name == 'python':
            fix = 'CLAP_PYTHON=python3.11 bash tools/setup_env.sh --force, then use .venv/bin/python'
        else:
            fix = f'pip install "{name}=={row.tested}", or {SETUP}'
        return Finding(level, row.name, f'{name} {version}, supported: {wanted} ({row.why})', fix)
    tested = as_numbers(version)[: len(as_numbers(row.tested))] == as_numbers(row.tested)
    return Finding(
        GOOD,
        row.name,
        f'{version}'
        + (f' ({name})' if name != row.name else '')
        + ('' if tested else f', supported; tests run on {row.tested}'),
    )


def check_versions() -> List[Finding]:
    """One finding per row of :data:`SUPPORTED`."""
    return [check_row(row, installed(row)) for row in SUPPORTED]


def builds_table() -> str:
    """The versions per CUDA version, as the documents show them (``tools/doctor.py --table``)."""
    lines = ['| `--cuda` | torch | python | mmcv | spconv |', '|---|---|---|---|---|']
    for name, build in BUILDS.items():
        cuda = name.replace('cuda', '').replace('cpu', 'none (CPU)')
        lines.append(f'| {cuda} | {build.torch} | {build.python} | {build.mmcv} | {build.spconv} |')
    return '\n'.join(lines)


def markdown_table() -> str:
    """The supported packages, as the documents show them (``tools/doctor.py --table``)."""
    lines = ['| package | supported | tested | why |', '|---|---|---|---|']
    for row in SUPPORTED:
        why = row.why + (f'; without it: {row.optional}' if row.optional else '')
        lines.append(f'| {row.name} | >= {row.minimum}, < {row.below} | {row.tested} | {why} |')
    return '\n'.join(lines)
