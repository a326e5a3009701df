"""The views of the Ratings page by name, and those of verdicts, raters and automatic metrics."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from app.figures import ratings
from app.figures.ratings import Row
from app.rating import agreement_view, disagreements_view, import_export, scores_view
from app.rating import results as rating_results
from app.rating.results import Results
from app.theme import NEUTRAL, Look
from app.ui.charts import chart
from app.ui.widgets import number, plain, sentence
from peftcore import rating
from peftcore.analysis import preference
from peftcore.errors import BadInput
from peftcore.metrics import per_item
from peftcore.rating import questions

PLAIN = Look("", NEUTRAL)
GROUPS = {"Method": "source", "Label": "label", "Answer": "correct"}


def verdicts(found: Results) -> None:
    """Shares of each verdict, and shortcomings by method, label or correctness."""
    group = st.segmented_control(
        "By",
        list(GROUPS),
        default="Method",
        required=True,
        key="ratings.by",
        help="Answer: whether the label beside the explanation is right.",
    )
    by, rows = GROUPS[group], found.scored
    names = found.names
    if by == "correct":
        right = rows["correct"].map({True: "right answers", False: "wrong answers"})
        rows = rows.assign(correct=right.fillna("not known").astype(str))
        names = {}
    if by == "label":
        names = {}
    rows, kinds = _kinds(found, rows)
    order = _order(found, rows, by)
    rows = rows.assign(**{by: pd.Categorical(rows[by], order, ordered=True)}).sort_values(by)
    rows[by] = rows[by].astype(object)
    shares = preference.verdict_shares(rows, by, kinds)
    title = f"Share of each verdict, n = {len(rows)}"
    if found.mode == "pairwise":
        title = f"Share of each verdict, {len(found.said)} comparisons, each from both sides"
    chart(
        ratings.shares(shares, by, kinds, names, title),
        key=f"ratings.shares.{by}",
        name=f"{found.file}-verdicts",
        alt=ratings.shares_alt(shares, by, names),
        table=_named(shares, by, names),
    )
    words = rating.SHORTCOMINGS
    pairs = found.mode == "pairwise"
    blamed = rows[rows["verdict"] != "won"] if pairs else rows
    said = preference.shortcoming_counts(blamed, by, list(words))
    title = f"Shortcomings ticked, {len(blamed)} {'lost or tied' if pairs else 'verdicts'}"
    if said["count"].any():
        chart(
            ratings.mentions(said, by, names, words, title),
            key=f"ratings.mentions.{by}",
            name=f"{found.file}-shortcomings",
            alt=ratings.mentions_alt(said, by, names, words),
            table=_named(said, by, names),
        )
    else:
        st.caption("No shortcoming was ticked.")
    rule = "An explanation that two methods wrote word for word was rated once and counts for both."
    if pairs:
        rule = "In a pair they are those of the text that lost, in a tie of both."
    st.caption(
        f"One verdict may tick several shortcomings or none. {rule} {plain(found.counts())}."
    )


def _order(found: Results, rows: pd.DataFrame, by: str) -> list[str]:
    """The best method first; labels and answers by name."""
    if by != "source":
        return sorted(set(rows[by]))
    if found.mode == "pairwise":
        worth = rows["verdict"].map({"won": 1.0, "tied": 0.5, "lost": 0.0})
        means = worth.groupby(rows[by]).mean().sort_values(ascending=False, kind="stable")
        return [str(source) for source in means.index]
    return rating_results.scores(found)["source"].tolist()


def _kinds(found: Results, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Rows whose verdict is what bars are split by: verdicts, steps, or won, tied and lost."""
    if found.mode == "single":
        return rows, list(rating.VERDICTS)
    if found.mode == "likert":
        dimension = st.selectbox(
            "Dimension",
            list(rating.DIMENSIONS),
            format_func=lambda name: rating.DIMENSIONS[name],
            key="ratings.dimension",
        )
        steps = [str(int(step)) for step in rows[dimension]]
        return rows.assign(verdict=steps), [str(step) for step in reversed(rating.STEPS)]
    places = {"first": 0, "second": 1}
    results = []
    for won, place in zip(questions.outcomes(rows), rows["place"], strict=True):
        results.append("tied" if won == "tie" else "won" if places[won] == place else "lost")
    return rows.assign(verdict=results), ["won", "tied", "lost"]


