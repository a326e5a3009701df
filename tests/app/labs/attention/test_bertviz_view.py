"""bertviz behind bars: inert tokens, no network, nothing too large."""

import html
import json
import re

import numpy as np
import pytest

from app.labs.attention import bertviz_view
from peftcore.analysis.attention import AttentionPattern, AttentionToken
from peftcore.errors import BadInput

HOSTILE = "</script><img src=x onerror=alert(1)>"


def pattern(words, layers=2, heads=3, prefix=1):
    queries = tuple(AttentionToken(word) for word in words)
    keys = (*(AttentionToken(f"P{i + 1}", "prefix") for i in range(prefix)), *queries)
    shape = (layers, heads, len(queries), len(keys))
    return AttentionPattern(
        "encoder", ("s",) * layers, queries, keys, np.full(shape, 1 / shape[-1])
    )


def page(words=("the", "cat", "the"), view="head", **size):
    """What the inner frame is given."""
    made = bertviz_view.lines_html(pattern(words, **size), view, 1, 2, "light")
    assert 'sandbox="allow-scripts"' in made
    return html.unescape(re.search('srcdoc="([^"]*)"', made)[1])


def parameters(words=("the", "cat", "the"), view="head", **size):
    found = re.search(r"const params = (\{.*?\}); // HACK", page(words, view, **size))
    return json.loads(found[1])


@pytest.mark.parametrize("view", ["head", "model"])
def test_a_hostile_token_is_text_and_reads_as_typed(view):
    words = (HOSTILE, "<s>", "&amp;", "a\u2028b", "PYTHON_PARAMS")
    given = page(words, view)
    assert "onerror=alert(1)>" not in given
    assert "</script><img" not in given
    (data,) = parameters(words, view)["attention"]
    assert data["left_text"] == ["", *words]  # beside the prefix, which does not look
    assert data["right_text"] == ["P1", *words]


def test_the_frame_cannot_reach_us_or_a_network():
    given = page()
    assert "allow-same-origin" not in given
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=", given)
    assert "default-src 'none'" in given


def test_layers_and_heads_are_numbered_from_one():
    found = parameters(view="model")
    assert found["include_layers"] == [1, 2]
    assert found["include_heads"] == [1, 2, 3]
    assert np.array(found["attention"][0]["attn"]).shape == (2, 3, 4, 4)
    found = parameters()
    assert found["layer"] == 2
    assert found["heads"] == [2]
    rows = np.array(found["attention"][0]["attn"]).sum(-1)
    assert rows[..., 1:] == pytest.approx(1)
    assert not rows[..., 0].any()  # stands beside the prefix, which does not look


def test_weights_are_rounded():
    assert parameters(words=("a", "b"))["attention"][0]["attn"][0][0][1] == [0.3333] * 3


@pytest.mark.parametrize(
    ("count", "layers", "view", "message"),
    [(97, 1, "head", "97 positions are too many"), (60, 12, "model", "Choose the head view")],
)
def test_too_much_is_refused_with_an_alternative(count, layers, view, message):
    large = pattern(["a"] * count, layers, 3, 0)
    with pytest.raises(BadInput, match=message):
        bertviz_view.lines_html(large, view, 0, 0, "light")
    assert "Patterns" in bertviz_view.why_not_drawn(large, view)


def test_what_was_typed_as_a_stand_in_cannot_become_markup():
    (data,) = parameters(("\ue000script\ue001",))["attention"]
    assert data["left_text"][1:] == ["\ufffdscript\ufffd"]
