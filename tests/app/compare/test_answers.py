"""Answers of several runs side by side."""

import pandas as pd
from support.pages import html, open_page, words
from support.runs import make_run, make_runs

from app.compare import answers as compare_answers

FILTERS = (
    *(compare_answers.EVERY, compare_answers.DISAGREE),
    *(compare_answers.WRONG, compare_answers.SPLIT),
)


def test_answers_stand_side_by_side_and_are_filtered():
    runs = make_runs(methods=("lora", "prompt_tuning"))
    page = open_page("compare", "Answers")
    first = runs[0].answers().iloc[0]
    assert first["source"] in html(page).replace("&#x27;", "'")
    assert "24 of 24 examples" in words(page)
    page.segmented_control(key="compare.filter").set_value("Someone is wrong").run()
    wrong = {
        row["example"]
        for run in runs
        for _, row in run.answers().iterrows()
        if row["seed"] == 0 and not row["correct"]
    }
    assert f"{len(wrong)} of 24 examples" in words(page)
    page.selectbox(key="compare.seed").set_value(2).run()
    assert "seed 2" in words(page)


def test_answers_to_free_text_can_be_filtered_by_difference_only():
    make_runs("miniworld_venues", ("lora", "spt"))
    page = open_page("compare", "Answers")
    assert list(page.segmented_control(key="compare.filter").options) == ["All", "Answers differ"]


def test_hostile_answers_stay_text():
    run = make_run("lora")
    answers = run.answers()
    answers["text"] = answers["source"] = "<script>alert(1)</script>"
    run.write_answers(answers)
    shown = html(open_page("compare", "Answers"))
    assert "&lt;script&gt;" in shown.replace("<ins>", "").replace("</ins>", "")
    assert "<script>" not in shown


def test_filter_seed_and_reference_stand_in_the_address():
    runs = make_runs(methods=("lora", "spt"))
    page = open_page("compare", "Answers", compare__seed="2", compare__against=runs[0].id)
    assert page.selectbox(key="compare.seed").value == 2
    assert page.selectbox(key="compare.against").value == runs[0].id


def test_the_page_of_cards_stands_in_the_address_for_each_filter():
    runs = make_runs(methods=("lora", "spt"))
    sources = runs[0].answers()["source"].tolist()
    page = open_page("compare", "Answers", **{"compare__page__All": "3"})
    assert sources[16] in html(page).replace("&#x27;", "'")
    assert page.session_state["compare.page.All"] == 3
    page.segmented_control(key="compare.filter").set_value("Answers differ").run()
    assert not page.exception
    assert page.query_params["compare.page.All"] in ("3", ["3"])
    gone = open_page("compare", "Answers", **{"compare__page__All": "9"})
    assert "no page “9” here" in words(gone)


def test_each_filter_keeps_the_examples_it_names():
    answers = pd.DataFrame(
        {
            "example": ["b", "b", "a", "a", "c", "c", "d", "d"],
            "label": ["x", "x", "x", "x", "x", "x", None, None],
            "predicted": ["x", "x", "x", "y", "y", "y", None, None],
            "text": ["1", "2", "1", "1", "1", "1", "1", "2"],
            "correct": [True, True, True, False, False, False, None, None],
        }
    )
    found = {each: compare_answers.filter_examples(answers, each) for each in FILTERS}
    assert found == {
        compare_answers.EVERY: ["b", "a", "c", "d"],
        compare_answers.DISAGREE: ["a", "d"],
        compare_answers.WRONG: ["a", "c"],
        compare_answers.SPLIT: ["a"],
    }
