"""What an adapter can and cannot change in attention, shown."""

import re

import pytest
from support.limits_page import choose, opened
from support.pages import charts, words

from app.labs.limits import cache as limits_cache


def residuals(page):
    """The largest departure from the theorem, in each kind of arithmetic that was measured."""
    line = next(c.value for c in page.caption if c.value.startswith("Residual"))
    return [float(found) for found in re.findall(r"\d\.\de[+-]\d+", line.replace("\\", ""))]


def test_a_trained_prefix_keeps_the_order_and_lora_does_not():
    page = opened()
    text = words(page)
    assert "Order of content unchanged" in text
    assert "Content attention changed" in text
    single, double, half = residuals(page)
    assert double < 1e-12 < single < 1e-4 < half < 1
    titles = [
        note["text"].replace("<br>", " ") for note in charts(page)[0]["layout"]["annotations"]
    ]
    assert titles[:3] == ["Before", "With the prefix", "Renormalised"]
    (finding,) = (heading.value.replace("\\", "") for heading in page.header)
    assert "what is left keeps its order exactly. LoRA changes the order of" in finding
    assert not page.metric  # numerics are small marks


def test_in_the_whole_stack_a_deeper_layer_changes_and_the_page_says_why():
    page = opened()
    choose(page, "limits.layer", "decoder-2")
    assert "Order of content unchanged" in words(page)
    choose(page, "limits.inputs", "Whole stack")
    assert "layers below, which have the prefix too" in words(page)


def test_naive_positions_change_nothing_on_relative_ones():
    page = opened()
    choose(page, "limits.positions", "Naive")
    assert "Positions make no difference here" in words(page)


def test_one_prefix_position_moves_along_one_line():
    page = opened()
    page.select_slider(key="limits.length").set_value(1).run()
    choose(page, "limits.view", "Bias")
    assert "along one line" in words(page)
    assert "1 of 1 directions carry" in charts(page)[1]["layout"]["title"]["text"]


@pytest.mark.parametrize("view", ["Share", "All layers"])
def test_every_view_draws(view):
    page = opened()
    choose(page, "limits.view", view)
    assert page.get("plotly_chart")


def test_on_a_large_base_what_is_slow_is_measured_when_it_is_asked_for(monkeypatch):
    monkeypatch.setattr(limits_cache, "SMALL_BASE_PARAMETERS", 1)
    page = opened()
    assert len(residuals(page)) == 1
    assert page.button(key="limits.ask.precision").label.startswith("Measure in double")
    page.button(key="limits.ask.precision").click().run()
    assert len(residuals(page)) == 3
    choose(page, "limits.view", "All layers")
    assert not page.get("plotly_chart")
    assert "About" in words(page)
    page.button(key="limits.ask.layers").click().run()
    assert page.get("plotly_chart")
    choose(page, "limits.layer", "decoder-2")  # asked for already
    assert page.get("plotly_chart")
