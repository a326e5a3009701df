"""The views of the Compare page: the table, curves and labels here, others in their own files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from app.compare import answers as compare_answers
from app.compare import (
    flips_view,
    latex,
    metrics_view,
    pareto_view,
    power_view,
    settings_view,
    slices_view,
    tables,
    verdict_views,
)
from app.compare.selection import Comparison
from app.figures import compare, curves, labels
from app.state.run_catalog import task_title
from app.ui import url_state
from app.ui.charts import chart
from app.ui.widgets import csv_bytes, format_duration
from peftcore.analysis import best_steps, missing_scores
from peftcore.rating import HumanScore

SMOOTHING = (1, 3, 5, 9, 15)  # steps
MARKS = {
    "circle": "●",
    "diamond": "◆",
    "square": "■",
    "triangle-up": "▲",
    "x": "✖",
    "cross": "✚",
    "star": "★",
    "hexagon": "⬢",
}


def show_summary(chosen: Comparison) -> None:
    """The table of runs, with downloads as CSV and LaTeX."""
    shown = _summary_in_words(chosen)
    shown = shown[["Key", "Run", *_pick_columns(list(shown)[2:])]]
    colours = [chosen.styles[run].colour for run in chosen.summary["run"]]
    styled = shown.style.apply(lambda _: [f"color: {c}" for c in colours], subset=["Key"])
    form, title = compare.value_format(chosen.metric), compare.find_measure(chosen.metric).title
    number = f"%{form}"
    st.dataframe(
        styled,
        hide_index=True,
        alt=compare.score_intervals_alt(chosen.summary, chosen.metric, chosen.styles),
        placeholder="–",
        column_config={
            "Key": st.column_config.TextColumn(width=50),
            "Run": st.column_config.TextColumn(width="medium"),
            title: st.column_config.NumberColumn(format=number),
            "Trainable parameters": st.column_config.NumberColumn(format="localized"),
            "Human score": st.column_config.TextColumn(
                help="Mean verdict on its explanations, 0 to 1: yes 1, weak yes 2/3, weak no 1/3, "
                "no 0; with its 95 % interval over examples and raters. Agreement is on the "
                "Ratings page.",
            ),
        },
    )
    names = {run: style.name for run, style in chosen.styles.items()}
    for sentence in missing_scores.missing_in_words(chosen.runs, [chosen.metric], names):
        st.warning(sentence)
    if chosen.human_scores:
        st.caption(_human_score_note(list(chosen.human_scores.values())))
    name = f"{chosen.file_stem}-summary"
    with st.container(horizontal=True, gap="small"):
        for label, text, ending, mime in (
            ("CSV", csv_bytes(_summary_export(chosen)), "csv", "text/csv"),
            ("LaTeX", _latex_summary(chosen), "tex", "text/x-tex"),
        ):
            st.download_button(
                label,
                text,
                f"{name}.{ending}",
                mime,
                key=f"compare.download.{ending}",
                icon=":material/download:",
                on_click="ignore",
                help=f"The table above as {label}",
            )


def _pick_columns(known: list[str]) -> list[str]:
    """Columns of the table that the reader wants, kept in the address; all to begin with."""
    key = "compare.columns"
    on_change = url_state.sync_several_with_url("Column", key, known, first=known)
    with st.popover("Columns", icon=":material/view_column:"):
        chosen = st.multiselect("Columns", known, key=key, on_change=on_change)
    return [name for name in known if name in chosen]


def _summary_in_words(chosen: Comparison) -> pd.DataFrame:
    """The summary in a reader's words."""
    rows, form = chosen.summary, compare.value_format(chosen.metric)
    styles = [chosen.styles[run] for run in rows["run"]]
    limits = [
        reason if pd.isna(low) else f"{low:{form}} to {high:{form}}"
        for low, high, reason in zip(rows["low"], rows["high"], rows["reason"], strict=True)
    ]
    shown = pd.DataFrame(
        {
            "Key": [MARKS[style.symbol] for style in styles],
            "Run": [style.name for style in styles],
            compare.find_measure(chosen.metric).title: [
                float(f"{mean:{form}}") for mean in rows["mean"]
            ],
            "95 % interval": limits,
            "Seeds": rows["n"],
            "Examples": rows["items"],
            "Trainable parameters": rows["trainable"],
            "Time, all seeds": [
                "" if pd.isna(seconds) else format_duration(seconds) for seconds in rows["seconds"]
            ],
        }
    )
    if chosen.human_scores:
        human_scores = [chosen.human_scores.get(run) for run in rows["run"]]
        position = shown.columns.get_loc("Seeds") + 1
        shown.insert(
            position,
            "Human score",
            [_human_score_text(each) if each else None for each in human_scores],
        )
        shown.insert(
            position + 1, "Rated", [_human_score_n(each) if each else "" for each in human_scores]
        )
    return shown


def _human_score_note(scores: Sequence[HumanScore]) -> str:
    """Say what the human scores shown have in common, and what not."""
    if len({score.projects for score in scores}) > 1:
        return (
            "Human scores are from different rating projects, so of other examples or other "
            "raters; the Ratings page compares within one."
        )
    if all(score.correct_share == 1 for score in scores):
        return "Human scores are of explanations of right answers only, as in FEB."
    return "Human scores are of explanations of right and wrong answers alike; FEB's of right ones."


def _human_score_text(score: HumanScore) -> str:
    """Return a human score with its 95 % interval in words."""
    if score.low is None or score.high is None:
        return f"{score.score:.2f}"
    return f"{score.score:.2f} ({score.low:.2f} to {score.high:.2f})"


