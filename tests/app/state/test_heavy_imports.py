"""The heavy packages are imported by one thread at a time."""

import sys
import threading
import time
from types import SimpleNamespace

from app.state import heavy_imports


def test_threads_that_need_the_packages_at_once_import_them_one_after_the_other(monkeypatch):
    at_work, most = [], []

    def slow_import(name):
        at_work.append(name)
        most.append(len(at_work))
        time.sleep(0.002)  # long enough for the others to come in between
        at_work.remove(name)
        return SimpleNamespace()

    monkeypatch.setattr(heavy_imports.importlib, "import_module", slow_import)
    threads = [threading.Thread(target=heavy_imports.import_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 4 * len(heavy_imports.HEAVY_MODULES)
    assert max(most) == 1


def test_after_it_the_packages_are_whole():
    heavy_imports.import_all()
    assert all(name in sys.modules for name in heavy_imports.HEAVY_MODULES)
