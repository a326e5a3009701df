"""Attention and bias-only measurements as tables: what goes into them, and what is refused."""

import numpy as np
import pytest

from peftcore.api import measurements
from peftcore.data.task import Example
from peftcore.errors import BadInput
from peftcore.training import planning


def test_an_untouched_base_is_the_same_before_and_after(tiny):
    table = measurements.attention(tiny("bert"), "a cat sat")
    assert np.array_equal(table["before"], table["after"])
    sums = table.groupby(["layer", "head", "query"])["after"].sum()
    assert sums.to_numpy() == pytest.approx(1, abs=1e-5)
    assert table["layer"].min() == table["head"].min() == table["key"].min() == 1


def test_keys_of_a_prefix_have_no_attention_before_it(tiny):
    base = tiny("gpt2")
    spec = planning.build_spec(base, "miniworld_nli", "prefix_tuning", {"length": 2}, {"seeds": 1})
    adapted = planning.build_adapted(base, spec)
    table = measurements.attention(adapted, "a cat", target="sat")
    prefix = table[table["key_kind"] == "prefix"]
    assert len(prefix)
    assert (prefix["before"] == 0).all()
    assert (prefix["after"] > 0).all()


def test_only_runs_of_one_base_are_compared(tiny):
    with pytest.raises(BadInput, match="only runs of one base read the same tokens"):
        measurements.load_pair(tiny("gpt2"), tiny("bert"))


def test_an_answer_that_is_given_is_read_as_it_stands(tiny):
    base = measurements.adapted_of(tiny("gpt2"))
    example = Example("1", "a cat", "sat")
    assert measurements.with_answer(base, example, "", 0) is example
    assert measurements.with_answer(base, example, "ran", 0).target == "ran"


def test_a_random_prefix_keeps_the_theorem_in_every_layer(tiny):
    base = tiny("gpt2")
    table = measurements.bias_only(base, "a cat sat", length=3, dtype="fp64")
    assert len(table) == len(base.structure.attention_blocks)
    assert (table["residual"] < 1e-9).all()
    assert (table["length"] == 3).all()
    assert table["share"].between(0, 1).all()


def test_bases_have_no_task_of_their_own(tiny):
    assert measurements.own_task("tiny-t5") == ""
    assert measurements.own_task(tiny("bert")) == ""
