"""The heavy packages, brought into memory by one thread at a time.

Their modules import each other in circles; two threads that begin at different ends find them half
made and fail.  Whoever needs them before they are all there waits here.
"""

from __future__ import annotations

import importlib
import threading

NAMES = ("torch", "transformers", "peftcore.models.base_model", "peftcore.training.trainer")
_ONE = threading.Lock()


def load() -> None:
    """Import all of them, or wait for the thread that does; at once if they are there."""
    with _ONE:
        for name in NAMES:
            importlib.import_module(name)
