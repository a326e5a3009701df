"""The map of components: what is on, counted, and trained."""

from support.components_page import opened, sound, words

from peftcore.adapters import component_map


def figures(page):
    return [metric.value for metric in page.metric]


def test_the_map_starts_at_the_papers_best_mix_and_counts_it():
    page = opened()
    assert figures(page) == ["261,696", "4,157,376", "6.295 %"]
    assert page.selectbox(key="components.preset.tiny-t5").value == "LayerNorm + Query"


def test_a_published_base_is_counted_and_not_trained():
    page = opened(components_base="t5-large")
    assert figures(page) == ["50,456,576", "737,668,096", "6.840 %"]
    assert "not on this machine" in words(page)
    assert not [button for button in page.button if button.key == "components.train"]


def test_a_preset_switches_the_map_and_the_map_the_preset():
    page = opened()
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


def test_nothing_on_is_said_and_not_trained():
    page = opened()
    page.button(key="components.clear").click().run()
    assert figures(page)[0] == "0"
    assert "Nothing is on" in words(page)


def test_train_this_fills_in_the_train_page():
    page = opened()
    page.session_state["components.on.tiny-t5"] = frozenset({"encoder.0.ffn", "decoder.1.ffn"})
    page.run()
    page.button(key="components.train").click().run()
    assert page.title[0].value == "Train"
    sound(page)
    assert page.selectbox(key="train.base").value == "tiny-t5"
    assert page.text_input(key="train.sparsefit.cells").value == "encoder.0.ffn, decoder.1.ffn"
    assert "cells" in page.code[-1].value
