"""What runs are called and drawn with."""

from dataclasses import dataclass

from app import theme
from app.ui.run_styles import styles_by_run
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
    assert first.colour == second.colour == theme.method_colour("lora")
    assert first.dash != second.dash


def test_every_difference_makes_another_name():
    made = names(run(), run(training={"shots": 16}), run(training={"learning_rate": 0.01}))
    assert made[1] == "LoRA · shots 16 · learning rate None"
    assert len(set(made)) == 3


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
