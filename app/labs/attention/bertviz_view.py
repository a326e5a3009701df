"""The lines that bertviz draws between tokens, made safe to show and independent of the network.

bertviz writes tokens into a script and fetches jQuery, d3 and a loader from a public server.  Here
tokens enter the script as escapes only, jQuery and d3 come from installed packages, the loader is
one line, and the whole page sits in a frame of its own that can reach neither ours nor a network.
Every attention is handed over as cross attention, which alone may be wider than tall.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from app.figures.theme import BACKGROUNDS, TEXT_COLOURS
from peftcore.analysis.attention import AttentionPattern, AttentionToken
from peftcore.errors import BadInput

MAX_HEIGHT = 500  # pixels; what is longer scrolls in its frame
View = Literal["head", "model"]
MAX_TOKENS = 96  # positions on a side beyond which lines are a grey wall
MAX_LINES = {"head": 40_000, "model": 80_000}  # that a browser draws at once
# Characters with a meaning in HTML, and stand-ins that JSON writes as an escape to be put right.
STAND_INS = {sign: chr(0xE000 + i) for i, sign in enumerate("<>&'")}
LOADER = (
    "window.require = {config() {}};"
    "window.requirejs = (names, run) => run(window.jQuery, window.d3);"
    "d3.schemeCategory10 = d3.schemeCategory10 || d3.scale.category10().range();"
)
POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'"


def why_not_drawn(pattern: AttentionPattern, view: View) -> str:
    """Say why these lines are not drawn and what to do instead; empty if they can be."""
    _, heads, q, k = pattern.weights.shape
    longest = max(q, k)
    if longest > MAX_TOKENS:
        return (
            f"{longest} positions are too many for lines; up to {MAX_TOKENS} can be read. "
            "The view Patterns shows any input, and a shorter text or leaving out virtual "
            "tokens shows here."
        )
    line_count = heads * q * k * (pattern.layers if view == "model" else 1)
    if line_count > MAX_LINES[view]:
        return (
            f"This would be {line_count:,} lines, and a browser draws about {MAX_LINES[view]:,} "
            "without "
            "stalling. Choose the head view, a shorter text, or the view Patterns."
        )
    return ""


def lines_html(
    pattern: AttentionPattern,
    view: View,
    layer: int,
    head: int,
    background: Literal["light", "dark"],
) -> str:
    """A frame with bertviz's view of a pattern; BadInput if it would be too much to draw."""
    if refusal_reason := why_not_drawn(pattern, view):
        raise BadInput(refusal_reason)
    aligned = _align_text(pattern)
    page = _sandboxed_page(_bertviz_html(aligned, view, layer, head, background), background)
    return (
        f'<body style="margin:0"><iframe sandbox="allow-scripts" title="Attention as lines" '
        f'style="border:0;width:100%;height:100vh" srcdoc="{html.escape(page)}"></iframe></body>'
    )


def _align_text(pattern: AttentionPattern) -> AttentionPattern:
    """Put empty queries beside the prefix, so that equal tokens stand at equal heights."""
    kinds = [token.kind for token in pattern.keys]
    p = next((i for i, kind in enumerate(kinds) if kind != "prefix"), len(kinds))
    if not p or pattern.attention_kind == "cross":
        return pattern
    weights = np.pad(pattern.weights, ((0, 0), (0, 0), (p, 0), (0, 0)))
    queries = (*(AttentionToken("") for _ in range(p)), *pattern.queries)
    return replace(pattern, queries=queries, weights=weights)


def view_height(pattern: AttentionPattern, view: View) -> int:
    """Pixels that a view needs, up to where its frame scrolls."""
    longest = max(len(pattern.queries), len(pattern.keys))
    small = pattern.layers * (longest * 84 / (pattern.heads + 1) + 10) + 70
    needed = longest * 23 + 90 if view == "head" else max(small, longest * 18 + 120)
    return int(min(max(needed, 240), MAX_HEIGHT))


def _bertviz_html(
    pattern: AttentionPattern, view: View, layer: int, head: int, background: str
) -> str:
    """Return bertviz's page, with our tokens in it."""
    import torch
    from bertviz import head_view, model_view

    # Layers and heads are numbered from one everywhere else: an empty one takes number zero.
    first_head = {"head": 0, "model": 1}[view]
    padded = np.pad(pattern.weights.astype(float), ((1, 0), (first_head, 0), (0, 0), (0, 0)))
    numbers = torch.from_numpy(padded.round(4))
    arguments: dict[str, Any] = {
        "cross_attention": [each[None] for each in numbers],
        "decoder_tokens": _escaped_texts(pattern.queries),
        "encoder_tokens": _escaped_texts(pattern.keys),
        "include_layers": list(range(1, pattern.layers + 1)),
        "prettify_tokens": False,
        "html_action": "return",
    }
    if view == "head":
        markup = head_view(**arguments, layer=layer + 1, heads=[head]).data
    else:
        heads = list(range(1, pattern.heads + 1))
        markup = model_view(**arguments, include_heads=heads, display_mode=background).data
    for sign, other in STAND_INS.items():
        markup = markup.replace(f"\\u{ord(other):04x}", f"\\u{ord(sign):04x}")
    return re.sub(r'<script src="[^"]*"></script>', "", markup)


def _escaped_texts(tokens: Sequence[AttentionToken]) -> list[str]:
    """Texts in which no character means anything to HTML; stand-ins that were typed are lost."""
    table = {ord(other): "\ufffd" for other in STAND_INS.values()}
    to_stand_ins = str.maketrans(STAND_INS)
    return [token.text.translate(table).translate(to_stand_ins) for token in tokens]


def _sandboxed_page(content: str, background: Literal["light", "dark"]) -> str:
    """A page that may run what it brings along and fetch nothing."""
    # Long words stand out to the left of bertviz's box, and its grey mark is made for a white page.
    mark = {"light": "#D5DBE3", "dark": "#3A4452"}[background]
    style = (
        f"body{{margin:4px 4px 64px 56px;font-size:14px}}"
        f"body{{background:{BACKGROUNDS[background]};color:{TEXT_COLOURS[background]}}}"
        f"svg{{overflow:visible}} svg text{{fill:{TEXT_COLOURS[background]}}} "
        f".background{{fill:{mark}}}"
        f"select{{margin-bottom:8px}}"
    )
    scripts = "".join(f"<script>{script}</script>" for script in (*_libraries(), LOADER))
    return (
        f'<!doctype html><html><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<style>{style}</style></head><body>{scripts}{content}</body></html>"
    )


@cache
def _libraries() -> tuple[str, ...]:
    """jQuery and d3 as the installed packages carry them."""
    from xstatic.pkg import d3, jquery

    files = (Path(jquery.BASE_DIR) / "jquery.min.js", Path(d3.BASE_DIR) / "d3.js")
    # Inside a script only its own end tag matters, and in JavaScript \/ is the same as /.
    return tuple(file.read_text("utf-8").replace("</script", "<\\/script") for file in files)
