"""What a run was: code, configuration, data, hardware, times. Kept as ``run_card.json`` beside the checkpoints."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from importlib import metadata
from pathlib import Path
from typing import Any, Dict, List, Optional

import torch

from ..files.atomic_file import write_atomic
from ..files.project import ROOT

CARD_NAME = 'run_card.json'
#: Variables that decide what a command reads and how fast it is; no others are recorded.
_VARIABLES = ('CLAP_DATA_ROOT', 'CUDA_VISIBLE_DEVICES', 'OMP_NUM_THREADS')
_PACKAGES = ('torch', 'mmengine', 'mmcv', 'mmdet', 'mmdet3d', 'numpy')


def now() -> str:
    """UTC, to the second, ISO 8601."""
    return datetime.now(timezone.utc).isoformat(timespec='seconds')


def code_version(root: Path = ROOT) -> Dict[str, Any]:
    """Commit of the checkout and whether tracked files differ from it; None for both outside git."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ['git', '-C', str(root), *arguments], capture_output=True, text=True, check=True, timeout=20
        ).stdout.strip()

    try:
        return dict(
            commit=git('rev-parse', 'HEAD'), modified=bool(git('status', '--porcelain', '--untracked-files=no'))
        )
    except (OSError, subprocess.SubprocessError):
        return dict(commit=None, modified=None)


def versions() -> Dict[str, str]:
    """Versions of Python and of the packages that numbers depend on."""
    found = dict(python=platform.python_version())
    installed = {str(package.metadata['Name']): package.version for package in metadata.distributions()}
    spconv = [name for name in installed if name.startswith('spconv')]  # spconv-cu118 and its like
    found.update({name: installed[name] for name in (*_PACKAGES, *spconv) if name in installed})
    if torch.version.cuda:
        found['cuda'] = torch.version.cuda
    return found


def hardware() -> Dict[str, Any]:
    """Processor, cores that this process may use, memory and GPUs; nothing that identifies the machine."""
    gpus = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    return dict(
        processor=_processor(),
        cores=cores,
        memory_gib=_memory_gib(),
        gpus=[f'{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB' for gpu in gpus],
    )


def _processor() -> str:
    try:
        for line in Path('/proc/cpuinfo').read_text().splitlines():
            if line.startswith('model name'):
                return line.split(':', 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory_gib() -> Optional[float]:
    try:
        return round(os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30, 1)
    except (AttributeError, OSError, ValueError):
        return None


def info_fingerprint(path: Path) -> Dict[str, Any]:
    """Name, size and SHA-256 of an info file.

    It names every sensor file and holds all calibration and labels, so the same
    fingerprint means the same frames in the same order; the sensor files
    themselves are not read.
    """
    return dict(file=path.name, bytes=path.stat().st_size, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def fingerprint(dataset: Any) -> Optional[Dict[str, Any]]:
    """Of a dataset's info file, with its folder and how many frames are used; None for one without a file."""
    frames = len(dataset)
    while not hasattr(dataset, 'ann_file') and hasattr(dataset, 'dataset'):
        dataset = dataset.dataset  # wrappers such as RepeatDataset
    path = Path(str(getattr(dataset, 'ann_file', '') or ''))
    if not path.is_file():
        return None
    found = dict(info_fingerprint(path), frames=frames)
    return dict(found, root=_relative(str(dataset.data_root))) if getattr(dataset, 'data_root', None) else found


def describe(config_path: Optional[str], seed: Optional[int], datasets: Dict[str, Any], world_size: int) -> Dict:
    """A new card without the times."""
    script = _relative(sys.argv[0]) if Path.cwd() == ROOT else sys.argv[0]  # must run from where it was run
    return dict(
        config=_relative(config_path),
        command=[script, *sys.argv[1:]],
        folder=_relative(os.getcwd()),
        seed=seed,
        environment={name: os.environ[name] for name in _VARIABLES if name in os.environ},
        code=code_version(),
        data={name: fingerprint(dataset) for name, dataset in datasets.items()},
        hardware=hardware(),
        processes=world_size,
        versions=versions(),
    )


def _relative(path: Optional[str]) -> Optional[str]:
    """A path inside the checkout as seen from its root; others are left alone."""
    if not path:
        return None
    try:
        return str(Path(path).resolve().relative_to(ROOT))
    except ValueError:
        return path


def read_card(work_dir: Path) -> List[Dict]:
    """Cards of all sessions of a work directory, oldest first; empty if there is none or it cannot be read."""
    try:
        content = json.loads((work_dir / CARD_NAME).read_text())
    except (OSError, ValueError):
        return []
    sessions = content.get('sessions') if isinstance(content, dict) else None
    return sessions if isinstance(sessions, list) else []


def duration(session: Dict) -> timedelta:
    """Wall time of a session, as far as it is known."""
    end = session.get('ended') or session.get('last_seen') or session['started']
    return datetime.fromisoformat(end) - datetime.fromisoformat(session['started'])


def write_card(work_dir: Path, sessions: List[Dict]) -> None:
    """Write the cards, whole or not at all."""
    write_atomic(work_dir / CARD_NAME, (json.dumps(dict(sessions=sessions), indent=2) + '\n').encode())
