"""Scales, gaps to words and movement of soft tokens, shown."""

from support.pages import charts, open_page, words
from support.scaling_page import titles


def test_scales_follow_the_slider_and_the_drift_needs_both_methods(runs):
    page = open_page("scaling")
    assert page.selectbox(key="scaling.run").value == runs["spt"].id
    heat, tokens, histogram, drift = charts(page)
    assert len(heat["data"][0]["y"]) == 5
    assert heat["layout"]["xaxis"]["ticktext"] == ["0", "2", "4"]
    assert "10 tokens, 2 seeds" in histogram["layout"]["title"]["text"]
    assert "2 seeds" in drift["layout"]["title"]["text"]
    assert "step 4" in tokens["layout"]["title"]["text"]
    page.select_slider[0].set_value(0).run()
    assert "step 0" in titles(page)[1]


def test_prompt_tuning_says_that_it_has_no_scales(runs):
    page = open_page("scaling", run=runs["prompt_tuning"].id)
    assert page.selectbox(key="scaling.run").value == runs["prompt_tuning"].id
    assert "every scale is one" in words(page)
    assert "Needs kept steps" in words(page)


def test_the_gap_names_the_nearest_words_of_the_chosen_seed(runs):
    page = open_page("scaling", "Gap to words")
    gaps, plane = charts(page)
    assert "2 seeds" in gaps["layout"]["title"]["text"]
    assert "5 soft tokens" in plane["layout"]["title"]["text"]
    first = page.dataframe[-1].value
    assert list(first["Token"]) == [1, 2, 3, 4, 5]
    page.selectbox(key="scaling.seed").set_value("1").run()
    assert list(page.dataframe[-1].value["Scale"]) != list(first["Scale"])


def test_what_a_scale_can_do_is_said_and_measured(runs):
    page = open_page("scaling", "Learning rate")
    assert "scales fold into the prompt" in words(page).replace("\n", " ")
    assert "AdamW" in titles(page)[0]
    page.segmented_control(key="scaling.optimiser").set_value("sgd").run()
    assert "gradient descent" in titles(page)[0]
    assert "Measured movement" in titles(page)[1]


def test_the_gap_by_layer_is_read_while_the_base_reads_examples(runs):
    page = open_page("scaling", "Gap by layer", run=runs["spt"].id)
    distance, *others = reversed(charts(page))
    assert len(others) == 2
    for chart in (distance, *others):
        assert "2 seeds" in chart["layout"]["title"]["text"]
        assert len(chart["data"][-1]["y"]) > 2
    assert "lengths of a word apart where they enter" in words(page)
