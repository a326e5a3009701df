"""Commands about soft prompts: what a run's scales did, and the studies around a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from peftcore.cli import app, options
from peftcore.cli.results import RunId
from peftcore.system import printing

if TYPE_CHECKING:
    from peftcore.analysis.scaling import Exchanged, Gap
    from peftcore.labs.scaling.ablations import Study, Transfer
    from peftcore.labs.scaling.readout import Neighbours, Reading, SeedGap
    from peftcore.models.base_model import BaseModel
    from peftcore.runs.store import Run

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
    readout.require(opened)
    base = load(opened.spec.base)
    found = readout.reading(opened, base)
    gaps = readout.gaps(found, base)
    value = {
        "run": opened.id,
        "method": opened.spec.method,
        "steps": list(found.course.steps),
        "rate_ratio": found.rate_ratio,
        "words": {"distinct": len(found.words.names), "most_frequent": found.words.names[:20]},
        "seeds": [_seed(found, gap, place) for place, gap in enumerate(gaps)],
        "drift": _drift(found, opened, store, base),
    }
    printing.show(value, as_json, lambda: _in_words(value))


def _seed(found: Reading, gap: SeedGap, place: int) -> dict[str, Any]:
    from peftcore.analysis import scaling as measures

    final, course = found.final, found.course
    across, along = measures.step_factors(
        final.scale[place], measures.norms(final.before[place]), found.rate_ratio or 0.0
    )
    return {
        "seed": gap.seed,
        "gap": {"before": _gap(gap.before), "after": _gap(gap.after)},
        "scale_by_step": course.scale[:, place].tolist(),
        "tokens": [
            {
                "token": token + 1,
                "scale": float(final.scale[place, token]),
                "length_before": float(measures.norms(final.before[place, token])),
                "length_after": float(measures.norms(final.after[place, token])),
                "step_factor_across": float(across[token]),
                "step_factor_along": float(along[token]),
                "nearest_before": _near(found.before, place, token),
                "nearest_after": _near(found.after, place, token),
            }
            for token in range(final.before.shape[1])
        ],
    }


def _gap(gap: Gap) -> dict[str, Any]:
    def with_chance(found: Exchanged) -> dict[str, float]:
        return {
            "value": found.value,
            "chance_low": found.low,
            "chance_high": found.high,
            "p": found.p,
        }

    return {
        "norm_ratio": gap.norm_ratio,
        "mean_distance": gap.mean_distance,
        "energy": with_chance(gap.energy),
        "kernel": with_chance(gap.kernel),
        "cosine": gap.cosine,
    }


def _near(found: Neighbours, seed: int, token: int) -> list[dict[str, Any]]:
    pairs = zip(found.names[seed][token], found.cosines[seed, token], strict=True)
    return [{"word": word, "cosine": float(cosine)} for word, cosine in pairs]


def _drift(found: Reading, run: Run, store: Any, base: BaseModel) -> dict[str, Any] | None:
    """How far the prompt went from plain prompt tuning of the same seeds, if that was run."""
    from peftcore.analysis import scaling as measures
    from peftcore.labs.scaling import ablations, readout

    scaled = run.spec.method == ablations.SCALED
    partner = ablations.plain_partner(run, store) if scaled else None
    if partner is None:
        return None
    steps, first, second = readout.matched(found.course, readout.course(partner, base))
    return {
        "plain": partner.id,
        "steps": list(steps),
        "apart": measures.apart(first, second).mean(-1).T.tolist(),
        "travelled": measures.travelled(first).mean(-1).T.tolist(),
        "travelled_plain": measures.travelled(second).mean(-1).T.tolist(),
    }


def _in_words(value: dict[str, Any]) -> Iterator[str]:
    """A table of the gap, then one of the tokens, for each seed."""
    for seed in value["seeds"]:
        yield f"seed {seed['seed']}, {value['words']['distinct']} words in the data"
        rows = []
        for name, before in seed["gap"]["before"].items():
            after = seed["gap"]["after"][name]
            pair = [m["value"] if isinstance(m, dict) else m for m in (before, after)]
            p = after["p"] if isinstance(after, dict) else None
            rows.append((name, *pair, p))
        yield from printing.table(["measure", "before", "after", "p after"], rows)
        heads = ["token", "scale", "length before", "length after", "nearest word", "cosine"]
        yield from printing.table(
            heads,
            [
                (t["token"], t["scale"], t["length_before"], t["length_after"], *_first(t))
                for t in seed["tokens"]
            ],
        )
        yield ""


def _first(token: dict[str, Any]) -> tuple[str, float]:
    near = token["nearest_after"][0]
    return near["word"], near["cosine"]


@app.command("prompt-study")
def show_study(
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
    among = [part.strip() for part in tasks.split(",") if part.strip()]
    spec = store.open(run).spec
    found = ablations.study(name, spec, store, among)
    queued = [job.run_id for job in ablations.queue_missing(found, Queue())] if queue else []
    if queued:
        ensure_worker()
        found = ablations.study(name, spec, store, among)
    metrics = {each: _metric(each) for each in dict.fromkeys(c.spec.task for c in found.cells)}
    value: dict[str, Any] = {
        "study": name,
        "cells": _cells(found, metrics),
        "missing": [cell.name for cell in found.missing],
        "queued": queued,
    }
    if name == "transfer":
        value["transfer"] = [_field(each) for each in ablations.gains(found, metrics)]
    printing.show(value, as_json, lambda: _study_lines(value))


def _metric(task: str) -> str:
    from peftcore import tasks

    return tasks.find(task).main_metric


def _cells(found: Study, metrics: dict[str, str]) -> list[dict[str, Any]]:
    from peftcore.analysis import comparison, scaling

    rows = []
    for cell, run in zip(found.cells, found.runs, strict=True):
        metric = metrics[cell.spec.task]
        values: Sequence[float] = run.scores().get(metric, []) if run else []
        told, spread = comparison.interval(values), scaling.spread(values)
        rows.append(
            {
                "name": cell.name,
                "run": run.id if run else None,
                "state": run.status().state if run else "missing",
                "metric": metric,
                "mean": told.mean,
                "low": told.low,
                "high": told.high,
                "deviation": spread.deviation,
                "deviation_low": spread.low,
                "deviation_high": spread.high,
                "seeds": told.n,
            }
        )
    return rows


def _field(found: Transfer) -> dict[str, Any]:
    return {
        "source": found.source,
        "target": found.target,
        "direct": found.direct,
        "started": found.started,
        "gain": found.gain.mean,
        "low": found.gain.low,
        "high": found.gain.high,
        "p": found.gain.p,
        "smallest_p": found.gain.smallest_p,
        "pairs": found.gain.n,
    }


def _study_lines(value: dict[str, Any]) -> Iterator[str]:
    names = ["name", "state", "run", "metric", "mean", "low", "high", "deviation", "seeds"]
    yield from printing.table(names, [[row[n] for n in names] for row in value["cells"]])
    if fields := value.get("transfer"):
        yield ""
        heads = ["source", "target", "direct", "started", "gain", "low", "high", "p"]
        yield from printing.table(heads, [[row[n] for n in heads] for row in fields])
    if value["queued"]:
        yield f"queued {len(value['queued'])} runs"
    elif value["missing"]:
        yield f"{len(value['missing'])} runs are missing; --queue starts them"
