"""Which base and preset the map is about, and the way to Train."""

from support.components_page import figures
from support.pages import open_page, sound, words

from peftcore.adapters import component_map


def test_a_published_base_is_counted_and_not_trained():
    page = open_page("components", components__base="t5-large")
    assert figures(page) == ["50,456,576", "737,668,096", "6.840 %"]
    assert "not on this machine" in words(page)
    assert not [button for button in page.button if button.key == "components.train"]


def test_a_preset_switches_the_map_and_the_map_the_preset():
    page = open_page("components")
    page.selectbox(key="components.preset.tiny-t5").set_value("LayerNorm").run()
    assert figures(sound(page))[0] == f"{(4 * 2 + 1 + 3 * 3 + 1) * 192:,}"
    page.session_state["components.on.tiny-t5"] = frozenset({"encoder.0.ffn", "decoder.1.ffn"})
    page.run()
    tiny = component_map.shipped_map("tiny-t5")
    assert figures(page)[0] == f"{2 * tiny.sizes['encoder.0.ffn']:,}"
    assert page.selectbox(key="components.preset.tiny-t5").value == "My own choice"
    assert "cells encoder.0.ffn, decoder.1.ffn" in words(page)
    page.session_state["components.on.tiny-t5"] = frozenset({"encoder.1.ffn", "encoder.2.ffn"})
    page.run()
    assert "components ffn; stacks encoder; layers 2 to 3" in words(page)


def test_train_this_fills_in_the_train_page():
    page = open_page("components")
    page.session_state["components.on.tiny-t5"] = frozenset({"encoder.0.ffn", "decoder.1.ffn"})
    page.run()
    page.button(key="components.train").click().run()
    assert page.title[0].value == "Train"
    sound(page)
    assert page.selectbox(key="train.base").value == "tiny-t5"
    assert page.text_input(key="train.sparsefit.cells").value == "encoder.0.ffn, decoder.1.ffn"
    assert "cells" in page.code[-1].value
