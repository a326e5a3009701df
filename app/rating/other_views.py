"""The views of the Ratings page by name, and those of verdicts, raters and automatic metrics."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from app.figures import ratings
from app.figures.ratings import IntervalRow
from app.figures.theme import NEUTRAL, RunStyle
from app.rating import agreement_view, disagreements_view, import_export, scores_view
from app.rating import results as rating_results
from app.rating.results import ProjectResults
from app.ui import pickers
from app.ui.charts import chart
from app.ui.widgets import as_sentence, escape_markdown, format_metric
from peftcore import rating
from peftcore.analysis import preference
from peftcore.errors import BadInput
from peftcore.metrics import per_item
from peftcore.rating import questions

NEUTRAL_STYLE = RunStyle("", NEUTRAL)
GROUP_COLUMNS = {"Method": "source", "Label": "label", "Answer": "correct"}


def show_verdicts(project_results: ProjectResults) -> None:
    """Shares of each verdict, and shortcomings by method, label or correctness."""
    group = pickers.pick_one(
        "By",
        list(GROUP_COLUMNS),
        "ratings.by",
        default="Method",
        help="Answer: whether the label beside the explanation is right.",
    )
    by, rows = GROUP_COLUMNS[group], project_results.scored
    names = project_results.names
    if by == "correct":
        right = rows["correct"].map({True: "right answers", False: "wrong answers"})
        rows = rows.assign(correct=right.fillna("not known").astype(str))
        names = {}
    if by == "label":
        names = {}
    rows, kinds = _rows_by_kind(project_results, rows)
    order = _group_order(project_results, rows, by)
    rows = rows.assign(**{by: pd.Categorical(rows[by], order, ordered=True)}).sort_values(by)
    rows[by] = rows[by].astype(object)
    shares = preference.verdict_shares(rows, by, kinds)
    title = f"Share of each verdict, n = {len(rows)}"
    if project_results.mode == "pairwise":
        count = len(project_results.verdicts)
        title = f"Share of each verdict, {count} comparisons, each from both sides"
    chart(
        ratings.verdict_share_bars(shares, by, kinds, names, title),
        key=f"ratings.shares.{by}",
        name=f"{project_results.file_stem}-verdicts",
        alt=ratings.verdict_share_alt(shares, by, names),
        table=_with_names(shares, by, names),
    )
    words = rating.SHORTCOMINGS
    pairs = project_results.mode == "pairwise"
    rows_with_shortcomings = rows[rows["verdict"] != "won"] if pairs else rows
    shortcoming_counts = preference.shortcoming_counts(rows_with_shortcomings, by, list(words))
    counted = "lost or tied" if pairs else "verdicts"
    title = f"Shortcomings ticked, {len(rows_with_shortcomings)} {counted}"
    if shortcoming_counts["count"].any():
        chart(
            ratings.shortcoming_heatmap(shortcoming_counts, by, names, words, title),
            key=f"ratings.mentions.{by}",
            name=f"{project_results.file_stem}-shortcomings",
            alt=ratings.shortcoming_heatmap_alt(shortcoming_counts, by, names, words),
            table=_with_names(shortcoming_counts, by, names),
        )
    else:
        st.caption("No shortcoming was ticked.")
    rule = "An explanation that two methods wrote word for word was rated once and counts for both."
    if pairs:
        rule = "In a pair they are those of the text that lost, in a tie of both."
    st.caption(
        f"One verdict may tick several shortcomings or none. {rule} "
        f"{escape_markdown(project_results.counts_text())}."
    )


def _group_order(project_results: ProjectResults, rows: pd.DataFrame, by: str) -> list[str]:
    """The best method first; labels and answers by name."""
    if by != "source":
        return sorted(set(rows[by]))
    if project_results.mode == "pairwise":
        win_values = rows["verdict"].map({"won": 1.0, "tied": 0.5, "lost": 0.0})
        means = win_values.groupby(rows[by]).mean().sort_values(ascending=False, kind="stable")
        return [str(source) for source in means.index]
    return rating_results.source_scores(project_results)["source"].tolist()


def _rows_by_kind(
    project_results: ProjectResults, rows: pd.DataFrame
) -> tuple[pd.DataFrame, list[str]]:
    """Rows whose verdict is what bars are split by: verdicts, steps, or won, tied and lost."""
    if project_results.mode == "single":
        return rows, list(rating.VERDICTS)
    if project_results.mode == "likert":
        dimension = st.selectbox(
            "Dimension",
            list(rating.DIMENSIONS),
            format_func=lambda name: rating.DIMENSIONS[name],
            key="ratings.dimension",
        )
        steps = [str(int(step)) for step in rows[dimension]]
        return rows.assign(verdict=steps), [str(step) for step in reversed(rating.STEPS)]
    text_indices = {"first": 0, "second": 1}
    row_outcomes = []
    for outcome, text_index in zip(questions.pairwise_outcomes(rows), rows["place"], strict=True):
        row_outcomes.append(
            "tied" if outcome == "tie" else "won" if text_indices[outcome] == text_index else "lost"
        )
    return rows.assign(verdict=row_outcomes), ["won", "tied", "lost"]


def _with_names(table: pd.DataFrame, by: str, names: dict[str, str]) -> pd.DataFrame:
    """Return the table with the names that the page shows in front."""
    if not names:
        return table
    shown = table.copy()
    shown.insert(0, "name", [names.get(each, each) for each in table[by]])
    return shown


def _raters_table(table: pd.DataFrame, pairs: bool) -> pd.DataFrame:
    """The raters' habits as people read them."""
    return pd.DataFrame(
        {
            "Rater": table["name"],
            "Verdicts": table["verdicts"],
            "Left side chosen" if pairs else "Mean score": table["mean"],
            "Seconds per item (median)": table["seconds"],
            "Own answers right": [
                f"{right} of {answered}"
                for right, answered in zip(table["answers_correct"], table["ratings"], strict=True)
            ],
            "Checks passed": [
                f"{passed} of {checks}" if checks else ""
                for passed, checks in zip(table["checks_passed"], table["checks"], strict=True)
            ],
        }
    )


