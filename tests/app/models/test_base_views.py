"""Words about bases on the Models page."""

from app.models import base_views
from peftcore.intake import overview


def test_a_base_is_described_in_one_line():
    text = base_views.facts_text(overview.describe_entry("tiny-gpt"))
    assert text.startswith("Decoder of the family gpt2 · ")
    assert "comes with the project" in text


def test_measured_figures_are_few_words():
    entry = overview.describe_entry("tiny-gpt")
    assert base_views.quality_text(entry) == "not measured"
    quality = {
        "pairs": [{"title": "ComVE, sense", "accuracy": 0.581}],
        "perplexity": {"per_word": 70.4},
    }
    measured = overview.BaseEntry(entry.info, 4, 4, "added", 1, quality)
    assert base_views.quality_text(measured) == "ComVE 0.58, perplexity 70 per word"
    table = base_views.base_table([entry, measured])
    assert list(table["Origin"]) == ["Comes with the project", "Added here"]
