import math

import pytest

from peftcore.reports import text


def test_markup_in_data_is_text():
    assert text.escape('<b a="1">&\'') == "&lt;b a=&quot;1&quot;&gt;&amp;&#x27;"


@pytest.mark.parametrize("sign", ["\u202e", "\u2066", "\u200f", "\x00", "\x1b", "\x85"])
def test_a_sign_without_a_glyph_is_replaced_by_one_with_one(sign):
    assert text.plain(f"a{sign}b") == "a\ufffdb"


def test_text_from_right_to_left_is_isolated_and_other_text_is_as_it_is():
    assert text.plain("שלום") == "\u2068שלום\u2069"
    assert text.plain("naïve · 日本 (IA)³") == "naïve · 日本 (IA)³"


def test_numbers_have_a_minus_sign_and_a_dash_where_there_are_none():
    assert text.format_value(-0.5, ".3f") == "−0.500"
    assert text.format_value(math.nan, ".3f") == text.format_value(None, ".3f") == "–"
    assert text.format_value(-0.0001, "+.3f") == "+0.000"
    assert text.format_interval(-1.0, 2.0, "+.1f") == "−1.0 to +2.0"
    assert text.format_interval(None, 2.0, ".1f") == "–"
    assert text.format_difference(-0.25, "accuracy") == "−25.0"
    assert text.format_limits(-0.01, 0.2, "accuracy") == "−1.0 to +20.0"
    assert text.format_limits(None, 0.2, "accuracy") == "–"
    assert text.format_difference(2.5, "bleu") == "+2.5"


def test_words_are_counted_and_joined():
    assert [text.count(n, "seed") for n in (1, 2, 1200)] == ["1 seed", "2 seeds", "1,200 seeds"]
    assert text.list_words(["a"]) == "a"
    assert text.list_words(["a", "b", "c"]) == "a, b and c"
