"""Findings from curves and measures, each with what to try."""

from types import SimpleNamespace

import pandas as pd
import pytest

from peftcore.analysis.run_diagnosis import AdapterMeasures, RunCurves, diagnose, read_curves
from peftcore.training.planning import build_spec
from peftcore.training.spec_changes import vary_spec

SPEC = build_spec("tiny-t5", "miniworld_nli", "prefix_tuning", {"length": 8})


def curves(dev, train=None, steps=None, **more):
    steps = steps or [20 * n for n in range(len(dev))]
    history = pd.DataFrame({"step": steps, "seed": 0, "dev_loss": dev, "train_loss": train or dev})
    return RunCurves(SPEC, history, **more)


def found(case, measured=None):
    return {each.name: each for each in diagnose(case, measured)}


def test_a_run_that_learns_has_nothing_to_look_at():
    case = curves([2.0, 1.0, 0.5, 0.4, 0.41], best_steps=[60, 80], score=0.8, chance=0.4)
    assert {each.verdict for each in found(case).values()} == {"fine"}


def test_a_flat_loss_is_a_problem_that_comes_first_with_rates_and_a_start_to_try():
    case = curves([2.0, 2.0, 1.99], best_steps=[40], score=0.34, chance=0.335)
    findings = diagnose(case)
    assert [each.verdict for each in findings[:2]] == ["problem", "problem"]
    learning = found(case)["learning"]
    assert "from 2 to 1.99" in learning.words
    rates = [each.changes.get("training.learning_rate") for each in learning.remedies]
    own = SPEC.training.learning_rate
    assert rates == [None, pytest.approx(own * 10), pytest.approx(own / 10)]
    start = learning.remedies[0].changes
    assert len(start["settings.text"].split()) >= 8  # tokens for every position
    assert found(case)["chance"].verdict == "problem"


def test_the_place_of_the_best_step_is_judged():
    late = found(curves([2.0, 1.0], best_steps=[200, 195, 190]))["best_step"]
    assert (late.verdict, late.remedies[0].changes) == ("look", {"training.steps": 400})
    never = found(curves([2.0, 1.0], best_steps=[0, 0, 20]))["best_step"]
    assert never.verdict == "problem"
    assert "untrained" in never.words


def test_a_rising_and_a_jumping_loss_are_seen():
    rising = found(curves([2.0, 1.0, 1.5]))
    assert rising["overfitting"].remedies[0].changes == {"training.shots": 96}
    jumping = found(curves([1.0] * 10, train=[1.0, 2.0] * 5))
    assert "56 %" in jumping["rough"].words
    assert "rough" not in found(curves([1.0] * 10, train=list(range(10, 0, -1))))


def test_a_run_that_diverged_says_so():
    case = curves([2.0, 1.0], stopped=["diverged at step 12; the state of step 0 is kept"])
    assert found(case)["diverged"].remedies[0].changes["training.learning_rate"] > 0


MEASURES = {"examples": 8, "gradient": 0.1, "moved": 0.5, "attention_share": 0.3, "effect": 0.4}


@pytest.mark.parametrize(
    ("changed", "name", "verdict"),
    [
        ({}, "effect", "fine"),
        ({"gradient": 0.0}, "gradient", "problem"),
        ({"moved": 0.001}, "moved", "problem"),
        ({"attention_share": 0.001}, "attention", "look"),
        ({"attention_share": 0.97}, "attention", "look"),
        ({"prompt_scale": 40.0}, "scale", "look"),
        ({"prompt_scale": 2.0}, "scale", "fine"),
        ({"effect": 0.0}, "effect", "problem"),
        ({"unwritable": ("é",)}, "labels", "problem"),
        ({"size": 0.1}, "size", "fine"),
        ({"size": 1e-6}, "size", "look"),
        ({"size": 0.01, "size_beside": True}, "size", "look"),
        ({"by_layer": (("decoder", 1, 0.2), ("decoder", 2, 0.1))}, "layers", "fine"),
        ({"by_layer": (("decoder", 1, 0.2), ("decoder", 2, 0.001))}, "layers", "look"),
    ],
)
def test_what_was_measured_of_an_adapter_is_judged(changed, name, verdict):
    measured = AdapterMeasures(**MEASURES | changed)
    assert found(curves([2.0, 1.0]), measured)[name].verdict == verdict


def trial(rate, loss, stopped=0):
    return SimpleNamespace(learning_rate=rate, dev_loss=loss, stopped=stopped)


def test_the_rate_is_judged_by_short_runs_at_others():
    case, own = curves([2.0, 1.0]), SPEC.training.learning_rate
    low = [trial(own / 10, 3.0), trial(own, 2.0), trial(own * 10, 1.0), trial(own * 100, None)]
    assert found(case).get("rate") is None
    finding = {each.name: each for each in diagnose(case, None, low)}["rate"]
    assert (finding.verdict, finding.title) == ("problem", "The rate is too low")
    assert finding.remedies[0].changes == {"training.learning_rate": own * 10}
    high = [trial(own / 10, 3.0), trial(own / 100, 2.0), trial(own, 1.0, stopped=1)]
    assert {each.name: each for each in diagnose(case, None, high)}["rate"].title.endswith("high")
    right = [trial(own / 10, 3.0), trial(own * 2, 1.0), trial(own, 1.5)]
    assert {each.name: each for each in diagnose(case, None, right)}["rate"].verdict == "fine"
    assert "rate" not in {each.name for each in diagnose(case, None, right[:2])}


def test_every_remedy_is_a_spec_that_can_be_trained():
    worst = AdapterMeasures(
        8, 0.0, 0.0, 0.95, 50.0, 0.0, ("neutral",), 9.0, False, (("decoder", 1, 0),)
    )
    case = curves([1.0, 1.0, 1.3] + [1.3, 1.2] * 5, best_steps=[200], stopped=["diverged"])
    findings = diagnose(case, worst, [trial(0.001, 2.0), trial(0.01, 1.0), trial(0.1, 3.0)])
    assert all(each.remedies for each in findings if each.verdict != "fine")
    remedies = [remedy for each in findings for remedy in each.remedies]
    assert len(remedies) > 12
    for remedy in remedies:
        sections = {}
        for name, value in remedy.changes.items():
            section, _, setting = name.rpartition(".")
            sections.setdefault(section, {})[setting] = value
        assert vary_spec(SPEC, sections).id != SPEC.id


def test_curves_are_read_from_a_run():
    from support.runs import make_run

    read = read_curves(make_run("lora"))
    assert 0 < read.chance < 1
    assert read.score > read.chance
    assert read_curves(make_run("lora", "miniworld_venues")).chance is None
