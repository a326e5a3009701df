"""The heavy packages, brought into memory by one thread at a time.

Their modules import each other in circles; two threads that begin at different ends find them half
made and fail.  Whoever needs them before they are all there waits here.
"""

from __future__ import annotations

import importlib
import threading

HEAVY_MODULES = ("torch", "transformers", "peftcore.models.base_model", "peftcore.training.trainer")
_LOCK = threading.Lock()


def import_all() -> None:
    """Import all of them, or wait for the thread that does; at once if they are there."""
    with _LOCK:
        for name in HEAVY_MODULES:
            importlib.import_module(name)
