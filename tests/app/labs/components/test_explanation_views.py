"""What runs explain, measured and shown."""

import pytest
from support.pages import charts, open_page, words
from support.runs import make_run


def test_explanations_are_flagged_taken_apart_and_shown():
    for method in ("lora", "prompt_tuning"):
        make_run(method, population={"seeds": 1})
    page = open_page("components", "Explanations")
    flags, parts, published = charts(page)
    assert {row.partition("<br>")[0] for row in flags["layout"]["yaxis"]["ticktext"]} == {
        "LoRA",
        "Prompt tuning",
    }
    assert len(parts["data"]) == 3
    assert "never learnt to explain" in published["layout"]["title"]["text"]
    assert "False alarms" in words(page)
    shown = page.dataframe[-1].value
    assert (shown["chrf"].iloc[0], shown["Flags"].iloc[0]) == (pytest.approx(100), "")


def test_explanations_without_runs_say_what_to_do():
    assert "No run has explained anything yet" in words(open_page("components", "Explanations"))
