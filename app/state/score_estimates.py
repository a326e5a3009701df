"""Scores of runs with their intervals for a population, remembered by the run's files."""

from __future__ import annotations

import streamlit as st

from peftcore.analysis import judgement
from peftcore.analysis import score_estimates as analysis
from peftcore.analysis.inference import Estimate, Population
from peftcore.analysis.judgement import JudgedRuns
from peftcore.runs.store import Run


def _version(run: Run) -> tuple[str, int]:
    """Return what a run's estimates depend on."""
    path = run.folder / "scores.json"
    return str(run.folder), path.stat().st_mtime_ns if path.is_file() else 0


@st.cache_data(max_entries=256, show_spinner="Computing intervals…", hash_funcs={Run: _version})
def score_estimates(run: Run, population: Population) -> dict[str, Estimate]:
    """Return metric → estimate; metrics without parts by item are about these examples."""
    return analysis.score_estimates(run, population)


@st.cache_resource(max_entries=32, show_spinner="Computing intervals…", hash_funcs={Run: _version})
def judged_runs(runs: list[Run], metric: str, population: Population) -> JudgedRuns:
    """Return a verdict on every pair of runs, with the usual margin."""
    return judgement.judge_runs(runs, metric, population=population)
