"""The Train form: what it offers for a base, and what it begins with."""

from support.pages import open_page


def test_labels_are_words_and_parts_that_a_base_lacks_are_not_offered():
    page = open_page("train", train__base="tiny-bert", train__methods="prefix_tuning,lora")
    labels = {each.label for each in (*page.number_input, *page.selectbox, *page.text_input)}
    assert {"Training examples", "Validation examples", "Gradient clipping"} <= labels
    assert not labels & {"Dev", "Clip", "Limit", "Warmup", "Shots"}
    options = {option for each in page.multiselect for option in each.options}
    assert not any("cross" in option or "decoder" in option for option in options)
    assert "Attention with a prefix" not in [each.label for each in page.button_group]
    plain = open_page("train", train__base="tiny-t5", train__methods="prefix_tuning")
    assert "Attention with a prefix" in [each.label for each in plain.button_group]


def test_a_short_run_is_looked_at_often_enough_for_a_curve():
    page = open_page("train", train__base="tiny-t5", training__steps="32")
    assert page.number_input(key="train.training.evaluate_every").value == 4
