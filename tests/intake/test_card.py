"""Cards say where a base comes from; what a foreign file says is text and never markup."""

from peftcore.intake import card
from peftcore.intake.card import Origin
from peftcore.intake.places import CARD_FILE

QUALITY = {
    "pairs": [
        {
            **{"title": "BLiMP", "unit": "pairs", "note": "Whole", "accuracy": 0.8},
            **{"low": 0.7, "high": 0.9, "n": 134},
        }
    ],
    "perplexity": {
        **{"title": "Wikipedia", "per_token": 20.0, "per_word": 60.5},
        **{"tokens": 3000, "words": 2000, "n": 100},
    },
}


def test_a_card_has_origin_hashes_and_quality_once_measured(tmp_path):
    origin = Origin("A decoder", "Out of a package", "Apache-2.0", {"x.gguf": "ab" * 32})
    card.write_record(tmp_path, "mine", origin)
    text = (tmp_path / CARD_FILE).read_text("utf-8")
    assert text.startswith("---\nlicense: apache-2.0\n---\n\n# mine\n\nA decoder.\n")
    assert "ab" * 32 in text
    assert "Not measured yet" in text
    card.write_quality(tmp_path, QUALITY)
    text = (tmp_path / CARD_FILE).read_text("utf-8")
    assert "BLiMP: 0.80 (95 % interval 0.70 to 0.90; 134 pairs; chance 0.50)" in text
    assert "60.5 per word (2,000 words), 20.0 per token" in text
    assert "Not measured yet" not in text


def test_a_card_that_came_along_is_kept(tmp_path):
    (tmp_path / CARD_FILE).write_text("Theirs.")
    card.write_record(tmp_path, "mine", Origin("A decoder", "A folder"))
    card.write_quality(tmp_path, QUALITY)
    assert (tmp_path / CARD_FILE).read_text() == "Theirs."


def test_a_foreign_text_is_one_plain_line():
    text = "A [link](http://x) <script>\n**bold** `code` $x$ " + "y" * 200
    assert card.plain_text(text).startswith("A link (http://x) script bold code x")
    assert not set("[]<>*`$\n") & set(card.plain_text(text))
    assert len(card.plain_text(text)) == 120
