"""Runs judged by a metric, in numbers and in words."""

import numpy as np
import pandas as pd
import pytest

from peftcore.analysis import inference, judgement, run_tables
from peftcore.analysis.comparison import summarize_runs
from peftcore.analysis.inference import SeedItemTable
from peftcore.errors import BadInput

NAMES = {"a": "LoRA", "b": "SPT", "c": "Prefix"}


def tables(seeds=6, items=120, **skills):
    rng = np.random.default_rng(0)
    hard = rng.random((1, items))
    made = {}
    for run, skill in skills.items():
        right = hard + rng.normal(0, 0.15, (seeds, items)) < skill
        names = tuple(f"i{n}" for n in range(items))
        made[run] = SeedItemTable(tuple(range(seeds)), names, right[..., None].astype(float))
    return made


@pytest.fixture
def judged():
    return judgement.judge(tables(b=0.5, a=0.9, c=0.51), "accuracy", 5)


def test_runs_are_best_first_and_every_pair_is_judged(judged):
    assert next(iter(judged.estimates)) == "a"
    assert len(judged.verdicts) == 3
    assert judged.best_pair["first"] == "a"
    assert judged.between("a", "b")["verdict"] == "ahead"
    assert judged.between("b", "a")["verdict"] == "behind"
    there, back = judged.between("a", "b"), judged.between("b", "a")
    assert (there["difference"], there["low"]) == (-back["difference"], -back["high"])


def test_the_headline_says_which_by_how_much_and_how_sure(judged):
    words = judgement.headline(judged, NAMES)
    second = list(judged.estimates)[1]
    row = judged.between("a", second)
    assert words == (
        f"Accuracy: LoRA, {judged.estimates['a'].mean:.3f}, is ahead of the second, "
        f"{NAMES[second]}, by {100 * row['difference']:.1f} points "
        f"({100 * row['low']:.1f} to {100 * row['high']:.1f})."
    )
    assert judgement.count_in_words(judged).startswith("Of 3 pairs 2 differ")


def test_equal_and_open_pairs_are_called_so():
    same = tables(a=0.7)["a"]
    equal = judgement.judge({"a": same, "b": same}, "accuracy")
    assert "are equal within 2 points: 0.0 points (0.0 to 0.0)" in judgement.headline(equal, NAMES)
    few = judgement.judge(tables(seeds=3, items=12, a=0.6, b=0.55), "accuracy")
    assert "these data cannot tell it from" in judgement.headline(few, NAMES)
    [row] = few.verdicts.to_dict("records")
    assert ": cannot tell, " in judgement.pair_in_words(row, NAMES, "accuracy", 2)


def test_lower_is_better_where_the_metric_says_so():
    found = judgement.judge(tables(a=0.1, b=0.6), "broken")
    assert list(found.estimates) == ["a", "b"]
    assert found.between("a", "b")["verdict"] == "ahead"
    assert "LoRA is ahead of SPT by" in judgement.pair_in_words(
        found.between("a", "b"), NAMES, "broken", 2
    )
    assert "SPT is behind LoRA by" in judgement.pair_in_words(
        found.between("b", "a"), NAMES, "broken", 2
    )


def test_one_run_and_one_seed_have_no_verdict():
    alone = judgement.judge(tables(a=0.7), "accuracy")
    assert alone.best_pair is None
    assert judgement.count_in_words(alone) == ""
    assert "95 % interval" in judgement.headline(alone, NAMES)
    one = judgement.judge(tables(seeds=1, a=0.9, b=0.2), "accuracy")
    assert inference.ONE_SEED in judgement.headline(one, NAMES)


def test_scores_without_items_are_about_these_examples():
    made = {run: run_tables.table_of_seeds(range(4), [0.5, 0.6, 0.7, x]) for run, x in
            (("a", 0.9), ("b", 0.1))}  # fmt: skip
    found = judgement.judge(made, "spearman")
    assert found.population == "these examples"
    assert "Spearman has no parts by test example" in found.limits
    assert found.estimates["a"].high is not None
    assert judgement.judge(made, "spearman", population="these examples").limits == ""


@pytest.mark.parametrize("margin", [0, -1, 51])
def test_a_margin_that_is_none_is_refused(margin):
    with pytest.raises(BadInput, match=f"a margin of {margin} points"):
        judgement.judge(tables(a=0.5), "accuracy", margin)


def test_a_summary_gets_the_estimates(judged):
    rows = [
        {"run": run, "base": "t", "task": "t", "method": "m", "trainable": 1, "seconds": 1.0}
        | {"seed": seed, "accuracy": 0.0}
        for run in ("b", "x", "a", "c")
        for seed in range(6)
    ]
    found = judgement.with_estimates(summarize_runs(pd.DataFrame(rows), "accuracy"), judged)
    assert found["run"].tolist() == [*judged.estimates, "x"]
    assert found["low"][0] == judged.estimates["a"].low
    assert found["items"].tolist() == [120, 120, 120, 0]
    assert found["reason"].tolist()[-1] == "not scored by this metric"


def test_points_are_hundredths_of_the_largest_value():
    assert judgement.points_scale("accuracy") == 100
    assert judgement.points_scale("bleu") == 1
    assert judgement.signed_points(-0.0001, "accuracy") == "0.0"
    assert judgement.signed_points(0.0234, "accuracy") == "+2.3"


def test_components_are_there_where_they_can_be(judged):
    parts = judged.components()
    assert parts["a"] == inference.variance_components(judged.tables["a"].influence())
    assert judgement.table_components(run_tables.table_of_seeds([0, 1], [0.1, 0.2])) is None
    pair = judgement.pair_components(judged.tables["a"], judged.tables["b"])
    assert pair.rest > 0


def test_one_run_without_items_leaves_scores_of_seeds_for_all():
    made = tables(a=0.9, b=0.5)
    made["c"] = run_tables.table_of_seeds(range(6), [0.1, 0.2, 0.15, 0.12, 0.18, 0.14])
    found = judgement.judge(made, "accuracy")
    assert found.population == "these examples"
    assert found.between("a", "c")["verdict"] == "ahead"


def test_scores_of_seeds_in_two_groups_have_no_limits():
    made = {"a": run_tables.table_of_seeds(range(4), [0.3, 0.31, 0.32, 0.9])}
    assert judgement.judge(made, "accuracy").estimates["a"].low is None