def _human_score_n(score: HumanScore) -> str:
    """The n of a human score; simulated raters are never called people."""
    rater_kind = "simulated" if score.simulated else "raters"
    return f"n = {score.items}, {score.raters} {rater_kind}"


def _summary_export(chosen: Comparison) -> pd.DataFrame:
    """The summary as numbers, names first."""
    rows = chosen.summary.copy()
    rows.insert(0, "name", [chosen.styles[run].name for run in rows["run"]])
    rows.insert(5, "metric", chosen.metric)
    if chosen.human_scores:
        human_scores = [chosen.human_scores.get(run) for run in rows["run"]]
        rows["human_score"] = [each.score if each else None for each in human_scores]
        rows["human_low"] = [each.low if each else None for each in human_scores]
        rows["human_high"] = [each.high if each else None for each in human_scores]
        rows["human_items"] = [each.items if each else 0 for each in human_scores]
        rows["human_raters"] = [each.raters if each else 0 for each in human_scores]
        rows["human_simulated"] = [each.simulated if each else None for each in human_scores]
    return rows


def _latex_summary(chosen: Comparison) -> str:
    """Return the summary as a LaTeX table with its caption."""
    spec = chosen.runs[0].spec
    names = {run: style.name for run, style in chosen.styles.items()}
    title = compare.find_measure(chosen.metric).title
    caption = (
        f"{title} on {task_title(spec.task)} with {spec.training.shots} training examples on "
        f"{spec.base}: mean and half width of the 95 % interval, which is about "
        f"{chosen.judgement.population}."
    )
    return latex.latex_table(
        chosen.summary, names, title, compare.value_format(chosen.metric), caption
    )


def show_learning_curves(chosen: Comparison) -> None:
    """Training and validation loss side by side."""
    window = _pick_smoothing()
    histories = {run.id: curves.smooth(run.history(), window) for run in chosen.runs}
    for column, value in zip(st.columns(2), ("dev_loss", "train_loss"), strict=True):
        with column:
            chart(
                curves.learning_curves(histories, chosen.styles, value),  # type: ignore[arg-type]
                key=f"compare.{value}",
                name=f"{chosen.runs[0].spec.task}-{value}",
                alt=curves.learning_curves_alt(histories, chosen.styles, value),  # type: ignore[arg-type]
                table=curves.learning_curves_table(histories, chosen.styles, value),  # type: ignore[arg-type]
            )
    st.caption(
        "Thick: mean over seeds. Band: its 95 % interval. Thin: single seeds. "
        "The adapter kept for each seed is the one of the step with the "
        f"{best_steps.kept_by(run.spec.training for run in chosen.runs)}."
    )


def _pick_smoothing() -> int:
    """Over how many measured steps curves are averaged, kept in the address."""
    key = "compare.smooth"
    change = url_state.sync_with_url("Smoothing", key, SMOOTHING)
    return st.select_slider(
        "Smoothing (measured steps)",
        SMOOTHING,
        key=key,
        on_change=change,
        width=320,
        help="Each seed's curve is averaged over so many neighbouring steps; 1 shows it as it is.",
    )


def show_confusions(chosen: Comparison) -> None:
    """Show a matrix of gold labels and answers for each run."""
    label_names = chosen.task.labels if chosen.task else ()
    if not label_names:
        st.info("This task asks for free text, so there are no labels to count.")
        return
    names, theme = tuple(label_names), str(st.context.theme.type)
    columns = st.columns(2)
    for index, run in enumerate(chosen.runs):
        style = chosen.styles[run.id]
        counts = tables.confusion_counts(run, names)
        with columns[index % 2]:
            chart(
                tables.confusion_figure(run, names, style.name, style.colour, theme),
                key=f"compare.labels.{run.id}",
                name=f"{chosen.runs[0].spec.task}-{run.id}-labels",
                alt=labels.confusion_heatmap_alt(counts, style.name),
                table=partial(tables.confusion_table, run, names),
            )


GROUPS: dict[str, dict[str, Callable[[Comparison], None]]] = {
    "Scores": {
        "Table": show_summary,
        "Metrics": metrics_view.show_metrics,
        "Against one": verdict_views.show_reference,
    },
    "Examples": {
        "Flips": flips_view.show_flips,
        "Slices": slices_view.show_slices,
        "Answers": compare_answers.show_answers,
        "Labels": show_confusions,
    },
    "Costs": {
        "Pareto": pareto_view.show_pareto,
        "Curves": show_learning_curves,
        "Power": power_view.show_power,
    },
    "Settings": {
        "All settings": settings_view.show_settings,
        "Groups": settings_view.show_groups,
    },
}
VIEWS = {name: show for group in GROUPS.values() for name, show in group.items()}
GROUP_KEY, VIEW_KEY = "compare.views", "compare.view"


def pick_view() -> str:
    """Offer groups of views and the views of one; the view stands in the address."""
    write_url = url_state.sync_with_url("View", VIEW_KEY, list(VIEWS))
    view = str(st.session_state[VIEW_KEY])
    group = next(name for name, views in GROUPS.items() if view in views)
    st.session_state[GROUP_KEY] = group

    def open_first() -> None:
        st.session_state[VIEW_KEY] = next(iter(GROUPS[st.session_state[GROUP_KEY]]))
        write_url()

    common: dict[str, Any] = {"required": True, "label_visibility": "collapsed"}
    with st.container(horizontal=True, gap="medium"):
        st.segmented_control(
            "Look closer at", list(GROUPS), key=GROUP_KEY, on_change=open_first, **common
        )
        st.segmented_control(
            "View", list(GROUPS[group]), key=VIEW_KEY, on_change=write_url, **common
        )
    return view
