from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: Page faults of allocating and freeing 64 MiB twenty times, once the heap has grown to its size.
COUNT = '''
import resource, sys, torch
sys.path.insert(0, {root!r})
if {keep}:
    from projects.CLAP.clap.engine.allocator import keep_freed_memory
    assert keep_freed_memory()
for _ in range(20):
    torch.ones(2**24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    torch.ones(2**24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
'''


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='glibc only')
def test_freed_memory_is_used_again() -> None:
    def faults(keep: bool) -> int:
        code = COUNT.format(root=str(ROOT), keep=keep)
        return int(subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True).stdout)

    assert faults(True) < 0.2 * faults(False)
