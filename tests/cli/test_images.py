"""The command `images`: JSON alone on standard output, sentences for what cannot be."""

import json

import pytest
from typer.testing import CliRunner

from peftcore.cli import app
from peftcore.labs.images import compute, results_store
from peftcore.tasks.images import canvas


def call(*words):
    return CliRunner().invoke(app, ["images", *words])


def test_the_base_draws_as_json_and_in_signs():
    asked = ("draw", "--prompt", "draw a seven", "--count", "2")
    found = json.loads(call(*asked, "--json").stdout)
    assert found["prompt"] == "draw a seven"
    assert [len(canvas.code_to_picture(code)) for code in found["pictures"]] == [64, 64]
    lines = call(*asked).stdout.splitlines()
    assert lines[0].startswith("draw a seven: ")
    assert lines[-1] == "; ".join(found["told"])


def test_a_shipped_run_compares_and_draws_with_few_atoms():
    rows = json.loads(call("compare", "pictures_digit", "--json").stdout)
    assert {row["method"] for row in rows} == set(results_store.METHODS)
    run = next(row["run"] for row in rows if row["method"] == "atoms")
    drawn = json.loads(call("draw", "--run", run, "--prompt", "draw a three", "--atoms", "0",
                            "--count", "2", "--json").stdout)  # fmt: skip
    base = json.loads(call("draw", "--prompt", "draw a three", "--count", "2", "--json").stdout)
    assert drawn["pictures"] == base["pictures"]


def test_pruning_tells_how_steadily_pictures_follow(monkeypatch):
    run = next(r for r in results_store.finished_runs("pictures_digit") if r.spec.method == "atoms")
    figure = results_store.load_figure(f"prune-{run.id}")
    monkeypatch.setattr(compute, "measure_pruning", lambda *given, **more: figure)
    result = json.loads(call("prune", run.id, "--json").stdout)
    assert set(result["rises"]) == set(result["needed"]) == set(compute.ORDERS)
    earned, size = result["rises"]["earned"], result["rises"]["importance"]
    assert earned["spearman"] >= 0.95  # as shipped: pictures follow the slider
    assert earned["spearman_low"] > size["spearman_high"]
    assert earned["steps"] == len({row["k"] for row in result["rows"]}) - 1


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("draw", "--prompt", "draw a cat"), "does not know 'cat'"),
        (("draw", "--prompt", "a one", "--atoms", "3"), "only a run has atoms"),
        (
            ("draw", "--prompt", "a one", "--run", "93dab23d28d0", "--atoms", "3", "--by", "x"),
            "ordered by earned, loss or importance; got 'x'",
        ),
        (("compare", "miniworld_nli"), "no task of images 'miniworld_nli'"),
        (("prune", "0" * 12), "no run"),
    ],
)
def test_what_cannot_be_ends_in_a_sentence(words, why):
    found = call(*words)
    assert found.exit_code == 2
    assert why in found.stderr
