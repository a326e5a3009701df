"""Measures what earlier runs forgot, base by base, and keeps it with the runs."""

from __future__ import annotations

from functools import partial

from peftcore.errors import BadInput
from peftcore.labs.common.context import LabContext, run_job
from peftcore.labs.forgetting.request import ForgettingJob
from peftcore.models.base_model import load
from peftcore.training import forgetting
from peftcore.training.checkpoint import load_adapter


def measure_runs(context: LabContext[ForgettingJob]) -> None:
    """Measure every run of the request that lacks it; BadInput for a base without text."""
    runs = [run for run in context.runs if run.forgetting() is None]
    context.total = len(runs)
    base = None
    for run in sorted(runs, key=lambda run: run.spec.base):
        context.report_progress(f"Run {run.id}")
        if base is None or base.name != run.spec.base:
            base = load(run.spec.base, context.device)
        if reason := forgetting.reason_without(base):
            raise BadInput(reason)
        adapted = load_adapter(run, base)
        found = forgetting.measure(run.spec, adapted, context.stop_requested)
        run.write_forgetting(found)
        context.job.append_value({"what": "forgetting", "run": run.id} | found.seed_values())
        context.done += 1
    context.write_status()


run_forgetting_job = partial(run_job, LabContext[ForgettingJob], measure_runs)
