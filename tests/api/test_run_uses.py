"""What a run can be used for next, by its method, its task and what is stored of it."""

import pytest
from support.runs import make_run, make_runs, write_adapter

from peftcore.api import run_uses
from peftcore.models import catalog


def test_a_run_that_is_not_finished_has_no_use_yet():
    run = make_run("lora")
    run.write_status(state="failed")
    uses = run_uses.uses_of_run(run)
    assert (uses.labs, uses.ask, uses.export, uses.rate) == ((), False, False, False)
    assert uses.reason == f"run {run.id} is failed"


@pytest.mark.parametrize(
    ("method", "labs"),
    [
        ("lora", {"attention", "limits", "landscape"}),
        ("prefix_tuning", {"attention", "limits", "landscape"}),
        ("spt", {"attention", "landscape", "scaling"}),
        ("atoms", {"attention", "limits", "landscape", "atoms"}),
    ],
)
def test_labs_follow_from_what_a_method_does(method, labs):
    run = make_run(method, "miniworld_sentiment")
    write_adapter(run)
    assert set(run_uses.uses_of_run(run).labs) - {"components", "weights"} == labs


def test_without_its_adapter_a_run_can_be_compared_and_no_more():
    uses = run_uses.uses_of_run(make_run("lora", "miniworld_sentiment"))
    assert (uses.ask, uses.export) == (False, False)
    assert uses.reason == "its adapter is not stored"
    assert not {"attention", "limits", "landscape"} & set(uses.labs)


def test_without_its_base_a_run_is_exported_and_not_asked(monkeypatch):
    run = make_run("lora")
    write_adapter(run)
    monkeypatch.setattr(catalog, "is_at_hand", lambda name: False)
    uses = run_uses.uses_of_run(run)
    assert (uses.ask, uses.export) == (False, True)
    assert "the base tiny-t5 is not on this machine" in uses.reason
    assert "landscape" in uses.labs
    assert "attention" not in uses.labs


def test_alike_are_finished_runs_of_the_same_task_base_and_data():
    runs = make_runs(methods=("lora", "spt"))
    other_task = make_run("prefix_tuning", "miniworld_sentiment")
    other_data = make_run("prompt_tuning", data="d1")
    waiting = make_run("prefix_tuning")
    waiting.write_status(state="queued")
    everything = [*runs, other_task, other_data, waiting]
    found = run_uses.runs_alike(runs[0], everything)
    assert [run.id for run in found] == [runs[1].id]


def test_a_task_that_is_gone_explains_nothing(monkeypatch):
    run = make_run("lora", "miniworld_nli")
    explains = run_uses.explains(run)
    from peftcore import tasks
    from peftcore.errors import BadInput

    def gone(name):
        raise BadInput("no such task")

    monkeypatch.setattr(tasks, "find_task", gone)
    assert explains
    assert not run_uses.explains(run)
    assert "images" not in run_uses.uses_of_run(run).labs


def test_runs_of_one_base_and_method_can_be_combined():
    one, other = make_run("lora"), make_run("lora", "miniworld_sentiment")
    for run in (one, other, another := make_run("spt")):
        write_adapter(run)
    assert run_uses.uses_of_run(one, [one, another, other]).combine
    assert not run_uses.uses_of_run(one, [one, another]).combine
    assert "weights" in run_uses.uses_of_run(one).labs
