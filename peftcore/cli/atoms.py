"""Commands about atoms: what they do, which are needed, how sparse they can be, two together."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from peftcore.analysis.comparison import interval
from peftcore.cli import app, options
from peftcore.cli.results import RunId
from peftcore.labs.atoms import order_verdicts, request
from peftcore.labs.atoms.request import AtomsJob, AtomsRequest
from peftcore.metrics.scores import metric_range
from peftcore.system import printing
from peftcore.system.option_groups import grouped

atoms = typer.Typer(no_args_is_help=True)
app.add_typer(
    atoms,
    name="atoms",
    help="Measure sparse atoms: coefficients, pruning, density, removal and combination.",
)

Sets = Annotated[
    list[str] | None,
    typer.Option("--set", help="Any setting, as key=value: read, examples, draws, answers …"),
]
Text = Annotated[str, typer.Option(help="What is asked; for two texts put || between them.")]


@atoms.command("map")
@grouped
def show_map(
    run: RunId,
    resources: options.Resources,
    sets: Sets = None,
    as_json: printing.AsJson = False,
) -> None:
    """Measure size, use and sparsity of every atom's coefficients, also during training."""
    job = _run_job("map", [run], sets, resources)
    seeds = [
        {"seed": entry["seed"], **vars(request.entry_sparsity(entry))}
        | {"importance": request.entry_importance(entry).tolist(), "usage": entry["usage"]}
        | {"site_zeros": entry["site_zeros"]}
        for entry in request.coefficient_entries(job)
    ]
    evolution = json.loads(request.sparsity_by_step(job).to_json(orient="records"))
    value = _job_value(job) | {"seeds": seeds, "evolution": evolution}

    def lines() -> Iterator[str]:
        yield _first_line(job)
        heads = ["seed", "zeros", "l0", "hoyer", "gini", "effective", "dead", "always", "atoms"]
        yield from printing.format_records(seeds, heads)

    _finish(job, value, as_json, lines)


@atoms.command("prune")
@grouped
def prune_atoms(
    run: RunId,
    resources: options.Resources,
    sets: Sets = None,
    as_json: printing.AsJson = False,
) -> None:
    """Score with few atoms: the important, the costly to remove, and random ones."""
    job = _run_job("prune", [run], sets, resources)
    table = request.pruning_curves(job)
    metrics = {"loss": "loss", "score": str(job.facts.get("metric", ""))}
    bands = {
        what: request.curve_intervals(table, what, metric_range(metric))
        for what, metric in metrics.items()
    }
    judged = {
        what: order_verdicts.against_random(table, what, metric) for what, metric in metrics.items()
    }
    value = _job_value(job) | {
        "curves": {w: json.loads(band.to_json(orient="records")) for w, band in bands.items()},
        "population": order_verdicts.POPULATION,
        "against_random": {w: json.loads(v.to_json(orient="records")) for w, v in judged.items()},
    }

    def lines() -> Iterator[str]:
        yield _first_line(job)
        for what, band in bands.items():
            if band.empty:
                continue
            yield what if what == "loss" else str(job.facts["metric"])
            heads = ["order", "k", "mean", "low", "high", "n"]
            yield from printing.format_records(band, heads)
            for order in ("importance", "ablation"):
                if words := order_verdicts.order_in_words(judged[what], order):
                    yield f"{order} against random order: {words} atoms"
            if len(judged[what]):
                yield order_verdicts.basis_in_words(judged[what], metrics[what])

    _finish(job, value, as_json, lines)


@atoms.command("path")
@grouped
def show_regularization_path(
    run: RunId,
    resources: options.Resources,
    over: Annotated[str, typer.Option(help="What varies: threshold, l1 or top_k.")] = "threshold",
    sets: Sets = None,
    as_json: printing.AsJson = False,
) -> None:
    """Train the run at several thresholds, and LoRA of equal rank: density against quality."""
    job = _run_job("path", [run], [f"over={over}", *(sets or ())], resources)
    points = job.entries_of("run")

    def lines() -> Iterator[str]:
        yield _first_line(job)
        rows = []
        for point in points:
            score = interval(point["scores"], metric_range(str(job.facts.get("metric", ""))))
            zeros = interval(point.get("zeros", []))
            name = "LoRA" if point["value"] is None else f"{over} {point['value']:g}"
            rows.append((name, point["run"], zeros.mean, score.mean, score.low, score.high))
        yield from printing.format_table(["point", "run", "zeros", "score", "low", "high"], rows)

    _finish(job, _job_value(job) | {"points": points}, as_json, lines)


