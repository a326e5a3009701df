"""What runs are called and drawn with."""

from dataclasses import dataclass

from peftcore.reports import styles
from peftcore.reports.run_styles import shorten_names, styles_by_run, titles_by_run
from peftcore.runs.spec import RunSpec


@dataclass
class Run:
    spec: RunSpec

    @property
    def id(self):
        return self.spec.id

    def manifest(self):
        return {}


def run(method="lora", **changes):
    return Run(RunSpec.make({"base": "tiny", "task": "nli", "method": method} | changes))


def names(*runs):
    return [look.name for look in styles_by_run(runs).values()]


def test_a_method_alone_is_called_by_its_title():
    assert names(run(), run("spt", settings={"length": 3})) == ["LoRA", "Scaled prompt tuning"]


def test_two_runs_of_a_method_are_told_apart_by_what_differs():
    first, second = run(settings={"rank": 2, "alpha": 4}), run(settings={"rank": 8, "alpha": 4})
    assert names(first, second) == ["LoRA · rank 2", "LoRA · rank 8"]
    first, second = (styles_by_run([first, second])[each.id] for each in (first, second))
    assert first.colour == second.colour == styles.method_colour("lora")
    assert first.dash != second.dash


def test_every_difference_makes_another_name():
    made = names(run(), run(training={"shots": 16}), run(training={"learning_rate": 0.01}))
    assert made[1] == "LoRA · shots 16 · learning rate None"
    assert len(set(made)) == 3


def test_what_decides_nothing_in_a_run_is_not_in_its_name():
    """Copies of dev belong to a simplex, a text to a start from one."""
    plain = run("prefix_tuning", settings={"start": "random", "text": ""})
    from_text = run("prefix_tuning", settings={"start": "text", "text": "Which one, and why? " * 9})
    corners = {"population": {"vertices": 3}, "training": {"copies": 3}}
    simplex = run("prefix_tuning", settings={"start": "random", "text": ""}, **corners)
    assert names(plain, from_text) == ["Prefix tuning · start random", "Prefix tuning · start text"]
    assert names(plain, simplex) == ["Prefix tuning · vertices 1", "Prefix tuning · vertices 3"]
    other = run("prefix_tuning", **corners | {"training": {"copies": 9}})
    assert names(simplex, other)[1].startswith("Prefix tuning · copies 9")


def test_of_many_differences_as_few_are_named_as_tell_the_runs_apart():
    def atoms(number, **more):
        atom_settings = {"atoms": number, "components": ["a", "b"], "threshold": number / 2} | more
        return run("atoms", settings=atom_settings, training={"steps": number, "batch": number})

    assert names(atoms(8), atoms(16)) == [
        "Sparse atoms · atoms 8 · …",
        "Sparse atoms · atoms 16 · …",
    ]
    made = names(atoms(8), atoms(16), atoms(16, components=["a", "b", "c", "d", "e"]))
    assert made[1] == "Sparse atoms · atoms 16 · components a + b · …"
    assert made[2] == "Sparse atoms · atoms 16 · components a + b + c and 2 more · …"


def test_no_two_runs_are_called_alike():
    long = ["a", "b", "c", "d"]
    first, second = (run(settings={"cells": [*long, last]}) for last in ("e", "f"))
    assert names(first, second) == [
        f"LoRA · cells a + b + c and 2 more · {each.id}" for each in (first, second)
    ]


def test_base_and_task_are_added_only_when_there_are_several():
    assert names(run(), run(base="other")) == ["LoRA · tiny", "LoRA · other"]
    assert names(run(), run("spt", task="qa")) == ["LoRA · nli", "Scaled prompt tuning · qa"]


def test_a_method_that_is_gone_keeps_its_name():
    assert names(run("vanished")) == ["vanished"]


def test_settings_are_named_only_among_runs_of_one_base_and_task():
    made = names(
        run(base="a"), run(base="b", training={"shots": 16}), run(base="b", training={"shots": 4})
    )
    assert made == ["LoRA · a", "LoRA · shots 16 · b", "LoRA · shots 4 · b"]


def test_what_all_names_have_in_common_is_left_out():
    parts = {"1": ["LoRA", "rank 2", "nli"], "2": ["LoRA", "rank 8", "nli"]}
    assert shorten_names(parts) == {"1": "LoRA · rank 2", "2": "LoRA · rank 8"}
    assert shorten_names({"1": ["LoRA", "", "nli"]}) == {"1": "LoRA · nli"}
    assert shorten_names({"1": ["LoRA", "nli"], "2": ["LoRA", "nli"]}) == {
        "1": "LoRA · 1",
        "2": "LoRA · 2",
    }
    assert shorten_names({}) == {}


def test_a_list_names_tasks_by_their_titles():
    first, second = run(task="comve"), run(task="miniworld_qa")
    assert list(titles_by_run([first, second]).values()) == [
        "LoRA · ComVE nonsense",
        "LoRA · Miniworld: five-way questions with a reason",
    ]
    assert titles_by_run([first]) == {first.id: "LoRA"}
