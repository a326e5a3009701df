"""Finished runs as runs of an experiment tracker: trackio, MLflow, or Weights & Biases.

None of them is a requirement: whoever has one installed can write to it, and where it stores things
is its own matter (its environment variables and log-in). Each seed becomes a run of the tracker,
grouped by our run's id, with the spec as its configuration, the losses step by step, and the scores
at the end. The adapter is one file of all seeds; it is attached to the first one written.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peftcore.errors import BadInput, unknown_name
from peftcore.runs.store import Run

PROJECT = "adapter-lab"
HISTORY_METRICS = ("train_loss", "dev_loss", "learning_rate", "seconds")
ARTIFACT_FILES = ("adapter.safetensors", "spec.json", "manifest.json")


@dataclass(frozen=True)
class SeedRecord:
    """One seed as a tracker's run; `files` are empty where nothing is attached."""

    project: str
    group: str  # our run's id
    name: str
    config: dict[str, Any]  # flat: "training.steps" → 200
    history: list[tuple[int, dict[str, float]]]  # step and what was measured, in order
    scores: dict[str, float]
    files: tuple[Path, ...]

    @property
    def artifact(self) -> str:
        """Name of what the files are attached as."""
        return f"adapter-{self.group}"


def export_to_tracker(
    run: Run, tracker: str, project: str = "", seeds: Sequence[int] | None = None
) -> list[str]:
    """Write a finished run to a tracker, seed by seed; return the names of the tracker's runs.

    BadInput if the tracker is unknown or not installed, the run is not done, or lacks a seed.
    """
    if tracker not in WRITERS:
        raise unknown_name("tracker", tracker, WRITERS)
    if run.status().state != "done":
        raise BadInput(f"run {run.id} is {run.status().state}; only finished runs are exported")
    known = run.spec.population.seed_numbers()
    if missing := [seed for seed in seeds or () if seed not in known]:
        raise unknown_name("seed", str(missing[0]), map(str, known))
    try:
        module = importlib.import_module(tracker)
    except ImportError:
        raise BadInput(
            f"the package {tracker} is not installed here, and it is needed to write to it: "
            f"`pip install {tracker}` in this environment, then export again"
        ) from None
    records = list(seed_records(run, project or PROJECT, known if seeds is None else seeds))
    for record in records:
        WRITERS[tracker](module, record)
    return [record.name for record in records]


def seed_records(run: Run, project: str, seeds: Sequence[int]) -> Iterator[SeedRecord]:
    """Yield what a tracker gets of each of these seeds."""
    spec, manifest, history = run.spec, run.manifest(), run.history()
    forgotten = run.forgetting()
    scores = run.scores() | (forgotten.seed_values() if forgotten else {})
    shared = _flat(spec.model_dump(mode="json")) | {
        "run": run.id,
        "trainable": run.status().trainable,
        "data_hash": manifest.get("data_hash"),
        "fingerprint": manifest.get("base", {}).get("fingerprint"),
    }
    for nth, seed in enumerate(seeds):
        index = spec.population.seed_numbers().index(seed)
        rows = history[history["seed"] == seed].to_dict("records")
        yield SeedRecord(
            project,
            run.id,
            f"{run.id}-seed{seed}",
            shared | {"seed": seed},
            [(int(row["step"]), _finite({n: row[n] for n in HISTORY_METRICS})) for row in rows],
            _finite({name: each[index] for name, each in scores.items() if index < len(each)}),
            () if nth else tuple(p for n in ARTIFACT_FILES if (p := run.folder / n).is_file()),
        )


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings as one level, with dots in their names."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        nested = isinstance(value, Mapping)
        flat |= _flat(value, f"{prefix}{name}.") if nested else {f"{prefix}{name}": value}
    return flat


def _finite(values: Mapping[str, float]) -> dict[str, float]:
    """Leave out what is no number: trackers draw a gap or refuse it."""
    return {name: float(value) for name, value in values.items() if math.isfinite(value)}


def _write_to_trackio(trackio: Any, record: SeedRecord) -> None:
    trackio.init(project=record.project, name=record.name, group=record.group, config=record.config)
    for step, values in record.history:
        trackio.log(values, step=step)
    trackio.log(record.scores, step=record.history[-1][0] if record.history else 0)
    if record.files:
        artifact = trackio.Artifact(name=record.artifact, type="model")
        for path in record.files:
            artifact.add_file(str(path))
        trackio.log_artifact(artifact)
    trackio.finish()


def _write_to_mlflow(mlflow: Any, record: SeedRecord) -> None:
    mlflow.set_experiment(record.project)
    with mlflow.start_run(run_name=record.name, tags={"group": record.group}):
        mlflow.log_params(record.config)
        for step, values in record.history:
            mlflow.log_metrics(values, step=step)
        mlflow.log_metrics(record.scores)
        for path in record.files:
            mlflow.log_artifact(str(path), artifact_path=record.artifact)


def _write_to_wandb(wandb: Any, record: SeedRecord) -> None:
    run = wandb.init(
        project=record.project,
        name=record.name,
        group=record.group,
        config=record.config,
        reinit="finish_previous",
    )
    for step, values in record.history:
        run.log(values, step=step)
    run.summary.update(record.scores)
    if record.files:
        artifact = wandb.Artifact(record.artifact, type="model")
        for path in record.files:
            artifact.add_file(str(path))
        run.log_artifact(artifact)
    run.finish()


WRITERS: Mapping[str, Callable[[Any, SeedRecord], None]] = {  # package → what writes to it
    "trackio": _write_to_trackio,
    "mlflow": _write_to_mlflow,
    "wandb": _write_to_wandb,
}
