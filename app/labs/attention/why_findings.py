"""Why this answer, in sentences computed from what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from app.figures.exchanged_heads import strongest_head
from app.figures.why_answer import first_layer
from app.labs.attention.selected_head import SelectedHead
from app.ui.frame import provenance
from app.ui.widgets import escape_markdown

if TYPE_CHECKING:
    from peftcore.labs.attention.attribution import Attribution
    from peftcore.labs.attention.head_patching import HeadPatching
    from peftcore.labs.attention.why_answer import LeftOut, Lens, Patching

SIDES = ("after", "before")
ONE_TEXT = "one text, one seed"
EXACT = 1e-3  # largest difference of logits up to which only rounding is left


def lens_finding(lens: Lens) -> tuple[str, str]:
    """Say from which layer on each model is set on the first token of the target."""
    token, parts = lens.targets[0], []
    for side in lens.readings:
        layer = first_layer(lens, side)
        parts.append(f"from layer {layer} on {side}" if layer else f"at no layer {side}")
    last = [f"{side} {each.probability[-1, 0]:.2f}" for side, each in lens.readings.items()]
    words = f"“{token}” is the likeliest first word {parts[1]} training, and {parts[0]}."
    return words, escape_markdown(f"its probability at the end: {', '.join(last)} · {ONE_TEXT}")


def patch_finding(found: Patching) -> tuple[str, str]:
    """Say which single layer's output turns the answer, and whether all of them give it."""
    names = [f"{stack} {number + 1}" for stack, number in found.layers]
    exact = found.gap < EXACT
    check = (
        f"all layers exchanged give the adapted model{f', to {found.gap:.0e}' if found.gap else ''}"
        if exact
        else f"all layers exchanged leave {found.gap:.2g} of the logits: the adapter works behind "
        "the layers, too"
    )
    guard = f"token {found.position + 1} of the target · {check} · {ONE_TEXT}"
    mark = ":green[:material/check:] " if exact else ""
    if not found.differs:
        moved = int(np.abs(found.given[:-1] - found.before).argmax())
        words = (
            f"Both models write “{found.word}”; the output of {names[moved]} moves its log-odds "
            f"most, from {found.before:.1f} to {found.given[moved]:.1f}."
        )
        return words, mark + escape_markdown(guard)
    turned = [
        n for n, word in zip(names, found.given_words[:-1], strict=True) if word == found.word
    ]
    words = f"After training the word is “{found.word}” instead of “{found.other_word}”; "
    if not turned:
        words += "no single layer's output turns it."
    elif len(turned) == len(names):
        words += "the output of any layer turns it."
    else:
        words += f"{len(turned)} of {len(names)} layers turn it, the first {turned[0]}."
    return words, mark + escape_markdown(guard)


def left_out_finding(found: LeftOut, column: int | None) -> tuple[str, str]:
    """Say which token counts most on each side, and what all add one by one and together."""
    sums = []
    for side in SIDES:
        whole = found.together[side]
        together = whole.sum() if column is None else whole[column]
        alone = found.by_token(side, column).sum()
        sums.append(f"{side} {alone:+.2f} one by one, {together:+.2f} together")
    guard = escape_markdown(f"tokens add {'; '.join(sums)} (nats) · {ONE_TEXT}")
    return _most_telling(found, column), guard


def _most_telling(found: LeftOut | Attribution, column: int | None) -> str:
    """Say which token counts most on each side."""
    parts = []
    for side in SIDES:
        added = found.by_token(side, column)
        most = int(np.abs(added).argmax())
        parts.append(f"“{found.tokens[most]}” counts most {side} training ({added[most]:+.2f})")
    target = "the answer" if column is None else f"“{found.targets[column]}”"
    return f"For {target}, {parts[0]}; {parts[1]}."


def gradient_finding(found: Attribution, column: int | None) -> tuple[str, str]:
    """Say which token counts most by gradients, and what they sum to beside what they must."""
    parts = []
    for side in SIDES:
        total, expected = found.by_token(side, column).sum(), found.expected(side, column)
        parts.append(f"{side} {total:+.2f}, measured {expected:+.2f}")
    meaning = (
        "how fast the log-likelihood grows with the whole text"
        if found.way == "gradient"
        else "the text's log-likelihood less that of an empty one"
    )
    guard = f"sums are {meaning}: {'; '.join(parts)} (nats) · {ONE_TEXT}"
    return _most_telling(found, column), escape_markdown(guard)


def head_finding(found: HeadPatching) -> tuple[str, str]:
    """Say which head moves the word most, how many turn it, and what all of them do."""
    kind, layer, head, change = strongest_head(found)
    turned = sum(int(found.flips(each).sum()) for each in found.odds)
    count = sum(odds.size for odds in found.odds.values())
    place = f"{kind} layer {layer + 1}, head {head + 1}"
    turns = f"{turned} of {count} heads turn it" if turned else "no single head turns it"
    words = (
        f"{place[0].upper()}{place[1:]} moves the log-odds of “{found.word}” most, by "
        f"{change:+.2f} of {found.end - found.start:+.2f} between the models; {turns}."
    )
    left = (
        f"all heads exchanged give the other model{f', to {found.gap:.0e}' if found.gap else ''}"
        if found.gap < EXACT
        else f"all heads exchanged reach {found.all_heads - found.start:+.2f}: the adapter works "
        "outside the heads, too"
    )
    mark = ":green[:material/check:] " if found.gap < EXACT else ""
    guard = f"token {found.position + 1} of the target · {left} · {ONE_TEXT}"
    return words, mark + escape_markdown(guard)


def similarity_finding(lens: Lens) -> tuple[str, str]:
    """Say where the states of both models are least alike."""
    stack, layer, cosine, cka = min(lens.similarity, key=lambda row: row[2])
    first = next((row for row in lens.similarity if row[2] < 1 - 1e-4), None)
    begins = f"they part at {first[0]} {first[1]}" if first else "they are the same throughout"
    words = f"States are least alike at {stack} {layer}, with a cosine of {cosine:.2f}; {begins}."
    return words, escape_markdown(f"linear CKA there {cka:.2f} · {ONE_TEXT}")


def quiet_line(selected: SelectedHead, kind: str) -> str:
    """Where a picture comes from, and the command that makes it."""
    comparison = selected.comparison
    run = comparison.after.run
    return provenance(
        f"text of {len(selected.after.queries)} positions",
        f"data {run.manifest().get('data_hash', '')[:8]}" if run else "",
        "fp32",
        f"the decoder reads {comparison.decoder_source}" if comparison.decoder_source else "",
        command=f"why {run.id if run else comparison.after.base} --kind {kind} "
        f"--seed {comparison.seed}",
    )
