"""Where the time of a pre-training step goes."""

from __future__ import annotations

import resource
import time
from collections import defaultdict
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Dict, Iterator

import torch


class StepTimer:
    """Accumulates wall-clock seconds by component; waits for the GPU at every boundary.

    Args:
        device: where the model runs.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds: Dict[str, float] = defaultdict(float)

    def _now(self) -> float:
        if self.device.type == 'cuda':
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Add the time of the block to ``name``."""
        start = self._now()
        try:
            yield
        finally:
            self.seconds[name] += self._now() - start

    def take(self) -> Dict[str, float]:
        """The seconds since the last call."""
        seconds, self.seconds = dict(self.seconds), defaultdict(float)
        return seconds


def reset_peak_memory(device: torch.device) -> None:
    """Forget the peak so far, where the system lets us."""
    if device.type == 'cuda':
        torch.cuda.reset_peak_memory_stats(device)
        return
    with suppress(OSError):  # Linux: resets VmHWM, and with it what peak_memory_gib reads
        Path('/proc/self/clear_refs').write_text('5')


def peak_memory_gib(device: torch.device) -> float:
    """Peak memory since the last reset: of the GPU's allocator, or resident memory of the process on the CPU."""
    if device.type == 'cuda':
        return torch.cuda.max_memory_allocated(device) / 2**30
    status = Path('/proc/self/status')
    if status.is_file():
        line = next(line for line in status.read_text().splitlines() if line.startswith('VmHWM'))
        return int(line.split()[1]) / 2**20  # KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # KiB on Linux
