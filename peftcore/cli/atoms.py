"""Commands about atoms: what they do, which are needed, how sparse they can be, two together."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from peftcore.cli import app, options
from peftcore.cli.results import RunId
from peftcore.system import printing

if TYPE_CHECKING:
    from peftcore.labs.atoms.request import Study

atoms = typer.Typer(
    help="Sparse atoms: coefficients, pruning, density, removal and combination.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(atoms, name="atoms")

Sets = Annotated[
    list[str] | None,
    typer.Option("--set", help="Any setting, as key=value: read, examples, draws, answers …"),
]
Text = Annotated[str, typer.Option(help="What is asked; for two texts put || between them.")]


@atoms.command("map")
def show_map(
    run: RunId,
    sets: Sets = None,
    data: options.Data = None,
    device: options.Device = "auto",
    as_json: printing.AsJson = False,
) -> None:
    """Size, use and sparsity of every atom's coefficients, at the end and during training."""
    from peftcore.labs.atoms import request

    study = _measured("map", [run], sets, data, device)
    seeds = [
        {"seed": entry["seed"], **vars(request.measures(entry))}
        | {"importance": request.weights(entry).tolist(), "usage": entry["usage"]}
        | {"site_zeros": entry["site_zeros"]}
        for entry in request.codes(study)
    ]
    evolution = json.loads(request.evolution(study).to_json(orient="records"))
    value = _value(study) | {"seeds": seeds, "evolution": evolution}

    def lines() -> Iterator[str]:
        yield _first_line(study)
        heads = ["seed", "zeros", "l0", "hoyer", "gini", "effective", "dead", "always", "atoms"]
        yield from printing.table(heads, [[row[name] for name in heads] for row in seeds])

    _finish(study, value, as_json, lines)


@atoms.command("prune")
def prune(
    run: RunId,
    sets: Sets = None,
    data: options.Data = None,
    device: options.Device = "auto",
    as_json: printing.AsJson = False,
) -> None:
    """Loss and score with few atoms: the important, the costly to remove, and random ones."""
    from peftcore.labs.atoms import request

    study = _measured("prune", [run], sets, data, device)
    table = request.curves(study)
    bands = {what: request.bands(table, what) for what in ("loss", "score")}
    value = _value(study) | {
        "curves": {w: json.loads(band.to_json(orient="records")) for w, band in bands.items()},
        "apart_from_random": {
            what: {o: request.apart(band, o, "random") for o in ("importance", "ablation")}
            for what, band in bands.items()
        },
    }

    def lines() -> Iterator[str]:
        yield _first_line(study)
        for what, band in bands.items():
            if band.empty:
                continue
            yield what if what == "loss" else str(study.facts["metric"])
            heads = ["order", "k", "mean", "low", "high", "n"]
            yield from printing.table(heads, band[heads].to_numpy(dtype=object).tolist())

    _finish(study, value, as_json, lines)


@atoms.command("path")
def path(
    run: RunId,
    over: Annotated[str, typer.Option(help="What varies: threshold, l1 or top_k.")] = "threshold",
    sets: Sets = None,
    data: options.Data = None,
    device: options.Device = "auto",
    as_json: printing.AsJson = False,
) -> None:
    """Density against quality: the run at several thresholds and LoRA of equal rank, as one job."""
    study = _measured("path", [run], [f"over={over}", *(sets or ())], data, device)
    points = study.found("run")

    def lines() -> Iterator[str]:
        from peftcore.analysis.comparison import interval

        yield _first_line(study)
        rows = []
        for point in points:
            score, zeros = interval(point["scores"]), interval(point.get("zeros", []))
            name = "LoRA" if point["value"] is None else f"{over} {point['value']:g}"
            rows.append((name, point["run"], zeros.mean, score.mean, score.low, score.high))
        yield from printing.table(["point", "run", "zeros", "score", "low", "high"], rows)

    _finish(study, _value(study) | {"points": points}, as_json, lines)


