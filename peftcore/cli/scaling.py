"""Commands about soft prompts: what a run's scales did, and the studies around a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from peftcore.cli import app, options
from peftcore.cli.results import RunId
from peftcore.system import printing

if TYPE_CHECKING:
    from peftcore.analysis.scaling import PermutationResult, RepresentationGap
    from peftcore.labs.scaling.ablations import TransferGain
    from peftcore.labs.scaling.readout import NearestWords, SeedGap, SoftPromptReadout
    from peftcore.models.base_model import BaseModel
    from peftcore.runs.store import Run
    from peftcore.sweeps.grid import RunGrid

Tasks = Annotated[str, typer.Option(help="Tasks of a transfer matrix, with commas between them.")]


@app.command()
def scaling(run: RunId, data: options.Data = None, as_json: printing.AsJson = False) -> None:
    """Scales, lengths, nearest words and the gap to words of a run's soft tokens."""
    from peftcore.labs.scaling import readout
    from peftcore.models.base_model import load
    from peftcore.runs.store import RunStore

    options.use_data(data)
    store = RunStore()
    opened = store.open(run)
    readout.require_soft_prompt(opened)
    base = load(opened.spec.base)
    reading = readout.build_readout(opened, base)
    gaps = readout.seed_gaps(reading, base)
    value = {
        "run": opened.id,
        "method": opened.spec.method,
        "steps": list(reading.history.steps),
        "rate_ratio": reading.learning_rate_ratio,
        "words": {"distinct": len(reading.words.names), "most_frequent": reading.words.names[:20]},
        "seeds": [_seed_value(reading, gap, index) for index, gap in enumerate(gaps)],
        "drift": _drift(reading, opened, store, base),
    }
    printing.print_result(value, as_json, lambda: _scaling_lines(value))


def _seed_value(reading: SoftPromptReadout, gap: SeedGap, index: int) -> dict[str, Any]:
    from peftcore.analysis import scaling as measures

    final, trajectory = reading.final, reading.history
    across, along = measures.step_factors(
        final.scale[index],
        measures.row_norms(final.before[index]),
        reading.learning_rate_ratio or 0.0,
    )
    return {
        "seed": gap.seed,
        "gap": {"before": _gap_value(gap.before), "after": _gap_value(gap.after)},
        "scale_by_step": trajectory.scale[:, index].tolist(),
        "tokens": [
            {
                "token": token + 1,
                "scale": float(final.scale[index, token]),
                "length_before": float(measures.row_norms(final.before[index, token])),
                "length_after": float(measures.row_norms(final.after[index, token])),
                "step_factor_across": float(across[token]),
                "step_factor_along": float(along[token]),
                "nearest_before": _nearest_words(reading.before, index, token),
                "nearest_after": _nearest_words(reading.after, index, token),
            }
            for token in range(final.before.shape[1])
        ],
    }


def _gap_value(gap: RepresentationGap) -> dict[str, Any]:
    def with_chance(exchanged: PermutationResult) -> dict[str, float]:
        return {
            "value": exchanged.value,
            "chance_low": exchanged.low,
            "chance_high": exchanged.high,
            "p": exchanged.p,
        }

    return {
        "norm_ratio": gap.norm_ratio,
        "mean_distance": gap.mean_distance,
        "energy": with_chance(gap.energy),
        "kernel": with_chance(gap.kernel),
        "cosine": gap.cosine,
    }


def _nearest_words(neighbours: NearestWords, seed: int, token: int) -> list[dict[str, Any]]:
    pairs = zip(neighbours.names[seed][token], neighbours.cosines[seed, token], strict=True)
    return [{"word": word, "cosine": float(cosine)} for word, cosine in pairs]


def _drift(
    reading: SoftPromptReadout, run: Run, store: Any, base: BaseModel
) -> dict[str, Any] | None:
    """How far the prompt went from plain prompt tuning of the same seeds, if that was run."""
    from peftcore.analysis import scaling as measures
    from peftcore.labs.scaling import ablations, readout

    scaled = run.spec.method == ablations.SCALED_METHOD
    partner = ablations.find_unscaled_run(run, store) if scaled else None
    if partner is None:
        return None
    steps, first, second = readout.shared_history(
        reading.history, readout.read_history(partner, base)
    )
    return {
        "plain": partner.id,
        "steps": list(steps),
        "apart": measures.path_distance(first, second).mean(-1).T.tolist(),
        "travelled": measures.distance_from_start(first).mean(-1).T.tolist(),
        "travelled_plain": measures.distance_from_start(second).mean(-1).T.tolist(),
    }


