"""Slices: on which kinds of test examples two runs differ."""

from __future__ import annotations

import streamlit as st

from app.compare import pairs, tables
from app.compare.selection import Comparison
from app.figures import slices as slice_figures
from app.state.rating_store import current_experimenter, rating_store
from app.ui.charts import chart
from app.ui.widgets import escape_markdown
from peftcore import rating
from peftcore.analysis import judgement, run_tables

WORDS_KEY, WORDS_PARAM = "compare.words", "words"
MOST_WORDS = 8


def show_slices(chosen: Comparison) -> None:
    """Choose two runs; their difference by label, length, words and agreement of raters."""
    pair = pairs.pick_pair(chosen)
    if pair is None:
        return
    before, after = chosen.run(pair[0]), chosen.run(pair[1])
    found = [chosen.judgement.tables[run] for run in pair]
    if not all(map(run_tables.has_items, found)):
        st.info("This metric has no parts by test example, so there are no slices of it.")
        return
    words = _pick_words()
    rows = tables.slices_between(
        *(before, after, words, chosen.metric, chosen.margin, chosen.judgement.population),
        rating.raters_agree(rating_store(), current_experimenter(), list(pair)),
    )
    if rows.empty:
        st.info("There are too few test examples to look at parts of them.")
        return
    apart = int(rows["verdict"].isin(["ahead", "behind"]).sum())
    one, other = (escape_markdown(chosen.names[run]) for run in (after.id, before.id))
    st.markdown(
        f"**{one}** against **{other}**: they differ in {apart or 'none'} of {len(rows)} slices, "
        "corrected for all of them (Holm)."
    )
    alt = slice_figures.slice_differences_alt(rows, chosen.metric)
    chart(
        slice_figures.slice_differences(rows, chosen.metric, chosen.margin),
        key="compare.slices.chart",
        name=f"{chosen.file_stem}-slices-{before.id}-{after.id}",
        alt=alt,
        table=rows,
    )
    scale = judgement.points_scale(chosen.metric)
    st.caption(
        f"Lines are 95 % intervals in points (1 point is {1 / scale:g}), about "
        f"{chosen.judgement.population}. Slices overlap; each verdict is about its own examples."
    )


def _pick_words() -> tuple[str, ...]:
    """Words of the reader to slice by, kept in the address; none takes the most telling ones."""
    requested = st.query_params.get(WORDS_PARAM)
    if requested is not None and st.session_state.get(WORDS_KEY) != requested:
        st.session_state[WORDS_KEY] = requested

    def write_url() -> None:
        text = st.session_state[WORDS_KEY].strip()
        if text:
            st.query_params[WORDS_PARAM] = text
        else:
            st.query_params.pop(WORDS_PARAM, None)

    text = st.text_input(
        "Words in the input",
        key=WORDS_KEY,
        on_change=write_url,
        placeholder="not, never, because",
        help="Each word makes a slice of the examples that have it. Without any, the words that "
        "split the examples most evenly are taken.",
    )
    parts = [part.strip() for part in text.replace(",", " ").split()]
    return tuple(dict.fromkeys(part for part in parts if part))[:MOST_WORDS]
