import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peftcore.analysis.comparison import (
    DiffPiece,
    Interval,
    diff_words,
    interval,
    interval_by_step,
    paired_difference,
    pareto,
    summarize_runs,
)


def table(**scores):
    """A table of runs as the store makes it, accuracies by seed."""
    rows = [
        {"run": run, "base": "b", "task": "t", "method": run, "seed": seed, "accuracy": value}
        | {"trainable": 10 * len(run), "seconds": 1.5}
        for run, values in scores.items()
        for seed, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


def test_interval_of_one_two_three_worked_by_hand():
    # mean 2, standard deviation 1, t(0.975, 2) = 4.302653, half width 2.484138,
    # and for three seeds 1 + 2.3 (1/3 - 1/20) = 1.651667 times as much.
    found = interval([1, 2, 3])
    assert found.mean == 2
    assert found.high == pytest.approx(2 + 2.484138 * 1.651667, abs=1e-5)
    assert found.low == pytest.approx(2 - 2.484138 * 1.651667, abs=1e-5)
    assert found.n == 3


def test_one_seed_has_a_mean_and_no_limits():
    assert interval([0.7]) == Interval(0.7, None, None, 1, "one seed")


def test_values_that_are_not_finite_do_not_count():
    assert interval([math.nan, None, math.inf, 0.5]) == Interval(0.5, None, None, 1, "one seed")
    assert interval([math.nan]) == Interval(None, None, None, 0, "no seed has a value")


def test_equal_values_have_an_interval_of_no_width():
    assert interval([0.25] * 4) == Interval(0.25, 0.25, 0.25, 4)


def test_seeds_in_two_groups_are_counted_and_have_no_limits():
    found = interval([0.81, 0.79, 0.8, 0.82, 0.31], (0.0, 1.0))
    assert found.low is None
    assert found.high is None
    assert found.reason == "two groups of seeds: 4 of 5 above 0.6"


@given(st.lists(st.integers(-10, 10), min_size=2, max_size=8), st.integers(-5, 5))
def test_interval_moves_with_its_values(values, shift):
    plain, moved = interval(values), interval([value + shift for value in values])
    if plain.low is None:
        assert moved.low is None
        return
    assert moved.low == pytest.approx(plain.low + shift, abs=1e-6)
    assert moved.high == pytest.approx(plain.high + shift, abs=1e-6)


def test_summary_has_one_row_per_run_best_first():
    """Case A21 (mlflow/mlflow#16555): runs without a number stay, and n says how many there are."""
    made = summarize_runs(
        table(low=[0.1, 0.3], best=[0.8, 0.9], none=[math.nan, math.nan]), "accuracy"
    )
    assert made["run"].tolist() == ["best", "low", "none"]
    assert made["mean"].tolist()[:2] == pytest.approx([0.85, 0.2])
    assert made["n"].tolist() == [2, 2, 0]
    assert made["trainable"].tolist() == [40, 30, 40]
    assert math.isnan(made["low"][2])


def test_summary_of_an_empty_table_is_empty():
    assert summarize_runs(table(a=[1.0]).iloc[:0], "accuracy").empty


@pytest.mark.parametrize(("n", "smallest"), [(3, 0.25), (4, 0.125), (5, 0.0625), (10, 2 / 1024)])
def test_one_sided_gaps_reach_the_smallest_p(n, smallest):
    first = dict.fromkeys(range(n), 0.0)
    second = {seed: 1.0 + seed for seed in range(n)}
    found = paired_difference(first, second)
    assert found.p == found.smallest_p == smallest
    assert found.mean == pytest.approx((n + 1) / 2)


def test_p_of_three_gaps_counted_by_hand():
    # gaps 1, 2, -1 sum to 2; of the sums ±1 ±2 ±1 those at least 2 from zero are
    # 4, 2, 2, -2, -2, -4: six of eight
    assert paired_difference({0: 0, 1: 0, 2: 0}, {0: 1, 1: 2, 2: -1}).p == 0.75


def test_identical_runs_do_not_differ():
    scores = {0: 0.3, 1: 0.9, 2: 0.1}
    found = paired_difference(scores, scores)
    assert (found.mean, found.p) == (0, 1)


def test_only_common_seeds_are_paired():
    assert paired_difference({0: 1.0, 1: 2.0}, {1: 5.0, 2: 9.0}).mean == 3
    assert paired_difference({0: 1.0}, {1: 1.0}).n == 0
    assert paired_difference({0: 1.0}, {1: 1.0}).p is None


def test_many_seeds_are_sampled_and_close_to_the_normal_approximation():
    first = dict.fromkeys(range(24), 0.0)
    second = {seed: 1.0 if seed % 3 else -1.0 for seed in range(24)}  # 16 up, 8 down
    exact = 2 * sum(math.comb(24, k) for k in range(9)) / 2**24  # 0.1516
    assert paired_difference(first, second).p == pytest.approx(exact, abs=0.005)
    assert paired_difference(first, second) == paired_difference(first, second)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=7))
def test_swapping_the_sides_turns_the_difference_and_keeps_p(pairs):
    first = {seed: a for seed, (a, _) in enumerate(pairs)}
    second = {seed: b for seed, (_, b) in enumerate(pairs)}
    there, back = paired_difference(first, second), paired_difference(second, first)
    assert there.mean == pytest.approx(-back.mean)
    assert there.p == pytest.approx(back.p)
    assert there.smallest_p <= there.p <= 1


def test_pareto_keeps_what_nobody_beats():
    scores = [0.5, 0.7, 0.7, 0.6, 0.9, math.nan]
    costs = [1, 10, 20, 30, 100, 1]
    assert pareto(scores, costs) == [True, True, False, False, True, False]


def test_equal_points_do_not_beat_each_other():
    assert pareto([0.5, 0.5], [3, 3]) == [True, True]


def test_changed_words_are_marked_on_both_sides():
    first, second = ["the", "old", "cat", "sleeps"], ["the", "young", "cat", "sleeps", "well"]
    assert diff_words(first, second) == [
        DiffPiece("both", ("the",)),
        DiffPiece("first", ("old",)),
        DiffPiece("second", ("young",)),
        DiffPiece("both", ("cat", "sleeps")),
        DiffPiece("second", ("well",)),
    ]


@given(st.lists(st.sampled_from("abc"), max_size=9), st.lists(st.sampled_from("abc"), max_size=9))
def test_pieces_put_both_texts_together_again(first, second):
    pieces = diff_words(first, second)
    assert [w for p in pieces if p.side != "second" for w in p.words] == first
    assert [w for p in pieces if p.side != "first" for w in p.words] == second


def test_no_interval_passes_the_range_of_its_metric():
    wide = table(a=[0.1, 0.9], b=[0.0, 1.0])
    row = summarize_runs(wide, "accuracy").iloc[0]
    assert (row["low"], row["high"]) == (0.0, 1.0)
    history = pd.DataFrame({"step": [1, 1], "seed": [0, 1], "dev_loss": [0.1, 2.0]})
    (step,) = interval_by_step(history, "dev_loss").itertuples()
    assert step.low == 0.0
    assert step.high > 2.0  # a loss has no largest value
    assert interval([0.1, 0.9]).low < 0  # of a value of which nothing is known
    assert interval([1.2, 1.3], (0.0, 1.0)).high == pytest.approx(1.25)  # beyond by rounding
