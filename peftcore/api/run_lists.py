"""The runs of a workspace as a set, each with its state, its main score and people's words."""

from __future__ import annotations

import functools
import math
import statistics
from pathlib import Path

from peftcore.analysis.run_sets import ListedRun, RunFilter
from peftcore.api.results import main_metric
from peftcore.runs.annotation import read_annotation
from peftcore.runs.store import Run, RunStore
from peftcore.system import atomic_files


def list_runs(store: RunStore | None = None, wanted: RunFilter | None = None) -> list[ListedRun]:
    """List the runs that a filter accepts, newest first."""
    wanted = wanted or RunFilter()
    listed = map(describe_run, (store or RunStore()).all())
    return [run for run in listed if wanted.accepts(run)]


def describe_run(run: Run) -> ListedRun:
    """Describe a run as a list shows it; its scores are read again when they have changed."""
    file = run.folder / "scores.json"
    metric, score = _main_score(file, atomic_files.modified_ns(file), run.spec.task)
    state, annotation = run.status().state, read_annotation(run)
    return ListedRun(run.id, run.spec, state, annotation, metric, score, run.fixed)


@functools.lru_cache(maxsize=10_000)
def _main_score(file: Path, _changed: int, task: str) -> tuple[str, float | None]:
    """Return the main metric of a run and its mean over seeds, None where nothing was scored."""
    scores = atomic_files.read_json(file)
    metric = main_metric(task, scores)
    values = [v for v in scores.get(metric, ()) if isinstance(v, int | float) and math.isfinite(v)]
    return metric, statistics.fmean(values) if values else None
