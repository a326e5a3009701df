from dataclasses import dataclass, field
from typing import Any

import pytest

from peftcore.analysis.comparability import caveats, comparable_groups, reasons_not_comparable
from peftcore.runs.spec import RunSpec


@dataclass
class Run:
    id: str
    spec: RunSpec
    made: dict[str, Any] = field(default_factory=dict)

    def manifest(self):
        return {"data_hash": "aa", "base": {"fingerprint": "ff"}, "versions": {}} | self.made


def run(name="a", made=None, **changes):
    values = {"base": "tiny", "task": "nli", "method": "lora"} | changes
    return Run(name, RunSpec.make(values), made or {})


def test_runs_that_differ_in_method_settings_and_steps_may_be_compared():
    other = run("b", method="spt", settings={"length": 5}, training={"steps": 7})
    assert reasons_not_comparable([run(), other]) == []
    assert comparable_groups([run(), other]) == [[run(), other]]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (run("b", training={"shots": 16}), ["training examples", "48 in a", "16 in b"]),
        (run("b", training={"dev": 16}), ["validation examples"]),
        (run("b", population={"first_seed": 4}), ["seeds", "0 to 3 in a", "4 to 7 in b"]),
        (run("b", evaluation={"split": "validation"}), ["split", "validation in b"]),
        (run("b", evaluation={"limit": 10}), ["limit", "200 in a", "10 in b"]),
        (run("b", evaluation={"beams": 4}), ["decoding", "4 beams"]),
        (run("b", made={"data_hash": "bb"}), ["data", "aa in a", "bb in b"]),
        (run("b", made={"base": {"fingerprint": "ee"}}), ["weights of the base"]),
        (run("b", made={"versions": {"sacrebleu": "2"}}), ["scoring packages", "sacrebleu 2 in b"]),
        (run("b", base="other"), ["base", "tiny in a", "other in b"]),
        (run("b", task="qnli", made={"data_hash": "bb"}), ["task", "qnli in b"]),
    ],
)
def test_unlike_runs_are_refused_with_one_sentence_that_names_the_values(other, words):
    (reason,) = reasons_not_comparable([run(), other])
    assert all(word in reason for word in words)
    assert reason.count(";") == 1  # what is wrong; the way out
    assert len(comparable_groups([run(), other])) == 2


def test_another_base_is_allowed_when_asked_for():
    other = run("b", base="other", made={"base": {"fingerprint": "ee"}})
    assert reasons_not_comparable([run(), other], across_bases=True) == []
    assert len(comparable_groups([run(), other], across_bases=True)) == 1


def test_runs_are_called_by_the_names_given():
    (reason,) = reasons_not_comparable([run(), run("b", task="qnli")], names={"b": "LoRA"})
    assert "qnli in LoRA" in reason


def test_allowed_differences_are_named():
    other = run("b", training={"steps": 7})
    assert caveats([run(), other]) == ["Steps differ: 7 in b, 200 in a"]
    (named,) = caveats([run(), other, run("c")], {"b": "LoRA"})
    assert named == "Steps differ: 7 in LoRA, 200 in the others"
    assert caveats([run(), run("b")]) == []
