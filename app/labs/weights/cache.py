"""What was measured for the Weights page, read again only when its file has grown. No torch."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from peftcore.labs.weights.request import WeightsJob, WeightsRequest
from peftcore.system import atomic_files


def measured_runs() -> set[str]:
    """Return ids of runs of which changes were measured."""
    jobs = [job for job in WeightsJob.list_all() if job.status().state == "done"]
    return {job.request.runs[0] for job in jobs}


def find_job(request: WeightsRequest) -> WeightsJob | None:
    """Return what is known of a request, if anything was measured."""
    job = WeightsJob.find(request)
    return job if job and job.plan() else None


def sites(job: WeightsJob) -> pd.DataFrame:
    """Return a row for each site and seed."""
    return _tables(job.folder, _modified(job), job)[0]


def overlaps(job: WeightsJob) -> pd.DataFrame:
    """Return a row for each site and pair of seeds."""
    return _tables(job.folder, _modified(job), job)[1]


def _modified(job: WeightsJob) -> int:
    return atomic_files.modified_ns(job.folder / "values.jsonl")


@st.cache_data(max_entries=24, show_spinner=False)
def _tables(folder: object, modified: int, _job: WeightsJob) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read both tables of a job."""
    return _job.sites(), _job.overlaps()
