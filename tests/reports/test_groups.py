import numpy as np
import pytest
from support.runs import make_run, make_runs

from peftcore.analysis.inference import estimate, estimate_difference
from peftcore.analysis.item_tables import table_of_answers
from peftcore.errors import BadInput
from peftcore.reports.groups import ReportOptions, group_runs


def test_estimates_are_those_of_the_answers_best_first(group):
    rows = group.estimates("accuracy")
    assert rows["mean"].is_monotonic_decreasing
    assert set(rows["run"]) == {run.id for run in group.runs}
    for run in group.runs:
        row = rows.set_index("run").loc[run.id]
        found = estimate(table_of_answers(run.answers(), "accuracy"), "this task", (0, 1))
        assert (row["mean"], row["low"], row["high"]) == (found.mean, found.low, found.high)
        assert row["mean"] == pytest.approx(np.mean(run.scores()["accuracy"]))
        assert (row["smallest"], row["largest"]) == pytest.approx(
            (min(run.scores()["accuracy"]), max(run.scores()["accuracy"]))
        )
        assert (row["seeds"], row["items"]) == (4, 24)


def test_a_verdict_is_on_the_better_mean_of_a_pair(group):
    frame = group.verdicts("accuracy")
    order = list(group.estimates("accuracy")["run"])
    assert list(zip(frame["first"], frame["second"], strict=True)) == [
        (one, other) for n, one in enumerate(order) for other in order[n + 1 :]
    ]
    assert (frame["difference"] >= 0).all()
    assert "behind" not in set(frame["verdict"])
    tables = group.tables("accuracy")
    row = frame.iloc[0]
    found = estimate_difference(tables[row["second"]], tables[row["first"]], "this task", (-1, 1))
    assert (row["difference"], row["low"], row["high"]) == (found.mean, found.low, found.high)


def test_of_a_metric_that_is_better_lower_the_lowest_is_best(group):
    rows, frame = group.estimates("broken"), group.verdicts("broken")
    assert rows["mean"].is_monotonic_increasing
    assert (frame["difference"] <= 0).all()
    assert "behind" not in set(frame["verdict"])


def test_a_metric_without_items_speaks_of_these_examples(runs):
    for run in runs:
        run.write_scores({"spearman": [0.1, 0.2, 0.3, 0.4]})
    group = group_runs(runs, ReportOptions()).groups[0]
    assert group.metric == "spearman"
    assert not group.has_items("spearman")
    assert group.population("spearman") == "these examples"
    row = group.estimates("spearman").iloc[0]
    assert row["mean"] == pytest.approx(0.25)
    assert row["low"] < 0.25 < row["high"]
    assert set(group.verdicts("spearman")["verdict"]) == {"equal"}  # the same values everywhere


def test_the_margin_is_two_points_or_what_was_asked_for_of_the_groups_metric(runs):
    plain = group_runs(runs, ReportOptions()).groups[0]
    asked = group_runs(runs, ReportOptions(margin=10)).groups[0]
    for group, margin in ((plain, 2), (asked, 10)):
        assert group.judgement("accuracy").margin == margin
        assert group.judgement("explanation_chrf").margin == 2


def test_runs_that_may_not_be_compared_are_apart_and_the_reason_is_given(runs):
    other = make_run("lora", training={"steps": 200, "shots": 12})
    elsewhere = make_run("spt", "miniworld_sentiment")
    found = group_runs([other, elsewhere, *runs], ReportOptions())
    assert [len(group.runs) for group in found.groups] == [4, 1, 1]
    [reason] = found.reasons
    assert reason.startswith("Not the same training examples of a seed")


def test_another_base_is_another_group_unless_asked_for(runs):
    other = make_run("lora", base="tiny-gpt")
    assert len(group_runs([*runs, other], ReportOptions()).groups) == 2
    assert len(group_runs([*runs, other], ReportOptions(across_bases=True)).groups) == 1


def test_a_run_without_scores_is_named_and_no_run_at_all_is_refused(runs):
    runs[0].write_scores({})
    found = group_runs(runs, ReportOptions())
    assert [run.id for run in found.unscored] == [runs[0].id]
    with pytest.raises(BadInput, match="no run here has scores"):
        group_runs(runs[:1], ReportOptions())
    with pytest.raises(BadInput, match="at least one run"):
        group_runs([], ReportOptions())


def test_a_metric_must_be_there():
    with pytest.raises(BadInput, match="bleu"):
        group_runs(make_runs(), ReportOptions(metric="bleu"))
    assert group_runs(make_runs(), ReportOptions(metric="f1")).groups[0].metric == "f1"


def test_the_level_of_guessing_is_known_for_accuracy(group):
    assert group.chance_levels() == {"Guessing among 3 labels": pytest.approx(1 / 3)}
