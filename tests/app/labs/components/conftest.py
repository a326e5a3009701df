"""Components without demo runs, and no process started."""

import pytest
from support.components_page import begun

from app.state import cache
from peftcore.labs.components import grid
from peftcore.runs.store import RunStore
from peftcore.sweeps.spec import SweepJob


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """No demo runs, no shipped grid, no worker, and nothing loaded in the background."""
    monkeypatch.setattr(cache, "run_store", lambda: RunStore(demo_folder=tmp_path))
    monkeypatch.setattr(grid, "shipped_store", lambda: RunStore(tmp_path / "x", tmp_path / "y"))
    monkeypatch.setattr(SweepJob, "launch", begun)
    monkeypatch.setenv("PEFTCORE_WARM", "0")
