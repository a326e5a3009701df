"""Paths of runs: trained again and again along a setting, and how dense their coefficients are."""

from __future__ import annotations

import time
from typing import Any

from peftcore.labs.atoms import request
from peftcore.labs.atoms.coefficients import read
from peftcore.labs.atoms.context import Bench
from peftcore.labs.atoms.dictionary import Dictionary
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import Run, RunStore
from peftcore.training import checkpoint, run_training
from peftcore.training.evaluation import examples_to_answer
from peftcore.training.trainer import TrainingProgress


def path(bench: Bench) -> None:
    """Train the runs of a path that are missing, with LoRA beside them, and read their density."""
    ask, store = bench.ask, RunStore()
    spec = bench.runs[0].spec
    request.along(spec, ask.over, ask.values)  # BadInput before anything is trained
    many = 1 + len(ask.values or request.VALUES[ask.over])
    steps = spec.training.steps
    bench.of, bench.done = (many + 2 * ask.warm) * steps, 0
    starts = {"lora": "", "atoms": ""}
    if ask.warm:
        for name, first in (
            ("lora", request.reference(spec)),
            ("atoms", request.dense(spec)),
        ):
            starts[name] = _trained(bench, store, first, "What runs begin from").id
            bench.done += steps
    points: list[tuple[float | None, RunSpec]] = [
        (None, request.reference(spec, starts["lora"])),
        *request.along(spec, ask.over, ask.values, starts["atoms"]),
    ]
    judged = len(examples_to_answer(bench.tasks[0], spec.evaluation))  # by every run alike
    worn = checkpoint.load_adapter(bench.runs[0], bench.base)
    placed = {name: spec.settings[name] for name in ("components", "stacks")}
    bench.facts(Dictionary(worn), over=ask.over, n=judged, starts=starts, **placed)
    known = {(e["value"], e["run"]) for e in bench.study.found("run")}
    for value, each in points:
        if (value, each.id) not in known:
            run = _trained(bench, store, each, "LoRA" if value is None else f"{ask.over} {value:g}")
            bench.study.append_value(
                {"what": "run", "value": value, "run": run.id} | _density(bench, run)
            )
        bench.done += steps
    bench.tell()


def _trained(bench: Bench, store: RunStore, spec: RunSpec, words: str) -> Run:
    """The finished run of a spec, trained now unless it is there; stops where it is asked to."""
    from peftcore.jobs.worker import run_recording_errors

    run = store.find(spec) or store.create(spec)
    if run.status().state == "done":
        return run
    before = bench.done

    def report(progress: TrainingProgress) -> None:
        bench.done = before + (
            progress.step if progress.phase == "training" else spec.training.steps
        )
        seconds = bench.before + time.monotonic() - bench.began
        bench.report(
            bench.study.write_status(
                state="working",
                done=bench.done,
                of=bench.of,
                message=f"{words}, {progress.phase}",
                seconds=seconds,
            )
        )

    def work() -> Any:
        return run_training.execute_run(
            run, device=bench.device, base=bench.base, report=report, stop=bench.asked_to_stop
        )

    run_recording_errors(run, work)
    bench.done = before
    if run.status().state != "done":
        raise InterruptedError
    return run


def _density(bench: Bench, run: Run) -> dict[str, Any]:
    """Scores of a run by seed, and how sparse its coefficients are on each validation draw."""
    told: dict[str, Any] = {
        "metric": bench.tasks[0].main_metric,
        "scores": run.scores()[bench.tasks[0].main_metric],
        "dev": [seed["best_dev"] for seed in run.status().seeds],
    }
    if run.spec.method != "atoms":
        return told
    found = Dictionary(checkpoint.load_adapter(run, bench.base))
    each = [
        read(found, seed, bench.dev(seed), bench.encoder())
        for seed in range(run.spec.population.seeds)
    ]
    measured = [vars(request.measures(one)) for one in each]
    return told | {name: [m[name] for m in measured] for name in measured[0]}
