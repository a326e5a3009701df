"""The Agreement view of the Ratings page: how far raters agree, question by question."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.figures import ratings
from app.figures.ratings import IntervalRow
from app.figures.theme import NEUTRAL, RunStyle
from app.rating import results
from app.rating.results import ProjectResults
from app.ui import pickers
from app.ui.charts import chart
from app.ui.widgets import as_sentence, escape_markdown
from peftcore.analysis import agreement
from peftcore.analysis.clustered import FEWEST_RATERS
from peftcore.rating import questions

NEUTRAL_STYLE = RunStyle("", NEUTRAL)
AXIS = "Agreement (1: complete, 0: as by chance)"


def show_agreement(project_results: ProjectResults) -> None:
    """Every coefficient with its interval, or why it does not exist."""
    left, right = st.columns(2)
    with left:
        question = _pick_question(project_results)
    with right:
        source = st.selectbox(
            "Explanations of",
            [None, *project_results.styles],
            format_func=lambda each: project_results.names[each] if each else "everybody",
            key="ratings.agree.source",
        )
    statistics, pairs = results.rater_agreement(project_results, question, source)
    _draw_statistics(
        statistics,
        f"ratings.agreement.{question}",
        f"{project_results.file_stem}-agreement-{question}",
    )
    st.caption(
        "The share of unanimous items is no coefficient and has no chance level. Uniform kappa is "
        "what FEB prints; it takes every category to be equally likely by chance. Fleiss' kappa "
        "and Krippendorff's alpha take them as likely as they were given, so they fall far below "
        "it where almost everybody says the same: read them together. Items count that two or "
        f"more have rated. {_population_note(len(project_results.rater_names))}"
    )
    if project_results.mode == "likert":
        _show_dimensions(project_results, source)
    _pair_table(pairs)


def _population_note(raters: int) -> str:
    """Say whom the intervals of agreement speak of."""
    if raters < 2:
        return ""
    if raters < FEWEST_RATERS:
        return f"Intervals are about other examples and these {raters} raters."
    return "Intervals are about other examples and raters, that of the share about these raters."


def _pick_question(project_results: ProjectResults) -> str:
    """Offer the dimension or scale that agreement is about."""
    kinds = questions.QUESTIONS_BY_MODE[project_results.mode]
    if len(kinds) == 1:
        return next(iter(kinds))
    if project_results.mode == "single":
        chosen: str = pickers.pick_one("Verdicts as", list(kinds), "ratings.as", kinds.__getitem__)
        return chosen
    dimension: str = st.selectbox(
        "Dimension", list(kinds), format_func=kinds.__getitem__, key="ratings.agree.dimension"
    )
    return dimension


def _show_dimensions(project_results: ProjectResults, source: str | None) -> None:
    """One measure on every dimension."""
    st.subheader("Every dimension", anchor=False)
    names = list(agreement.MEASURES)
    measure = st.selectbox("Measure", names, index=len(names) - 1, key="ratings.agree.measure")
    kinds = questions.QUESTIONS_BY_MODE[project_results.mode]
    statistics_by_dimension = {
        name: results.rater_agreement(project_results, name, source)[0] for name in kinds
    }
    rows = {
        kinds[name]: statistics[names.index(measure)]
        for name, statistics in statistics_by_dimension.items()
    }
    _draw_statistics(
        list(rows.values()),
        "ratings.agreement.all",
        f"{project_results.file_stem}-agreement",
        list(rows),
    )


def _draw_statistics(
    statistics: list[agreement.AgreementStatistic],
    key: str,
    file: str,
    names: list[str] | None = None,
) -> None:
    """Coefficients by their own names or by these, and why one does not exist, in words."""
    labels = names or [each.name for each in statistics]
    if all(each.value is None for each in statistics):  # a chart would be empty axes
        reasons = dict.fromkeys(each.reason for each in statistics)
        st.info(escape_markdown(as_sentence("; ".join(reasons))), icon=":material/info:")
        return
    rows = [
        IntervalRow(name, each.value, each.low, each.high, each.reason, NEUTRAL_STYLE)
        for name, each in zip(labels, statistics, strict=True)
    ]
    items = statistics[0].items
    title = f"95 % intervals, {results.count_text(items, 'item')}"
    chart(
        ratings.interval_chart(rows, AXIS, title, reference=0.0),
        key=key,
        name=file,
        alt=ratings.interval_chart_alt(rows, "Agreement"),
        table=pd.DataFrame(statistics).assign(name=labels),
    )
    notes: dict[str, list[str]] = {}
    for row in rows:
        notes.setdefault(row.note, []).append(row.name)
    for note, who in notes.items():
        if note:
            st.caption(escape_markdown(f"{'; '.join(who)}: {note}."))


def _pair_table(pairs: pd.DataFrame) -> None:
    """Weighted Cohen's kappa of each two raters."""
    if pairs.empty:
        return
    st.subheader("Each two raters", anchor=False)
    column_titles = {"first": "Rater", "second": "Other rater", "items": "Items", "value": "Kappa"}
    column_titles |= {"low": "95 % from", "high": "to", "reason": "Why not"}
    if not pairs["reason"].astype(bool).any():
        pairs = pairs.drop(columns="reason")
    st.dataframe(
        pairs.rename(columns=column_titles),
        hide_index=True,
        alt=f"Weighted Cohen's kappa of {len(pairs)} pairs of raters",
        column_config={
            column_titles[name]: st.column_config.NumberColumn(format="%.2f")
            for name in ("value", "low", "high")
        },
    )
    st.caption(
        "Linearly weighted Cohen's kappa on the items both rated; intervals are about other "
        "examples."
    )
