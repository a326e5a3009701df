"""Attention with nothing loaded in the background."""

import pytest

from app.state import cache
from peftcore.runs.store import RunStore


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setenv("PEFTCORE_WARM", "0")


@pytest.fixture
def no_runs(monkeypatch, tmp_path):
    monkeypatch.setattr(cache, "run_store", lambda: RunStore(demo_folder=tmp_path))
