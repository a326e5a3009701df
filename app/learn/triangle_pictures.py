"""Pictures of the story about a simplex of prefixes: the triangle, its edges, flatness."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from app.figures import landscape as figures
from app.figures import ratings as rating_figures
from app.figures.landscape_flatness import MEASURE_TITLES, flatness_table
from app.learn.picture import Knob, Options, Picture, Shown, fit
from app.state import cache
from app.ui.charts import chart
from app.ui.run_styles import styles_by_run
from app.ui.widgets import escape_markdown
from peftcore.errors import BadInput
from peftcore.labs.landscape.request import LandscapeJob, LandscapeRequest
from peftcore.stories import recordings

TRIANGLE_HEIGHT, FLATNESS_HEIGHT = 470, 320  # pixels
CHOSEN_KEY = "learn.point"  # in the session: the row of the triangle that was clicked
FLATNESS_KNOB = {MEASURE_TITLES[name][0]: name for name in ("rise", "worst rise", "loss")}


def shipped_landscape(run: str, kind: str, **fields: Any) -> LandscapeJob:
    """Return a landscape of a run that ships; BadInput if there is none."""
    found = LandscapeJob.find(LandscapeRequest.make({"kind": kind, "runs": (run,), **fields}))
    if found is None:
        raise BadInput(f"run {run} has no landscape of kind {kind} yet")
    return found


@st.cache_data(max_entries=8, show_spinner=False)
def _table_and_facts(run: str, kind: str, steps: int) -> tuple[pd.DataFrame, dict[str, Any]]:
    job = shipped_landscape(run, kind, steps=steps)
    return job.table(), job.facts


def _basis(facts: dict[str, Any], run: str, kind: str) -> str:
    return f"{figures.facts_text(facts)}. `python -m peftcore landscape {run} --kind {kind}`"


def _triangle(options: Options, value: str) -> Shown:
    """Draw the losses over the triangle; with `answers` a click says what the point writes."""
    recorded = recordings.triangle_answers()
    table, facts = _table_and_facts(recorded.run, "face", 15)
    drawn = facts if options.get("sampled") else {**facts, "sampled": []}
    figure = figures.surface_map(table, drawn, title="Loss of every mixture of three prefixes")
    asks = bool(options.get("answers"))
    chosen = st.session_state.get(CHOSEN_KEY, _centre(table)) if asks else None
    if chosen is not None:
        figures.mark_chosen_point(figure, table.loc[chosen])
    chart(
        fit(figure, TRIANGLE_HEIGHT),
        key=f"learn.triangle.{asks}",
        name="story-triangle",
        alt=figures.surface_map_alt(table, facts),
        on_select=_choose_point if asks else None,
    )
    basis = _basis(facts, recorded.run, "face")
    if chosen is not None:
        return _answer_of_point(table, int(chosen), recorded, basis)
    losses = table.dropna(subset=["loss"]).set_index("mark")["loss"]
    corners = losses[[name for name in losses.index if str(name).startswith("vertex")]]
    sampled = f" {len(facts['sampled'])} points were drawn." * bool(drawn["sampled"])
    return Shown(
        f"Loss in the centre {losses['centroid']:.3f}; at the three corners "
        f"{corners.min():.3f} to {corners.max():.3f}.{sampled}",
        basis,
    )


def _centre(table: pd.DataFrame) -> int:
    return int(table.index[table["mark"] == "centroid"][0])


def _choose_point(point: list[Any]) -> None:
    st.session_state[CHOSEN_KEY] = int(point[0])


def _answer_of_point(
    table: pd.DataFrame, chosen: int, recorded: recordings.TriangleAnswers, basis: str
) -> Shown:
    """Show the recorded answer of a point under the picture."""
    row, answer = table.loc[chosen], recorded.answers[chosen]
    weights = " · ".join(f"{weight:.2f}" for weight in row["weights"])
    st.markdown(f"**Question**: {escape_markdown(recorded.source)}")
    st.markdown(f"**This point** (weights {escape_markdown(weights)}): {escape_markdown(answer)}")
    same = sum(each == answer for each in recorded.answers)
    kinds = len(set(recorded.answers))
    return Shown(
        f"The point has a loss of {row['loss']:.3f}. {same} of {len(recorded.answers)} points "
        f"answer like it; there are {kinds} different answers.",
        basis,
    )


def _lines(options: Options, value: str) -> Shown:
    run = recordings.triangle_answers().run
    table, facts = _table_and_facts(run, "cuts", 12)
    figure = figures.loss_along_lines(table, facts, title="Loss along the edges, and to the centre")
    chart(
        fit(figure, TRIANGLE_HEIGHT),
        key="learn.lines",
        name="story-lines",
        alt=figures.loss_along_lines_alt(table),
        table=figures.barrier_table(table),
    )
    edges = figures.barrier_table(table)
    return Shown(
        f"The highest barrier between two corners is {edges['Barrier'].max():.3f} nats.",
        _basis(facts, run, "cuts"),
    )


def _flatness_knob(options: Options) -> Knob:
    titles = list(FLATNESS_KNOB)
    return Knob("Measure", titles, titles[0], slides=False)


def _flatness(options: Options, value: str) -> Shown:
    """Compare the flatness of runs, with intervals over seeds."""
    runs = [cache.run_store().open(run) for run in options["runs"]]
    styles, rows, title = styles_by_run(runs), [], value
    for run in runs:
        found = flatness_table(shipped_landscape(run.id, "flatness").measures())
        row = found[found["Measure"] == title].iloc[0]
        low, high = (None if pd.isna(row[end]) else float(row[end]) for end in ("Low", "High"))
        note = f"{row['Seeds']} seeds" if low is not None else "no interval: seeds in two groups"
        rows.append(
            rating_figures.IntervalRow(
                styles[run.id].name, float(row["Mean"]), low, high, note, styles[run.id]
            )
        )
    figure = rating_figures.interval_chart(
        rows, title, "Mean and 95 % interval over seeds", form=".3f"
    )
    chart(
        fit(figure, FLATNESS_HEIGHT),
        key="learn.flatness",
        name="story-flatness",
        alt=rating_figures.interval_chart_alt(rows, title, ".3f"),
    )
    spans = [(row.low, row.high) for row in rows if row.low is not None and row.high is not None]
    apart = len(spans) == len(rows) and max(low for low, _ in spans) > min(
        high for _, high in spans
    )
    facts = shipped_landscape(runs[0].id, "flatness").facts
    return Shown(
        "The intervals do not overlap." if apart else "The intervals overlap: may be chance.",
        f"{figures.facts_text(facts)}; other seeds on the same validation examples. "
        f"`python -m peftcore landscape {runs[0].id} --kind flatness`",
    )


PICTURES = {
    "triangle": Picture(_triangle, frozenset({"sampled", "answers"})),
    "triangle_lines": Picture(_lines),
    "flatness": Picture(_flatness, frozenset({"runs"}), _flatness_knob),
}
