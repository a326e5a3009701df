"""Goals are judged by the worst row that they are about, and none is met unmeasured."""

from peftcore.benchmarks import goals
from peftcore.benchmarks.goals import GOALS, Goal, goal_rows


def test_the_worst_row_counts_on_either_side():
    rows = [{"x": 3.0}, {"x": 1.0}, {"y": 0.1}]
    least = Goal("b", "a ratio", 2.0, goals._when("x"))
    most = Goal("b", "a cost", 2.0, goals._when("x"), at_most=True)
    assert least.worst(rows) == (1.0, {"x": 1.0})
    assert most.worst(rows) == (3.0, {"x": 3.0})
    assert not least.met(1.0)
    assert least.met(2.0)
    assert not most.met(3.0)
    assert most.met(2.0)


def test_a_goal_is_about_the_rows_that_it_names():
    value = goals._when("ratio", seeds=16)
    assert value({"ratio": {"median": 2.5, "low": 2, "high": 3}, "seeds": 16}) == 2.5
    assert value({"ratio": 2.5, "seeds": 4}) is None
    assert goals._click({"action": "view Flips, for the first time", "median_ms": 900}) is None
    assert goals._click({"action": "view Flips", "median_ms": 90}) == 90


def test_what_was_not_measured_is_not_met():
    assert {row[-1] for row in goal_rows(lambda name: [])} == {"not measured"}
    step = {"rows": [{"base": "mine", "method": "lora", "times_the_floor": 1.2}]}
    rows = {row[0]: row for row in goal_rows(lambda name: [step] if name == "step" else [])}
    (found,) = (row for row in rows.values() if row[-1] != "not measured")
    assert found[1:] == ("≤ 1.15×", "1.20× (mine, lora)", "not met")
    assert len(rows) == len(GOALS)


def test_beside_a_busy_process_a_goal_has_a_limit_of_its_own():
    seeds = {"rows": [{"base": "tiny-t5", "method": "lora", "seeds": 16, "ratio_vs_peft": 2.4}]}
    cells = list(goals.busy_cells(lambda name: [seeds] if name == "seeds" else []))
    assert cells[0] == ("2.40× (tiny-t5, lora)", "met (≥ 2×)")
    assert set(cells[1:]) == {("", "")}
