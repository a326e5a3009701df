"""Work is charged for its own memory and time, and not for what came before it."""

import sys

import pytest

from peftcore.system import usage
from peftcore.system.usage import Usage, UsageMeter

MEBIBYTE = 2**20


def test_memory_that_was_held_for_a_moment_counts():
    before = UsageMeter().read().peak_memory
    meter = UsageMeter()
    block = bytearray(120 * MEBIBYTE)
    block[::4096] = b"x" * len(block[::4096])  # touched, or it is only promised
    del block
    assert meter.read().peak_memory > before + 60 * MEBIBYTE


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not forget a peak")
def test_earlier_work_is_forgotten():
    block = bytearray(120 * MEBIBYTE)
    block[::4096] = b"x" * len(block[::4096])
    high = usage.peak_memory()
    del block
    assert UsageMeter().read().peak_memory < high - 60 * MEBIBYTE


def test_processor_time_counts_from_the_beginning():
    meter = UsageMeter()
    while meter.read().processor_seconds < 0.05:
        sum(range(1000))
    later = UsageMeter()
    assert later.read().processor_seconds < meter.read().processor_seconds


def test_parts_of_one_work_add_up():
    second = Usage(2.0, 100)
    assert second.added(None, None, None) == second
    assert second.added(1.5, 300, 7) == Usage(3.5, 300, 7)
    assert Usage(1.0, 1, 9).added(1.0, 1, 7) == Usage(2.0, 1, 9)
