"""The newest results on Home: finished runs, newest first, by the main measure of their task."""

import pytest
from support.runs import make_run, make_runs

from app.compare.recent_results import latest_results
from app.state import cache
from peftcore.runs.store import RunStore


@pytest.fixture(autouse=True)
def no_demos(monkeypatch, tmp_path):
    monkeypatch.setattr(cache, "run_store", lambda: RunStore(demo_folder=tmp_path))
    monkeypatch.setattr(cache, "run_table", lambda: RunStore(demo_folder=tmp_path).table())


def test_without_runs_there_is_no_row():
    assert latest_results(5).empty


def test_a_row_is_a_run_with_its_mean_over_seeds():
    run = make_run("lora")
    (row,) = latest_results(5).to_dict("records")
    values = run.scores()["accuracy"]
    assert float(row["Score"]) == pytest.approx(sum(values) / len(values), abs=6e-4)
    assert (row["Method"], row["Measure"], row["From"]) == ("LoRA", "Accuracy", "you")
    assert row["Seeds"] == len(values)
    assert row["Run"] == f"/runs?run={run.id}"


def test_runs_that_are_not_done_are_left_out_and_the_limit_holds():
    runs = make_runs()
    runs[0].write_status(state="cancelled")
    assert len(latest_results(10)) == len(runs) - 1
    assert len(latest_results(2)) == 2
