"""Titles of what runs were trained with and for, also of what is gone; which runs are offered."""

import pytest
from support.runs import make_run, write_adapter

from app.state import run_catalog
from peftcore.runs.store import RunStore


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    monkeypatch.setattr("app.state.cache.run_store", lambda: RunStore(demo_folder=tmp_path))


def test_what_is_gone_keeps_its_name():
    assert run_catalog.find_task("table_gone") is None
    assert run_catalog.task_title("table_gone") == "table_gone"
    assert run_catalog.task_title("miniworld_nli") != "miniworld_nli"
    assert run_catalog.method_title("gone") == "gone"
    assert run_catalog.method_title("lora") == "LoRA"


def test_only_finished_runs_are_offered_and_of_labs_those_with_an_adapter():
    finished, queued = make_run("lora"), make_run("spt")
    queued.write_status(state="queued")
    assert [run.id for run in run_catalog.finished_runs()] == [finished.id]
    assert run_catalog.runs_with_adapter() == []
    write_adapter(finished)
    assert [run.id for run in run_catalog.runs_with_adapter()] == [finished.id]
    assert run_catalog.run_title(finished).startswith("LoRA · ")


def test_the_newest_run_of_each_method_is_suggested():
    make_run("lora", training={"steps": 10})
    runs = [make_run("spt", training={"steps": 9}), make_run("lora", training={"steps": 9})]
    assert {run.id for run in run_catalog.suggest_runs(run_catalog.finished_runs())} == {
        run.id for run in runs
    }


def test_a_run_whose_base_is_gone_is_listed_and_not_asked():
    here, gone = make_run("lora"), make_run("lora", base="a-base-that-is-gone")
    assert {run.id for run in run_catalog.finished_runs()} == {here.id, gone.id}
    assert [run.id for run in run_catalog.runs_with_base()] == [here.id]
    assert run_catalog.missing_base([here.id, "0" * 12]) == ""
    assert run_catalog.missing_base([here.id, gone.id]) == gone.spec.base
