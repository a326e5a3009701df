"""Fixtures for tests that open a page of the app; a conftest.py imports them."""

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
