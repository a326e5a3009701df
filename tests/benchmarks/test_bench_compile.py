"""A compiled model against a plain one."""

import pytest


@pytest.mark.filterwarnings("ignore")  # of the tracer's own
def test_a_compiled_model_is_held_against_a_plain_one(saved, asked):
    words = ["--alone", "--rounds", "1", "--count", "1"]
    words += ["--backend", "eager"]  # which needs no compiler
    [row] = asked("compile", *saved("bert"), *words)["rows"]
    assert row["what"] == "model alone"
    assert row["graphs"] > 0
    assert row["times_faster"] > 0