def _named(table: pd.DataFrame, by: str, names: dict[str, str]) -> pd.DataFrame:
    if not names:
        return table
    shown = table.copy()
    shown.insert(0, "name", [names.get(each, each) for each in table[by]])
    return shown


def raters(found: Results) -> None:
    """How mildly and how fast each rater rates, and whether the checks were passed."""
    table = rating_results.effects(found)
    pairs = found.mode == "pairwise"
    rows = [
        Row(
            row["name"],
            rating_results.known(row["leniency"]),
            *rating_results.limits(row),
            f"{row['shared']} shared items" + rating_results.because(row["reason"]),
            PLAIN,
        )
        for row in table.to_dict("records")
    ]
    axis = "Milder than the others on the same items (difference in score)"
    if pairs:
        axis = "Prefers the left side more than the others (difference in share)"
    title = f"Habits of raters, 95 % intervals, {found.said['item'].nunique()} items"
    shown = pd.DataFrame(
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
    st.dataframe(
        shown,
        hide_index=True,
        alt=f"{len(shown)} raters: verdicts, means, seconds and checks",
        column_config={
            "Mean score": st.column_config.NumberColumn(format="%.2f"),
            "Left side chosen": st.column_config.NumberColumn(format="%.2f"),
            "Seconds per item (median)": st.column_config.NumberColumn(format="%.0f"),
        },
    )
    chart(
        ratings.intervals(rows, axis, title, form="+.2f", reference=0.0),
        key="ratings.raters",
        name=f"{found.file}-raters",
        alt=ratings.intervals_alt(rows, axis, "+.2f"),
        table=table,
    )
    st.caption(
        "A rater whose bar lies off the line rates otherwise than the rest on equal items. "
        "Intervals draw items anew. Own answers are those given before an explanation was shown. "
        f"{plain(found.counts())}."
    )


def beside_metrics(found: Results) -> None:
    """How the human score goes with each automatic metric, item by item."""
    if found.mode == "pairwise":
        st.info("Pairs have no score of their own, so there is nothing to correlate.")
        return
    with_models = per_item.models_at_hand() and st.toggle(
        "Score meaning too (loads a model)", key="ratings.models", persist_state="session"
    )
    try:
        table = rating_results.beside_metrics(found, with_models)
    except BadInput as error:
        st.info(plain(sentence(str(error))))
        return
    known = rating_results.correlations(table)
    rows = [
        Row(per_item.TITLES[name], each.spearman, each.low, each.high, _beside(each), PLAIN)
        for name, each in known.items()
    ]
    title = f"Correlation with the human score, 95 % intervals, {len(table)} items"
    chart(
        ratings.intervals(rows, "Spearman correlation", title, reference=0.0, span=(-1.05, 1.05)),
        key="ratings.correlations",
        name=f"{found.file}-correlations",
        alt=ratings.intervals_alt(rows, title),
        table=pd.DataFrame([{"metric": name} | vars(each) for name, each in known.items()]),
    )
    for name, each in known.items():
        if each.reason:
            st.caption(plain(f"{per_item.TITLES[name]}: {each.reason}."))
    metric = st.selectbox(
        "Metric",
        list(known),
        format_func=lambda name: per_item.TITLES[name],
        key="ratings.metric",
    )
    title = f"Every rated item, n = {len(table)}"
    chart(
        ratings.against(table, metric, per_item.TITLES[metric], found.looks, title),
        key=f"ratings.against.{metric}",
        name=f"{found.file}-{metric}",
        alt=f"Human score against {per_item.TITLES[metric]}, {len(table)} items",
        table=table,
    )
    st.caption(
        "The data set's own explanations are left out: metrics compare with them. An explanation "
        "that several methods wrote word for word is one item, drawn once. Marks grow with how "
        "many items are in one place. Intervals draw examples anew and keep the raters."
    )


def _beside(found: preference.Correlation) -> str:
    if found.pearson is None:
        return found.reason
    return f"Pearson {number(found.pearson)}, n = {found.n}" + rating_results.because(found.reason)


VIEWS: dict[str, Callable[[Results], None]] = {
    "Scores": scores_view.scores,
    "Verdicts": verdicts,
    "Agreement": agreement_view.agreeing,
    "Raters": raters,
    "Disagreements": disagreements_view.disagreements,
    "Metrics": beside_metrics,
    "Export": import_export.exported,
}
