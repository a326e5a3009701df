"""`forgetting`: general text and minimal pairs before training and after it, of earlier runs."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Annotated

import typer

from peftcore.cli import app, options, run_scores
from peftcore.jobs.worker import resolve_device
from peftcore.labs.forgetting.request import ForgettingJob, ForgettingRequest
from peftcore.runs.store import RunStore
from peftcore.system import printing


@app.command()
def forgetting(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Ids of finished runs.")],
    data: options.Data = None,
    device: options.Device = "auto",
    as_json: printing.AsJson = False,
) -> None:
    """Measure what runs forgot of general text; kept with the runs, shipped ones included.

    A run measures it at its end; this is for runs that were trained before there was such a
    measurement, or elsewhere. What is measured already is only printed.
    """
    options.use_data(data)
    store = RunStore()
    chosen = {run: store.open(run) for run in dict.fromkeys(runs)}
    job = ForgettingJob.create(ForgettingRequest.make({"runs": tuple(chosen)}))
    job.reset_if_lost()
    signal.signal(signal.SIGTERM, lambda *_: job.stop())
    with printing.job_bar("reading general text") as report:
        from peftcore.labs.forgetting.compute import run_forgetting_job  # loads torch

        run_forgetting_job(job, device=resolve_device(device), report=report)
    value = {run: run_scores.forgetting_with_intervals(each) for run, each in chosen.items()}

    def lines() -> Iterator[str]:
        for run, measures in value.items():
            yield f"run {run}: {chosen[run].spec.method} on {chosen[run].spec.base}"
            yield from run_scores.forgetting_lines(measures)

    printing.print_result(value, as_json, lines)
