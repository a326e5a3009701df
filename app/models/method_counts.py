"""What each method would train on a base, counted on shapes alone in a thread of its own.

Building the shapes of a deep base takes a second or two, so a page shows what is known and looks
again. No Streamlit call in the thread: it has no page.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import pandas as pd
import streamlit as st

from app.state import cache, heavy_imports
from peftcore.models import catalog
from peftcore.models.catalog import BaseInfo
from peftcore.system import atomic_files

Counts = Mapping[str, int | None]  # method → trainable numbers, None where it does not suit
MAX_KEPT = 32
BYTES_A_WEIGHT = 4  # a base is kept in single precision
BYTES_A_TRAINED = 16  # value, gradient and two moments of the optimiser


class MethodCounter:
    """Counts by base, each counted once as long as its configuration stays the same."""

    def __init__(self) -> None:
        self._futures: dict[tuple[str, int], Future[Counts]] = {}
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="counts")

    def counts_so_far(self, name: str) -> Counts | None:
        """Return the counts of a base, or None while they are being made."""
        config = catalog.base_folders()[name] / "config.json"
        key = (name, atomic_files.modified_ns(config))
        with self._lock:
            if key not in self._futures:
                while len(self._futures) >= MAX_KEPT:
                    self._futures.pop(next(iter(self._futures)))
                self._futures[key] = self._pool.submit(_count, name)
            future = self._futures[key]
        return future.result() if future.done() else None


def _count(name: str) -> Counts:
    """Count in the thread."""
    heavy_imports.import_all()
    from peftcore.adapters import parameter_counts

    return parameter_counts.count_by_method(parameter_counts.local_meta_base(name))


@st.cache_resource(max_entries=1, show_spinner=False)
def method_counter() -> MethodCounter:
    """Return the counter of this server."""
    return MethodCounter()


def counts_table(info: BaseInfo, counts: Counts) -> pd.DataFrame:
    """Return a row for each method: trainable parameters, share, memory but activations."""
    titles = {method.name: method.title for method in cache.list_methods()}
    rows = []
    for name, count in counts.items():
        memory = None
        if count is not None:
            memory = (BYTES_A_WEIGHT * info.parameter_count + BYTES_A_TRAINED * count) / 1e6
        share = None if count is None else 100 * count / info.parameter_count
        rows.append((titles[name], count, share, memory))
    columns = ["Method", "Trainable parameters", "Share (%)", "Memory for one seed (MB)"]
    return pd.DataFrame(rows, columns=columns)
