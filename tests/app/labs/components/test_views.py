"""The map of components and what it counts."""

from support.components_page import figures
from support.pages import open_page, words


def test_the_map_starts_at_the_papers_best_mix_and_counts_it():
    page = open_page("components")
    assert figures(page) == ["261,696", "4,157,376", "6.295 %"]
    assert page.selectbox(key="components.preset.tiny-t5").value == "LayerNorm + Query"


def test_nothing_on_is_said_and_not_trained():
    page = open_page("components")
    page.button(key="components.clear").click().run()
    assert figures(page)[0] == "0"
    assert "Nothing is on" in words(page)
