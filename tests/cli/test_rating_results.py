"""Scores, agreement and disagreements of raters."""

import pytest
from support import ratings as rated
from support.rating_commands import call, run_rating

from peftcore import rating


def test_scores_come_with_their_differences_to_the_best_or_to_a_chosen_one(home):
    single = next(row for row in run_rating("list") if row["mode"] == "single")
    found = run_rating("scores", single["project"])
    assert {row["reference"] for row in found["differences"]} == {"gold"}
    means = {row["source"]: row["mean"] for row in found["score"]}
    again = run_rating("scores", single["project"], "--reference", single["facts"]["runs"][0])
    for row in again["differences"]:
        gap = means[row["source"]] - means[row["reference"]]
        assert row["difference"] == pytest.approx(gap)
        assert row["low"] <= gap <= row["high"]
    assert call("scores", single["project"], "--reference", "nobody").exit_code == 2


def test_raters_who_failed_a_check_can_be_left_out(home):
    book = rating.RatingStore()
    check = rated.item(9, kind="check", origins=(), expected=("yes",))
    project = rated.project(book, [rated.item(0), rated.item(1), check])
    for name, verdict in (("Ann", "yes"), ("Bo", "no")):
        rated.rate_all(book, rated.rater(book, project, name), verdict)
    assert run_rating("scores", project.id)["score"][0]["mean"] == 0.5
    assert run_rating("scores", project.id, "--careful")["score"][0]["mean"] == 1
    assert run_rating("agreement", project.id)["scale"][0]["items"] == 2
    assert "two raters" in run_rating("agreement", project.id, "--careful")["scale"][0]["reason"]


def test_agreement_of_pairs_is_about_who_won(home):
    pairs = next(row for row in run_rating("list") if row["mode"] == "pairwise")
    found = run_rating("agreement", pairs["project"])
    assert 0 < found["scale"][0]["value"] < 1


def test_dimensions_are_scored_agreed_on_and_settled_one_by_one(home):
    book = rating.RatingStore()
    project = rated.project(book, 3, mode="likert")
    for name, step in (("Ann", 2), ("Bo", 4)):
        scales = dict.fromkeys(rating.DIMENSIONS, 3) | {"fluent": step}
        rated.rate_all(book, rated.rater(book, project, name), "", scales=scales)
    scores = run_rating("scores", project.id)
    assert scores["score"][0]["mean"] == scores["fluent"][0]["mean"] == 0.5
    assert scores["score"][0]["source"] == "a" * 12
    agreed = run_rating("agreement", project.id)
    assert [agreed[name][0]["value"] for name in rating.DIMENSIONS] == [1, 1, 1, 0]
    assert "same category" in agreed["justifies"][4]["reason"]
    assert agreed["pairs"]["fluent"][0]["items"] == 3
    apart = run_rating("disagreements", project.id)["disagreements"]
    assert [(row["spread"], row["about"]) for row in apart] == [(0.5, "fluent")] * 3
    item = apart[0]["item"]
    assert call("settle", item, "--set", "fluent=3").exit_code == 2
    steps = [word for name in rating.DIMENSIONS for word in ("--set", f"{name}=3")]
    run_rating("settle", item, *steps, "--reason", "read aloud")
    assert run_rating("disagreements", project.id)["disagreements"][0]["settled"] == "3.0"
    assert (
        run_rating("disagreements", project.id, "--dimension", "justifies")["disagreements"] == []
    )


def test_pairs_are_ranked_by_run(home):
    pairs = next(row for row in run_rating("list") if row["mode"] == "pairwise")
    ranked = run_rating("scores", pairs["project"])["ranking"]
    assert {row["method"] for row in ranked} == {"gold", *pairs["facts"]["runs"]}
