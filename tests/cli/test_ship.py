"""`ship WHAT`: the same bytes of ratings, demo runs by their specs, grids without adapters."""

import pytest
from support.commands import call, printed
from support.runs import make_run

from peftcore.cli import ship
from peftcore.experiments import demo_runs
from peftcore.labs.components import grid
from peftcore.rating import demo
from peftcore.runs.store import RunStore


def test_ratings_are_written_byte_for_byte(tmp_path):
    written = printed("ship", "rating", "--folder", str(tmp_path))
    assert set(written) == set(demo.DEMOS)
    for name in written:
        assert (tmp_path / f"{name}.jsonl").read_bytes() == (
            demo.demo_folder() / f"{name}.jsonl"
        ).read_bytes()


@pytest.mark.parametrize(
    ("words", "specs"),
    [("demo-runs", None), ("study-runs", demo_runs.study_specs(RunStore()))],
    ids=["demo-runs", "study-runs"],
)
def test_runs_are_made_where_they_ship_or_where_one_says(home, tmp_path, monkeypatch, words, specs):
    asked = []

    def write(folder, train, wanted):
        asked.append((folder, wanted))
        return [make_run("lora")]

    monkeypatch.setattr(ship, "write_demo_runs", write)
    (row,) = printed("ship", words, "--out", str(tmp_path / "runs"), "--device", "cpu")
    assert set(row) == {"run", "task", "method", "scores"}
    assert asked == [(tmp_path / "runs", specs)]


def test_a_grid_ships_what_it_trained(home, tmp_path, monkeypatch):
    shipped = []
    monkeypatch.setattr(grid, "shipped_store", lambda: RunStore(tmp_path / "x", tmp_path / "y"))
    monkeypatch.setattr(grid, "ship_grid_runs", shipped.append)
    trained = []
    monkeypatch.setattr(
        "peftcore.cli.experiments_components.train_sweep",
        lambda job, engine, retry: trained.append(job.request),
    )
    found = printed("ship", "components", "kinds", "--seeds", "2", "--device", "cpu")
    assert found["grid"] == shipped[0].name == "kinds"
    assert len(trained) == 1
    assert trained[0].episodes["seeds"] == 2


def test_what_is_to_be_shipped_is_named():
    assert call("ship", "nothing").exit_code == 2
