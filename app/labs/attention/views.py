"""The views of the Attention page: all heads and one of them, one query, a data set, lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import pandas as pd
import streamlit as st

from app.figures import attention as figures
from app.figures import attention_summary as summary_figures
from app.figures.scales import colour_limit
from app.labs.attention import bertviz_view, findings, selection, why_views
from app.labs.attention.primer import show_primer
from app.labs.attention.selected_head import SelectedHead
from app.labs.attention.selection import LAB, AttentionComparison
from app.state import cache
from app.ui import charts, subject
from app.ui.frame import Frame
from app.ui.subject import Choice, remember
from peftcore.analysis import attention as analysis
from peftcore.analysis.attention import MEASURES, AttentionPattern, TokenDisplay

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

ShownSide = Literal["After", "Before", "Change", "Side by side"]
BY_VALUES = "Weight × value"
WAYS_TO_WEIGH = ("Weight", BY_VALUES)
DEFAULT_EXAMPLES = 16  # what a data set is described by unless somebody asks for more


def pick_head(bar: DeltaGenerator, comparison: AttentionComparison) -> SelectedHead:
    """Record both models, and let the reader choose the layer, of its kind, and the head."""
    after = comparison.after.attention_patterns(comparison.example, comparison.seed)
    before = (
        comparison.before.attention_patterns(comparison.example, comparison.seed)
        if comparison.before
        else None
    )
    kind, layer = _pick_layer(bar, after, before)
    pattern, earlier = after[kind], before[kind] if before else None
    heads = Choice(
        LAB,
        "head",
        "Head",
        range(1, pattern.heads + 1),
        first=_telling_head(pattern, earlier)[1] + 1,
        option_text=lambda number: f"Head {number}",
    )
    with bar:
        head = heads.as_list(label_visibility="collapsed", width=88) - 1
    return SelectedHead(comparison, pattern, earlier, layer, head, len(after))


def _pick_layer(
    bar: DeltaGenerator,
    after: dict[str, AttentionPattern],
    before: dict[str, AttentionPattern] | None,
) -> tuple[str, int]:
    """Offer the layers of all kinds of attention; return the kind and the layer from zero."""
    first_kind = next(iter(after))
    first = _telling_head(after[first_kind], before[first_kind] if before else None)[0]
    names = subject.layer_names({kind: pattern.layers for kind, pattern in after.items()})
    choice = Choice(
        LAB,
        "layer",
        "Layer",
        list(names),
        first=list(names)[first],
        option_text=names.__getitem__,
    )
    with bar:
        kind, _, number = choice.as_list(label_visibility="collapsed", width=112).rpartition("-")
    return kind or first_kind, int(number) - 1


def _telling_head(after: AttentionPattern, before: AttentionPattern | None) -> tuple[int, int]:
    """The head that is usual: of a deep model the one that changed most, else the first."""
    deep = summary_figures.needs_summary(after.layers, after.heads)
    if before is None or not deep:
        return 0, 0
    variation = analysis.total_variation(before, after)
    layer, head = divmod(int(variation.argmax()), after.heads)
    return layer, head


def _select_head(selected: SelectedHead, layer: int, head: int) -> None:
    remember(LAB, "layer", subject.layer_id(selected.after.attention_kind, layer, selected.kinds))
    remember(LAB, "head", str(head + 1))


def _pick_filters(selected: SelectedHead) -> dict[str, Any]:
    """Offer to leave out special tokens, virtual tokens, or one text of a pair."""
    display_titles = {
        "shown": "Shown",
        "hidden": "Hidden",
        "renormalised": "Left out, rest rescaled",
    }
    chosen: dict[str, Any] = {}
    for name, title, advice in (
        ("special", "Special tokens", "Such as [CLS], the end sign, the start sign."),
        ("learnt", "Virtual tokens", "Positions of a prefix or a soft prompt."),
    ):
        options: list[TokenDisplay] = ["shown", "hidden", "renormalised"]
        choice = Choice(LAB, name, title, options, option_text=display_titles.__getitem__)
        chosen[name] = choice.as_buttons(
            help=f"{advice} Rescaled, the rest of each row sums to one again."
        )
    parts = {token.part for token in (*selected.after.queries, *selected.after.keys)} - {0}
    names = {0: "All tokens", 1: "First text", 2: "Second text"}
    for name, title in (("query_part", "Looking (queries)"), ("key_part", "Looked at (keys)")):
        side = selected.after.queries if name == "query_part" else selected.after.keys
        part_options = [0, *sorted({token.part for token in side} - {0})]
        if parts:
            part = Choice(LAB, name, title, part_options, option_text=names.__getitem__)
            chosen[name] = part.as_buttons()
    return chosen


def show_patterns(frame: Frame, selected: SelectedHead) -> None:
    """One head large, before, after and changed; a map of all heads beside it."""
    with frame.side:
        show = _pick_shown_side(selected)
        if Choice(LAB, "weigh", "Weigh by", list(WAYS_TO_WEIGH)).as_buttons() == BY_VALUES:
            selected = selected.by_values()
        small_map = st.container()
    frame.explain(_how_to_read(selected))
    with frame.side:
        show_primer(LAB)
    with frame.more():
        measure = _pick_measure(selected)
        filters = _pick_filters(selected)
    after = analysis.filter_pattern(selected.after, **filters)
    panels: list[figures.Panel] = [("After", after)]
    signed = False
    if selected.before is not None:
        before = analysis.filter_pattern(selected.before, **filters)
        panels, signed = _pattern_panels(before, after, show)
    main_pattern = panels[-1][1]
    sizes = [p for name, p in panels if name != "Change"] or [after]
    limit = colour_limit(*(p.weights[selected.layer, selected.head] for p in sizes))
    strongest = list(analysis.strongest(main_pattern, selected.layer, selected.head))
    frame.say(*findings.pattern_finding(selected))
    with frame.picture:
        quiet = charts.picture(
            figures.head_heatmap(panels, selected.layer, selected.head, limit, signed),
            key="attention.head.picture",
            name=selected.file_stem,
            alt=figures.head_heatmap_alt(main_pattern, selected.layer, selected.head, strongest),
            table=lambda: _head_table(panels, selected.layer, selected.head),
            on_select=lambda spot: _select_query(selected, main_pattern, int(spot[0])),
        )
        quiet.caption(findings.quiet_line(selected))
    with small_map:
        _show_head_map(selected, show, measure)
    with frame.below:
        _show_measures(selected)
        _show_small_heads(selected, (panels, signed), show)


def _how_to_read(selected: SelectedHead) -> str:
    """How the large picture is read, and what was trained."""
    words = "Each row is a token that looks, each column one that is looked at; a row sums to one. "
    if selected.after.value_gap is not None:
        words += (
            "A cell is the length of what a key adds, its weight times its value through the "
            "head's part of the output matrix (arXiv:2004.10102), as a share of the row. "
        )
    if any(token.kind in analysis.LEARNED_KINDS for token in selected.after.keys):
        words += "Green columns are virtual tokens: P of a prefix, S of a soft prompt. "
    if selected.before is not None:
        words += "In the change, blue is attention gained and orange lost."
    return f"{words}\n\n{findings.method_in_words(selected.comparison.after)}"


def _pick_shown_side(selected: SelectedHead) -> ShownSide:
    """Offer before, after and the change, side by side or one of them."""
    if selected.before is None:
        return "After"
    options: list[ShownSide] = ["Side by side", "Before", "After", "Change"]
    return Choice(LAB, "show", "Show", options).as_buttons(label_visibility="collapsed")


def _pick_measure(selected: SelectedHead) -> str:
    """Offer the measures in which heads can differ here, the change first."""
    kinds = {token.kind for token in selected.after.keys}
    silent = set() if kinds & analysis.LEARNED_KINDS else {"learnt"}
    silent |= set() if "special" in kinds else {"special"}
    silent |= set() if selected.before is not None else {"variation"}
    silent |= {"distance"} if selected.after.attention_kind == "cross" else set()
    names = [name for name in ("variation", *MEASURES) if name not in silent]
    options = list(dict.fromkeys(names))
    return Choice(
        LAB,
        "measure",
        "Shade of a head on the map",
        options,
        option_text=lambda name: MEASURES[name].title,
    ).as_buttons()


def _show_head_map(selected: SelectedHead, show: ShownSide, measure: str) -> None:
    """A cell for each head, shaded by a measure of it; a click chooses the head."""
    values, side, signed = _measured_side(selected, show, measure)
    notes = _hover_notes(selected)
    charts.picture(
        summary_figures.head_map(values, measure, side, notes, signed, small=True),
        key="attention.map",
        name=f"attention-{selected.after.attention_kind}-{measure}",
        alt=summary_figures.head_map_alt(values, measure, side),
        table=lambda: _overview_table(selected),
        on_select=lambda spot: _select_head(selected, int(spot[0]), int(spot[1])),
    ).caption("A click chooses a head.")
    charts.overlay_frame(
        "attention.map",
        summary_figures.cell_frame(values.shape, selected.layer, selected.head, small=True),
    )


def _measured_side(
    selected: SelectedHead, show: ShownSide, measure: str
) -> tuple[np.ndarray, str, bool]:
    """A measure of every head (l, h) on the side that is shown, its name, and if it has a sign."""
    if measure == "variation":
        assert selected.variation is not None, "offered only where there are two sides"
        return selected.variation, "", False
    values = selected.measured[measure]
    if selected.measured_before is None:
        return values, "", False
    if show == "After":
        return values, "after", False
    if show == "Before":
        return selected.measured_before[measure], "before", False
    return values - selected.measured_before[measure], "change", True


def _show_small_heads(
    selected: SelectedHead, shown: tuple[list[figures.Panel], bool], show: ShownSide
) -> None:
    """Small pictures of all heads, of a deep model of those of one layer; a click chooses one."""
    (panels, signed), notes = shown, _hover_notes(selected)
    pattern, moved, first_layer = panels[-1][1], selected.variation, 0
    deep = summary_figures.needs_summary(selected.after.layers, selected.after.heads)
    subject_by_show = {"Before": selected.comparison.before, "After": selected.comparison.after}
    titled_subject = subject_by_show.get(show)
    title = titled_subject.name if titled_subject else "Change from before to after"
    if deep:
        layer = selected.layer
        pattern = replace(
            pattern,
            weights=pattern.weights[layer : layer + 1],
            block_paths=pattern.block_paths[layer : layer + 1],
        )
        notes, moved, first_layer = notes[layer : layer + 1], None, layer
        title = f"Layer {layer + 1} · {title}"
    limit = colour_limit(pattern.weights)
    charts.picture(
        figures.head_overview(pattern, limit, title, notes, signed, first_layer),
        key="attention.overview",
        name=f"attention-{selected.after.attention_kind}",
        alt=figures.head_overview_alt(pattern, moved, title),
        on_select=lambda spot: _select_head(selected, int(spot[0]), int(spot[1])),
    ).caption("Rows of a small picture look, columns are looked at; a click chooses a head.")
    charts.overlay_frame(
        "attention.overview",
        figures.tile_frame(pattern, selected.layer - first_layer, selected.head),
    )


def _pattern_panels(
    before: AttentionPattern, after: AttentionPattern, show: ShownSide
) -> tuple[list[figures.Panel], bool]:
    """The pictures of one head; a change is seen on the union of both sides' positions.

    Where only one side has virtual tokens, the change is shown among the text.
    """
    if show == "Before":
        return [("Before", before)], False
    if show == "After":
        return [("After", after)], False
    change = analysis.pattern_difference(before, after)
    same_queries = before.queries == after.queries
    if same_queries and not any(token.kind in analysis.LEARNED_KINDS for token in before.keys):
        change = analysis.filter_pattern(change, learnt="hidden")
    if show == "Change":
        return [("Change", change)], True
    if not same_queries:
        before, after = analysis.align_patterns(before, after)
    return [("Before", before), ("After", after), ("Change", change)], True


def _hover_notes(selected: SelectedHead) -> list[list[str]]:
    """Return the hover text of every head."""
    measures, variation = selected.measured, selected.variation
    return [
        [
            f"virtual tokens take {measures['learnt'][y, x]:.2g}, special tokens "
            f"{measures['special'][y, x]:.2g}"
            + (f"; {variation[y, x]:.2g} total variation" if variation is not None else "")
            for x in range(selected.after.heads)
        ]
        for y in range(selected.after.layers)
    ]


def _overview_table(selected: SelectedHead) -> pd.DataFrame:
    """Every head in numbers for this input."""
    measures = dict(selected.measured)
    if selected.variation is not None:
        measures["variation"] = selected.variation
    layers, heads = selected.after.layers, selected.after.heads
    return pd.DataFrame(
        {
            "Layer": np.repeat(np.arange(layers) + 1, heads),
            "Head": np.tile(np.arange(heads) + 1, layers),
        }
        | {MEASURES[name].title: values.ravel() for name, values in measures.items()}
    )


def _head_table(panels: list[figures.Panel], layer: int, head: int) -> pd.DataFrame:
    """The weights behind the large picture, one column for each panel."""
    tables = [
        analysis.weights_table(pattern, layer, head).rename(columns={"Weight": name})
        for name, pattern in panels
    ]
    on = ["Query number", "Query", "Key number", "Key", "Kind of key"]
    merged = tables[-1]
    for table in tables[:-1][::-1]:
        merged = merged.merge(table, on=on, how="left")
    merged[["Query number", "Key number"]] += 1
    return merged


def _show_measures(selected: SelectedHead) -> None:
    """The chosen head in numbers, with what they were before."""
    before_measures = selected.measured_before
    at = (selected.layer, selected.head)
    row = st.container(horizontal=True)
    if selected.variation is not None:
        measure = MEASURES["variation"]
        row.metric(
            measure.title, f"{selected.variation[at]:.1%}", help=measure.help, width="content"
        )
    for name, values in selected.measured.items():
        measure, share = MEASURES[name], MEASURES[name].unit == "share"
        unit = "" if share else f" ({measure.unit})"
        delta = None
        if before_measures:
            delta = _delta_text(values[at] - before_measures[name][at], share)
        row.metric(
            f"{measure.title}{unit}",
            f"{values[at]:.1%}" if share else f"{values[at]:.2f}",
            delta,
            delta_color="off",
            help=measure.help,
            width="content",
        )


def _delta_text(change: float, share: bool) -> str | None:
    """A change as it is shown, with its sign; None where nothing of it would be seen."""
    words = f"{100 * change:+.1f}" if share else f"{change:+.2f}"
    if not float(words):
        return None
    return f"{words} points" if share else words


def _select_query(selected: SelectedHead, main_pattern: AttentionPattern, row: int) -> None:
    """Remember the query of a clicked cell for the step-by-step view."""
    token = main_pattern.queries[row]
    equal_tokens = [i for i, other in enumerate(selected.after.queries) if other == token]
    earlier = sum(other == token for other in main_pattern.queries[:row])
    if earlier < len(equal_tokens):
        remember(LAB, "query", str(equal_tokens[earlier] + 1))


def show_one_query(frame: Frame, selected: SelectedHead) -> None:
    """Scores, softmax and weights of one query of one head."""
    queries = selected.after.queries
    with frame.side:
        query = (
            Choice(
                LAB,
                "query",
                "Query: the token that looks",
                range(1, len(queries) + 1),
                first=_telling_query(selected) + 1,
                option_text=lambda number: f"{number}: {queries[number - 1].text}",
            ).as_list()
            - 1
        )
        side = _pick_side(selected)
    pattern = selected.after
    if side == "Before" and selected.before is not None:
        pattern, query = selected.before, _counterpart(selected, query)
        if query < 0:
            st.info("This query is a virtual token, which the other model does not have.")
            return
    trace = analysis.trace_query(pattern, selected.layer, selected.head, query)
    title = f"{trace.query.text} ({query + 1}) in {selected.position_text}, {side.lower()}"
    frame.say(*findings.query_finding(trace, side, selected))
    with frame.picture:
        charts.picture(
            figures.query_trace_chart(trace, title),
            key="attention.steps",
            name=f"{selected.file_stem}-query{query + 1}",
            alt=figures.query_trace_alt(trace),
            table=lambda: analysis.trace_table(trace),
        ).caption(findings.quiet_line(selected))
    assert pattern.score_inputs is not None
    scale = pattern.score_inputs.scale[selected.layer]
    frame.explain(
        f"The query's vector times a key's, element by element (left), summed, times {scale:.3g}, "
        "plus what the model adds for the distance of two positions, is the score; e to the "
        "power of the score, divided by the sum over all keys, is the weight. Green bars are "
        "virtual tokens; keys without a bar may not be looked at."
    )


def _pick_side(selected: SelectedHead) -> str:
    """Offer the model after or before, where there are both."""
    sides = ["After", "Before"] if selected.before is not None else ["After"]
    return Choice(LAB, "side", "Model", sides).as_buttons()


def _telling_query(selected: SelectedHead) -> int:
    """The query shown first: where tokens see only those before them, the last of the text."""
    queries = selected.after.queries
    content = [i for i, token in enumerate(queries) if token.kind == "content"]
    if selected.after.attention_kind == "decoder" and content:
        return content[-1]
    return min(1, len(queries) - 1)


def _counterpart(selected: SelectedHead, query: int) -> int:
    """The same token among the other model's queries; -1 for a virtual token."""
    assert selected.before is not None
    text = [i for i, t in enumerate(selected.after.queries) if t.kind not in analysis.LEARNED_KINDS]
    other_text = [
        i for i, t in enumerate(selected.before.queries) if t.kind not in analysis.LEARNED_KINDS
    ]
    return other_text[text.index(query)] if query in text else -1


