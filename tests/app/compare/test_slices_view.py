"""Slices: differences by label, length and words of the input."""

from support.pages import charts, open_page, words
from support.runs import make_run, make_runs


def test_slices_are_by_label_length_and_words():
    for method in ("lora", "spt"):
        make_run(method, evaluation={"limit": 60})
    page = open_page("compare", "Slices")
    shown = charts(page)[-1]["layout"]["yaxis"]["ticktext"]
    assert any("words or more" in name for name in shown)
    assert any("with “" in name for name in shown)
    assert "slices, corrected for all of them (Holm)" in words(page)


def test_words_of_the_reader_stand_in_the_address():
    make_runs(methods=("lora", "spt"))
    page = open_page("compare", "Slices", words="in, The")
    names = charts(page)[-1]["layout"]["yaxis"]["ticktext"]
    assert [name.split("<br>")[0] for name in names if "with" in name] == [
        "with “in”",
        "with “The”",
    ]
    page.text_input(key="compare.words").set_value("").run()
    assert "words" not in page.query_params


def test_scores_without_items_have_no_slices():
    for method in ("lora", "spt"):
        make_run(method).write_scores({"accuracy": [0.1, 0.2, 0.3, 0.4]})
    assert "there are no slices" in words(open_page("compare", "Slices"))
