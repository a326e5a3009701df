"""The Agreement view of the Ratings page: how far raters agree, question by question."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.figures import ratings
from app.figures.ratings import Row
from app.rating import results
from app.rating.results import Results
from app.theme import NEUTRAL, Look
from app.ui.charts import chart
from app.ui.widgets import plain
from peftcore.analysis import agreement
from peftcore.rating import questions

PLAIN = Look("", NEUTRAL)
AXIS = "Agreement (1: complete, 0: as by chance)"


def agreeing(found: Results) -> None:
    """Every coefficient with its interval, or why it does not exist."""
    left, right = st.columns(2)
    with left:
        question = _question(found)
    with right:
        source = st.selectbox(
            "Explanations of",
            [None, *found.looks],
            format_func=lambda each: found.names[each] if each else "everybody",
            key="ratings.agree.source",
        )
    coefficients, pairs = results.agreed(found, question, source)
    _drawn(coefficients, f"ratings.agreement.{question}", f"{found.file}-agreement-{question}")
    st.caption(
        "The share of unanimous items is no coefficient and has no chance level. Uniform kappa is "
        "what FEB prints; it takes every category to be equally likely by chance. Fleiss' kappa "
        "and Krippendorff's alpha take them as likely as they were given, so they fall far below "
        "it where almost everybody says the same: read them together. Items count that two or "
        f"more have rated. {_drawn_anew(len(found.raters))}"
    )
    if found.mode == "likert":
        _side_by_side(found, source)
    _pairs(pairs)


def _drawn_anew(raters: int) -> str:
    if raters < 2:
        return ""
    if raters == 2:
        return "Intervals draw examples anew and keep the two raters."
    return "Intervals draw examples and raters anew, that of the share only examples."


def _question(found: Results) -> str:
    kinds = questions.BY_MODE[found.mode]
    if len(kinds) == 1:
        return next(iter(kinds))
    if found.mode == "single":
        chosen: str = st.segmented_control(
            "Verdicts as",
            list(kinds),
            default=next(iter(kinds)),
            required=True,
            format_func=kinds.__getitem__,
            key="ratings.as",
        )
        return chosen
    dimension: str = st.selectbox(
        "Dimension", list(kinds), format_func=kinds.__getitem__, key="ratings.agree.dimension"
    )
    return dimension


def _side_by_side(found: Results, source: str | None) -> None:
    """One measure on every dimension."""
    st.subheader("Every dimension", anchor=False)
    names = list(agreement.MEASURES)
    measure = st.selectbox("Measure", names, index=len(names) - 1, key="ratings.agree.measure")
    kinds = questions.BY_MODE[found.mode]
    each = {name: results.agreed(found, name, source)[0] for name in kinds}
    rows = {kinds[name]: made[names.index(measure)] for name, made in each.items()}
    _drawn(list(rows.values()), "ratings.agreement.all", f"{found.file}-agreement", list(rows))


def _drawn(
    coefficients: list[agreement.AgreementStatistic],
    key: str,
    file: str,
    names: list[str] | None = None,
) -> None:
    """Coefficients by their own names or by these, and why one does not exist, in words."""
    called = names or [each.name for each in coefficients]
    rows = [
        Row(name, each.value, each.low, each.high, each.reason, PLAIN)
        for name, each in zip(called, coefficients, strict=True)
    ]
    items = coefficients[0].items
    title = f"95 % intervals, {items} items"
    chart(
        ratings.intervals(rows, AXIS, title, reference=0.0),
        key=key,
        name=file,
        alt=ratings.intervals_alt(rows, "Agreement"),
        table=pd.DataFrame(coefficients).assign(name=called),
    )
    notes: dict[str, list[str]] = {}
    for row in rows:
        notes.setdefault(row.note, []).append(row.name)
    for note, who in notes.items():
        if note:
            st.caption(plain(f"{'; '.join(who)}: {note}."))


def _pairs(pairs: pd.DataFrame) -> None:
    """Weighted Cohen's kappa of each two raters."""
    st.subheader("Each two raters", anchor=False)
    heads = {"first": "Rater", "second": "Other rater", "items": "Items", "value": "Kappa"}
    heads |= {"low": "95 % from", "high": "to", "reason": "Why not"}
    if not pairs["reason"].astype(bool).any():
        pairs = pairs.drop(columns="reason")
    st.dataframe(
        pairs.rename(columns=heads),
        hide_index=True,
        alt=f"Weighted Cohen's kappa of {len(pairs)} pairs of raters",
        column_config={
            heads[name]: st.column_config.NumberColumn(format="%.2f")
            for name in ("value", "low", "high")
        },
    )
    st.caption(
        "Linearly weighted Cohen's kappa on the items both rated; intervals draw examples anew."
    )