def show_head_statistics(frame: Frame, selected: SelectedHead) -> None:
    """Show every head in numbers over test examples, with intervals over seeds."""
    frame.explain(
        "A cell is a head, its shade the mean of one number over test examples; numbers of other "
        "seeds vary as far as the 95 % interval on hover and in the table says. There is no "
        "interval where seeds fall into two groups."
    )
    with frame.side:
        controls = st.container()
        after, before = _measure_heads(selected.comparison)
    if after is None or (selected.comparison.before and before is None):
        with frame.picture:
            st.info("Not measured yet. Every seed reads the first test examples once.")
        return
    attention_kind = selected.after.attention_kind
    statistics = after[attention_kind]
    sides: list[figures.Side] = ["change", "after", "before"] if before else ["after"]
    with controls:
        measure = Choice(
            LAB,
            "number",
            "Number",
            list(statistics.measures),
            first=_telling_statistic(statistics),
            option_text=lambda name: MEASURES[name].title,
        ).as_list(help=MEASURES["learnt"].help)
        side: figures.Side = Choice(
            LAB, "of", "Show", sides, option_text=str.capitalize
        ).as_buttons()
    head_rows = analysis.head_rows(before[attention_kind] if before else None, statistics, measure)
    shape = (selected.after.layers, selected.after.heads)
    deep = summary_figures.needs_summary(*shape)
    frame.say(*findings.statistics_finding(head_rows, side, measure, statistics))
    with frame.picture:
        charts.picture(
            summary_figures.head_rows_map(head_rows, side, measure)
            if deep
            else figures.head_measure_table(
                head_rows, side, measure, (selected.layer, selected.head)
            ),
            key="attention.heads",
            name=f"attention-{attention_kind}-{measure}-{side}",
            alt=figures.head_measure_alt(head_rows, side, measure),
            table=lambda: _rows_table(head_rows),
            on_select=lambda spot: _select_head(selected, int(spot[0]), int(spot[1])),
        ).caption(
            f"n = {statistics.examples} test examples, mean over their tokens · "
            f"{statistics.seeds} seeds · decoders read the gold target · a click chooses a head"
        )
    if deep:
        charts.overlay_frame(
            "attention.heads", summary_figures.cell_frame(shape, selected.layer, selected.head)
        )


