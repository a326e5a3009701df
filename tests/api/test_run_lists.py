"""Runs as a list: newest scores, and a filter."""

import math

import pytest
from support.runs import make_run

from peftcore.analysis.run_sets import RunFilter
from peftcore.api import run_lists
from peftcore.runs.store import RunStore


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path / "runs", tmp_path / "none")


def test_a_run_has_its_main_score_as_the_mean_over_seeds(store):
    run = make_run("lora", store=store)
    run.write_scores({"f1": [0.9, 0.9], "accuracy": [0.5, 0.75]})
    [listed] = run_lists.list_runs(store)
    assert (listed.id, listed.metric, listed.score) == (run.id, "accuracy", 0.625)


def test_a_score_that_was_written_anew_is_read_anew(store):
    run = make_run("lora", store=store)
    first = run_lists.describe_run(run).score
    run.write_scores({"accuracy": [0.125]})
    assert run_lists.describe_run(run).score == 0.125 != first


def test_seeds_without_a_number_are_left_out_of_the_mean(store):
    run = make_run("lora", store=store)
    run.write_scores({"accuracy": [0.25, math.nan, None]})
    assert run_lists.describe_run(run).score == 0.25
    run.write_scores({"accuracy": [None]})
    assert run_lists.describe_run(run).score is None


def test_a_filter_leaves_out_what_it_does_not_accept(store):
    runs = {method: make_run(method, store=store) for method in ("lora", "spt")}
    wanted = RunFilter(methods=("spt",))
    assert [run.id for run in run_lists.list_runs(store, wanted)] == [runs["spt"].id]
    assert len(run_lists.list_runs(store)) == 2
