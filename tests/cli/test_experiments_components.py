"""`experiment components`: the grids of the Components page, as JSON."""

import pytest
from support.commands import call, printed
from support.runs import make_run

from peftcore.labs.components import grid
from peftcore.labs.components.grid import SHIPPED_PRESETS
from peftcore.runs.store import RunStore
from peftcore.sweeps.spec import SweepJob
from peftcore.system import processes

GRID = ("experiment", "components")


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """No shipped grids."""
    monkeypatch.setattr(grid, "shipped_store", lambda: RunStore(tmp_path / "x", tmp_path / "y"))


def test_a_grid_tells_what_is_done_and_what_is_missing():
    settings = {"components": ("layernorm",)}
    wanted = grid.subset_spec("tiny-t5", "miniworld_nli", settings, {"seeds": 2})
    make_run("sparsefit", **wanted.model_dump(exclude={"base", "task", "method"}))
    found = printed(*GRID, "--seeds", "2")
    assert [row["subset"] for row in found["runs"]] == list(SHIPPED_PRESETS)
    assert [row["state"] for row in found["runs"]] == ["done"] + ["not trained"] * 4
    (accuracy,) = [row for row in found["scores"] if row["metric"] == "accuracy"]
    assert (accuracy["name"], accuracy["n"]) == ("LayerNorm", 2)
    assert found["pairs"] == []


def test_a_grid_is_one_job_that_is_started_and_stopped(monkeypatch):
    launched = []
    monkeypatch.setattr(SweepJob, "launch", lambda work: launched.append(work.id))
    found = printed(*GRID, "--seeds", "2")
    assert (found["missing"], found["state"]) == (5, None)
    assert SweepJob.list_all() == []
    assert printed(*GRID, "start", "--seeds", "2")["sweep"] == found["sweep"]
    assert launched == [found["sweep"]]
    (work,) = SweepJob.list_all()
    work.write_status(state="running", process=vars(processes.current_process()), done=1, of=5)
    stopped = call(*GRID, "stop", "--seeds", "2")
    assert "1 of 5 runs trained" in stopped.stdout
    assert work.stop_requested()


def test_layers_are_planned_around_the_settings_given():
    found = printed(*GRID, "layers", "--set", "components=attention.query")
    assert len(found["runs"]) == 1 + 2 * 7
    assert found["layers"] == []
