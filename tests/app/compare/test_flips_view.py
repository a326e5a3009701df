"""Flips: examples that change from right to wrong, and back."""

from support.pages import html, open_page, words
from support.runs import make_run, make_runs


def test_changes_are_counted_tested_and_shown_with_their_texts():
    runs = make_runs(methods=("lora", "spt"))
    lora, spt = (run.answers()["correct"].to_numpy(dtype=bool) for run in runs)
    page = open_page("compare", "Flips", pair=f"{runs[1].id},{runs[0].id}")
    shown = words(page)
    assert f"With **LoRA** {(spt & ~lora).sum()} of 96 answers go from right to wrong" in shown
    assert f"and {(~spt & lora).sum()} from wrong to right" in shown
    assert "McNemar's test, each example counted once over 4 seeds and 24 examples: p " in shown
    page.segmented_control(key="compare.flips").set_value("Gained").run()
    assert "✗ wrong" in html(page)
    assert page.query_params["compare.flips"] == "Gained"


def test_free_text_has_no_flips():
    make_runs("miniworld_venues", ("lora", "spt"))
    assert "no right and wrong answers" in words(open_page("compare", "Flips"))


def test_scores_without_their_answers_have_no_flips():
    make_run("lora").write_scores({"accuracy": [0.1, 0.2, 0.3, 0.4]})
    make_run("spt")
    assert "kept no answers" in words(open_page("compare", "Flips"))
