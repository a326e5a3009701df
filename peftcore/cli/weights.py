"""`weights`: what a run changed where, or what the directions of two runs share."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from typing import Annotated

import pandas as pd
import typer

from peftcore.cli import app, options
from peftcore.labs.weights import request as measured
from peftcore.labs.weights.request import WeightsJob, WeightsRequest
from peftcore.system import printing
from peftcore.system.option_groups import grouped


@app.command()
@grouped
def weights(
    runs: Annotated[list[str], typer.Argument(metavar="RUN [RUN]", help="Ids of runs.")],
    resources: options.Resources,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any setting: examples, directions, top, cosine."),
    ] = None,
    as_json: printing.AsJson = False,
) -> None:
    """Measure what a run changed where; of two runs, what their directions share.

    Sizes are relative to the base's own weights, those of prefixes and prompts to its own keys,
    values and words.  φ is the similarity of the first directions of two changes
    (arXiv:2106.09685); an intruder is a strong direction of a tuned matrix that is far from every
    direction of the base's (arXiv:2410.21228).
    """
    resources.use_data()
    request = WeightsRequest.make({"runs": runs, **options.parse_settings(sets)})
    torch_device = resources.torch_device()
    job = WeightsJob.create(request)
    signal.signal(signal.SIGTERM, lambda *_: job.stop())
    with printing.job_bar("weights") as report:
        from peftcore.labs.weights.compute import run_weights_job  # loads torch

        run_weights_job(job, device=torch_device, report=report)
    _print(job, as_json)
    if job.status().state != "done":
        typer.echo(job.status().message, err=True)
        raise typer.Exit(1)


def _print(job: WeightsJob, as_json: bool) -> None:
    """Print what was measured: trained parts, sites and overlaps."""
    tables = {"trained": job.trained(), "sites": job.sites(), "overlaps": job.overlaps()}
    value = {
        "weights": job.id,
        "state": job.status().state,
        "ask": job.request.model_dump(mode="json"),
        "facts": job.facts,
    } | {name: json.loads(table.to_json(orient="records")) for name, table in tables.items()}
    printing.print_result(value, as_json, lambda: _lines(**tables))


def _lines(trained: pd.DataFrame, sites: pd.DataFrame, overlaps: pd.DataFrame) -> Iterator[str]:
    """Yield three tables for people."""
    counts = trained.groupby(["stack", "component"], sort=False)["count"].sum().reset_index()
    yield f"{trained['count'].sum():,} numbers are trained for each seed"
    yield from printing.format_records(counts)
    for measure, title in measured.MEASURES.items():
        if measured.is_measured(sites, measure):
            yield f"{title}, over seeds"
            means = measured.site_means(sites, measure)
            yield from printing.format_records(
                means, ["stack", "layer", "component", "form", "mean", "min", "max", "count"]
            )
    if len(overlaps):
        yield "φ of the first directions, mean over pairs of seeds, beside chance"
        numbers = [c for c in overlaps if c not in ("what", "seeds", "component", "path")]
        means = overlaps.groupby(["component", "path"], sort=False)[numbers].mean().reset_index()
        yield from printing.format_records(means)
