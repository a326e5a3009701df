"""A button that writes the comparison on the page as one HTML file, made when it is clicked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import streamlit as st

from app.state import cache
from app.state.rating_store import current_experimenter, rating_store
from peftcore.analysis.inference import Population
from peftcore.rating import reporting
from peftcore.reports.groups import ReportOptions
from peftcore.reports.write import build_report, report_html
from peftcore.runs.store import Run
from peftcore.sweeps import tuning_budget


def offer_report(
    runs: Sequence[Run],
    metric: str,
    margin: float | None = None,
    population: Population = "this task",
    across_bases: bool = False,
) -> None:
    """Offer the comparison of these runs as a file to send; nothing is computed before a click.

    margin: in points; None takes the usual one.
    """
    options = ReportOptions(
        metric, margin, population, across_bases=across_bases, made=f"{date.today():%d %B %Y}"
    )
    store, user, run_store = rating_store(), current_experimenter(), cache.run_store()

    def content() -> bytes:
        """Write the report; runs beside the page, so it calls nothing of Streamlit."""
        rated = reporting.rated_projects(store, user, [run.id for run in runs])
        tried = tuning_budget.tried_rates(runs, run_store.all())
        return report_html(build_report(runs, options, rated, tried=tried)).encode()

    st.download_button(
        "Report",
        content,
        f"{runs[0].spec.task}-{metric}-report.html",
        "text/html",
        key="compare.report",
        icon=":material/description:",
        on_click="ignore",
        help="Verdicts, figures, tables, settings, sources, a methods paragraph and LaTeX in one "
        "HTML file, which opens without a server or a network.",
    )
