"""Commands about landscapes: losses around and between adapters."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from peftcore.cli import app, options, run_scores
from peftcore.cli.results import RunId
from peftcore.errors import BadInput, unknown_name
from peftcore.jobs import queue as run_queue
from peftcore.labs.landscape.request import (
    KINDS,
    LandscapeJob,
    LandscapeRequest,
    specs_by_vertices,
)
from peftcore.runs.store import RunStore
from peftcore.system import printing
from peftcore.system.option_groups import grouped

Adapters = Annotated[
    list[str],
    typer.Argument(metavar="RUN...", help="Adapters: RUN, RUN@STEP, RUN/SEED or RUN@STEP/SEED."),
]


@app.command()
@grouped
def landscape(
    runs: Adapters,
    resources: options.Resources,
    kind: Annotated[str, typer.Option(help="What is looked at: face, cuts, flatness …")] = "face",
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any setting, as key=value: seed, split, examples, steps …"),
    ] = None,
    as_json: printing.AsJson = False,
) -> None:
    """Measure losses around an adapter or between adapters; goes on where it was stopped."""
    resources.use_data()
    if kind not in KINDS:
        raise unknown_name("kind", kind, KINDS)
    request = LandscapeRequest.make({"kind": kind, "runs": runs, **options.parse_settings(sets)})
    torch_device = resources.torch_device()
    job = LandscapeJob.create(request)
    signal.signal(signal.SIGTERM, lambda *_: job.stop())
    with printing.job_bar(f"landscape, {kind}") as report:
        from peftcore.labs.landscape.compute import run_landscape_job  # loads torch

        run_landscape_job(job, device=torch_device, report=report)
    _print(job, as_json)
    if job.status().state != "done":
        typer.echo(job.status().message, err=True)
        raise typer.Exit(1)


def _print(job: LandscapeJob, as_json: bool) -> None:
    table, measures, status = job.table(), job.measures(), job.status()
    value = {
        "landscape": job.id,
        "state": status.state,
        "ask": job.request.model_dump(mode="json"),
        "facts": job.facts,
        "points": json.loads(table.to_json(orient="records")),
        "measures": json.loads(measures.to_json(orient="records")),
        "seconds": round(status.seconds, 2),
    }

    def lines() -> Iterator[str]:
        facts = job.facts
        yield f"landscape {job.id}: {status.state}, {status.done} of {status.of} measured"
        yield (
            f"{facts.get('n')} examples of {facts.get('split')}, seed {facts.get('seed')}, "
            f"data {facts.get('data_hash')}, arithmetic {facts.get('arithmetic')}"
        )
        yield from _point_lines(job.request, table)
        if "value" in measures:
            wide = measures.pivot_table(index="measure", columns="seed", values="value", sort=False)
            yield from printing.format_records(wide.add_prefix("seed ").reset_index())

    printing.print_result(value, as_json, lines)


def _point_lines(request: LandscapeRequest, table: Any) -> Iterator[str]:
    """Yield the marked points, then the lowest and the highest."""
    known = table.dropna(subset=["loss"])
    if known.empty:
        return
    marked = known[known["mark"] != ""]
    chosen = [(row["mark"], row["loss"]) for _, row in marked.iterrows()]
    chosen.append(("lowest", known["loss"].min()))
    chosen.append(("highest", known["loss"].max()))
    yield from printing.format_table(["point", "loss"], chosen)


@app.command()
def vertices(
    run: RunId,
    counts: Annotated[str, typer.Option(help="Numbers of vertices, with commas.")] = "1,2,3,4,6",
    queue: Annotated[
        bool, typer.Option("--queue", help="Leave those that are missing to a worker.")
    ] = False,
    device: options.Device = "auto",
    as_json: printing.AsJson = False,
) -> None:
    """Show the same run with other numbers of vertices: how each scored, and which are missing."""
    store, wanted = RunStore(), _counts(counts)
    specs = specs_by_vertices(store.open(run).spec, wanted)
    if queue:
        job_queue = run_queue.Queue(store=store)
        jobs = [job_queue.submit(spec, device=device) for spec in specs]
        if any(job.active for job in jobs):
            run_queue.ensure_worker(device, job_queue)
    rows = []
    for spec in specs:
        existing = store.find(spec)
        rows.append(
            {
                "vertices": spec.population.vertices,
                "run": spec.id,
                "state": existing.status().state if existing else "not trained",
                "scores": run_scores.scores_with_intervals(existing) if existing else {},
            }
        )

    def lines() -> Iterator[str]:
        heads = ["vertices", "run", "state", "metric", "mean", "low", "high"]
        yield from printing.format_table(heads, [_score_row(row) for row in rows])

    printing.print_result(rows, as_json, lines)


def _counts(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise BadInput(f"counts are whole numbers with commas between them; got {text!r}") from None


def _score_row(row: dict[str, Any]) -> tuple[Any, ...]:
    first = next(iter(row["scores"]), "")
    score = row["scores"].get(first, {})
    limits = (score.get(name) for name in ("mean", "low", "high"))
    return (row["vertices"], row["run"], row["state"], first, *limits)
