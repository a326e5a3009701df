"""The views of the Attention page: all heads and one of them, one query, a data set, lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
import streamlit as st

from app.figures import attention as figures
from app.figures import attention_summary as summary_figures
from app.figures.scales import ColourLimit, colour_limit
from app.labs.attention import bertviz_view, selection
from app.labs.attention.selection import AttentionComparison
from app.state import cache
from app.ui import charts, pickers
from peftcore.analysis import attention as analysis
from peftcore.analysis.attention import MEASURES, AttentionPattern, TokenDisplay

ShownSide = Literal["After", "Before", "Change", "Side by side"]
Measures: TypeAlias = dict[str, np.ndarray]  # by name, (l, h)
ATTENTION_KINDS = {"encoder": "Encoder", "decoder": "Decoder", "cross": "Cross: decoder to encoder"}
DEFAULT_EXAMPLES = 16  # what a data set is described by unless somebody asks for more


@dataclass(frozen=True)
class SelectedHead:
    """Both sides of one place, and the head that is looked at."""

    comparison: selection.AttentionComparison
    after: AttentionPattern
    before: AttentionPattern | None
    layer: int
    head: int

    @property
    def file_stem(self) -> str:
        """Return the start of the names of saved files."""
        return f"attention-{self.after.attention_kind}-layer{self.layer + 1}-head{self.head + 1}"

    @cached_property
    def measured(self) -> Measures:
        """Every head in numbers."""
        return analysis.measure_heads(self.after)

    @cached_property
    def measured_before(self) -> Measures | None:
        """Every head of the other side in numbers."""
        return analysis.measure_heads(self.before) if self.before is not None else None

    @cached_property
    def variation(self) -> np.ndarray | None:
        """Total variation of every head from before to after, (l, h)."""
        if self.before is None:
            return None
        return analysis.total_variation(self.before, self.after)

    @property
    def position_text(self) -> str:
        """Layer and head in words."""
        return f"layer {self.layer + 1}, head {self.head + 1}"


def pick_head(comparison: selection.AttentionComparison) -> SelectedHead:
    """Record both models, and let the reader choose the attention, the layer and the head."""
    after = comparison.after.attention_patterns(comparison.example, comparison.seed)
    before = (
        comparison.before.attention_patterns(comparison.example, comparison.seed)
        if comparison.before
        else None
    )
    with st.container(horizontal=True):
        attention_kind = pickers.pick_one(
            "Attention",
            list(after),
            f"attention.place.{len(after)}.{next(iter(after))}",
            ATTENTION_KINDS.__getitem__,
        )
        pattern = after[attention_kind]
        earlier = before[attention_kind] if before else None
        first = _telling_head(pattern, earlier)
        layer = _pick_number("Layer", "layer", pattern.layers, first[0])
        head = _pick_number("Head", "head", pattern.heads, first[1])
    return SelectedHead(comparison, pattern, earlier, layer, head)


def _telling_head(after: AttentionPattern, before: AttentionPattern | None) -> tuple[int, int]:
    """The head that is shown first: of a deep model the one that changed most, else the first."""
    chosen = {"attention.layer", "attention.head"} <= {*st.session_state, *st.query_params}
    deep = summary_figures.needs_summary(after.layers, after.heads)
    if before is None or not deep or chosen:
        return 0, 0
    variation = analysis.total_variation(before, after)
    layer, head = divmod(int(variation.argmax()), after.heads)
    return layer, head


def _pick_number(title: str, name: str, count: int, first: int) -> int:
    """A layer or head, counted from one for people and from zero in the code."""
    key = f"attention.{name}"
    if st.session_state.get(key, 1) > count:
        st.session_state[key] = count
    on_change = pickers.sync_choice(title, range(1, count + 1), key, first=first + 1)
    return st.number_input(title, 1, count, key=key, on_change=on_change, width=130) - 1


def _select_head(layer: int, head: int) -> None:
    for name, index in (("layer", layer), ("head", head)):
        key = f"attention.{name}"
        st.session_state[key] = index + 1
        st.query_params[key] = str(index + 1)


def _pick_filters(selected: SelectedHead) -> dict[str, Any]:
    """Offer to leave out special tokens, virtual tokens, or one text of a pair."""
    display_titles = {
        "shown": "Shown",
        "hidden": "Hidden",
        "renormalised": "Left out, rest rescaled",
    }
    chosen: dict[str, Any] = {}
    with st.expander("Leave something out", icon=":material/filter_alt:"):
        left, right = st.columns(2)
        for column, name, title, advice in (
            (left, "special", "Special tokens", "Such as [CLS], the end sign, the start sign."),
            (right, "learnt", "Virtual tokens", "Positions of a prefix or a soft prompt."),
        ):
            options: list[TokenDisplay] = ["shown", "hidden", "renormalised"]
            chosen[name] = column.segmented_control(
                title,
                options,
                default="shown",
                required=True,
                format_func=display_titles.__getitem__,
                key=f"attention.{name}",
                help=f"{advice} Rescaled, the rest of each row sums to one again.",
            )
        parts = {token.part for token in (*selected.after.queries, *selected.after.keys)} - {0}
        if parts:
            names = {0: "All tokens", 1: "First text", 2: "Second text"}
            for column, name, title in (
                (left, "query_part", "Looking (queries)"),
                (right, "key_part", "Looked at (keys)"),
            ):
                side = selected.after.queries if name == "query_part" else selected.after.keys
                part_options = [0, *sorted({token.part for token in side} - {0})]
                chosen[name] = column.segmented_control(
                    title,
                    part_options,
                    default=0,
                    required=True,
                    format_func=names.__getitem__,
                    key=f"attention.{name}.{len(part_options)}",
                )
    return chosen


def show_patterns(selected: SelectedHead) -> None:
    """All heads, as small pictures or as a map of one number each, and one of them large."""
    deep = summary_figures.needs_summary(selected.after.layers, selected.after.heads)
    with st.container(horizontal=True):
        show = _pick_shown_side(selected)
        measure = _pick_measure(selected) if deep else ""
    filters = _pick_filters(selected)
    after = analysis.filter_pattern(selected.after, **filters)
    panels: list[figures.Panel] = [("After", after)]
    signed = False
    if selected.before is not None:
        before = analysis.filter_pattern(selected.before, **filters)
        panels, signed = _pattern_panels(before, after, show)
    main_pattern = panels[-1][1]
    if deep:
        limit = colour_limit(*(pattern.weights[selected.layer] for _, pattern in panels))
        _show_head_map(selected, show, measure)
        _show_small_heads(selected, (main_pattern, limit, signed), show, selected.layer)
    else:
        limit = colour_limit(*(pattern.weights for _, pattern in panels))
        _show_small_heads(selected, (main_pattern, limit, signed), show)
    if not deep:
        _show_measures(selected)
    strongest = list(analysis.strongest(main_pattern, selected.layer, selected.head))
    charts.chart(
        figures.head_heatmap(panels, selected.layer, selected.head, limit, signed),
        key="attention.head.picture",
        name=selected.file_stem,
        alt=figures.head_heatmap_alt(main_pattern, selected.layer, selected.head, strongest),
        table=lambda: _head_table(panels, selected.layer, selected.head),
        on_select=lambda spot: _select_query(selected, main_pattern, int(spot[0])),
    )
    if deep:  # the head itself comes as near to the map of all as can be
        _show_measures(selected)
    _show_caption(selected, show)
    charts.image_format_control()


def _pick_shown_side(selected: SelectedHead) -> ShownSide:
    """Offer after, before and the change, which is shown first where nothing else would differ."""
    if selected.before is None:
        return "After"
    learnt = any(token.kind in analysis.LEARNED_KINDS for token in selected.after.keys)
    options: list[ShownSide] = ["After", "Before", "Change", "Side by side"]
    return pickers.pick_in_url(
        "Show", options, "attention.show", first="After" if learnt else "Change"
    )


def _pick_measure(selected: SelectedHead) -> str:
    """Offer the measures in which heads can differ here, the change first."""
    kinds = {token.kind for token in selected.after.keys}
    silent = set() if kinds & analysis.LEARNED_KINDS else {"learnt"}
    silent |= set() if "special" in kinds else {"special"}
    silent |= set() if selected.before is not None else {"variation"}
    silent |= {"distance"} if selected.after.attention_kind == "cross" else set()
    names = [name for name in ("variation", *MEASURES) if name not in silent]
    return pickers.pick_in_url(
        "Shade of a head",
        list(dict.fromkeys(names)),
        "attention.statistic",
        lambda name: MEASURES[name].title,
    )


def _show_head_map(selected: SelectedHead, show: ShownSide, measure: str) -> None:
    """A cell for each head, shaded by a measure of it."""
    values, side, signed = _measured_side(selected, show, measure)
    notes = _hover_notes(selected)
    charts.chart(
        summary_figures.head_map(values, measure, side, notes, signed),
        key="attention.map",
        name=f"attention-{selected.after.attention_kind}-{measure}",
        alt=summary_figures.head_map_alt(values, measure, side),
        table=lambda: _overview_table(selected),
        on_select=lambda spot: _select_head(int(spot[0]), int(spot[1])),
    )
    charts.overlay_frame(
        "attention.map", summary_figures.cell_frame(values.shape, selected.layer, selected.head)
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
    selected: SelectedHead,
    shown: tuple[AttentionPattern, ColourLimit, bool],
    show: ShownSide,
    layer: int | None = None,
) -> None:
    """Small pictures of all heads, or of those of one layer; a click chooses a head."""
    (pattern, limit, signed), notes = shown, _hover_notes(selected)
    subject_by_show = {"Before": selected.comparison.before, "After": selected.comparison.after}
    titled_subject = subject_by_show.get(show)
    title = titled_subject.name if titled_subject else "Change from before to after"
    moved, first_layer = selected.variation, 0
    if layer is not None:
        pattern = replace(
            pattern,
            weights=pattern.weights[layer : layer + 1],
            block_paths=pattern.block_paths[layer : layer + 1],
        )
        notes, moved, first_layer = notes[layer : layer + 1], None, layer
        title = f"Layer {layer + 1} · {title}"
    charts.chart(
        figures.head_overview(pattern, limit, title, notes, signed, first_layer),
        key="attention.overview",
        name=f"attention-{selected.after.attention_kind}",
        alt=figures.head_overview_alt(pattern, moved, title),
        table=None if layer is not None else lambda: _overview_table(selected),
        on_select=lambda spot: _select_head(int(spot[0]), int(spot[1])),
    )
    charts.overlay_frame(
        "attention.overview",
        figures.tile_frame(pattern, selected.layer - first_layer, selected.head),
    )
    st.caption(
        "Rows of a small picture look, columns are looked at; choose a head by a click or by its "
        "numbers above."
    )


def _pattern_panels(
    before: AttentionPattern, after: AttentionPattern, show: ShownSide
) -> tuple[list[figures.Panel], bool]:
    """The pictures of one head, on the union of both sides' positions if both are seen."""
    if show == "Before":
        return [("Before", before)], False
    if show == "After":
        return [("After", after)], False
    change = analysis.pattern_difference(before, after)
    if show == "Change":
        return [("Change", change)], True
    first, second = analysis.align_patterns(before, after)
    return [("Before", first), ("After", second), ("Change", change)], True


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


