"""The Scores view of the Ratings page: what each method's explanations are worth to people."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.figures import ratings
from app.figures.ratings import Row
from app.rating import results
from app.rating.results import Results
from app.theme import text
from app.ui.charts import chart
from app.ui.widgets import plain
from peftcore import rating


def scores(found: Results) -> None:
    """What each method's explanations are worth to people; for pairs the ranking."""
    if found.mode == "pairwise":
        ranking(found)
        return
    dimension = _scored_by(found)
    table = results.scores(found, dimension)
    rows = [
        Row(
            found.names[row["source"]],
            row["mean"],
            *results.limits(row),
            f"{row['items']} items, {row['raters']} raters" + results.because(row["reason"]),
            found.looks[row["source"]],
        )
        for row in table.to_dict("records")
    ]
    items = results.counted(found.said["item"].nunique(), "item")
    title = f"95 % intervals, {items}, {results.counted(len(found.raters), 'rater')}"
    _headline(found, table, dimension)
    shown = table.rename(columns={"source": "run or method"})
    shown.insert(0, "name", [found.names[source] for source in table["source"]])
    chart(
        ratings.intervals(rows, "Human score (0 to 1)", title, span=(-0.03, 1.1)),
        key="ratings.scores",
        name=f"{found.file}-{dimension or 'scores'}",
        alt=ratings.intervals_alt(rows, title),
        table=shown,
    )
    scale = "yes 1, weak yes 2/3, weak no 1/3, no 0"
    if found.mode == "likert":
        mean = f"“{rating.DIMENSIONS[dimension]}”" if dimension else "the mean of the dimensions"
        scale = f"{mean}, 1 to 5 stretched to 0 to 1"
    st.caption(
        f"The mean over items of each item's mean over raters ({scale}). {_of_which(found)}"
        f"{found.intervals()} {plain(found.counts())}."
    )
    if len(table) > 1:
        _differences(found, table, dimension)


def _headline(found: Results, table: pd.DataFrame, dimension: str) -> None:
    """The best method, and whether it is surely ahead of the next."""
    methods = table[table["source"] != results.GOLD].to_dict("records")
    if not methods:
        return
    best = methods[0]
    limits = "" if pd.isna(best["low"]) else _interval(best["low"], best["high"])
    does = "has the highest score of the methods:" if len(methods) > 1 else "scores"
    words = f"**{plain(found.names[best['source']])}** {does} **{best['mean']:.2f}**{limits}."
    if len(methods) > 1:
        second = methods[1]["source"]
        gaps = results.differences(found, second, dimension).set_index("source")
        gap = gaps.loc[best["source"]]
        lead, name = f"{gap['difference']:.2f}", plain(found.names[second])
        if pd.isna(gap["low"]):
            words += f" It is {lead} ahead of {name}."
        elif gap["low"] > 0:
            words += f" It is {lead} ahead of {name}{_interval(gap['low'], gap['high'])}."
        else:
            words += (
                f" That it is ahead of {name} may be chance: {lead}"
                f"{_interval(gap['low'], gap['high'])}."
            )
    st.markdown(words)


def _interval(low: float, high: float) -> str:
    return f" (95 % interval {low:.2f} to {high:.2f})"


def _of_which(found: Results) -> str:
    """Which answers the explanations stand beside, on which the score depends."""
    if found.right is None:
        return ""
    if found.right < 1:
        share = f"{found.right:.0%}"
        return f"{share} of the methods' answers that were drawn are right; FEB draws only those. "
    if found.mode == "single":
        return "Only right answers were drawn, so times 100 it is the score that FEB prints. "
    return "Only right answers were drawn. "


def _differences(found: Results, table: pd.DataFrame, dimension: str) -> None:
    """How far each is from one of them, with what both share left out."""
    st.subheader("Differences", anchor=False)
    sources = table["source"].tolist()
    reference = st.selectbox(
        "Difference to",
        sources,
        index=next((n for n, each in enumerate(sources) if each != results.GOLD), 0),
        format_func=found.names.__getitem__,
        key="ratings.reference",
    )
    gaps = results.differences(found, reference, dimension)
    rows = [
        Row(
            found.names[row["source"]],
            row["difference"],
            *results.limits(row),
            f"{row['examples']} shared examples" + results.because(row["reason"]),
            found.looks[row["source"]],
        )
        for row in gaps.to_dict("records")
    ]
    axis = "Difference in human score"
    title = f"To {found.names[reference]}, 95 % intervals"
    shown = gaps.rename(columns={"source": "run or method"})
    shown.insert(0, "name", [found.names[source] for source in gaps["source"]])
    chart(
        ratings.intervals(rows, axis, text(title), form="+.2f", reference=0.0),
        key="ratings.differences",
        name=f"{found.file}-differences",
        alt=ratings.intervals_alt(rows, title, "+.2f"),
        table=shown,
    )
    st.caption(
        "Both scores come from the same examples and raters in every resample, so how hard an "
        "example or how strict a rater is drops out. A bar across the line may be chance; bars "
        "are not corrected for how many there are."
    )


def _scored_by(found: Results) -> str:
    """The dimension whose score is shown; empty for their mean, and in other modes."""
    if found.mode != "likert":
        return ""
    named: str = st.selectbox(
        "Score",
        ["", *rating.DIMENSIONS],
        format_func=lambda name: rating.DIMENSIONS.get(name, "The mean of all dimensions"),
        key="ratings.score",
    )
    return named


def ranking(found: Results) -> None:
    """Bradley and Terry's strengths, and who beats whom."""
    ranked = results.ranking(found)
    table = ranked.methods
    if ranked.reason:
        st.info(plain(f"No strengths: {ranked.reason}."), icon=":material/info:")
    with_strengths = table["strength"].notna().any() if len(table) else False
    columns = (
        ("strength", "low", "high") if with_strengths else ("share", "share_low", "share_high")
    )
    rows = [
        Row(
            found.names[row["method"]],
            results.known(row[columns[0]]),
            results.known(row[columns[1]]),
            results.known(row[columns[2]]),
            f"{row['wins']} won, {row['ties']} tied, {row['losses']} lost",
            found.looks[row["method"]],
        )
        for row in table.to_dict("records")
    ]
    axis = "Share of comparisons won, ties half"
    if with_strengths:
        axis = "Strength (log odds against the average method)"
    title = f"95 % intervals, {ranked.comparisons} comparisons"
    shown = table.rename(columns={"method": "run or method"})
    shown.insert(0, "name", [found.names[source] for source in table["method"]])
    chart(
        ratings.intervals(rows, axis, title, reference=0.0 if with_strengths else 0.5),
        key="ratings.ranking",
        name=f"{found.file}-ranking",
        alt=ratings.intervals_alt(rows, axis),
        table=shown,
    )
    if with_strengths:
        st.caption(
            "Bradley and Terry's strengths with Davidson's ties: a difference of 1 is odds of e to "
            "1, about 2.7 to 1. Where a bar ends in an arrow these data set no limit on that side. "
            f"{found.intervals()} {plain(found.counts())}."
        )
        title = "How likely the row beats the column, ties aside"
        chart(
            ratings.chances(ranked.chances, found.names, title),
            key="ratings.chances",
            name=f"{found.file}-chances",
            alt=title,
            table=ranked.chances.rename(index=found.names, columns=found.names).reset_index(),
        )
