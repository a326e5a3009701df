"""Power: how small a difference these seeds and examples show, and what a smaller one takes."""

from __future__ import annotations

import streamlit as st

from app.compare import pairs
from app.compare.selection import Comparison
from app.ui.widgets import escape_markdown
from peftcore.analysis import inference, judgement, power, run_tables

KEY = "compare.wanted"  # also in the address
SMALLEST, LARGEST = 0.1, 100.0  # points


def show_power(chosen: Comparison) -> None:
    """Choose two runs and a difference; what it takes, from what their seeds and items vary by."""
    pair = pairs.pick_pair(chosen)
    if pair is None:
        return
    first, second = (chosen.judgement.tables[run] for run in pair)
    components = judgement.pair_components(first, second)
    if components is None or not run_tables.has_items(first):
        st.info("That takes at least two seeds, and a metric with parts by test example.")
        return
    wanted = _pick_difference(chosen.margin)
    one, _ = inference.common_part(first, second)
    scale, size = judgement.points_scale(chosen.metric), (len(one.seeds), len(one.items))
    st.markdown(power.power_in_words(components, *size, wanted / scale, scale))
    st.dataframe(
        _table(components, *size, scale),
        hide_index=True,
        alt="Smallest difference that can be seen, in points, by numbers of seeds and items.",
    )
    spread = [scale * part**0.5 for part in (components.seed, components.item, components.rest)]
    st.caption(
        escape_markdown(
            f"The difference of {chosen.names[pair[1]]} to {chosen.names[pair[0]]} varies by "
            f"{spread[0]:.1f} points from seed to seed, {spread[1]:.1f} from example to example, "
            f"and {spread[2]:.1f} from answer to answer (standard deviations). A difference counts "
            "as seen where a two-sided test at 5 % finds it about four times in five."
        )
    )


def _pick_difference(margin: float) -> float:
    """The difference to see, in points, kept in the address; the margin unless it names another."""
    requested = st.query_params.get(KEY, "")
    if requested:
        try:
            value = float(requested)
        except ValueError:
            value = margin
        if SMALLEST <= value <= LARGEST and st.session_state.get(KEY) != value:
            st.session_state[KEY] = value
    st.session_state.setdefault(KEY, margin)

    def write_url() -> None:
        st.query_params[KEY] = f"{st.session_state[KEY]:g}"

    return st.number_input(
        "Difference to see (points)",
        min_value=SMALLEST,
        max_value=LARGEST,
        step=0.5,
        format="%.1f",
        key=KEY,
        on_change=write_url,
    )


def _table(
    components: inference.Components, seeds: int, items: int, scale: float
) -> list[dict[str, str]]:
    """Return the smallest difference by seeds (rows) and items (columns), in points."""
    rows = []
    for many in sorted({seeds, 4, 8, 20, 60}):
        row = {"Seeds": str(many)}
        for asked in sorted({items, 100, 200, 500, 1000, 2000}):
            seen = power.smallest_difference(components, many, asked)
            row[f"{asked:,} items"] = "–" if seen is None else f"{scale * seen:.1f}"
        rows.append(row)
    return rows
