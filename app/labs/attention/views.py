"""The views of the Attention page: all heads and one of them, one query, a data set, lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
import streamlit as st

from app.figures import attention as figures
from app.labs.attention import bertviz_view, selection
from app.state import cache
from app.ui import charts
from peftcore.analysis import attention as analysis
from peftcore.analysis.attention import MEASURES, AttentionPattern, TokenDisplay

Show = Literal["After", "Before", "Change", "Side by side"]
PLACES = {"encoder": "Encoder", "decoder": "Decoder", "cross": "Cross: decoder to encoder"}
EXAMPLES = 16  # what a data set is described by unless somebody asks for more


@dataclass(frozen=True)
class Seen:
    """Both sides of one place, and the head that is looked at."""

    question: selection.Question
    after: AttentionPattern
    before: AttentionPattern | None
    layer: int
    head: int

    @property
    def file(self) -> str:
        """How files saved from here are called."""
        return f"attention-{self.after.attention_kind}-layer{self.layer + 1}-head{self.head + 1}"

    @property
    def here(self) -> str:
        """Layer and head in words."""
        return f"layer {self.layer + 1}, head {self.head + 1}"


def look(question: selection.Question) -> Seen:
    """Record both models, and let the reader choose the attention, the layer and the head."""
    after = question.after.seen(question.example, question.seed)
    before = question.before.seen(question.example, question.seed) if question.before else None
    with st.container(horizontal=True):
        place = st.segmented_control(
            "Attention",
            list(after),
            default=next(iter(after)),
            required=True,
            format_func=PLACES.__getitem__,
            key=f"attention.place.{len(after)}.{next(iter(after))}",
        )
        here = after[place]
        layer = _number("Layer", "layer", here.layers)
        head = _number("Head", "head", here.heads)
    return Seen(question, here, before[place] if before else None, layer, head)


def _number(title: str, name: str, count: int) -> int:
    """A layer or head, counted from one for people and from nought in here."""
    key = f"attention.{name}"
    if st.session_state.get(key, 1) > count:
        st.session_state[key] = count
    return st.number_input(title, 1, count, key=key, width=130) - 1


def _choose(layer: int, head: int) -> None:
    st.session_state["attention.layer"], st.session_state["attention.head"] = layer + 1, head + 1


def _filters(seen: Seen) -> dict[str, Any]:
    """What is left out of the pictures: special tokens, learnt positions, one text of a pair."""
    words = {"shown": "Shown", "hidden": "Hidden", "renormalised": "Left out, rest rescaled"}
    chosen: dict[str, Any] = {}
    with st.expander("Leave something out", icon=":material/filter_alt:"):
        left, right = st.columns(2)
        for column, name, title, advice in (
            (left, "special", "Special tokens", "Such as [CLS], the end sign, the start sign."),
            (right, "learnt", "Learnt positions", "Positions of a prefix or a soft prompt."),
        ):
            options: list[TokenDisplay] = ["shown", "hidden", "renormalised"]
            chosen[name] = column.segmented_control(
                title,
                options,
                default="shown",
                required=True,
                format_func=words.__getitem__,
                key=f"attention.{name}",
                help=f"{advice} Rescaled, the rest of each row sums to one again.",
            )
        parts = {token.part for token in (*seen.after.queries, *seen.after.keys)} - {0}
        if parts:
            names = {0: "All tokens", 1: "First text", 2: "Second text"}
            for column, name, title in (
                (left, "query_part", "Looking (queries)"),
                (right, "key_part", "Looked at (keys)"),
            ):
                side = seen.after.queries if name == "query_part" else seen.after.keys
                offered = [0, *sorted({token.part for token in side} - {0})]
                chosen[name] = column.segmented_control(
                    title,
                    offered,
                    default=0,
                    required=True,
                    format_func=names.__getitem__,
                    key=f"attention.{name}.{len(offered)}",
                )
    return chosen


def patterns(seen: Seen) -> None:
    """All heads as small pictures, and one of them large."""
    shows: list[Show] = ["After", "Before", "Change", "Side by side"]
    show: Show = "After"
    if seen.before is not None:
        show = st.segmented_control(
            "Show", shows, default="After", required=True, key="attention.show"
        )
    chosen = _filters(seen)
    after = analysis.filter_pattern(seen.after, **chosen)
    panels: list[figures.Panel] = [("After", after)]
    signed, notes = False, _notes(seen.after, None)
    moved = None
    if seen.before is not None:
        before = analysis.filter_pattern(seen.before, **chosen)
        moved = analysis.total_variation(seen.before, seen.after)
        notes = _notes(seen.after, moved)
        panels, signed = _panels(before, after, show)
    top = figures.limit(*(one for _, one in panels))
    small = panels[-1][1]
    subject = {"Before": seen.question.before, "After": seen.question.after}
    who = subject.get(show)
    title = who.name if who else "Change from before to after"
    charts.chart(
        figures.overview(small, top, title, notes, signed),
        key="attention.overview",
        name=f"attention-{seen.after.attention_kind}",
        alt=figures.overview_alt(small, moved, title),
        table=lambda: _overview_table(seen.after, moved),
        on_select=lambda spot: _choose(int(spot[0]), int(spot[1])),
    )
    charts.overlay_frame("attention.overview", figures.frame(small, seen.layer, seen.head))
    st.caption(
        "Rows of a small picture look, columns are looked at; choose a head by a click or by its "
        "numbers above."
    )
    _numbers(seen)
    words = list(analysis.strongest(small, seen.layer, seen.head))
    charts.chart(
        figures.head(panels, seen.layer, seen.head, top, signed),
        key="attention.head.picture",
        name=seen.file,
        alt=figures.head_alt(small, seen.layer, seen.head, words),
        table=lambda: _head_table(panels, seen.layer, seen.head),
        on_select=lambda spot: _choose_query(seen, small, int(spot[0])),
    )
    _explain(seen, show)
    charts.image_format_control()


def _panels(
    before: AttentionPattern, after: AttentionPattern, show: Show
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


def _notes(after: AttentionPattern, moved: Any) -> list[list[str]]:
    """What is said of every head on hover."""
    found = analysis.measure_heads(after)
    return [
        [
            f"learnt positions take {found['learnt'][y, x]:.2f}, special tokens "
            f"{found['special'][y, x]:.2f}"
            + (f"; {moved[y, x]:.2f} looks elsewhere now" if moved is not None else "")
            for x in range(after.heads)
        ]
        for y in range(after.layers)
    ]


def _overview_table(after: AttentionPattern, moved: Any) -> pd.DataFrame:
    """Every head in numbers for this input."""
    found = analysis.measure_heads(after)
    rows = []
    for y in range(after.layers):
        for x in range(after.heads):
            row: dict[str, Any] = {"Layer": y + 1, "Head": x + 1}
            row |= {MEASURES[name].title: values[y, x] for name, values in found.items()}
            if moved is not None:
                row["Looks elsewhere now"] = moved[y, x]
            rows.append(row)
    return pd.DataFrame(rows)


def _head_table(panels: list[figures.Panel], layer: int, head: int) -> pd.DataFrame:
    """The weights behind the large picture, one column for each panel."""
    tables = [
        analysis.weights_table(one, layer, head).rename(columns={"Weight": name})
        for name, one in panels
    ]
    on = ["Query number", "Query", "Key number", "Key", "Kind of key"]
    merged = tables[-1]
    for table in tables[:-1][::-1]:
        merged = merged.merge(table, on=on, how="left")
    merged[["Query number", "Key number"]] += 1
    return merged


def _numbers(seen: Seen) -> None:
    """The chosen head in numbers, with what they were before."""
    now = analysis.measure_heads(seen.after)
    then = analysis.measure_heads(seen.before) if seen.before is not None else None
    at = (seen.layer, seen.head)
    columns = iter(st.columns(len(now) + (seen.before is not None)))
    if seen.before is not None:
        moved = analysis.total_variation(seen.before, seen.after)[at]
        advice = (
            "Share of attention that looks elsewhere than before (total variation): half the "
            "summed change of each query, the mean over queries"
        )
        next(columns).metric("Looks elsewhere", f"{moved:.1%}", help=advice)
    for name, values in now.items():
        known, share = MEASURES[name], MEASURES[name].unit == "share"
        unit = "" if share else f" ({known.unit})"
        delta = None
        if then:
            delta = _delta(values[at] - then[name][at], share)
        next(columns).metric(
            f"{known.title}{unit}",
            f"{values[at]:.1%}" if share else f"{values[at]:.2f}",
            delta,
            delta_color="off",
            help=known.help,
        )


def _delta(change: float, share: bool) -> str | None:
    """A change as it is shown, with its sign; None where nothing of it would be seen."""
    words = f"{100 * change:+.1f}" if share else f"{change:+.2f}"
    if not float(words):
        return None
    return f"{words} points" if share else words


def _explain(seen: Seen, show: Show) -> None:
    """One caption: what is seen, of whom, and what the signs mean."""
    question = seen.question
    after = question.after
    place = min(question.seed, after.seeds - 1)
    seed = f"seed {after.number(place)}, one of {after.seeds}" if after.run else "no adapter"
    words = [f"n = 1 input, {seed}. P and S number the positions of a prefix or a soft prompt."]
    if show in ("Change", "Side by side"):
        words.append(
            "Blue is attention gained, orange lost, all on one scale; a learnt position had none "
            "before."
        )
    if seen.after.attention_kind != "cross" and seen.before is not None and seen.layer:
        words.append(
            "Layers below have changed this layer's input, so its pattern over the text may "
            "change even where a prefix alone could only rescale it."
        )
    st.caption(" ".join(words))


def _choose_query(seen: Seen, small: AttentionPattern, row: int) -> None:
    """Remember the query of a clicked cell for the step-by-step view."""
    token = small.queries[row]
    same = [i for i, other in enumerate(seen.after.queries) if other == token]
    earlier = sum(other == token for other in small.queries[:row])
    if earlier < len(same):
        st.session_state[f"attention.query.{len(seen.after.queries)}"] = same[earlier]


def one_query(seen: Seen) -> None:
    """Scores, softmax and weights of one query of one head."""
    queries = seen.after.queries
    sides = ["After", "Before"] if seen.before is not None else ["After"]
    with st.container(horizontal=True):
        query = st.selectbox(
            "Query",
            range(len(queries)),
            index=min(1, len(queries) - 1),
            format_func=lambda i: f"{i + 1}: {queries[i].text}",
            key=f"attention.query.{len(queries)}",
            width=260,
        )
        side = st.segmented_control(
            "Model", sides, default="After", required=True, key="attention.side"
        )
    one = seen.after
    if side == "Before" and seen.before is not None:
        one, query = seen.before, _counterpart(seen, query)
        if query < 0:
            st.info("This query is a learnt position, which the other model does not have.")
            return
    walk = analysis.trace_query(one, seen.layer, seen.head, query)
    title = f"{walk.query.text} ({query + 1}) in {seen.here}, {side.lower()}"
    charts.chart(
        figures.steps(walk, title),
        key="attention.steps",
        name=f"{seen.file}-query{query + 1}",
        alt=figures.steps_alt(walk),
        table=lambda: analysis.trace_table(walk),
    )
    assert one.score_inputs is not None
    scale = one.score_inputs.scale[seen.layer]
    st.caption(
        f"The query's vector times a key's, element by element (left), summed, times {scale:.3g}, "
        "plus what the model adds for the distance of two positions, is the score. e to the "
        "power of the score, divided by the sum over all keys, is the weight. Orange bars are "
        "learnt positions; keys without a bar may not be looked at."
    )


def _counterpart(seen: Seen, query: int) -> int:
    """The same token among the other model's queries; -1 for a learnt position."""
    assert seen.before is not None
    text = [i for i, t in enumerate(seen.after.queries) if t.kind not in analysis.LEARNED_KINDS]
    theirs = [i for i, t in enumerate(seen.before.queries) if t.kind not in analysis.LEARNED_KINDS]
    return theirs[text.index(query)] if query in text else -1


