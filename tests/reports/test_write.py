"""The whole file: everything in it, nothing from elsewhere, data as text, the same twice."""

import json

import pandas as pd
import pytest
from support.pages_as_xml import Page
from support.runs import make_run, make_runs

from peftcore.reports.groups import ReportOptions
from peftcore.reports.human import AGREEMENT_COLUMNS, SCORE_COLUMNS, RatedProject
from peftcore.reports.write import build_report, report_figures, report_html

HOSTILE = "<script>alert('x')</script><img src=https://evil.example/x onerror=alert(1)>\u202eabc"


def rated(run):
    scores = [(run.id, 0.8, 0.6, 0.9, 12, 3, 36), ("gold", 0.9, None, None, 1, 1, 1)]
    agreement = [("Yes or no", "Fleiss' kappa", 0.55, 0.4, 0.7, "")]
    return RatedProject(
        "p1",
        HOSTILE,
        "Mean verdict, 0 to 1",
        pd.DataFrame(scores, columns=SCORE_COLUMNS).astype({"low": float, "high": float}),
        pd.DataFrame(agreement, columns=AGREEMENT_COLUMNS),
        3,
        True,
        "",
    )


def hostile_run(end):
    """A run whose settings, texts and answers try to be markup."""
    settings = {"length": 3, "start": "text", "text": HOSTILE + end}
    run = make_run("prompt_tuning", settings=settings)
    answers = run.answers()
    answers["source"] = HOSTILE + answers["source"]
    answers["target"] = answers["target"] + HOSTILE
    answers["text"] = HOSTILE
    answers["references"] = [[HOSTILE] for _ in range(len(answers))]
    run.write_answers(answers)
    return run


def test_every_section_is_there_and_linked(runs):
    page = Page(report_html(build_report(runs, rated=[rated(runs[0])])))
    targets = {section["id"] for section in page.find("section")}
    links = {a["href"] for a in page.find("a") if a.get("href", "").startswith("#")}
    assert links == {f"#{name}" for name in targets}
    for words in ("Result", "Human scores", "Settings", "Provenance", "Methods", "LaTeX"):
        assert words in page.text
    assert "3 simulated raters." in page.text
    assert "Fleiss' kappa" in page.text
    assert "0.55" in page.text


def test_data_never_become_markup():
    runs = [hostile_run("1"), hostile_run("2")]
    options = ReportOptions(title=HOSTILE)
    made = report_html(build_report(runs, options, [rated(runs[0])]))
    page = Page(made)
    assert len(page.find("script")) == 1
    assert not page.find("img")
    assert not [a for _, a in page.elements if any(name.startswith("on") for name in a)]
    assert "alert('x')" in page.text
    names = [style.name for style in build_report(runs).grouped.groups[0].styles.values()]
    assert all("\u202e" in name for name in names)
    cards = made[made.index("Answers side by side") : made.index("<h2>Human scores")]
    assert "\u202e" in cards  # as it was answered, in a block that ends what it turns
    assert "\u202e" not in made.replace(cards, "")


def test_nothing_is_asked_for_from_anywhere(runs):
    page = Page(report_html(build_report(runs)))
    fetched = [
        (tag, name, value)
        for tag, attributes in page.elements
        for name, value in attributes.items()
        if name in ("src", "srcset", "action", "data", "poster", "xlink:href", "background")
        or (name == "href" and tag != "a")
    ]
    assert not fetched
    hrefs = [a["href"] for a in page.find("a")]
    assert all(h.startswith(("#", "data:text/x-", "https://arxiv.org/abs/")) for h in hrefs)
    assert "@import" not in report_html(build_report(runs))
    assert "url(" not in report_html(build_report(runs)).replace("arxiv.org", "")


def test_the_same_runs_make_the_same_bytes(runs):
    first = report_html(build_report(runs))
    assert report_html(build_report(runs)) == first
    assert "30 November" not in first
    made = report_html(build_report(runs, ReportOptions(made="30 November 2026")))
    assert "30 November 2026." in made


def test_several_tasks_have_a_section_and_a_sentence_each():
    runs = [*make_runs(methods=("lora", "spt")), make_run("lora", "miniworld_sentiment")]
    report = build_report(runs)
    page = Page(report_html(report))
    for group in report.grouped.groups:
        assert page.text.count(group.title) >= 2
    assert "Methods × tasks" in page.text
    assert {name.split("-")[0] for name in report_figures(report)} == {"1", "2"}


def test_many_runs_have_tables_of_settings_of_a_sheets_width(home):
    runs = [make_run("lora", settings={"rank": rank}) for rank in range(1, 9)]
    made = report_html(build_report(runs))
    part = made.split("Only settings that differ")[1].split("<h2>")[0]
    tables = part.split("<table")[1:]
    assert len(tables) == 2
    assert [t.split("</thead>")[0].count("<th") - 1 for t in tables] == [7, 3]
    marked = [line for line in part.split("<tr")[1:] if 'class="differs"' in line.split(">")[0]]
    assert all("method: rank" in line for line in marked)
    assert len(marked) == 2


def test_the_command_names_runs_and_how_they_were_judged(runs):
    options = ReportOptions("f1", 5, "these examples", "A b", with_texts=False)
    text = Page(report_html(build_report(runs, options))).text
    ids = " ".join(run.id for run in build_report(runs).grouped.runs)
    wanted = f"peftcore report {ids} --metric f1 --margin 5 --population 'these examples'"
    assert f"{wanted} --title 'A b' --no-texts --out report.html" in text
    named = Page(report_html(build_report(runs, named=["--sweep", "abc"]))).text
    assert "peftcore report --sweep abc --out report.html" in named


def test_a_run_without_scores_is_named_in_the_opening(runs):
    runs[0].write_scores({})
    text = Page(report_html(build_report(runs))).text
    assert f"without scores, and so left out: {runs[0].id}" in text


@pytest.mark.parametrize("broken", ["history.jsonl", "manifest.json", "status.json"])
def test_a_run_that_lacks_a_file_is_reported_all_the_same(runs, broken):
    (runs[0].folder / broken).unlink()
    if broken == "status.json":
        (runs[0].folder / "scores.json").write_text(json.dumps(runs[0].scores()))
    Page(report_html(build_report(runs)))
