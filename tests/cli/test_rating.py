"""`python -m peftcore rating …`, in this process."""

import json

import pytest
from support import ratings as rated
from support.runs import make_runs
from typer.testing import CliRunner

from peftcore import rating
from peftcore.cli import app

ME = rating.experimenter()


def call(*arguments):
    return CliRunner().invoke(app, ["rating", *map(str, arguments)])


def run_rating(*arguments):
    done = call(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture
def made(home):
    runs = [run.id for run in make_runs(methods=("spt", "lora"))]
    return run_rating("create", *runs, "--name", "Mine", "--set", "items=4", "--set", "overlap=2")


def test_a_project_is_made_and_listed(made):
    assert (made["name"], made["overlap"], made["ratings"], made["open"]) == ("Mine", 2, 0, True)
    listed = run_rating("list")
    assert [row["demo"] for row in listed] == [False, True, True, True]
    assert "Mine" in call("list").stdout


def test_a_link_lets_a_rater_in_and_what_they_say_is_exported(made, tmp_path):
    invited = run_rating(
        "serve-link", made["project"], "--name", "Ann", "--address", "http://lab:1/"
    )
    address, _, token = invited["link"].partition("?r=")
    assert address == "http://lab:1/rate"
    book = rating.RatingStore()
    who = rating.sign_in(book, token)
    while shown := rating.next_item(book, who):
        rating.submit_answer(book, who, shown.lease, shown.options[0], shown.lease)
        rating.submit_rating(book, who, shown.lease, rating.Judgement(verdict="no"), shown.lease)
    lines = call("export", made["project"]).stdout.splitlines()
    assert len(lines) == made["items"]
    assert not any(word in "".join(lines) for word in ("lora", "spt", *made["facts"]["runs"]))
    out = tmp_path / "ratings.csv"
    wrote = run_rating("export", made["project"], "--out", out, "--format", "csv", "--with-key")
    assert wrote["rows"] == made["items"]
    assert "lora" in out.read_text()
    assert call("export", made["project"], "--json").exit_code == 2


def test_links_are_replaced_and_closed_and_projects_opened_again(made):
    first = run_rating("serve-link", made["project"], "--name", "Ann")
    second = run_rating("new-link", first["rater"], "--address", "http://lab:1")
    assert second["link"].startswith("http://lab:1/rate?r=")
    book = rating.RatingStore()
    with pytest.raises(rating.NotAllowed, match="not valid"):
        rating.sign_in(book, first["link"].partition("?r=")[2])
    token = second["link"].partition("?r=")[2]
    assert rating.sign_in(book, token).name == "Ann"
    assert run_rating("close", made["project"]) == {"project": made["project"], "open": False}
    assert not run_rating("raters", made["project"])["raters"][0]["link_works"]
    assert run_rating("open", made["project"])["open"]
    (row,) = run_rating("raters", made["project"])["raters"]
    assert (row["name"], row["done"], row["link_works"]) == ("Ann", 0, True)
    assert "Ann" in call("raters", made["project"]).stdout
    assert not run_rating("close-link", first["rater"])["link_works"]
    with pytest.raises(rating.NotAllowed, match="was closed"):
        rating.sign_in(book, token)
    assert call("close-link", "nobody").exit_code == 2


def test_a_bundle_moves_a_project_to_another_machine(made, tmp_path, monkeypatch):
    out = tmp_path / "project.jsonl"
    run_rating("export", made["project"], "--format", "bundle", "--out", out)
    monkeypatch.setenv("PEFTCORE_DATABASE", f"sqlite:///{tmp_path / 'other.sqlite'}")
    assert run_rating("import", out) == made


def test_a_table_is_imported_and_its_agreement_told(home, tmp_path):
    table = tmp_path / "Elsewhere.csv"
    rows = ["item,rater,verdict", "a,1,yes", "a,2,weak yes", "b,1,no", "b,2,yes"]
    table.write_text("\n".join(rows))
    made = run_rating("import", table, "--method", "theirs")
    assert (made["name"], made["ratings"], made["facts"]["methods"]) == ("Elsewhere", 4, ["theirs"])
    found = run_rating("agreement", made["project"], "--resamples", 100)
    shares = [found[scale][0]["value"] for scale in ("scale", "yes or no")]
    assert shares == [0, 0.5]
    assert "Krippendorff" in call("agreement", made["project"], "--resamples", 100).stdout


def test_scores_come_with_their_differences_to_the_best_or_to_a_chosen_one(home):
    single = next(row for row in run_rating("list") if row["mode"] == "single")
    found = run_rating("scores", single["project"], "--resamples", 100)
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
    found = run_rating("agreement", pairs["project"], "--resamples", 100)
    assert 0 < found["scale"][0]["value"] < 1


def test_dimensions_are_scored_agreed_on_and_settled_one_by_one(home):
    book = rating.RatingStore()
    project = rated.project(book, 3, mode="likert")
    for name, step in (("Ann", 2), ("Bo", 4)):
        scales = dict.fromkeys(rating.DIMENSIONS, 3) | {"fluent": step}
        rated.rate_all(book, rated.rater(book, project, name), "", scales=scales)
    scores = run_rating("scores", project.id, "--resamples", 100)
    assert scores["score"][0]["mean"] == scores["fluent"][0]["mean"] == 0.5
    assert scores["score"][0]["source"] == "a" * 12
    agreed = run_rating("agreement", project.id, "--resamples", 100)
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("create", "nosuchrun000"), "no run"),
        (("serve-link", "nosuch"), "no project 'nosuch'"),
        (("export", "nosuch"), "no project 'nosuch'"),
        (("import", "/no/such/file.csv"), "cannot be read"),
    ],
)
def test_what_is_not_there_is_said_in_a_sentence(home, arguments, message):
    done = call(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr


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