@atoms.command("combine")
def combine(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN RUN", help="Two runs: RUN or RUN/SEED.")
    ],
    text: Text = "",
    shares: Annotated[
        str, typer.Option(help="With --text: share of the first and second run's atoms.")
    ] = "1,1",
    sets: Sets = None,
    data: options.Data = None,
    device: options.Device = "auto",
    as_json: printing.AsJson = False,
) -> None:
    """Two runs' atoms worn at once: scores on both tasks, or with --text the answers."""
    from peftcore.errors import BadInput
    from peftcore.labs.atoms import interventions

    if text:
        options.use_data(data)
        try:
            one, other = (float(share) for share in shares.split(","))
        except ValueError:
            raise BadInput(f"shares are two numbers with a comma; got {shares!r}") from None
        told = interventions.combined(runs, text, (one, other))
        printing.show(told, as_json, lambda: printing.table(["atoms", "answer"], [*told.items()]))
        return
    study = _measured("combine", runs, sets, data, device)
    rows = study.found("combined")

    def lines() -> Iterator[str]:
        yield _first_line(study)
        heads = ["seed", "task", "n", "metric", "both", "first", "second", "none"]
        yield from printing.table(heads, [[row[name] for name in heads] for row in rows])

    _finish(study, _value(study) | {"scores": rows}, as_json, lines)


@atoms.command("remove")
def remove(
    run: RunId,
    atom: Annotated[list[str], typer.Option(help="Atom, like D2.xq[3] or 4:3; repeat for more.")],
    text: Text,
    gain: Annotated[float, typer.Option(help="What it is multiplied by; 0 removes it.")] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Which seed, counted from 0.")] = 0,
    as_json: printing.AsJson = False,
) -> None:
    """What a run answers with some atoms removed or scaled, beside what it answered before."""
    from peftcore.labs.atoms import interventions

    told = interventions.changed(run, seed, atom, gain, text)
    printing.show(told, as_json, lambda: printing.table(["atoms", "answer"], [*told.items()]))


def _measured(kind: str, runs: list[str], sets: list[str] | None, data: Any, device: str) -> Study:
    """The measurement brought to its end, or as far as it came."""
    from peftcore.jobs.worker import resolve
    from peftcore.labs.atoms.request import Ask, Study

    options.use_data(data)
    given = dict(options.pair(text) for text in sets or ())
    if "values" in given:
        given["values"] = _numbers(given["values"])
    study = Study.create(Ask.make({"kind": kind, "runs": runs, **given}))
    signal.signal(signal.SIGTERM, lambda *_: study.stop())
    place = resolve(device)
    with printing.bar(f"atoms, {kind}") as report:
        from peftcore.labs.atoms.compute import carry_out

        carry_out(study, device=place, report=lambda status: report(_progress(status)))
    return study


def _numbers(value: Any) -> Any:
    """Numbers by commas, or one of them, as a list."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value if isinstance(value, list) else [value]


def _progress(status: Any) -> Any:
    from peftcore.training.trainer import Progress

    return Progress(
        status.message, status.done, status.of, [], None, 0.0, status.seconds, status.left, []
    )


def _value(study: Study) -> dict[str, Any]:
    status = study.status()
    return {
        "measurement": study.id,
        "state": status.state,
        "ask": study.ask.model_dump(mode="json"),
        "facts": study.facts,
        "seconds": round(status.seconds, 2),
    }


def _first_line(study: Study) -> str:
    facts, status = study.facts, study.status()
    return (
        f"{study.ask.kind} {study.id}: {status.state}; {facts.get('task')}, "
        f"{facts.get('n')} examples of {facts.get('split')}, {len(study.numbers)} seeds, "
        f"data {facts.get('data_hash')}"
    )


def _finish(study: Study, value: dict[str, Any], as_json: bool, lines: Any) -> None:
    printing.show(value, as_json, lines)
    if study.status().state != "done":
        typer.echo(study.status().message, err=True)
        raise typer.Exit(1)