def _show_caption(selected: SelectedHead, show: ShownSide) -> None:
    """One caption: what is seen, of whom, and what the signs mean."""
    comparison = selected.comparison
    after = comparison.after
    seed_index = min(comparison.seed, after.seeds - 1)
    seed = (
        f"seed {after.seed_number(seed_index)}, one of {after.seeds}" if after.run else "no adapter"
    )
    words = [f"n = 1 input, {seed}. P and S number the positions of a prefix or a soft prompt."]
    if show in ("Change", "Side by side"):
        words.append(
            "Blue is attention gained, orange lost, all on one scale; a virtual token had none "
            "before."
        )
    if selected.after.attention_kind != "cross" and selected.before is not None and selected.layer:
        words.append(
            "Layers below have changed this layer's input, so its pattern over the text may "
            "change even where a prefix alone could only rescale it."
        )
    st.caption(" ".join(words))


def _select_query(selected: SelectedHead, main_pattern: AttentionPattern, row: int) -> None:
    """Remember the query of a clicked cell for the step-by-step view."""
    token = main_pattern.queries[row]
    equal_tokens = [i for i, other in enumerate(selected.after.queries) if other == token]
    earlier = sum(other == token for other in main_pattern.queries[:row])
    if earlier < len(equal_tokens):
        st.session_state[f"attention.query.{len(selected.after.queries)}"] = equal_tokens[earlier]


