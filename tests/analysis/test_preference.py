"""Scores, rankings, raters and correlations against hand-made numbers and other packages."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from peftcore.analysis import preference
from peftcore.errors import BadInput


def verdicts(rows):
    """Rows of method, item, rater, score; the example is the item's last letter."""
    made = pd.DataFrame(rows, columns=["method", "item", "rater", "score"])
    return made.assign(example=made["item"].str[-1], seconds=10.0)


def pairs(rows):
    """Rows of first, second, outcome, each on an example and by a rater of its own turn."""
    made = pd.DataFrame(rows, columns=["first", "second", "outcome"])
    return made.assign(
        example=[str(n // 2) for n in range(len(made))],
        rater=[f"r{n % 3}" for n in range(len(made))],
    )


def against(wins, ties, losses, first="a", second="b"):
    outcomes = ["first"] * wins + ["tie"] * ties + ["second"] * losses
    return [(first, second, outcome) for outcome in outcomes]


def test_a_score_is_the_mean_of_the_items_means():
    # Item 1: (1 + 1 + 0) / 3 = 2/3; item 2 has one verdict of 0: mean (2/3 + 0) / 2 = 1/3.
    rows = [("a", "a1", "x", 1), ("a", "a1", "y", 1), ("a", "a1", "z", 0), ("a", "a2", "x", 0)]
    (row,) = preference.score_methods(verdicts(rows)).to_dict("records")
    assert row["mean"] == pytest.approx(1 / 3)
    assert (row["items"], row["raters"], row["verdicts"]) == (2, 3, 4)
    assert row["low"] <= row["mean"] <= row["high"]


def test_methods_come_best_first_and_one_example_has_no_interval():
    rows = [("a", "a1", "x", 0.0), ("b", "b1", "x", 1.0), ("b", "b2", "x", 1 / 3)]
    made = preference.score_methods(verdicts(rows))
    assert list(made["method"]) == ["b", "a"]
    assert math.isnan(made["low"][1])
    assert "one example" in made["reason"][1]


def test_an_interval_covers_the_truth_about_as_often_as_it_says():
    """Forty examples and five raters of equal habits, a true mean of 0.6."""
    rng, covered = np.random.default_rng(0), 0
    for _ in range(40):
        rows = [
            ("a", f"a{n}", f"r{r}", float(rng.random() < 0.6)) for n in range(40) for r in range(5)
        ]
        made = verdicts(rows).assign(example=[row[1] for row in rows])
        found = preference.score_methods(made).iloc[0]
        covered += found["low"] <= 0.6 <= found["high"]
    assert covered >= 35


def test_raters_who_differ_widen_the_interval_of_a_score():
    mild = [("a", f"a{n}", f"r{r}", 0.45 + r % 2 / 10) for n in range(9) for r in range(10)]
    split = [("a", f"a{n}", f"r{r}", float(r % 2)) for n in range(9) for r in range(10)]
    narrow, broad = (preference.score_methods(verdicts(rows)).iloc[0] for rows in (mild, split))
    assert narrow["mean"] == pytest.approx(0.5)
    assert broad["mean"] == 0.5
    assert broad["high"] - broad["low"] > 3 * (narrow["high"] - narrow["low"])


def test_a_difference_is_that_of_the_means_and_what_both_share_drops_out():
    """Examples are hard or easy for both, and b lies a third below a, or nearly, on each."""
    hard = [0.0, 1 / 3, 2 / 3, 1 / 3, 0.0, 2 / 3]
    rows = [("b", f"b{n}", r, worth) for n, worth in enumerate(hard) for r in "xy"]
    better = [worth + 0.3 + 0.06 * (n % 2) for n, worth in enumerate(hard)]
    rows += [("a", f"a{n}", r, worth) for n, worth in enumerate(better) for r in "xy"]
    (row,) = preference.score_differences(verdicts(rows), "a").to_dict("records")
    assert row["method"] == "b"
    assert row["examples"] == 6
    # Six differences, -0.3 and -0.36 in turn: Student's t over examples.
    gaps = np.array([-0.3, -0.36] * 3)
    expected = stats.t.interval(0.95, 5, gaps.mean(), stats.sem(gaps))
    assert (row["low"], row["high"]) == pytest.approx(expected)
    assert row["p"] == pytest.approx(stats.ttest_1samp(gaps, 0).pvalue)
    assert row["verdict"] == "behind"
    made = preference.score_methods(verdicts(rows))
    assert (made["high"] - made["low"]).min() > 0.2  # though each for itself is far from sure


def test_examples_that_agree_to_the_last_verdict_have_no_interval_of_a_difference():
    rows = [(m, f"{m}{n}", r, float(m == "a")) for m in "ab" for n in range(4) for r in "xy"]
    (row,) = preference.score_differences(verdicts(rows), "a").to_dict("records")
    assert math.isnan(row["low"])
    assert "agree" in row["reason"]
    assert row["verdict"] == "cannot tell"


def test_a_score_of_a_handful_that_agree_is_not_certain():
    rows = verdicts([("a", f"a{n}", r, 1.0) for n in range(4) for r in "xyz"])
    (row,) = preference.score_methods(rows).to_dict("records")
    assert row["high"] == 1
    assert row["low"] < 0.4


def test_differences_need_a_reference_that_was_rated_and_two_examples():
    rows = verdicts([("a", "a1", "x", 1.0), ("b", "b1", "x", 0.0), ("c", "c2", "x", 0.0)])
    made = preference.score_differences(rows, "a").set_index("method")
    assert "one example" in made.loc["b", "reason"]
    assert made["examples"].to_dict() == {"b": 1, "c": 0}
    with pytest.raises(BadInput, match="nobody"):
        preference.score_differences(rows, "nobody")


def test_shares_and_mentions_count_with_their_zeros():
    rows = pd.DataFrame(
        {
            "method": ["a", "a", "b"],
            "verdict": ["yes", "no", "yes"],
            "shortcomings": [["trivial"], ["trivial", "lacking"], []],
        }
    )
    made = preference.verdict_shares(rows, "method", ["yes", "weak yes", "no"])
    assert made["share"].tolist() == [0.5, 0, 0.5, 1, 0, 0]
    ticked = preference.shortcoming_counts(rows, "method", ["trivial", "lacking"])
    assert ticked["count"].tolist() == [2, 1, 0, 0]
    assert ticked["share"].tolist() == [1, 0.5, 0, 0]


def test_leniency_is_the_gap_to_the_others_on_shared_items():
    # x against the others: item 1: 1 - (0 + 1/2) / 2 = 3/4; item 2: 1 - 1/2 = 1/2; mean 5/8.
    rows = [("a", "1", "x", 1), ("a", "1", "y", 0), ("a", "1", "z", 0.5)]
    rows += [("a", "2", "x", 1), ("a", "2", "y", 0.5), ("a", "3", "w", 1)]
    made = preference.rater_effects(verdicts(rows)).set_index("rater")
    assert made.loc["x", "leniency"] == pytest.approx(5 / 8)
    assert made.loc["x", "shared"] == 2
    # Two items 1/8 from their mean: standard error 1/8, t with one degree of freedom is 12.706.
    assert made.loc["x", "low"] == pytest.approx(5 / 8 - 12.7062 / 8)
    assert "one shared item" in made.loc["z", "reason"]
    assert math.isnan(made.loc["w", "leniency"])
    assert "nobody else" in made.loc["w", "reason"]


def test_correlations_agree_with_scipy_and_leave_gaps_out():
    from scipy.stats import spearmanr

    rng = np.random.default_rng(1)
    human = rng.normal(size=50)
    metric = human + rng.normal(size=50)
    metric[:5] = np.nan
    found = preference.human_metric_correlation(human, metric)
    assert found.n == 45
    assert found.spearman == pytest.approx(spearmanr(human[5:], metric[5:]).statistic)
    assert found.low < found.spearman < found.high


def test_items_on_one_example_are_drawn_together_for_a_correlation():
    """Copies of an item bring no news: the interval is that of the examples."""
    rng = np.random.default_rng(2)
    human = rng.normal(size=40)
    metric = human + 2 * rng.normal(size=40)
    example = [str(n) for n in range(40)]
    once = preference.human_metric_correlation(human, metric, example)
    often = preference.human_metric_correlation(np.tile(human, 4), np.tile(metric, 4), example * 4)
    apart = preference.human_metric_correlation(np.tile(human, 4), np.tile(metric, 4))
    assert often.high - often.low == pytest.approx(once.high - once.low, rel=0.1)
    assert often.high - often.low > 1.6 * (apart.high - apart.low)
    whole = preference.human_metric_correlation(human, metric)
    assert (once.low, once.high) == pytest.approx((whole.low, whole.high))


def test_a_correlation_on_one_example_has_no_interval():
    found = preference.human_metric_correlation([1, 2, 3], [1, 2, 3], ["e"] * 3)
    assert found.spearman == pytest.approx(1)
    assert (found.low, found.reason) == (None, "one example has no interval")


@pytest.mark.parametrize(
    ("human", "automatic", "reason"),
    [
        ([1, 2], [1, 2], "3 are needed"),
        ([1, 1, 1], [1, 2, 3], "same human"),
        ([1, 2, 3], [0, 0, 0], "same automatic"),
    ],
)
def test_a_correlation_that_does_not_exist_is_explained(human, automatic, reason):
    found = preference.human_metric_correlation(human, automatic)
    assert found.spearman is None
    assert reason in found.reason


def test_two_methods_without_ties_have_the_odds_of_their_wins():
    found = preference.rank_methods(pairs(against(30, 0, 10)))
    best, other = found.methods.to_dict("records")
    assert best["strength"] - other["strength"] == pytest.approx(math.log(3), abs=1e-3)
    assert found.chances.loc["a", "b"] == pytest.approx(0.75, abs=1e-3)
    assert best["low"] < best["strength"] < best["high"]
    assert (best["wins"], best["ties"], best["losses"]) == (30, 0, 10)


def test_ties_leave_the_odds_of_two_methods_alone():
    """With two methods the likelihood of wins and that of ties part."""
    found = preference.rank_methods(pairs(against(30, 25, 10)))
    assert found.chances.loc["a", "b"] == pytest.approx(0.75, abs=1e-3)
    assert found.methods["share"][0] == pytest.approx((30 + 12.5) / 65)


def test_three_methods_without_ties_agree_with_choix():
    import choix

    wins = np.array([[0, 12, 20], [8, 0, 15], [3, 9, 0]])
    rows, games = [], []
    for i, j in np.ndindex(3, 3):
        rows += [("abc"[i], "abc"[j], "first")] * int(wins[i, j])
        games += [(i, j)] * int(wins[i, j])
    expected = choix.opt_pairwise(3, games)
    found = preference.rank_methods(pairs(rows)).methods.set_index("method")
    strengths = found["strength"][list("abc")].to_numpy()
    assert strengths == pytest.approx(expected - expected.mean(), abs=1e-3)


def test_which_of_two_methods_comes_first_in_a_row_does_not_matter():
    rows = against(8, 3, 4)
    turn = {"first": "second", "second": "first", "tie": "tie"}
    swapped = [(b, a, turn[outcome]) for a, b, outcome in rows]
    one, two = (preference.rank_methods(pairs(each)) for each in (rows, swapped))
    pd.testing.assert_frame_equal(one.methods, two.methods)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (against(5, 0, 0), "no limit"),
        (against(0, 5, 0), "every comparison is a tie"),
        (against(1, 1, 1) + against(1, 1, 1, "c", "d"), "never compared"),
    ],
)
def test_strengths_that_do_not_exist_are_explained_and_shares_remain(rows, reason):
    found = preference.rank_methods(pairs(rows))
    assert found.methods["strength"].isna().all()
    assert reason in found.reason
    assert found.methods["share"].notna().all()


def test_a_limit_the_data_do_not_set_is_missing():
    found = preference.rank_methods(pairs(against(3, 0, 1)))
    assert found.methods["strength"].notna().all()
    assert math.isnan(found.methods["high"][0])


def test_nothing_to_rank_is_said():
    empty = pd.DataFrame(columns=["first", "second", "outcome", "example", "rater"])
    assert "nobody" in preference.rank_methods(empty).reason
    assert preference.score_methods(verdicts([])).empty
    assert preference.rater_effects(verdicts([])).empty


def test_few_raters_are_kept_as_they_are():
    """Four raters who differ say no more of other raters than four who do not."""
    split = [("a", f"a{n}", f"r{r}", float(r % 2)) for n in range(9) for r in range(4)]
    alike = [("a", f"a{n}", f"r{r}", 0.5) for n in range(9) for r in range(4)]
    one, two = (preference.score_methods(verdicts(rows)).iloc[0] for rows in (split, alike))
    assert (one["low"], one["high"]) == pytest.approx((two["low"], two["high"]))