@atoms.command("combine")
@grouped
def combine_atoms(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN RUN", help="Two runs: RUN or RUN/SEED.")
    ],
    resources: options.Resources,
    text: Text = "",
    shares: Annotated[
        str, typer.Option(help="With --text: share of the first and second run's atoms.")
    ] = "1,1",
    sets: Sets = None,
    as_json: printing.AsJson = False,
) -> None:
    """Use two runs' atoms at once: scores on both tasks, or with --text the answers."""
    if text:
        from peftcore.labs.atoms import interventions  # brings torch

        resources.use_data()
        both = options.parse_shares(shares)
        answers = interventions.answers_with_joined_atoms(runs, text, both)
        _print_answers(answers, as_json)
        return
    job = _run_job("combine", runs, sets, resources)
    rows = job.entries_of("combined")

    def lines() -> Iterator[str]:
        yield _first_line(job)
        heads = ["seed", "task", "n", "metric", "both", "first", "second", "none"]
        yield from printing.format_records(rows, heads)

    _finish(job, _job_value(job) | {"scores": rows}, as_json, lines)


@atoms.command("remove")
def remove_atoms(
    run: RunId,
    atom: Annotated[list[str], typer.Option(help="Atom, like D2.xq[3] or 4:3; repeat for more.")],
    text: Text,
    gain: Annotated[float, typer.Option(help="What it is multiplied by; 0 removes it.")] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Which seed, counted from 0.")] = 0,
    as_json: printing.AsJson = False,
) -> None:
    """Answer a text with some atoms of a run removed or scaled, and with all of them."""
    from peftcore.labs.atoms import interventions  # brings torch

    answers = interventions.answers_with_changed_atoms(run, seed, atom, gain, text)
    _print_answers(answers, as_json)


def _print_answers(answers: dict[str, str], as_json: bool) -> None:
    rows = [{"atoms": atoms, "answer": answer} for atoms, answer in answers.items()]
    printing.print_records(rows, as_json, value=answers)


def _run_job(
    kind: str, runs: list[str], sets: list[str] | None, resources: options.Resources
) -> AtomsJob:
    """Bring the measurement to its end, or as far as it comes."""
    resources.use_data()
    settings = options.parse_settings(sets)
    if "values" in settings:
        settings["values"] = _numbers(settings["values"])
    job = AtomsJob.create(AtomsRequest.make({"kind": kind, "runs": runs, **settings}))
    signal.signal(signal.SIGTERM, lambda *_: job.stop())
    torch_device = resources.torch_device()
    with printing.job_bar(f"atoms, {kind}") as report:
        from peftcore.labs.atoms.compute import run_atoms_job  # loads torch

        run_atoms_job(job, device=torch_device, report=report)
    return job


def _numbers(value: Any) -> Any:
    """Split numbers by commas, or one of them, into a list."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value if isinstance(value, list) else [value]


def _job_value(job: AtomsJob) -> dict[str, Any]:
    status = job.status()
    return {
        "measurement": job.id,
        "state": status.state,
        "ask": job.request.model_dump(mode="json"),
        "facts": job.facts,
        "seconds": round(status.seconds, 2),
    }


def _first_line(job: AtomsJob) -> str:
    facts, status = job.facts, job.status()
    return (
        f"{job.request.kind} {job.id}: {status.state}; {facts.get('task')}, "
        f"{facts.get('n')} examples of {facts.get('split')}, {len(job.seed_numbers)} seeds, "
        f"data {facts.get('data_hash')}"
    )


def _finish(job: AtomsJob, value: dict[str, Any], as_json: bool, lines: Any) -> None:
    printing.print_result(value, as_json, lines)
    if job.status().state != "done":
        typer.echo(job.status().message, err=True)
        raise typer.Exit(1)