def _scaling_lines(value: dict[str, Any]) -> Iterator[str]:
    """A table of the gap, then one of the tokens, for each seed."""
    for seed in value["seeds"]:
        yield f"seed {seed['seed']}, {value['words']['distinct']} words in the data"
        rows = []
        for name, before in seed["gap"]["before"].items():
            after = seed["gap"]["after"][name]
            pair = [m["value"] if isinstance(m, dict) else m for m in (before, after)]
            p = after["p"] if isinstance(after, dict) else None
            rows.append((name, *pair, p))
        yield from printing.format_table(["measure", "before", "after", "p after"], rows)
        heads = ["token", "scale", "length before", "length after", "nearest word", "cosine"]
        yield from printing.format_table(
            heads,
            [
                (t["token"], t["scale"], t["length_before"], t["length_after"], *_nearest_word(t))
                for t in seed["tokens"]
            ],
        )
        yield ""


def _nearest_word(token: dict[str, Any]) -> tuple[str, float]:
    near = token["nearest_after"][0]
    return near["word"], near["cosine"]


@app.command("prompt-study")
def show_ablation(
    run: RunId,
    name: Annotated[
        str, typer.Argument(metavar="STUDY", help="variants, lengths, shots or transfer.")
    ],
    tasks: Tasks = "",
    queue: Annotated[
        bool, typer.Option("--queue", help="Queue the runs that are missing.")
    ] = False,
    data: options.Data = None,
    as_json: printing.AsJson = False,
) -> None:
    """Runs around a run that answer one question: ablations, lengths, shots, or transfer."""
    from peftcore.jobs.queue import Queue, ensure_worker
    from peftcore.labs.scaling import ablations
    from peftcore.runs.store import RunStore

    options.use_data(data)
    store = RunStore()
    task_names = [part.strip() for part in tasks.split(",") if part.strip()]
    spec = store.open(run).spec
    ablation = ablations.build_ablation(name, spec, store, task_names)
    queued = [job.run_id for job in ablation.queue(Queue())] if queue else []
    if queued:
        ensure_worker()
        ablation = ablations.build_ablation(name, spec, store, task_names)
    metrics = {each: _metric(each) for each in dict.fromkeys(c.spec.task for c in ablation.cells)}
    value: dict[str, Any] = {
        "study": name,
        "cells": _cells(ablation, metrics),
        "missing": [cell.name for cell in ablation.startable],
        "queued": queued,
    }
    if name == "transfer":
        value["transfer"] = [
            _transfer_value(each) for each in ablations.transfer_gains(ablation, metrics)
        ]
    printing.print_result(value, as_json, lambda: _ablation_lines(value))


def _metric(task: str) -> str:
    from peftcore import tasks

    return tasks.find_task(task).main_metric


def _cells(ablation: RunGrid, metrics: dict[str, str]) -> list[dict[str, Any]]:
    from peftcore.analysis import comparison, scaling

    rows = []
    for cell, run in ablation.pairs:
        metric = metrics[cell.spec.task]
        values: Sequence[float] = run.scores().get(metric, []) if run else []
        estimate, spread = comparison.interval(values), scaling.deviation_interval(values)
        rows.append(
            {
                "name": cell.name,
                "run": run.id if run else None,
                "state": run.status().state if run else "missing",
                "metric": metric,
                "mean": estimate.mean,
                "low": estimate.low,
                "high": estimate.high,
                "deviation": spread.deviation,
                "deviation_low": spread.low,
                "deviation_high": spread.high,
                "seeds": estimate.n,
            }
        )
    return rows


def _transfer_value(transfer: TransferGain) -> dict[str, Any]:
    return {
        "source": transfer.source,
        "target": transfer.target,
        "direct": transfer.direct,
        "started": transfer.started,
        "gain": transfer.gain.mean,
        "low": transfer.gain.low,
        "high": transfer.gain.high,
        "p": transfer.gain.p,
        "smallest_p": transfer.gain.smallest_p,
        "pairs": transfer.gain.n,
    }


def _ablation_lines(value: dict[str, Any]) -> Iterator[str]:
    names = ["name", "state", "run", "metric", "mean", "low", "high", "deviation", "seeds"]
    yield from printing.format_table(names, [[row[n] for n in names] for row in value["cells"]])
    if fields := value.get("transfer"):
        yield ""
        heads = ["source", "target", "direct", "started", "gain", "low", "high", "p"]
        yield from printing.format_table(heads, [[row[n] for n in heads] for row in fields])
    if value["queued"]:
        yield f"queued {len(value['queued'])} runs"
    elif value["missing"]:
        yield f"{len(value['missing'])} runs are missing; --queue starts them"
