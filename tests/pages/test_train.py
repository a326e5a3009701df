"""The Train page with methods that train nothing."""

from support.pages import open_page, sound, words


def test_a_method_that_trains_nothing_has_no_rate_and_no_search():
    page = open_page("train", **{"train.task": "ladder_format", "train.methods": "hard_prompt"})
    assert sound(page)
    assert "train.hard_prompt.learning_rate" not in [box.key for box in page.text_input]
    assert [box.key for box in page.text_input if box.key == "train.hard_prompt.instruction"]
    assert page.button(key="train.sweep").disabled
    assert not page.button(key="train.start").disabled
    assert "nothing is trained" in words(page)
    both = open_page("train", **{"train.methods": "hard_prompt,lora"})
    assert "(5 short runs)" in both.button(key="train.sweep").label
