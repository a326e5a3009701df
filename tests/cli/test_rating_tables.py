"""Verdicts by run, label or answer, and metrics beside them."""

from support import ratings as rated
from support.rating_commands import call, run_rating

from peftcore import rating


def test_verdicts_and_shortcomings_are_split_by_run_label_or_answer(home):
    book = rating.RatingStore()
    project = rated.project(book, [rated.item(0), rated.item(1)])
    rated.rate_all(book, rated.rater(book, project), "weak yes", shortcomings=("trivial",))
    found = run_rating("verdicts", project.id)
    shares = {row["verdict"]: row["share"] for row in found["verdicts"]}
    assert shares == {"yes": 0, "weak yes": 1, "weak no": 0, "no": 0}
    ticked = {row["shortcoming"]: row["share"] for row in found["shortcomings"]}
    assert (ticked["trivial"], ticked["lacking"]) == (1, 0)
    labels = run_rating("verdicts", project.id, "--by", "label")["verdicts"]
    assert {row["label"] for row in labels} == {"entailment", "neutral"}
    likert = next(row for row in run_rating("list") if row["mode"] == "likert")
    assert set(rating.DIMENSIONS) < set(
        run_rating("verdicts", likert["project"], "--by", "correct")
    )


def test_human_scores_are_set_beside_automatic_ones(home):
    single, pairs = (
        next(row["project"] for row in run_rating("list") if row["mode"] == mode)
        for mode in ("single", "pairwise")
    )
    found = {row["metric"]: row for row in run_rating("metrics", single)["correlations"]}
    assert found["label_right"]["n"] == 48
    assert found["label_right"]["low"] > 0.5 > found["words"]["high"]
    for name in ("metrics", "verdicts"):
        assert "project of pairs" in call(name, pairs).stderr
