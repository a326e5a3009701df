"""Freed memory that stays."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from peftcore.system import malloc

BLOCK = 200_000_000

FAULTS = f"""
import resource
from peftcore.system import malloc
{{hold}}
def touch():
    return bytearray({BLOCK})  # zeroed page by page if its memory is new
touch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    touch()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(hold):
    words = [sys.executable, "-c", FAULTS.format(hold=hold)]
    return int(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's")
def test_a_block_that_was_freed_is_used_again_without_page_faults():
    assert faults("malloc.keep_freed_memory()") < faults("") / 10


HELD = f"""
import os
from peftcore.system import malloc
malloc.keep_freed_memory()
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
before = resident()
blocks = [b"0" * {BLOCK // 20} for _ in range(20)]  # each written to
del blocks
kept = resident() - before
malloc.return_freed_memory()
print(kept, resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's")
def test_freed_memory_goes_back_when_it_is_released():
    words = [sys.executable, "-c", HELD]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    kept, left = map(int, done.stdout.split())
    assert kept > 0.8 * BLOCK
    assert left < 0.2 * BLOCK


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(malloc.ctypes, "CDLL", lambda name: SimpleNamespace())
    assert malloc.keep_freed_memory() is False
    assert malloc.return_freed_memory() is False
