"""Several metrics at once: runs × metrics with intervals and marks."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.compare import tables
from app.compare.selection import Comparison
from app.figures.compare import find_measure, value_format
from app.ui import url_state
from app.ui.widgets import download, escape_markdown
from peftcore.analysis.judgement import JudgedRuns

FIRST_METRICS = 3  # shown before the reader chooses
BEST, WITH_BEST, EQUAL_BEST = "▲", "?", "="


def show_metrics(chosen: Comparison) -> None:
    """Choose metrics; every run's mean, interval and how it stands to the best."""
    known = tables.known_metrics(chosen.runs)
    first = list(dict.fromkeys([chosen.metric, *known]))[:FIRST_METRICS]
    title = lambda name: find_measure(name).title
    key = "compare.metrics"
    on_change = url_state.sync_several_with_url(
        "Metric", key, known, format_option=title, first=first
    )
    metrics = st.multiselect("Metrics", known, format_func=title, key=key, on_change=on_change)
    if not metrics:
        st.info("Choose at least one metric.")
        return
    judged = {
        metric: tables.judge(chosen.runs, metric, chosen.margin, chosen.population)
        for metric in metrics
    }
    order = list(chosen.summary["run"])
    words = pd.DataFrame({"Run": [chosen.names[run] for run in order]})
    for metric, found in judged.items():
        words[_column(metric)] = [_cell(found, run) for run in order]
    st.dataframe(words, hide_index=True, alt=_alt(words), placeholder="–")
    download(words, key="compare.metrics.table", name=f"{chosen.runs[0].spec.task}-metrics")
    limits = sorted({found.limits for found in judged.values() if found.limits})
    st.caption(
        escape_markdown(
            f"{BEST} best, and ahead of every other run; {EQUAL_BEST} equal to the best within "
            f"{chosen.margin:g} points; {WITH_BEST} best, or these data cannot tell it from the "
            "best; no mark: behind the best. Intervals are 95 %, about "
            f"{chosen.population}; Holm's correction counts all pairs of a metric. "
            + " ".join(f"{each}." for each in limits)
        )
    )


def _column(metric: str) -> str:
    """Return a metric's title; an arrow where lower is better."""
    info = find_measure(metric)
    return f"{info.title} ↓" if info.better == "lower" else info.title


def _cell(found: JudgedRuns, run: str) -> str:
    """Return a run's mean with its interval and mark."""
    each, form = found.estimates.get(run), value_format(found.metric)
    if each is None or each.mean is None:
        return ""
    words = f"{mark(found, run)} {each.mean:{form}}".strip()
    if each.low is None or each.high is None:
        return f"{words} ({each.reason})" if each.reason else words
    return f"{words} ({each.low:{form}} to {each.high:{form}})"


def mark(found: JudgedRuns, run: str) -> str:
    """Return how a run stands to the best of a metric."""
    best = next(iter(found.tables))
    if len(found.tables) < 2:
        return ""
    if run == best:
        others = [found.between(best, other) for other in found.tables if other != best]
        return BEST if all(row["verdict"] == "ahead" for row in others) else WITH_BEST
    verdict = found.between(run, best)["verdict"]
    return {"equal": EQUAL_BEST, "cannot tell": WITH_BEST}.get(verdict, "")


def _alt(words: pd.DataFrame) -> str:
    """Return the table in words."""
    rows = [", ".join(f"{name} {row[name]}" for name in words) for _, row in words.iterrows()]
    return f"Runs by metrics. {'; '.join(rows)}."
