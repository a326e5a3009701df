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


def test_the_pair_stands_in_the_address_and_starts_from_the_second_best():
    runs = {run.spec.method: run for run in make_runs()}
    page = open_page("compare", "Flips")
    assert page.selectbox(key="compare.to").value == runs["lora"].id
    page.selectbox(key="compare.from").set_value(runs["spt"].id).run()
    assert page.query_params["pair"] == f"{runs['spt'].id},{runs['lora'].id}"
    page.selectbox(key="compare.to").set_value(runs["spt"].id).run()
    assert "Choose two different runs" in words(page)


def test_a_pair_that_is_not_there_is_left_out():
    runs = make_runs(methods=("lora", "spt"))
    page = open_page("compare", "Flips", pair="abc,def")
    assert {page.selectbox(key=f"compare.{end}").value for end in ("from", "to")} == {
        run.id for run in runs
    }


def test_free_text_has_no_flips():
    make_runs("miniworld_venues", ("lora", "spt"))
    assert "no right and wrong answers" in words(open_page("compare", "Flips"))


def test_scores_without_their_answers_have_no_flips():
    make_run("lora").write_scores({"accuracy": [0.1, 0.2, 0.3, 0.4]})
    make_run("spt")
    assert "kept no answers" in words(open_page("compare", "Flips"))