def show_raters(project_results: ProjectResults) -> None:
    """Show how mildly and fast each rater rates, and whether the checks were passed."""
    table = rating_results.rater_effects(project_results)
    pairs = project_results.mode == "pairwise"
    rows = [
        IntervalRow(
            row["name"],
            rating_results.number_or_none(row["leniency"]),
            *rating_results.interval_limits(row),
            rating_results.count_text(row["shared"], "shared item")
            + rating_results.reason_suffix(row["reason"]),
            NEUTRAL_STYLE,
        )
        for row in table.to_dict("records")
    ]
    axis = "Milder than the others on the same items (difference in score)"
    if pairs:
        axis = "Prefers the left side more than the others (difference in share)"
    items = rating_results.count_text(project_results.verdicts["item"].nunique(), "item")
    title = f"Habits of raters, 95 % intervals, {items}"
    shown = _raters_table(table, pairs)
    st.dataframe(
        shown,
        hide_index=True,
        alt=f"{rating_results.count_text(len(shown), 'rater')}: verdicts, means, seconds, checks",
        column_config={
            "Mean score": st.column_config.NumberColumn(format="%.2f"),
            "Left side chosen": st.column_config.NumberColumn(format="%.2f"),
            "Seconds per item (median)": st.column_config.NumberColumn(format="%.0f"),
        },
    )
    if table["leniency"].isna().all():
        st.info(
            "No item has verdicts of two raters yet, so nobody can be milder than the others.",
            icon=":material/info:",
        )
        return
    chart(
        ratings.interval_chart(rows, axis, title, form="+.2f", reference=0.0),
        key="ratings.raters",
        name=f"{project_results.file_stem}-raters",
        alt=ratings.interval_chart_alt(rows, axis, "+.2f"),
        table=table,
    )
    st.caption(
        "A rater whose bar lies off the line rates otherwise than the rest on equal items. "
        "Intervals are about other examples. Own answers are those given before an explanation "
        "was shown. "
        f"{escape_markdown(project_results.counts_text())}."
    )


def show_metrics(project_results: ProjectResults) -> None:
    """Show the human score against each automatic metric, item by item."""
    if project_results.mode == "pairwise":
        st.info("Pairs have no score of their own, so there is nothing to correlate.")
        return
    with_models = per_item.model_metrics_available() and st.toggle(
        "Score meaning too (loads a model)", key="ratings.models", persist_state="session"
    )
    try:
        table = rating_results.metric_table(project_results, with_models)
    except BadInput as error:
        st.info(escape_markdown(as_sentence(str(error))))
        return
    correlations = rating_results.metric_correlations(table)
    _show_correlations(project_results, correlations, len(table))
    judged = any(each.spearman is not None for each in correlations.values())
    for name, each in correlations.items():
        if each.reason and judged:
            st.caption(escape_markdown(f"{per_item.TITLES[name]}: {each.reason}."))
    metric = st.selectbox(
        "Metric",
        list(correlations),
        format_func=lambda name: per_item.TITLES[name],
        key="ratings.metric",
    )
    title = f"Every rated item, n = {len(table)}"
    chart(
        ratings.human_against_metric_chart(
            table, metric, per_item.TITLES[metric], project_results.styles, title
        ),
        key=f"ratings.against.{metric}",
        name=f"{project_results.file_stem}-{metric}",
        alt=f"Human score against {per_item.TITLES[metric]}, {len(table)} items",
        table=table,
    )
    st.caption(
        "The data set's own explanations are left out: metrics compare with them. An explanation "
        "that several methods wrote word for word is one item, drawn once. Marks grow with how "
        "many items are in one place. Intervals are about other examples, these raters. Two raters "
        "do not agree fully either: how close one comes to the others, in the first row, is what a "
        "metric can hope for."
    )
    _show_assisted(project_results, metric, with_models)


