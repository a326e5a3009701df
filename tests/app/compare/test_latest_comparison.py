"""The newest comparison on Home: the newest finished run with those of its task and base."""

import pytest
from support.runs import make_run, make_runs

from app.compare.latest_comparison import MOST_RUNS, latest_comparison, running_runs
from app.state import cache
from peftcore.runs.store import RunStore


@pytest.fixture(autouse=True)
def no_demos(monkeypatch, tmp_path):
    monkeypatch.setattr(cache, "run_store", lambda: RunStore(demo_folder=tmp_path))
    monkeypatch.setattr(cache, "run_table", lambda: RunStore(demo_folder=tmp_path).table())


def test_without_runs_there_is_none():
    assert latest_comparison() is None
    assert running_runs() == []


def test_a_run_stands_with_all_its_seeds():
    run = make_run("lora")
    found = latest_comparison()
    assert found.values == {run.id: pytest.approx(run.scores()["accuracy"])}
    assert found.styles[run.id].name == "LoRA"
    assert (found.metric, found.is_demo) == ("accuracy", False)


def test_runs_that_are_not_done_are_left_out_and_said_to_run():
    runs = make_runs()
    runs[0].write_status(state="queued")
    found = latest_comparison()
    assert runs[0].id not in found.values
    assert 1 <= len(found.values) <= MOST_RUNS
    assert running_runs() == [(runs[0].id, "queued")]
