"""The runs that pages offer, and the titles of their methods and tasks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from app.state import cache
from peftcore import tasks
from peftcore.adapters.measured_rates import LARGE_BASE
from peftcore.analysis import comparability
from peftcore.data.task import Task
from peftcore.errors import BadInput
from peftcore.models import catalog
from peftcore.reports.run_styles import method_title as method_title
from peftcore.reports.run_styles import task_title as task_title
from peftcore.runs.annotation import read_annotation
from peftcore.runs.store import Run


def find_task(name: str) -> Task | None:
    """Return the task of a run; None if it is an imported table that is gone."""
    try:
        return tasks.find_task(name)
    except BadInput:
        return None


def task_in_words(name: str) -> str:
    """Return what a task asks and what its labels stand for; empty if it is gone."""
    task = find_task(name)
    if task is None:
        return ""
    titles = [f"{label}: {title}" for label, title in task.wording.labels.items()]
    answers = f" Answers: {'; '.join(titles)}." if titles else ""
    return f"{task.question_in_words()}{answers}"


def run_title(run: Run) -> str:
    """Return what a run is called in a list: its own name if any, method, task, base and id."""
    spec, name = run.spec, read_annotation(run).name
    parts = [method_title(spec.method), task_title(spec.task), spec.base, run.id]
    return " · ".join([name, *parts] if name else parts)


def finished_runs() -> list[Run]:
    """Return every finished run, newest first."""
    return [run for run in cache.run_store().all() if run.status().state == "done"]


def runs_with_base() -> list[Run]:
    """Return every finished run whose base is on this machine, so that it can be asked anew."""
    here = {name: catalog.is_at_hand(name) for name in {run.spec.base for run in finished_runs()}}
    return [run for run in finished_runs() if here[run.spec.base]]


def missing_base(run_ids: Iterable[str]) -> str:
    """Return the first base of these runs that is not on this machine; empty if all are."""
    for run_id in run_ids:
        try:
            base = cache.run_store().open(run_id).spec.base
        except BadInput:  # a run of a lab with a store of its own, or one that is gone
            continue
        if not catalog.is_at_hand(base):
            return base
    return ""


def has_large_base(run: Run) -> bool:
    """Return whether a run's base counts as large, be it on this machine or not."""
    return int(run.manifest().get("base", {}).get("parameters", 0)) >= LARGE_BASE


def runs_with_adapter() -> list[Run]:
    """Return every finished run whose adapter is stored, newest first."""
    return [run for run in finished_runs() if (run.folder / "adapter.safetensors").is_file()]


def suggest_runs(runs: Sequence[Run], across_bases: bool = False) -> list[Run]:
    """Return the newest run of each method in the newest comparable group with several methods."""
    groups = [
        _newest_per_method(group)
        for group in comparability.comparable_groups(runs, across_bases=across_bases)
    ]
    return next((group for group in groups if len(group) > 1), groups[0] if groups else [])


def _newest_per_method(runs: Sequence[Run]) -> list[Run]:
    newest: dict[tuple[str, str], Run] = {}
    for run in runs:
        newest.setdefault((run.spec.method, run.spec.base), run)
    return sorted(newest.values(), key=lambda run: (method_title(run.spec.method), run.spec.base))
