"""The commands about soft prompts, on a real run of a tiny random base."""

import json
import shutil

import pytest
from typer.testing import CliRunner

from peftcore.cli import app
from peftcore.jobs.queue import Queue
from peftcore.runs.store import RunStore
from peftcore.training.planning import build_spec
from peftcore.training.run_training import execute_run

TRAINING = {"shots": 9, "dev": 6, "steps": 4, "batch": 3, "evaluate_every": 2}


@pytest.fixture(scope="module")
def models(tiny, tmp_path_factory):
    folder, base = tmp_path_factory.mktemp("models"), tiny("t5")
    base.model.save_pretrained(folder / "random-t5")
    base.tokenizer.save_pretrained(folder / "random-t5")
    return folder


@pytest.fixture(scope="module")
def trained(models, tmp_path_factory):
    store = RunStore(tmp_path_factory.mktemp("runs"), tmp_path_factory.mktemp("demos"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PEFTCORE_MODELS", str(models))
        for method in ("spt", "prompt_tuning"):
            scored = {"limit": 3, "max_new_tokens": 2}
            asked = ("random-t5", "miniworld_nli", method, {"length": 5}, {"seeds": 2})
            execute_run(store.create(build_spec(*asked, TRAINING, scored)))
    return store.folder


@pytest.fixture
def runs(trained, home, models, monkeypatch):
    monkeypatch.setenv("PEFTCORE_MODELS", str(models))
    shutil.copytree(trained, home / "runs")
    return {run.spec.method: run for run in RunStore().all(include_demos=False)}


def printed(*arguments):
    """What a command prints as JSON; nothing else may stand beside it."""
    done = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def test_scaling_tells_tokens_gap_and_drift_of_every_seed(runs):
    result = printed("scaling", runs["spt"].id)
    assert result["steps"] == [0, 2, 4]
    assert [seed["seed"] for seed in result["seeds"]] == [0, 1]
    for seed in result["seeds"]:
        assert seed["scale_by_step"][0] == pytest.approx([1.0] * 5)
        for token in seed["tokens"]:
            length = abs(token["scale"]) * token["length_before"]
            assert token["length_after"] == pytest.approx(length, rel=1e-5)
            assert token["step_factor_across"] == pytest.approx(token["scale"] ** 2)
            assert len(token["nearest_after"]) == 3
        gap = seed["gap"]["after"]["energy"]
        assert 0 < gap["p"] <= 1
        assert gap["chance_low"] <= gap["chance_high"]
    drift = result["drift"]
    assert drift["plain"] == runs["prompt_tuning"].id
    assert [seed[0] for seed in drift["apart"]] == [0.0, 0.0]
    assert all(seed[-1] > 0 for seed in drift["apart"])


def test_prompt_tuning_has_no_drift_from_itself(runs):
    result = printed("scaling", runs["prompt_tuning"].id)
    assert result["drift"] is None
    assert result["rate_ratio"] is None
    assert result["seeds"][0]["gap"]["before"] == result["seeds"][0]["gap"]["after"]


def test_scaling_is_a_table_for_people(runs):
    done = CliRunner().invoke(app, ["scaling", runs["spt"].id])
    assert done.exit_code == 0
    assert "norm_ratio" in done.stdout
    assert "nearest word" in done.stdout


def test_a_study_lists_its_cells_and_queues_what_is_missing(runs, monkeypatch):
    from peftcore.jobs import queue

    monkeypatch.setattr(queue, "ensure_worker", lambda: False)
    result_here = printed("experiment", "scaling", runs["spt"].id, "variants")
    states = {cell["name"]: cell["state"] for cell in result_here["cells"]}
    assert states["Scale of each token"] == states["Scale fixed at one"] == "done"
    assert len(result_here["missing"]) == 4
    assert not Queue().jobs()
    again = printed("experiment", "scaling", runs["spt"].id, "variants", "--queue")
    assert len(again["queued"]) == len(Queue().jobs()) == 4
    assert again["missing"] == []


def test_a_transfer_study_has_a_field_for_every_pair_of_tasks(runs):
    tasks = "miniworld_nli,miniworld_sentiment"
    result_here = printed("experiment", "scaling", runs["spt"].id, "transfer", "--tasks", tasks)
    assert len(result_here["transfer"]) == 4
    here = next(f for f in result_here["transfer"] if f["target"] == "miniworld_nli")
    assert here["direct"] == pytest.approx(sum(runs["spt"].scores()["accuracy"]) / 2)
    assert here["gain"] is None
    done = CliRunner().invoke(app, ["experiment", "scaling", runs["spt"].id, "transfer"])
    assert done.exit_code == 2
    assert "two tasks" in done.stderr
