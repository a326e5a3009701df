"""Freed memory that stays."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from peftcore import memory

BLOCK = 200_000_000

FAULTS = f"""
import resource
from peftcore import memory
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
    assert faults("memory.hold()") < faults("") / 10


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: SimpleNamespace())
    assert memory.hold() is False
