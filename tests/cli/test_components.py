"""`components count`, `grid` and `quality`: what the Components page shows, as JSON."""

import json

import pytest
from support.runs import make_run
from typer.testing import CliRunner

from peftcore.cli import app
from peftcore.labs.components import grid
from peftcore.labs.components.grid import SHIPPED_PRESETS
from peftcore.runs.store import RunStore
from peftcore.sweeps.spec import SweepJob
from peftcore.system import processes


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """No shipped grids."""
    monkeypatch.setattr(grid, "shipped_store", lambda: RunStore(tmp_path / "x", tmp_path / "y"))


def printed(*words):
    done = CliRunner().invoke(app, ["components", *words, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def test_a_preset_is_counted_to_the_papers_digit():
    found = printed("count", "--base", "t5-large", "--preset", "LayerNorm + Query")
    assert (found["trained"], found["total"]) == (50_456_576, 737_668_096)
    assert f"{found['percent']:.2f}" == "6.84"
    assert found["settings"] == {"components": ["layernorm", "attention.query"]}


def test_single_cells_are_counted():
    found = printed("count", "--set", "cells=head,encoder.0.ffn")
    sizes = {row["cell"]: row["numbers"] for row in printed("count")["cells"]}
    assert {"encoder.0.ffn", "head"} <= set(found["cells"])
    assert found["trained"] == sizes["head"] + sizes["encoder.0.ffn"]


def test_an_unknown_preset_is_refused_with_those_there_are():
    asked = ["components", "count", "--base", "gpt2", "--preset", "Cross-attention"]
    done = CliRunner().invoke(app, asked, catch_exceptions=False)
    assert done.exit_code == 2
    assert "no configuration 'Cross-attention'; it has" in done.stderr


def test_a_grid_tells_what_is_done_and_what_is_missing():
    settings = {"components": ("layernorm",)}
    wanted = grid.subset_spec("tiny-t5", "miniworld_nli", settings, {"seeds": 2})
    make_run("sparsefit", **wanted.model_dump(exclude={"base", "task", "method"}))
    found = printed("grid", "--seeds", "2")
    assert [row["subset"] for row in found["runs"]] == list(SHIPPED_PRESETS)
    assert [row["state"] for row in found["runs"]] == ["done"] + ["not trained"] * 4
    (accuracy,) = [row for row in found["scores"] if row["metric"] == "accuracy"]
    assert (accuracy["name"], accuracy["n"]) == ("LayerNorm", 2)
    assert found["pairs"] == []


def test_a_grid_is_one_job_that_is_started_and_stopped(monkeypatch):
    launched = []
    monkeypatch.setattr(SweepJob, "launch", lambda work: launched.append(work.id))
    found = printed("grid", "--seeds", "2")
    assert (found["missing"], found["state"]) == (5, None)
    assert SweepJob.list_all() == []
    assert printed("grid", "--seeds", "2", "--start")["sweep"] == found["sweep"]
    assert launched == [found["sweep"]]
    (work,) = SweepJob.list_all()
    work.write_status(state="running", process=vars(processes.current_process()), done=1, of=5)
    said = CliRunner().invoke(app, ["components", "grid", "--seeds", "2", "--stop"])
    assert "1 of 5 runs trained" in said.stdout
    assert work.stop_requested()


def test_layers_are_planned_around_the_settings_given():
    found = printed("grid", "layers", "--set", "components=attention.query")
    assert len(found["runs"]) == 1 + 2 * 7
    assert found["layers"] == []


def test_quality_judges_every_run_beside_gold():
    run = make_run("lora", population={"seeds": 1})
    found = printed("quality", run.id)
    assert found["runs"][0]["answers"] == 24
    assert 0 <= found["runs"][0]["flags"]["sound"] <= 1
    assert found["gold"]["miniworld_nli"]["sound"] > 0.95
