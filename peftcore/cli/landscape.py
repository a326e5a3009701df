"""Commands about landscapes: losses around and between adapters."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from peftcore.cli import app, options, run_scores
from peftcore.cli.results import RunId
from peftcore.errors import BadInput, unknown
from peftcore.system import printing

if TYPE_CHECKING:
    from peftcore.labs.landscape.request import Ask, Landscape

Adapters = Annotated[
    list[str],
    typer.Argument(metavar="RUN...", help="Adapters: RUN, RUN@STEP, RUN/SEED or RUN@STEP/SEED."),
]


@app.command()
def landscape(
    runs: Adapters,
    kind: Annotated[str, typer.Option(help="What is looked at: face, cuts, flatness …")] = "face",
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any setting, as key=value: seed, split, examples, steps …"),
    ] = None,
    data: options.Data = None,
    device: options.Device = "auto",
    as_json: printing.AsJson = False,
) -> None:
    """Losses at many points around an adapter or between adapters; goes on where it was stopped."""
    from peftcore.jobs.worker import resolve
    from peftcore.labs.landscape.request import KINDS, Ask, Landscape

    options.use_data(data)
    if kind not in KINDS:
        raise unknown("kind", kind, KINDS)
    ask = Ask.make({"kind": kind, "runs": runs, **dict(options.pair(text) for text in sets or ())})
    place = resolve(device)
    found = Landscape.create(ask)
    signal.signal(signal.SIGTERM, lambda *_: found.stop())
    with printing.bar(f"landscape, {kind}") as report:
        from peftcore.labs.landscape.compute import carry_out

        carry_out(found, device=place, report=lambda status: report(_progress(status)))
    _print(found, as_json)
    if found.status().state != "done":
        typer.echo(found.status().message, err=True)
        raise typer.Exit(1)


def _progress(status: Any) -> Any:
    from peftcore.training.trainer import Progress

    return Progress(
        status.message, status.done, status.of, [], None, 0.0, status.seconds, status.left, []
    )


def _print(found: Landscape, as_json: bool) -> None:
    table, measures, status = found.table(), found.measures(), found.status()
    value = {
        "landscape": found.id,
        "state": status.state,
        "ask": found.ask.model_dump(mode="json"),
        "facts": found.facts,
        "points": json.loads(table.to_json(orient="records")),
        "measures": json.loads(measures.to_json(orient="records")),
        "seconds": round(status.seconds, 2),
    }

    def lines() -> Iterator[str]:
        facts = found.facts
        yield f"landscape {found.id}: {status.state}, {status.done} of {status.of} measured"
        yield (
            f"{facts.get('n')} examples of {facts.get('split')}, seed {facts.get('seed')}, "
            f"data {facts.get('data_hash')}, arithmetic {facts.get('arithmetic')}"
        )
        yield from _points(found.ask, table)
        if "value" in measures:
            wide = measures.pivot_table(index="measure", columns="seed", values="value", sort=False)
            heads = ["measure", *(f"seed {seed}" for seed in wide.columns)]
            yield from printing.table(heads, wide.reset_index().to_numpy(dtype=object).tolist())

    printing.show(value, as_json, lines)


def _points(ask: Ask, table: Any) -> Iterator[str]:
    """The marked points, then the lowest and the highest, or a line each of the cuts."""
    known = table.dropna(subset=["loss"])
    if known.empty:
        return
    marked = known[known["mark"] != ""]
    chosen = [(row["mark"], row["loss"]) for _, row in marked.iterrows()]
    chosen.append(("lowest", known["loss"].min()))
    chosen.append(("highest", known["loss"].max()))
    yield from printing.table(["point", "loss"], chosen)


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
    """The same run with other numbers of vertices: how each scored, and the missing ones queued."""
    from peftcore.jobs.queue import Queue, ensure_worker
    from peftcore.labs.landscape import request
    from peftcore.runs.store import RunStore

    store, wanted = RunStore(), _counts(counts)
    specs = request.by_vertices(store.open(run).spec, wanted)
    if queue:
        work = Queue(store=store)
        jobs = [work.submit(spec, device=device) for spec in specs]
        if any(job.live for job in jobs):
            ensure_worker(device, work)
    rows = []
    for spec in specs:
        found = store.find(spec)
        rows.append(
            {
                "vertices": spec.population.vertices,
                "run": spec.id,
                "state": found.status().state if found else "not trained",
                "scores": run_scores.scores(found) if found else {},
            }
        )

    def lines() -> Iterator[str]:
        heads = ["vertices", "run", "state", "metric", "mean", "low", "high"]
        yield from printing.table(heads, [_scored(row) for row in rows])

    printing.show(rows, as_json, lines)


def _counts(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise BadInput(f"counts are whole numbers with commas between them; got {text!r}") from None


def _scored(row: dict[str, Any]) -> tuple[Any, ...]:
    first = next(iter(row["scores"]), "")
    score = row["scores"].get(first, {})
    limits = (score.get(name) for name in ("mean", "low", "high"))
    return (row["vertices"], row["run"], row["state"], first, *limits)
