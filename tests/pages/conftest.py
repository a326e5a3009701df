"""What all tests of pages run under."""

import pytest

from app.state import cache
from peftcore.runs.store import RunStore


@pytest.fixture(autouse=True)
def nothing_in_the_background(monkeypatch):
    monkeypatch.setenv("PEFTCORE_WARM", "0")


@pytest.fixture
def no_demo_runs(monkeypatch, tmp_path):
    """The only runs are those that a test makes."""
    monkeypatch.setattr(cache, "run_store", lambda: RunStore(demo_folder=tmp_path))
