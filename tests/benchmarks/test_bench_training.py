"""Benchmarks of training: the ways compute the same, and every ratio is told with its range."""

import pytest


@pytest.mark.filterwarnings("ignore")  # the package still uses a name that is going away
def test_one_pass_has_the_losses_of_its_own_loop_and_is_held_against_the_peft_package(mine, asked):
    few = ("--count", "2", "--steps", "2", "--rounds", "1", "--precision", "fp32")
    found = asked("seeds", *mine, "--method", "lora", *few)
    row = found["rows"][0]
    assert row["own_loop_off_by"] < 1e-4
    for name in ("ratio_vs_own_loop", "ratio_vs_peft", "ratio_vs_processes"):
        assert found[name] == row[name]["median"] > 0
        assert row[name]["low"] <= row[name]["median"] <= row[name]["high"]
    # The same rows in the same order; only the random start of the two differs.
    ways = row["mean_loss"]
    assert abs(ways["peft"] - ways["one pass"]) < 0.2 * ways["one pass"]
    assert ways["processes"] == pytest.approx(ways["peft"], rel=1e-5)


def test_a_step_is_held_against_its_floor_for_every_method(mine, asked):
    rows = asked("step", *mine, "--count", "2", "--rounds", "2")["rows"]
    assert {"prompt_tuning", "lora", "atoms", "prefix simplex of 3", "sparsefit"} == {
        row["method"] for row in rows
    } - {"spt", "prefix_tuning"}
    assert {row["floor"] for row in rows if row["method"] == "sparsefit"} == {"floor, with weights"}
    assert all(row["times_the_floor"] > 0 for row in rows)
