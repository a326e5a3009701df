"""What the first pages need, imported while the server waits for its first visitor.

Without it the import begins once the browser has asked for a page, and the picture waits for it.
A visitor who is there earlier waits for the thread, as modules that two threads begin at different
ends can be found half made.
"""

from __future__ import annotations

import importlib
import threading

MODULES = ("app.nav", "app.learn.introduction", "app.learn.page", "app.compare.views")
_threads: list[threading.Thread] = []


def start() -> None:
    """Begin in a thread of its own, once."""
    if not _threads:
        thread = threading.Thread(target=_import_all, daemon=True, name="early-imports")
        _threads.append(thread)
        thread.start()


def wait() -> None:
    """Return once they are there; at once where nothing was begun."""
    for thread in _threads:
        thread.join()


def _import_all() -> None:
    """Import each module; what fails says so on the page that needs it."""
    for name in MODULES:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