def _telling_statistic(statistics: analysis.HeadStatistics) -> str:
    """The first number that is not zero everywhere."""
    names = list(statistics.measures)
    return next((name for name in names if statistics.measures[name].any()), names[0])


Statistics: TypeAlias = dict[str, analysis.HeadStatistics]  # by kind of attention


def _measure_heads(comparison: AttentionComparison) -> tuple[Statistics | None, Statistics | None]:
    """Return what was measured of the model and of the one to compare with; None until asked."""
    examples = cache.split_examples(comparison.task, "test").examples
    if not examples:
        st.info("This task has no test examples on this machine.")
        return None, None
    max_examples = min(len(examples), 200)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        count = Choice(
            LAB,
            "count",
            "Test examples",
            range(1, max_examples + 1),
            first=min(DEFAULT_EXAMPLES, max_examples),
        ).as_number(width=130)
        pressed = st.button(
            "Measure every head",
            type="primary",
            key="attention.measure",
            icon=":material/bar_chart:",
        )
    options = (comparison.task, count, examples, pressed)
    after = selection.head_statistics(comparison.after, *options)
    before = selection.head_statistics(comparison.before, *options) if comparison.before else None
    return after, before


def _rows_table(rows: list[analysis.HeadRow]) -> pd.DataFrame:
    """Heads with their means and limits."""
    return (
        pd.DataFrame(
            [
                {"Layer": row.layer + 1, "Head": row.head + 1}
                | {
                    f"{title}{suffix}": value
                    for title, statistic in (
                        ("Before", row.before),
                        ("After", row.after),
                        ("Change", row.change),
                    )
                    for suffix, value in (
                        ("", statistic.mean),
                        (", low", statistic.low),
                        (", high", statistic.high),
                    )
                }
                for row in rows
            ]
        )
        .astype(float)
        .astype({"Layer": int, "Head": int})
    )


