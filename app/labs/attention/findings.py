"""What the pictures of attention show, in sentences computed from them."""

from __future__ import annotations

import numpy as np

from app.labs.attention.selected_head import SelectedHead
from app.labs.attention.selection import AttentionSubject
from app.ui.frame import provenance
from app.ui.widgets import escape_markdown
from peftcore.adapters.base import METHODS
from peftcore.analysis import attention as analysis
from peftcore.analysis.attention import MEASURES, HeadRow, HeadStatistics, QueryTrace

SMALL_CHANGE = 0.005  # of a row's attention: less is called as before


def pattern_finding(selected: SelectedHead) -> tuple[str, str]:
    """What the adapter did to one head on one input, and how far that goes."""
    at = (selected.layer, selected.head)
    learnt = float(selected.measured["learnt"][at])
    place = selected.position_text
    if selected.before is None or selected.variation is None:
        entropy = float(selected.measured["entropy"][at])
        return (
            f"In {place}, a token spreads its {selected.noun} as widely as over {2**entropy:.1f} "
            "tokens alike.",
            _guard(selected),
        )
    after = analysis.filter_pattern(selected.after, learnt="renormalised")
    before = analysis.filter_pattern(selected.before, learnt="renormalised")
    moved = float(analysis.total_variation(before, after)[at])
    rest = (
        "is shared out among the text as before"
        if moved < SMALL_CHANGE
        else f"is shared out differently: {moved:.0%} of it moves to other tokens"
    )
    earlier = float(selected.measured_before["learnt"][at]) if selected.measured_before else 0.0
    if learnt > 0 and not earlier:
        return (
            f"Virtual tokens take {learnt:.0%} of this head's {selected.noun}; the rest {rest}.",
            (_guard(selected)),
        )
    variation = float(selected.variation[at])
    if variation < SMALL_CHANGE:
        return f"In {place}, {selected.noun} stays as it was.", _guard(selected)
    return f"In {place}, {variation:.1%} of the {selected.noun} moves to other tokens.", _guard(
        selected
    )


def _guard(selected: SelectedHead) -> str:
    """How many inputs and seeds that rests on, and which head changed most."""
    after = selected.comparison.after
    words = [f"One input of {len(selected.after.queries)} tokens"]
    if after.run and after.seeds > 1:
        words.append(f"one seed of {after.seeds}")
    if selected.variation is not None:
        layer, head = divmod(int(selected.variation.argmax()), selected.after.heads)
        words.append(
            f"of {selected.variation.size} heads most changed layer {layer + 1}, head {head + 1}: "
            f"{selected.variation.max():.0%} of its {selected.noun}"
        )
    if selected.after.attention_kind != "cross" and selected.before is not None and selected.layer:
        words.append("layers below have changed what this layer reads")
    return escape_markdown(" · ".join(words))


def method_in_words(subject: AttentionSubject) -> str:
    """What the run trained, in a sentence."""
    if subject.run is None:
        return "This is the base itself, without an adapter."
    method = METHODS[subject.run.spec.method]
    return f"**{method.title}**: {method.summary}"


def query_finding(trace: QueryTrace, side: str, selected: SelectedHead) -> tuple[str, str]:
    """Where one query looks most."""
    best = int(np.argmax(trace.weights))
    words = (
        f"{side} training, “{trace.query.text}” looks most at “{trace.keys[best].text}”: "
        f"{trace.weights[best]:.0%} of its attention."
    )
    return words, _guard(selected)


def statistics_finding(
    rows: list[HeadRow], side: str, measure: str, statistics: HeadStatistics
) -> tuple[str, str]:
    """Which head stands out over a data set, with its interval."""
    known = [row for row in rows if getattr(row, side).mean is not None]
    row = max(known, key=lambda each: abs(getattr(each, side).mean))
    value, info = getattr(row, side), MEASURES[measure]
    sign = "+" if side == "change" else ""
    interval = (
        f"95 % interval over seeds {value.low:{sign}.2f} to {value.high:{sign}.2f}"
        if value.low is not None
        else "no interval over seeds"
    )
    return (
        f"{info.title}, {side}: most in layer {row.layer + 1}, head {row.head + 1}, with "
        f"{value.mean:{sign}.2f} {info.unit}.",
        escape_markdown(
            f"{interval} · {statistics.examples} test examples · {statistics.seeds} seeds · the "
            "largest of many heads stands out by chance, too"
        ),
    )


def quiet_line(selected: SelectedHead) -> str:
    """Where a picture comes from: input, seed, data, precision, and the command that makes it."""
    comparison = selected.comparison
    run = comparison.after.run
    number = comparison.after.seed_number(min(comparison.seed, comparison.after.seeds - 1))
    gap = selected.after.value_gap
    weighed = gap is not None
    command = (
        f"attention {run.id if run else comparison.after.base} --seed {comparison.seed} "
        f"--layer {selected.layer + 1} --head {selected.head + 1}"
        f"{' --values' * weighed}"
    )
    return provenance(
        f"n = {len(selected.after.queries)} queries of one input",
        f"seed {number}" if run else "no adapter",
        f"data {run.manifest().get('data_hash', '')[:8]}" if run else "",
        "fp32",
        f"parts sum to the output to {gap:.0e} of it" if gap is not None else "",
        f"the decoder reads {comparison.decoder_source}" if comparison.decoder_source else "",
        command=command,
    )
