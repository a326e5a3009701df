"""`list`, `runs`, `compare`, `answers` and `delete`."""

import math

import pytest
from support.base_folders import edit_json, write_base
from support.commands import call, own_runs, printed, refused, train
from support.runs import make_runs
from typer.testing import CliRunner

from peftcore.cli import app


def test_list_names_everything(models):
    names = printed("list")
    assert set(names) == {"methods", "tasks", "bases", "unusable"}
    assert {"prompt_tuning", "spt", "prefix_tuning", "lora"} <= set(names["methods"])
    assert {"e2e_nlg", "esnli", "glue_qnli", "miniworld_nli"} <= set(names["tasks"])
    assert "random-t5" in names["bases"]
    assert "Scaled prompt tuning" in call("list").stdout


def test_one_bad_folder_takes_no_other_down_and_is_named_with_the_reason(tmp_path, monkeypatch):
    """Case A01 (huggingface/peft#378, #40)."""
    write_base(tmp_path / "good", "t5")
    for name in ("foreign", "cut"):
        write_base(tmp_path / name, "bert")
    edit_json(tmp_path / "foreign" / "config.json", model_type="no-such")
    (tmp_path / "cut" / "model.safetensors").write_bytes(b"cut")
    monkeypatch.setenv("PEFTCORE_MODELS", str(tmp_path))
    names = printed("list")
    assert "good" in names["bases"]
    assert set(names["unusable"]) == {"foreign", "cut"}
    assert not set(names["unusable"]) & set(names["bases"])
    lines = call("list").stdout
    assert "  foreign cannot be used: no model family 'no-such'" in lines
    assert "no-such" in refused("train", "--base", "foreign", "--task", "miniworld_nli",
                                "--method", "lora")  # fmt: skip


def test_runs_are_listed_with_their_scores(three, trained):
    rows = {row["run"]: row for row in printed("runs")}
    assert set(three) <= set(rows)
    row = rows[three[0]]
    assert (row["state"], row["method"], row["step"]) == ("done", "lora", 3)
    seeds = {name: score["seeds"] for name, score in row["scores"].items()}
    assert seeds == {name: score["seeds"] for name, score in trained[1]["scores"].items()}
    assert three[0] in call("runs").stdout


def test_a_seed_whose_score_is_no_number_is_named_and_not_averaged(home):
    run, other = made = make_runs(methods=("lora", "spt"))
    scores = run.scores()["accuracy"]
    run.write_scores(run.scores() | {"accuracy": [math.nan, math.inf, *scores[2:]]})
    found = printed("compare", run.id, other.id)
    [caveat] = [each for each in found["caveats"] if "no number" in each]
    assert caveat == (
        f"{run.id}: accuracy is no number for 2 of 4 seeds (0, 1), so its mean is that of "
        "the others"
    )
    row = {row["run"]: row for row in found["runs"]}[run.id]
    assert row["n"] == 2
    assert row["mean"] == pytest.approx(sum(scores[2:]) / 2)
    assert caveat in call("compare", *(each.id for each in made)).stdout
    [shown] = [each for each in printed("runs") if each["run"] == run.id]
    assert shown["scores"]["accuracy"]["missing"] == [0, 1]
    assert shown["scores"]["f1"]["missing"] == []


def test_compare_shows_intervals_and_verdicts(three):
    lora, prompt, _ = three
    found = printed("compare", lora, prompt)
    assert found["metric"] == "accuracy"
    assert {row["run"] for row in found["runs"]} == {lora, prompt}
    assert {"mean", "low", "high", "n", "items"} <= set(found["runs"][0])
    [pair] = found["verdicts"]
    assert {pair["first"], pair["second"]} == {lora, prompt}
    assert pair["verdict"] in ("ahead", "behind", "equal", "cannot tell")
    assert (pair["seeds"], pair["items"]) == (2, 3)
    assert (found["population"], found["margin"]) == ("this task", 2)
    assert found["tries"] == {lora: 1, prompt: 1}
    assert {"run", "seed", "item", "rest"} == set(found["components"][0])
    lines = call("compare", lora, prompt).stdout
    assert found["in_words"][0] in lines
    assert "Intervals are about this task; the margin is 2 points." in lines


def test_compare_takes_a_margin_and_a_population(three):
    pair = ("compare", *three[:2])
    found = printed(*pair, "--margin", "5", "--population", "these examples")
    assert (found["population"], found["margin"]) == ("these examples", 5)
    assert "known: these examples, this task" in refused(*pair, "--population", "all")
    assert "a margin of 0 points" in refused(*pair, "--margin", "0")


def test_compare_takes_another_metric_and_refuses_an_unknown_one(three):
    assert printed("compare", *three[:2], "--metric", "f1")["metric"] == "f1"
    assert "did you mean 'accuracy'" in refused("compare", *three[:2], "--metric", "acuracy")


def test_compare_refuses_unlike_runs_with_the_reason(three):
    line = refused("compare", three[0], three[2])
    assert "training examples" in line
    assert "6 in" in line
    assert "9 in" in line


def test_answers_show_every_example_of_every_seed(three):
    rows = printed("answers", three[0])
    assert len(rows) == 2 * 3
    assert {"seed", "source", "target", "text", "correct"} <= set(rows[0])
    assert {row["seed"] for row in printed("answers", three[0], "--seed", "1")} == {1}
    assert "no seed '7'" in refused("answers", three[0], "--seed", "7")


def test_deleting_asks_first(models, home):
    train("lora")
    run = own_runs()[0]["run"]
    assert CliRunner().invoke(app, ["delete", run], input="n\n").exit_code == 1
    assert len(own_runs()) == 1


@pytest.mark.parametrize("command", ["answers", "compare", "delete", "cancel", "resume"])
def test_an_unknown_run_is_bad_input(home, command):
    assert "no run 'abc'" in refused(command, "abc")
