"""The line between two runs that ship: found where it lies, printed, and refused for one run."""

import pytest
from support.commands import printed, refused

PAIR = ("7167e5742b9c", "5a7da5def8b7")  # LoRA on two tasks


def test_a_line_that_ships_is_printed_with_what_was_predicted(home):
    value = printed("combine", *PAIR)
    assert value["state"] == "done"
    shares = sorted({row["share"] for row in value["losses"]})
    assert shares == pytest.approx([n / 10 for n in range(11)])
    assert {row["run"] for row in value["losses"]} == set(PAIR)
    for row in value["rises"]:
        assert row["rise"] == pytest.approx(row["middle"] - row["end"])
    assert all(-1 <= row["cosine"] <= 1 for row in value["predictions"])
    assert all(0 <= row["conflicts"] <= 1 for row in value["predictions"])


def test_a_line_takes_two_runs_that_are_here():
    assert "runs" in refused("combine", PAIR[0])
    assert "0" * 12 in refused("combine", PAIR[0], "0" * 12)