def show_one_query(selected: SelectedHead) -> None:
    """Scores, softmax and weights of one query of one head."""
    queries = selected.after.queries
    sides = ["After", "Before"] if selected.before is not None else ["After"]
    with st.container(horizontal=True):
        query = st.selectbox(
            "Query",
            range(len(queries)),
            index=_telling_query(selected),
            format_func=lambda i: f"{i + 1}: {queries[i].text}",
            key=f"attention.query.{len(queries)}",
            width=260,
        )
        side = pickers.pick_one("Model", sides, "attention.side", default="After")
    pattern = selected.after
    if side == "Before" and selected.before is not None:
        pattern, query = selected.before, _counterpart(selected, query)
        if query < 0:
            st.info("This query is a virtual token, which the other model does not have.")
            return
    trace = analysis.trace_query(pattern, selected.layer, selected.head, query)
    title = f"{trace.query.text} ({query + 1}) in {selected.position_text}, {side.lower()}"
    charts.chart(
        figures.query_trace_chart(trace, title),
        key="attention.steps",
        name=f"{selected.file_stem}-query{query + 1}",
        alt=figures.query_trace_alt(trace),
        table=lambda: analysis.trace_table(trace),
    )
    assert pattern.score_inputs is not None
    scale = pattern.score_inputs.scale[selected.layer]
    st.caption(
        f"The query's vector times a key's, element by element (left), summed, times {scale:.3g}, "
        "plus what the model adds for the distance of two positions, is the score. e to the "
        "power of the score, divided by the sum over all keys, is the weight. Orange bars are "
        "virtual tokens; keys without a bar may not be looked at."
    )


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


