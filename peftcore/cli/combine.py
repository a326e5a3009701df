"""`combine`: mixtures of two or three runs, what their changes predict, and a run made of one."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from typing import Annotated

import typer

from peftcore.cli import app, options
from peftcore.errors import BadInput
from peftcore.labs.weights.request import (
    SHARES,
    CombiningJob,
    CombiningRequest,
    own_rises,
    point_means,
)
from peftcore.runs.store import RunStore
from peftcore.system import printing
from peftcore.system.option_groups import grouped


@app.command()
@grouped
def combine(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN RUN [RUN]", help="Ids of two or three runs.")
    ],
    resources: options.Resources,
    sets: Annotated[
        list[str] | None, typer.Option("--set", help="Any setting: steps, examples, seeds.")
    ] = None,
    save: Annotated[
        str,
        typer.Option(
            help="Store a mixture as a run instead: the share of the second run, as in 0.5; of "
            "three runs those of the second and third, as in 0.3,0.3."
        ),
    ] = "",
    as_json: printing.AsJson = False,
) -> None:
    """Mix the changes of runs of one base and method: each task's loss on a line or a triangle.

    Beside what is measured stands what the changes predict: their cosine, and the share of strong
    entries whose signs differ.
    """
    resources.use_data()
    request = CombiningRequest.make({"runs": runs, **options.parse_settings(sets)})
    torch_device = resources.torch_device()
    if save:
        from peftcore.labs.weights.combining import save_mixture  # loads torch
        from peftcore.models.base_model import load

        store = RunStore()
        chosen = [store.open(run) for run in request.runs]
        run = save_mixture(chosen, _shares(save), load(chosen[0].spec.base))
        printing.print_result({"run": run.id}, as_json, lambda: iter([f"run {run.id}"]))
        return
    job = CombiningJob.create(request)
    signal.signal(signal.SIGTERM, lambda *_: job.stop())
    with printing.job_bar("combining") as report:
        from peftcore.labs.weights.combining import run_combining_job  # loads torch

        run_combining_job(job, device=torch_device, report=report)
    _print(job, as_json)


def _shares(text: str) -> list[float]:
    """Read shares that are separated by commas."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise BadInput(f"shares are numbers such as 0.5 or 0.3,0.3; got {text!r}") from None


def _print_triangle(job: CombiningJob, as_json: bool) -> None:
    """Print the losses over the triangle, the lowest points, and what was predicted."""
    triangle, predictions = job.triangle(), job.predictions()
    means = point_means(triangle)
    best = {name: means.loc[means[name].idxmin(), SHARES].tolist() for name in means.columns[3:]}
    tables = {"losses": triangle, "predictions": predictions}
    value = {"combination": job.id, "state": job.status().state, "facts": job.facts} | {
        name: json.loads(table.to_json(orient="records")) for name, table in tables.items()
    }

    def lines() -> Iterator[str]:
        yield "mean loss over seeds by the shares of all runs"
        yield from printing.format_records(means)
        for name, shares in best.items():
            what = "all tasks together" if name == "sum" else name
            yield f"lowest for {what}: {', '.join(f'{share:.2f}' for share in shares)}"

    printing.print_result(value | {"best": best}, as_json, lines)


def _print(job: CombiningJob, as_json: bool) -> None:
    """Print the line, how much each task loses half-way, and what was predicted."""
    if len(job.request.runs) == 3:
        _print_triangle(job, as_json)
        return
    losses, predictions = job.losses(), job.predictions()
    tables = {"losses": losses, "rises": own_rises(losses), "predictions": predictions}
    value = {"combination": job.id, "state": job.status().state, "facts": job.facts} | {
        name: json.loads(table.to_json(orient="records")) for name, table in tables.items()
    }

    def lines() -> Iterator[str]:
        wide = losses.pivot_table(index="share", columns="run", values="loss").reset_index()
        yield "mean loss over seeds by share of the second run"
        yield from printing.format_records(wide)
        yield "loss of each run's own task at its end and half-way"
        yield from printing.format_records(tables["rises"])
        yield "predicted: cosine of the changes, and strong entries with other signs"
        columns = ["component", "path", "cosine", "conflicts"]
        means = predictions.groupby(["component", "path"], sort=False)[["cosine", "conflicts"]]
        yield from printing.format_records(means.mean().reset_index(), columns)

    printing.print_result(value, as_json, lines)
