"""The Scores view of the Ratings page: what each method's explanations are worth to people."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.figures import ratings
from app.figures.ratings import IntervalRow
from app.figures.theme import plotly_text
from app.rating import results
from app.rating.results import ProjectResults
from app.ui.charts import chart
from app.ui.widgets import escape_markdown
from peftcore import rating
from peftcore.analysis import score_sentences


def show_scores(project_results: ProjectResults) -> None:
    """Show the score of each method's explanations; for pairs the ranking."""
    if project_results.mode == "pairwise":
        show_ranking(project_results)
        return
    dimension = results.pick_dimension(
        project_results, "Score", "The mean of all dimensions", "ratings.score"
    )
    table = results.source_scores(project_results, dimension)
    rows = [
        IntervalRow(
            project_results.names[row["source"]],
            row["mean"],
            *results.interval_limits(row),
            f"{results.count_text(row['items'], 'item')}, "
            f"{results.count_text(row['raters'], 'rater')}{results.reason_suffix(row['reason'])}",
            project_results.styles[row["source"]],
        )
        for row in table.to_dict("records")
    ]
    items = results.count_text(project_results.verdicts["item"].nunique(), "item")
    title = (
        f"95 % intervals, {items}, {results.count_text(len(project_results.rater_names), 'rater')}"
    )
    _headline(project_results, table, dimension)
    shown = table.rename(columns={"source": "run or method"})
    shown.insert(0, "name", [project_results.names[source] for source in table["source"]])
    chart(
        ratings.interval_chart(rows, "Human score (0 to 1)", title, span=(-0.03, 1.1)),
        key="ratings.scores",
        name=f"{project_results.file_stem}-{dimension or 'scores'}",
        alt=ratings.interval_chart_alt(rows, title),
        table=shown,
    )
    scale = "yes 1, weak yes 2/3, weak no 1/3, no 0"
    if project_results.mode == "likert":
        mean = f"“{rating.DIMENSIONS[dimension]}”" if dimension else "the mean of the dimensions"
        scale = f"{mean}, 1 to 5 stretched to 0 to 1"
    st.caption(
        f"The mean over items of each item's mean over raters ({scale}). "
        f"{_correctness_note(project_results)}"
        f"{project_results.interval_note()} {escape_markdown(project_results.counts_text())}."
    )
    if len(table) > 1:
        _show_differences(project_results, table, dimension)


def _headline(project_results: ProjectResults, table: pd.DataFrame, dimension: str) -> None:
    """The best method, and whether it is surely ahead of the next."""
    methods = table[table["source"] != results.GOLD].reset_index(drop=True)
    if methods.empty:
        return
    differences = pd.DataFrame()
    if len(methods) > 1:
        second = methods["source"][1]
        differences = results.source_differences(project_results, second, dimension)
    names = {key: f"**{escape_markdown(name)}**" for key, name in project_results.names.items()}
    st.markdown(score_sentences.best_in_words(methods, differences, names))


def _correctness_note(project_results: ProjectResults) -> str:
    """Say which answers stand beside the explanations, on which the score depends."""
    if project_results.correct_share is None:
        return ""
    if project_results.correct_share < 1:
        share = f"{project_results.correct_share:.0%}"
        return f"{share} of the methods' answers that were drawn are right; FEB draws only those. "
    if project_results.mode == "single":
        return "Only right answers were drawn, so times 100 it is the score that FEB prints. "
    return "Only right answers were drawn. "


def _show_differences(project_results: ProjectResults, table: pd.DataFrame, dimension: str) -> None:
    """Show how far each is from one of them, with what both share left out."""
    st.subheader("Differences", anchor=False)
    sources = table["source"].tolist()
    reference = st.selectbox(
        "Difference to",
        sources,
        index=next((n for n, each in enumerate(sources) if each != results.GOLD), 0),
        format_func=project_results.names.__getitem__,
        key="ratings.reference",
    )
    differences = results.source_differences(project_results, reference, dimension)
    rows = [
        IntervalRow(
            project_results.names[row["source"]],
            row["difference"],
            *results.interval_limits(row),
            f"{row['verdict']}; {results.count_text(row['examples'], 'shared example')}"
            + results.reason_suffix(row["reason"]),
            project_results.styles[row["source"]],
        )
        for row in differences.to_dict("records")
    ]
    axis = "Difference in human score"
    title = f"To {project_results.names[reference]}, 95 % intervals"
    shown = differences.rename(columns={"source": "run or method"})
    shown.insert(0, "name", [project_results.names[source] for source in differences["source"]])
    chart(
        ratings.interval_chart(rows, axis, plotly_text(title), form="+.2f", reference=0.0),
        key="ratings.differences",
        name=f"{project_results.file_stem}-differences",
        alt=ratings.interval_chart_alt(rows, title, "+.2f"),
        table=shown,
    )
    st.caption(
        "How hard an example or how strict a rater is drops out of a difference. Verdicts in the "
        f"table are corrected for {results.count_text(len(rows), 'comparison')} (Holm); a "
        "difference within 2 points for sure is equal. Bars are not corrected."
    )


def show_ranking(project_results: ProjectResults) -> None:
    """Bradley and Terry's strengths, and who beats whom."""
    ranked = results.source_ranking(project_results)
    table = ranked.methods
    if ranked.reason:
        st.info(escape_markdown(f"No strengths: {ranked.reason}."), icon=":material/info:")
    with_strengths = table["strength"].notna().any() if len(table) else False
    columns = (
        ("strength", "low", "high") if with_strengths else ("share", "share_low", "share_high")
    )
    rows = [
        IntervalRow(
            project_results.names[row["method"]],
            results.number_or_none(row[columns[0]]),
            results.number_or_none(row[columns[1]]),
            results.number_or_none(row[columns[2]]),
            f"{row['wins']} won, {row['ties']} tied, {row['losses']} lost",
            project_results.styles[row["method"]],
        )
        for row in table.to_dict("records")
    ]
    if all(row.value is None for row in rows):  # a chart would be empty axes
        if not ranked.reason:
            st.info("Nothing has been compared yet.", icon=":material/info:")
        return
    axis = "Share of comparisons won, ties half"
    if with_strengths:
        axis = "Strength (log odds against the average method)"
    title = f"95 % intervals, {results.count_text(ranked.comparisons, 'comparison')}"
    shown = table.rename(columns={"method": "run or method"})
    shown.insert(0, "name", [project_results.names[source] for source in table["method"]])
    chart(
        ratings.interval_chart(rows, axis, title, reference=0.0 if with_strengths else 0.5),
        key="ratings.ranking",
        name=f"{project_results.file_stem}-ranking",
        alt=ratings.interval_chart_alt(rows, axis),
        table=shown,
    )
    if with_strengths:
        st.caption(
            "Bradley and Terry's strengths with Davidson's ties: a difference of 1 is odds of e to "
            "1, about 2.7 to 1. Where a bar ends in an arrow these data set no limit on that side. "
            f"{project_results.interval_note()} {escape_markdown(project_results.counts_text())}."
        )
        title = "How likely the row beats the column, ties aside"
        chart(
            ratings.win_chance_heatmap(ranked.chances, project_results.names, title),
            key="ratings.chances",
            name=f"{project_results.file_stem}-chances",
            alt=title,
            table=ranked.chances.rename(
                index=project_results.names, columns=project_results.names
            ).reset_index(),
        )