def show_head_statistics(selected: SelectedHead) -> None:
    """Show every head in numbers over test examples, with intervals over seeds."""
    after, before = _measure_heads(selected.comparison)
    if after is None or (selected.comparison.before and before is None):
        return
    attention_kind = selected.after.attention_kind
    statistics = after[attention_kind]
    measure = pickers.pick_one(
        "Number",
        list(statistics.measures),
        f"attention.measure.{len(statistics.measures)}",
        lambda name: MEASURES[name].title,
        default=_telling_statistic(statistics),
    )
    sides: list[figures.Side] = ["after", "before", "change"] if before else ["after"]
    side: figures.Side = pickers.pick_one(
        "Show", sides, f"attention.statistics.{len(sides)}", str.capitalize, default=sides[-1]
    )
    head_rows = analysis.head_rows(before[attention_kind] if before else None, statistics, measure)
    shape = (selected.after.layers, selected.after.heads)
    deep = summary_figures.needs_summary(*shape)
    charts.chart(
        summary_figures.head_rows_map(head_rows, side, measure)
        if deep
        else figures.head_measure_table(head_rows, side, measure, (selected.layer, selected.head)),
        key="attention.heads",
        name=f"attention-{attention_kind}-{measure}-{side}",
        alt=figures.head_measure_alt(head_rows, side, measure),
        table=lambda: _rows_table(head_rows),
        on_select=lambda spot: _select_head(int(spot[0]), int(spot[1])),
    )
    if deep:
        charts.overlay_frame(
            "attention.heads", summary_figures.cell_frame(shape, selected.layer, selected.head)
        )
    st.caption(
        f"{MEASURES[measure].help}. n = {statistics.examples} test examples, mean over their "
        f"tokens; {statistics.seeds} seeds, 95 % intervals of other seeds on these examples on "
        "hover and in the table, none where seeds fall into two groups. "
        "Decoders read the gold target. A click on a cell chooses that head."
    )
    charts.image_format_control()


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
        count = st.number_input(
            "Test examples",
            1,
            max_examples,
            min(DEFAULT_EXAMPLES, max_examples),
            key=f"attention.count.{comparison.task}",
            width=200,
        )
        pressed = st.button(
            "Measure every head",
            type="primary",
            key="attention.measure",
            icon=":material/bar_chart:",
        )
    options = (comparison.task, count, examples, pressed)
    after = selection.head_statistics(comparison.after, *options)
    before = selection.head_statistics(comparison.before, *options) if comparison.before else None
    if after is None or (comparison.before and before is None):
        st.caption(
            f"Not measured yet. Every seed reads the first {count} test examples; the numbers "
            "stay for as long as this browser window."
        )
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


def show_lines(selected: SelectedHead) -> None:
    """The same attention as lines between tokens, drawn by bertviz in a closed frame."""
    names: dict[bertviz_view.View, str] = {"head": "Head view", "model": "Model view"}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        view: bertviz_view.View = pickers.pick_one(
            "Lines", list(names), "attention.lines", names.__getitem__, default="head"
        )
        sides = ["After", "Before"] if selected.before is not None else ["After"]
        side = pickers.pick_one("Model", sides, "attention.lines.side", default="After")
    filters = _pick_filters(selected)
    unfiltered = (
        selected.before if side == "Before" and selected.before is not None else selected.after
    )
    pattern = analysis.filter_pattern(unfiltered, **filters)
    if reason := bertviz_view.why_not_drawn(pattern, view):
        st.info(reason, icon=":material/width_full:")
        return
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
    advice = {
        "head": "A click on a coloured square takes that head away or adds it, a double click "
        "leaves it alone; moving over a word shows where it looks.",
        "model": "A click on a small picture opens it; queries are on the left, keys on the right.",
    }
    st.caption(
        f"Drawn by bertviz from weights rounded to four digits. {advice[view]} The same as values, "
        "with a table and for the keyboard, is in the view Patterns."
    )


VIEWS: dict[str, Callable[[SelectedHead], None]] = {
    "Patterns": show_patterns,
    "One query, step by step": show_one_query,
    "Over a data set": show_head_statistics,
    "Lines": show_lines,
}
