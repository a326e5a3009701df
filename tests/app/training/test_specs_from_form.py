"""From choices to specs: costs in words, and a command line that makes the very same run."""

from __future__ import annotations

import shlex

import pytest
from support.bases import build_tiny
from support.runs import make_run, write_adapter

from app.training import specs_from_form
from app.training.specs_from_form import TrainForm, build_specs
from peftcore.adapters.base import METHODS
from peftcore.cli import options
from peftcore.errors import BadInput
from peftcore.training import planning, presets
from peftcore.training.planning import CostEstimate


@pytest.fixture(autouse=True)
def no_runs(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("models")
    made = build_tiny("t5")
    made.model.save_pretrained(folder / "random-t5")
    made.tokenizer.save_pretrained(folder / "random-t5")
    monkeypatch.setenv("PEFTCORE_MODELS", str(folder))


def spoken(command: str):
    """The spec the command line makes of a command."""
    words = shlex.split(command)[4:]
    pairs = list(zip(words[::2], words[1::2], strict=True))
    options_by_name = {name[2:]: value for name, value in pairs if name != "--set"}
    sets = [value for name, value in pairs if name == "--set"]
    numbers = {name: int(options_by_name[name]) for name in specs_from_form.OPTIONS}
    return options.spec_from_options(
        options_by_name["base"], options_by_name["task"], options_by_name["method"], sets, **numbers
    )


@pytest.mark.parametrize("method", ["lora", "prefix_tuning", "prompt_tuning", "spt"])
def test_the_command_makes_the_same_run(method):
    spec = planning.build_spec(
        "random-t5",
        "miniworld_nli",
        method,
        population={"seeds": 2, "vertices": 3},
        training={"shots": 12, "steps": 7, "schedule": "cosine", "learning_rate": 0.011},
        evaluation={"beams": 2, "split": "validation"},
    )
    assert spoken(specs_from_form.training_command(spec)).id == spec.id


def test_the_command_quotes_lists_for_the_shell():
    settings = {"components": ["attention.query"], "rank": 2}
    spec = planning.build_spec("random-t5", "miniworld_nli", "lora", settings)
    assert spoken(specs_from_form.training_command(spec)).settings == spec.settings


def test_defaults_are_left_out_of_the_command():
    size = presets.find_preset(presets.USUAL, 10)
    parts = {part: size.section(part) for part in presets.SECTIONS}
    spec = planning.build_spec("random-t5", "miniworld_nli", "lora", **parts)
    assert "--set" not in specs_from_form.training_command(spec)
    earlier = planning.build_spec("random-t5", "miniworld_nli", "lora")
    assert "--set patience=0 --set select=loss" in specs_from_form.training_command(earlier)


def test_words_for_labels_are_said_in_the_command():
    words = {"entailment": "true", "contradiction": "false"}
    spec = planning.build_spec(
        "random-t5", "miniworld_nli", "lora", training={"label_words": words}
    )
    assert spoken(specs_from_form.training_command(spec)).id == spec.id


def test_each_method_keeps_its_own_learning_rate():
    settings = {name: METHODS[name].Config() for name in ("lora", "spt")}
    made = build_specs(TrainForm("random-t5", "miniworld_nli", settings, {"lora": 0.5}))
    assert made.specs["lora"].training.learning_rate == 0.5
    assert made.specs["spt"].training.learning_rate == METHODS["spt"].learning_rate
    assert not made.problems


def test_a_method_starts_from_its_own_kind_and_the_command_says_so(tmp_path):
    made = [make_run(method, base="random-t5") for method in ("lora", "spt", "prompt_tuning")]
    write_adapter(made[0])
    other = make_run("lora")  # on tiny-t5
    offered = specs_from_form.startable_runs("random-t5", "spt", [*made, other])
    assert set(offered) == {made[1].id, made[2].id}
    assert set(specs_from_form.startable_runs("random-t5", "lora", [*made, other])) == {made[0].id}
    settings = {"lora": METHODS["lora"].Config()}
    form = TrainForm("random-t5", "miniworld_sentiment", settings, start_runs={"lora": made[0].id})
    spec = build_specs(form).specs["lora"]
    assert spec.start == made[0].id
    assert f"--start {made[0].id}" in specs_from_form.training_command(spec)


def test_a_base_that_is_gone_is_a_problem_of_each_method():
    settings = {name: METHODS[name].Config() for name in ("lora", "spt")}
    made = build_specs(TrainForm("random-t6", "miniworld_nli", settings))
    assert not made.specs
    (problem,) = specs_from_form.group_problems(made.problems)
    assert "random-t5" in problem  # the close match


def test_costs_are_told_in_words():
    spec = planning.build_spec("random-t5", "miniworld_nli", "lora")
    specs = {"lora": spec, "spt": spec, "prompt_tuning": spec}
    found = [CostEstimate(2048, 100_000, 2.048, 75.0, 1_500_000, "trial"), None, BadInput("no")]
    table = specs_from_form.costs_table(specs, found)
    assert list(table["Trainable parameters"]) == ["2,048", "counting…", "cannot run"]
    assert table["Time"][0] == "1 min 15 s"
    assert table["Share of the base"][0] == "2 %"
    assert table["Memory"][0] == "1.5 MB"
    assert specs_from_form.total_time_text(found) == ""
    assert specs_from_form.total_time_text(found[:1]) == "About 1 min 15 s in all, from trial."


def test_the_time_of_runaway_answers_is_said_where_it_is_much_longer():
    spec = planning.build_spec("random-t5", "miniworld_nli", "lora")
    made = [CostEstimate(1, 1, 1.0, 60.0, 0, "trial", longest_seconds=s) for s in (89.0, 120.0)]
    table = specs_from_form.costs_table({"lora": spec, "spt": spec}, made)
    assert list(table["Time"]) == ["1 min", "1 min to 2 min"]
    assert "limit" not in specs_from_form.total_time_text(made[:1])
    assert "and 2 min if answers run to their limit" in specs_from_form.total_time_text(made[1:])


def test_a_command_for_a_large_base_says_what_differs_from_its_usual_size(monkeypatch):
    monkeypatch.setattr(presets, "LARGE_BASE", 1)
    size = presets.find_preset(presets.USUAL, 10)
    parts = {part: size.section(part) for part in presets.SECTIONS}
    usual = planning.build_spec("random-t5", "miniworld_nli", "lora", **parts)
    assert "--set" not in specs_from_form.training_command(usual)
    other = planning.build_spec("random-t5", "miniworld_nli", "lora")
    for spec in (usual, other):
        assert spoken(specs_from_form.training_command(spec)).id == spec.id


def test_what_takes_long_is_said_with_what_makes_it_shorter():
    parts = {"training": 1000.0, "validation": 3000.0, "answering": 100.0, "saving": 0.0}
    slow = CostEstimate(1, 1, 1.0, 4100.0, 0, "trial", parts, 12.0)
    text = specs_from_form.long_time_text([slow, None])
    assert "1 h 8 min" in text
    assert "Validation takes 50 min" in text
    assert "answering" not in text
    quick = CostEstimate(1, 1, 1.0, 60.0, 0, "trial", parts)
    assert specs_from_form.long_time_text([quick, BadInput("no")]) == ""
    assert specs_from_form.total_time_text([slow]).endswith(
        "from trial, and up to 12 s before the first."
    )
