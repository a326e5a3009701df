"""What a piece of work takes of the machine: the processor's time, and the most memory.

Linux lets a process forget its highest memory, so that a run is not charged for what the same
worker did before; elsewhere the highest since the process began counts, which is never too low.
"""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
FORGET_PEAK = "5"  # what clear_refs takes for it, see proc(5)


@dataclass(frozen=True)
class Usage:
    """Seconds of processor time of all threads, and the most bytes that were used at once."""

    processor_seconds: float
    peak_memory: int
    peak_device_memory: int | None = None  # of a GPU; None where none was used

    def added(self, seconds: float | None, memory: int | None, device: int | None) -> Usage:
        """Return this together with what earlier parts of the same work took."""
        devices = [each for each in (self.peak_device_memory, device) if each is not None]
        return Usage(
            self.processor_seconds + (seconds or 0.0),
            max(self.peak_memory, memory or 0),
            max(devices, default=None),
        )


class UsageMeter:
    """Measures what this process takes from now on."""

    def __init__(self, device: str = "cpu") -> None:
        """Begin; on "cuda" the memory of the GPU counts, too."""
        self.cuda = device.startswith("cuda")
        self.began = time.process_time()
        with contextlib.suppress(OSError):
            CLEAR.write_text(FORGET_PEAK)
        if self.cuda:
            import torch

            torch.cuda.reset_peak_memory_stats()

    def read(self) -> Usage:
        """Return what was taken since the beginning."""
        seconds = time.process_time() - self.began
        if not self.cuda:
            return Usage(seconds, peak_memory())
        import torch

        return Usage(seconds, peak_memory(), torch.cuda.max_memory_allocated())


def peak_memory() -> int:
    """Return the most bytes of memory that this process used at once since a meter began."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        lines = STATUS.read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024
    memory = psutil.Process().memory_info()
    if hasattr(memory, "peak_wset"):  # Windows
        return int(memory.peak_wset)
    if sys.platform == "win32":
        return int(memory.rss)
    import resource

    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(highest if sys.platform == "darwin" else highest * 1024)
