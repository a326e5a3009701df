"""Specs with every default filled in, and what cannot work refused."""

import json

import pytest
from support.short_runs import SMALL

from peftcore.errors import BadInput
from peftcore.runs.store import RunStore
from peftcore.training.planning import build_spec
from peftcore.training.run_training import execute_run


def test_what_cannot_work_is_refused_with_the_reason(own):
    with pytest.raises(BadInput, match="reads but cannot write"):
        build_spec("reader", "miniworld_venues", "prefix_tuning")
    with pytest.raises(BadInput, match="needs a base of kind encoder"):
        build_spec("mine", "miniworld_nli", "linear_probe")
    with pytest.raises(BadInput, match=r"shots must lie in \[1, 5000\]; got 0"):
        build_spec("mine", "miniworld_nli", "lora", training={"shots": 0})


def test_a_prompt_and_text_longer_than_the_window_are_refused_before_training(own):
    spec = build_spec(
        "reader", "miniworld_nli", "prompt_tuning", {"length": 200}, {"seeds": 1}, SMALL
    )
    with pytest.raises(BadInput, match="reader has 256: shorten the text or the prompt"):
        execute_run(RunStore().create(spec))


def test_equal_requests_are_one_run(own):
    rate = build_spec("mine", "miniworld_nli", "lora").training.learning_rate
    asked = build_spec(
        "mine", "miniworld_nli", "lora", {"rank": 8}, training={"learning_rate": rate}
    )
    assert asked.id == build_spec("mine", "miniworld_nli", "lora").id
    assert json.loads(asked.canonical())["settings"]["alpha"] == 16.0


def test_a_method_learns_at_the_rate_that_suits_the_kind_of_base(own):
    on_writer = build_spec("mine", "miniworld_nli", "lora").training.learning_rate
    on_reader = build_spec("reader", "miniworld_nli", "lora").training.learning_rate
    assert (on_writer, on_reader) == (0.005, 0.002)
    assert (
        build_spec(
            "reader", "miniworld_nli", "lora", training={"learning_rate": 0.1}
        ).training.learning_rate
        == 0.1
    )


def test_settings_that_only_a_simplex_has_make_no_other_run_of_a_single_adapter(own):
    other = build_spec("mine", "miniworld_nli", "lora", None, {"draw": "layer"}, {"copies": 4})
    assert other.id == build_spec("mine", "miniworld_nli", "lora").id
    simplex = [
        build_spec("mine", "miniworld_nli", "lora", None, {"vertices": 2, "draw": draw}).id
        for draw in ("row", "layer")
    ]
    assert simplex[0] != simplex[1]
