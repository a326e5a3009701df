"""Compare without demo runs, and nothing loaded in the background."""

import pytest

from app.state import cache
from peftcore.runs.store import RunStore


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """No demo runs, and nothing loaded in the background."""
    monkeypatch.setattr(cache, "run_store", lambda: RunStore(demo_folder=tmp_path))
    monkeypatch.setenv("PEFTCORE_WARM", "0")