def over_data(seen: Seen) -> None:
    """Every head in numbers over test examples, with intervals over seeds."""
    question = seen.question
    rows = cache.split_examples(question.task, "test").examples
    if not rows:
        st.info("This task has no test examples at hand.")
        return
    most = min(len(rows), 200)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        count = st.number_input(
            "Test examples",
            1,
            most,
            min(EXAMPLES, most),
            key=f"attention.count.{question.task}",
            width=200,
        )
        pressed = st.button(
            "Measure every head",
            type="primary",
            key="attention.measure",
            icon=":material/bar_chart:",
        )
    now = selection.measured(question.after, question.task, count, rows, pressed)
    then = question.before and selection.measured(
        question.before, question.task, count, rows, pressed
    )
    if now is None or (question.before and not then):
        st.caption(
            f"Not measured yet. Every seed reads the first {count} test examples; the numbers "
            "stay for as long as this browser window."
        )
        return
    place = seen.after.attention_kind
    measure = st.segmented_control(
        "Number",
        list(now[place].measures),
        default=next(iter(now[place].measures)),
        required=True,
        format_func=lambda name: MEASURES[name].title,
        key=f"attention.measure.{len(now[place].measures)}",
    )
    sides: list[figures.Side] = ["after", "before", "change"] if then else ["after"]
    side: figures.Side = st.segmented_control(
        "Show",
        sides,
        default="change" if then else "after",
        required=True,
        format_func=str.capitalize,
        key=f"attention.statistics.{len(sides)}",
    )
    found = analysis.head_rows(then[place] if then else None, now[place], measure)
    charts.chart(
        figures.heads(found, side, measure, (seen.layer, seen.head)),
        key="attention.heads",
        name=f"attention-{place}-{measure}-{side}",
        alt=figures.heads_alt(found, side, measure),
        table=lambda: _rows_table(found),
        on_select=lambda spot: _choose(int(spot[0]), int(spot[1])),
    )
    st.caption(
        f"{MEASURES[measure].help}. n = {now[place].examples} test examples, mean over their "
        f"tokens; {now[place].seeds} seeds, 95 % intervals over seeds on hover and in the table. "
        "Decoders read the gold target. A click on a cell chooses that head."
    )
    charts.image_format_control()


