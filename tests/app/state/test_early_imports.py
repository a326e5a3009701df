"""The first pages' modules are imported before the first visitor is there."""

import importlib
import subprocess
import sys
import threading

import pytest

from app.state import early_imports
from peftcore import paths


@pytest.fixture
def nothing_begun(monkeypatch):
    monkeypatch.setattr(early_imports, "_threads", [])


def test_a_visitor_waits_until_all_is_imported(nothing_begun, monkeypatch):
    begin, imported = threading.Event(), []

    def import_module(name):
        assert begin.wait(10)
        imported.append(name)

    monkeypatch.setattr(early_imports.importlib, "import_module", import_module)
    early_imports.start()
    early_imports.start()
    assert not imported
    begin.set()
    early_imports.wait()
    assert tuple(imported) == early_imports.MODULES


def test_what_cannot_be_imported_keeps_the_others(nothing_begun, monkeypatch):
    monkeypatch.setattr(early_imports, "MODULES", ("app.is_not_there", "app.nav"))
    monkeypatch.delitem(sys.modules, "app.nav", raising=False)
    early_imports.start()
    early_imports.wait()
    assert "app.nav" in sys.modules
    importlib.import_module("app.nav")


def test_nobody_waits_where_nothing_was_begun(nothing_begun):
    early_imports.wait()


def test_they_bring_what_draws_and_nothing_that_trains():
    script = (
        "import sys; from app.state import early_imports as e; e.start(); e.wait(); "
        "print(*[n for n in ('plotly.graph_objects', 'pandas', 'torch') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=paths.ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["plotly.graph_objects", "pandas"]