def _show_correlations(
    project_results: ProjectResults, correlations: dict[str, preference.Correlation], items: int
) -> None:
    """Show how closely each metric follows people, and how closely one rater does."""
    rows = [
        IntervalRow(
            per_item.TITLES[name],
            each.spearman,
            each.low,
            each.high,
            _pearson_note(each),
            NEUTRAL_STYLE,
        )
        for name, each in correlations.items()
    ]
    ceiling = rating_results.rater_ceiling(project_results)
    rows.insert(
        0,
        IntervalRow(
            "One rater, with the mean of the others",
            ceiling.spearman,
            ceiling.low,
            ceiling.high,
            f"n = {ceiling.n} verdicts" + rating_results.reason_suffix(ceiling.reason),
            NEUTRAL_STYLE,
        ),
    )
    if all(row.value is None for row in rows):  # a chart would be empty axes
        reasons = dict.fromkeys(each.reason for each in (ceiling, *correlations.values()))
        st.info(escape_markdown(as_sentence("; ".join(reasons))), icon=":material/info:")
        return
    title = (
        "Correlation with the human score, 95 % intervals, "
        f"{rating_results.count_text(items, 'item')}"
    )
    chart(
        ratings.interval_chart(
            rows, "Spearman correlation", title, reference=0.0, span=(-1.05, 1.05)
        ),
        key="ratings.correlations",
        name=f"{project_results.file_stem}-correlations",
        alt=ratings.interval_chart_alt(rows, title),
        table=pd.DataFrame([{"metric": name} | vars(each) for name, each in correlations.items()]),
    )


def _show_assisted(project_results: ProjectResults, metric: str, with_models: bool) -> None:
    """Show the human score of all of each run's explanations, with the help of a metric."""
    st.subheader("What people would say of all explanations", anchor=False)
    try:
        found = rating_results.assisted_means(project_results, metric, with_models)
    except BadInput as error:
        st.info(escape_markdown(as_sentence(str(error))))
        return
    rows = []
    for source, each in found.items():
        style = project_results.styles.get(source, NEUTRAL_STYLE)
        for words, mean, note in (
            ("people alone", each.human, f"{each.human.n} rated"),
            ("with the metric", each.powered, f"{each.human.n} rated, {each.rest} not"),
        ):
            reason = rating_results.reason_suffix(each.reason)
            name = f"{style.name}, {words}"
            limits = (mean.mean, mean.low, mean.high)
            rows.append(IntervalRow(name, *limits, note + reason, style))
    title = f"Mean human score by help of {per_item.TITLES[metric]}, 95 % intervals"
    chart(
        ratings.interval_chart(rows, "Human score", title, span=(0.0, 1.0)),
        key=f"ratings.assisted.{metric}",
        name=f"{project_results.file_stem}-assisted-{metric}",
        alt=ratings.interval_chart_alt(rows, title),
        table=pd.DataFrame([vars(row) | {"style": row.style.name} for row in rows]),
    )
    st.caption(
        "People rated a sample; the metric scored that sample and every other answer that could "
        "have been drawn. Where the two go together the interval is narrower, and it is right "
        "whatever the metric measures, since what people say of the sample corrects it "
        "(prediction-powered inference). Another sample of explanations, the same raters."
    )


def _pearson_note(correlation: preference.Correlation) -> str:
    """Return Pearson's correlation with its n, or why there is none."""
    if correlation.pearson is None:
        return correlation.reason
    return (
        f"Pearson {format_metric(correlation.pearson)}, n = {correlation.n}"
        + rating_results.reason_suffix(correlation.reason)
    )


VIEWS: dict[str, Callable[[ProjectResults], None]] = {
    "Scores": scores_view.show_scores,
    "Verdicts": show_verdicts,
    "Agreement": agreement_view.show_agreement,
    "Raters": show_raters,
    "Disagreements": disagreements_view.show_disagreements,
    "Metrics": show_metrics,
    "Export": import_export.show_export,
}
