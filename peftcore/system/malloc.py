"""Keep freed memory while a process trains, and return it between runs.

By default the C library returns every large block to the system at once, and each tensor of the
next pass is paid for by page faults. With two threads side by side these are a third of the
processor time, with one a tenth (`bench seeds` is measured with it, for all variants alike).

Between runs kept memory would only fragment: blocks of the next run are of other sizes, and a
process that had trained every weight of a sentence encoder, five seeds a run, had 12 GB after ten
such runs.
"""

import ctypes
import gc
import sys

# Constants of malloc.h.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
KEPT_BYTES = 2**30  # bytes of free memory that are kept, and of a block that gets pages of its own
GROWTH_BYTES = 2**26  # bytes that are asked for at a time


def keep_freed_memory() -> bool:
    """Keep freed memory for reuse; False where that cannot be set (only glibc can)."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return sys.platform == "linux" and all(
        [
            mallopt(M_MMAP_THRESHOLD, KEPT_BYTES),
            mallopt(M_TRIM_THRESHOLD, KEPT_BYTES),
            mallopt(M_TOP_PAD, GROWTH_BYTES),
        ]
    )


def return_freed_memory() -> bool:
    """Return unused memory to the system; False where there is none, or no glibc."""
    gc.collect()  # a trainer and its hooks refer to each other
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (AttributeError, OSError, TypeError):
        return False
