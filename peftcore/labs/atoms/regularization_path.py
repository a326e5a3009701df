"""Regularization paths: runs along one setting, and how dense the coefficients of each are."""

from __future__ import annotations

import time
from typing import Any

from peftcore.labs.atoms import request
from peftcore.labs.atoms.coefficients import summarize_coefficients
from peftcore.labs.atoms.context import AtomsContext
from peftcore.labs.atoms.dictionary import AtomDictionary
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import Run, RunStore
from peftcore.system.job_folder import run_recording_errors
from peftcore.training import checkpoint, run_training
from peftcore.training.evaluation import examples_to_answer
from peftcore.training.trainer import TrainingProgress


def train_path(context: AtomsContext) -> None:
    """Train the missing runs of a path, with LoRA as a baseline, and read their density."""
    job_request, store = context.request, RunStore()
    spec = context.runs[0].spec
    along = request.specs_along(spec, job_request.over, job_request.values)  # or BadInput
    steps = spec.training.steps
    context.total, context.done = (1 + len(along) + 2 * job_request.warm) * steps, 0
    start_runs = {"lora": "", "atoms": ""}
    if job_request.warm:
        for name, start_spec in (
            ("lora", request.lora_spec(spec)),
            ("atoms", request.dense_spec(spec)),
        ):
            start_runs[name] = _load_or_train(context, store, start_spec, "What runs begin from").id
            context.done += steps
    points: list[tuple[float | None, RunSpec]] = [
        (None, request.lora_spec(spec, start_runs["lora"])),
        *request.specs_along(spec, job_request.over, job_request.values, start_runs["atoms"]),
    ]
    judged_count = len(examples_to_answer(context.tasks[0], spec.evaluation))  # by every run alike
    adapted = checkpoint.load_adapter(context.runs[0], context.base)
    placement = {name: spec.settings[name] for name in ("components", "stacks")}
    context.write_facts(
        AtomDictionary(adapted),
        over=job_request.over,
        n=judged_count,
        starts=start_runs,
        **placement,
    )
    known_entries = {(e["value"], e["run"]) for e in context.job.entries_of("run")}
    for value, point_spec in points:
        if (value, point_spec.id) not in known_entries:
            run = _load_or_train(
                context,
                store,
                point_spec,
                "LoRA" if value is None else f"{job_request.over} {value:g}",
            )
            context.job.append_value(
                {"what": "run", "value": value, "run": run.id} | _scores_and_sparsity(context, run)
            )
        context.done += steps
    context.report_progress()


def _load_or_train(context: AtomsContext, store: RunStore, spec: RunSpec, label: str) -> Run:
    """Return the finished run of a spec, trained now unless it is; InterruptedError if stopped."""
    run = store.find(spec) or store.create(spec)
    if run.status().state == "done":
        return run
    done_before = context.done

    def report(progress: TrainingProgress) -> None:
        context.done = done_before + (
            progress.step if progress.phase == "training" else spec.training.steps
        )
        seconds = context.seconds_before + time.monotonic() - context.started_at
        context.report(
            context.job.write_status(
                done=context.done,
                of=context.total,
                message=f"{label}, {progress.phase}",
                seconds=seconds,
            )
        )

    def work() -> Any:
        return run_training.execute_run(
            run,
            device=context.device,
            base=context.base,
            report=report,
            stop=context.stop_requested,
        )

    run_recording_errors(run, work)
    context.done = done_before
    if run.status().state != "done":
        raise InterruptedError
    return run


def _scores_and_sparsity(context: AtomsContext, run: Run) -> dict[str, Any]:
    """Return scores by seed, and how sparse the coefficients are on each validation draw."""
    entry: dict[str, Any] = {
        "metric": context.tasks[0].main_metric,
        "scores": run.scores()[context.tasks[0].main_metric],
        "dev": [seed["best_dev"] for seed in run.status().seeds],
    }
    if run.spec.method != "atoms":
        return entry
    atom_dict = AtomDictionary(checkpoint.load_adapter(run, context.base))
    summaries = [
        summarize_coefficients(
            atom_dict, seed, context.validation_examples(seed), context.batcher_for()
        )
        for seed in range(run.spec.population.seeds)
    ]
    sparsities = [vars(request.entry_sparsity(seed_summary)) for seed_summary in summaries]
    return entry | {name: [sparsity[name] for sparsity in sparsities] for name in sparsities[0]}
