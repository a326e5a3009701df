"""Components without demo runs, shipped grids or a process."""

import pytest

from peftcore.labs.components import grid
from peftcore.runs.store import RunStore
from peftcore.sweeps.spec import SweepJob
from peftcore.system import processes


def begun(work):
    """What starting does, but for the process."""
    alive = vars(processes.current_process())
    work.write_status(state="running", done=3, of=5, seconds=60.0, process=alive)


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path, no_demo_runs):
    """No demo runs, no shipped grid, no worker, and nothing loaded in the background."""
    monkeypatch.setattr(grid, "shipped_store", lambda: RunStore(tmp_path / "x", tmp_path / "y"))
    monkeypatch.setattr(SweepJob, "launch", begun)
