"""What a prefix can and cannot do, shown."""

import json

import pytest
from support.limits_page import opened, words


def choose(page, key, value):
    found = next(one for one in page.segmented_control if one.key.startswith(key))
    found.set_value(value).run()
    assert not page.exception
    assert "Something went wrong" not in words(page)


def residuals(page):
    return [float(metric.value) for metric in page.metric]


def spec(page, place=0):
    return json.loads(page.get("plotly_chart")[place].proto.spec)


def test_a_trained_prefix_keeps_the_order_and_lora_does_not():
    page = opened()
    choose(page, "limits.place", "decoder")
    said = words(page)
    assert "Order of content unchanged" in said
    assert "Content attention changed" in said
    single, double, half = residuals(page)
    assert double < 1e-12 < single < 1e-4 < half < 1
    titles = [note["text"] for note in spec(page)["layout"]["annotations"]]
    assert titles[:3] == ["Before", "With the prefix", "With it, renormalised"]


def test_in_the_whole_stack_a_deeper_layer_changes_and_the_page_says_why():
    page = opened()
    choose(page, "limits.layer", 1)
    assert "Order of content unchanged" in words(page)
    choose(page, "limits.inputs", "Whole stack")
    assert "layers below, which wear the prefix too" in words(page)


def test_naive_positions_change_nothing_on_relative_ones():
    page = opened()
    choose(page, "limits.positions", "Naive")
    assert "Positions make no difference here" in words(page)


def test_one_prefix_position_moves_along_one_line():
    page = opened()
    page.slider[0].set_value(1).run()
    choose(page, "limits.view", "Bias")
    assert "along one line" in words(page)
    assert "1 of 1 directions carry" in spec(page, 1)["layout"]["title"]["text"]


@pytest.mark.parametrize("view", ["Share", "All layers"])
def test_every_view_draws(view):
    page = opened()
    choose(page, "limits.view", view)
    assert page.get("plotly_chart")


def test_a_typed_text_is_shown_as_typed():
    page = opened(started=False)
    choose(page, "limits.source", "My own text")
    page.text_input(key="limits.text").set_value("<s> the <b>cat</b> the cat").run()
    assert "it reads the sign it starts with" in words(page)
    page.text_input(key="limits.answer").set_value("yes </script>").run()
    page.button(key="limits.start").click().run()
    assert not page.exception
    assert "Something went wrong" not in words(page)
    assert "<b>cat" not in json.dumps(spec(page))