def show_lines(frame: Frame, selected: SelectedHead) -> None:
    """The same attention as lines between tokens, drawn by bertviz in a closed frame."""
    names: dict[bertviz_view.View, str] = {"head": "Head view", "model": "Model view"}
    with frame.side:
        view = Choice(
            LAB, "lines", "Lines", list(names), option_text=names.__getitem__
        ).as_buttons()
        side = _pick_side(selected)
    advice = {
        "head": "A click on a coloured square takes that head away or adds it, a double click "
        "leaves it alone; moving over a word shows where it looks.",
        "model": "A click on a small picture opens it; queries are on the left, keys on the right.",
    }
    frame.explain(f"{advice[view]} The same as values, for the keyboard too, is in Patterns.")
    with frame.more():
        filters = _pick_filters(selected)
    unfiltered = (
        selected.before if side == "Before" and selected.before is not None else selected.after
    )
    pattern = analysis.filter_pattern(unfiltered, **filters)
    frame.say(*findings.pattern_finding(selected))
    with frame.picture:
        if reason := bertviz_view.why_not_drawn(pattern, view):
            st.info(reason, icon=":material/width_full:")
            return
        _draw_lines(selected, pattern, view)


def _draw_lines(selected: SelectedHead, pattern: AttentionPattern, view: bertviz_view.View) -> None:
    """Put the lines on the page, with what they rest on."""
    background: Literal["light", "dark"] = "dark" if st.context.theme.type == "dark" else "light"
    with st.spinner("Drawing the lines…"):
        page = bertviz_view.lines_html(pattern, view, selected.layer, selected.head, background)
    strongest = "; ".join(analysis.strongest(pattern, selected.layer, selected.head))
    st.iframe(
        page,
        height=bertviz_view.view_height(pattern, view),
        alt=f"Lines from queries on the left to keys on the right, {selected.position_text}. "
        f"Largest: {strongest}.",
    )
    st.caption(
        f"{findings.quiet_line(selected)} · drawn by bertviz from weights rounded to four digits"
    )


VIEWS: dict[str, Callable[[Frame, SelectedHead], None]] = {
    "Patterns": show_patterns,
    "One query, step by step": show_one_query,
    "Over a data set": show_head_statistics,
    "Lines": show_lines,
    "Why this answer": why_views.show_why,
}
RECORDED = "Patterns"  # the view that can be shown before torch is in memory