def _rows_table(rows: list[analysis.HeadRow]) -> pd.DataFrame:
    """Heads with their means and limits."""
    return (
        pd.DataFrame(
            [
                {"Layer": row.layer + 1, "Head": row.head + 1}
                | {
                    f"{title}{what}": value
                    for title, found in (
                        ("Before", row.before),
                        ("After", row.after),
                        ("Change", row.change),
                    )
                    for what, value in (
                        ("", found.mean),
                        (", low", found.low),
                        (", high", found.high),
                    )
                }
                for row in rows
            ]
        )
        .astype(float)
        .astype({"Layer": int, "Head": int})
    )


def lines(seen: Seen) -> None:
    """The same attention as lines between tokens, drawn by bertviz in a closed frame."""
    names: dict[bertviz_view.View, str] = {"head": "Head view", "model": "Model view"}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        view: bertviz_view.View = st.segmented_control(
            "Lines",
            list(names),
            default="head",
            required=True,
            format_func=names.__getitem__,
            key="attention.lines",
        )
        sides = ["After", "Before"] if seen.before is not None else ["After"]
        side = st.segmented_control(
            "Model", sides, default="After", required=True, key="attention.lines.side"
        )
    chosen = _filters(seen)
    one = seen.before if side == "Before" and seen.before is not None else seen.after
    pattern = analysis.filter_pattern(one, **chosen)
    if reason := bertviz_view.refusal(pattern, view):
        st.info(reason, icon=":material/width_full:")
        return
    ground: Literal["light", "dark"] = "dark" if st.context.theme.type == "dark" else "light"
    with st.spinner("Drawing the lines…"):
        page = bertviz_view.lines(pattern, view, seen.layer, seen.head, ground)
    words = "; ".join(analysis.strongest(pattern, seen.layer, seen.head))
    st.iframe(
        page,
        height=bertviz_view.height(pattern, view),
        alt=f"Lines from queries on the left to keys on the right, {seen.here}. Largest: {words}.",
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


VIEWS: dict[str, Callable[[Seen], None]] = {
    "Patterns": patterns,
    "One query, step by step": one_query,
    "Over a data set": over_data,
    "Lines": lines,
}
