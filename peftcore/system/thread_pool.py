"""Run independent forward passes side by side, one thread each.

One operation on two threads gains little on models this small, and loses much where something else
runs beside it; two passes that do not depend on each other gain nearly twice. The active adapter
travels in context variables, so threads may share one adapted model, and PyTorch computes outside
of Python's lock. PEFTCORE_THREADS overrides the number of threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, TypeVar

from peftcore.errors import BadInput

if TYPE_CHECKING:
    import torch

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")
MAX_THREADS = 4  # beyond, Python's lock is what they wait for


def thread_count(device: torch.device) -> int:
    """Return how many passes run side by side, 1 on a GPU; BadInput if the override is wrong."""
    if override := os.environ.get("PEFTCORE_THREADS"):
        if not override.isdecimal() or int(override) < 1:
            raise BadInput(f"PEFTCORE_THREADS must be a whole number from 1; got {override[:40]!r}")
        return int(override)
    return 1 if device.type != "cpu" else min(MAX_THREADS, processors())


def processors() -> int:
    """Count the processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1


def map_in_threads(
    work: Callable[[ItemT], ResultT], items: Sequence[ItemT], threads: int
) -> list[ResultT]:
    """Apply `work` to every item and return the results in order; an error is raised.

    Each of the threads sees the caller's context variables, and takes gradients or not as the
    caller does.
    """
    if threads < 2 or len(items) < 2:
        return [work(item) for item in items]
    import torch

    gradients = torch.is_grad_enabled()

    def run_item(item: ItemT) -> ResultT:
        """Do one item with the caller's gradient mode."""
        with torch.set_grad_enabled(gradients):
            return work(item)

    workers = min(threads, len(items))
    results: list[list[ResultT]]
    with ThreadPoolExecutor(workers) as pool:  # one context a thread: each keeps what it last saw
        results = list(
            pool.map(
                lambda context, first: [
                    context.run(run_item, item) for item in items[first::workers]
                ],
                [copy_context() for _ in range(workers)],
                range(workers),
            )
        )
    return [results[index % workers][index // workers] for index in range(len(items))]
