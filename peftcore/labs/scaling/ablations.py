"""Sets of runs that answer one question about soft prompts: which they are, and what they came to.

Ablations, prompt lengths, training examples, and transfer between tasks.  A study is a plan made
around one run: everything not under study stays as that run has it.  Runs that exist are found,
the missing ones can be queued; nothing is trained here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from peftcore import tasks
from peftcore.adapters.base import METHODS
from peftcore.analysis import comparison
from peftcore.errors import BadInput, unknown_name
from peftcore.runs.spec import RunSpec, Training
from peftcore.training import planning

if TYPE_CHECKING:
    from peftcore.jobs.queue import Queue, QueueJob
    from peftcore.runs.store import Run, RunStore

SCALED_METHOD, PLAIN_METHOD = "spt", "prompt_tuning"
LENGTHS = (10, 30, 50, 60)
SHOTS = (12, 24, 48, 96)
VARIANTS: dict[str, dict[str, Any]] = {
    "Scale of each token": {},
    "Prompt fixed, scale trained": {"train": "scale"},
    "One scale for all tokens": {"share": "one"},
    "One scale for each feature": {"share": "feature"},
    "Scale after a layer norm": {"normalised": True},
}
FIXED_SCALE = "Scale fixed at one"  # prompt tuning


@dataclass(frozen=True)
class AblationCell:
    """One run of a study: what it is called, its place on an axis, and what decides it.

    `line` groups the cells of a chart; source and target are the tasks of a transfer.
    """

    name: str
    line: str
    axis_position: float
    spec: RunSpec
    source: str = ""
    target: str = ""


@dataclass(frozen=True)
class PromptAblation:
    """A question, its cells, and the run of each where there is one."""

    name: str
    cells: tuple[AblationCell, ...]
    runs: tuple[Run | None, ...]

    @property
    def missing(self) -> list[AblationCell]:
        """Cells that nobody has started, or whose run failed."""
        pairs = zip(self.cells, self.runs, strict=True)
        return [cell for cell, run in pairs if run is None or run.status().state == "failed"]

    @property
    def unfinished(self) -> list[Run]:
        """Runs that were started and are not done."""
        return [run for run in self.runs if run and run.status().state not in ("done", "failed")]

    def scores(self, metric: str) -> pd.DataFrame:
        """One row per finished cell and seed: cell, line, place, run, seed, and the metric."""
        rows = [
            {"cell": number, "name": cell.name, "line": cell.line, "place": cell.axis_position}
            | {"run": run.id, "seed": seed, "source": cell.source, "target": cell.target}
            | {metric: value}
            for number, (cell, run) in enumerate(zip(self.cells, self.runs, strict=True))
            if run is not None and run.status().state == "done"
            for seed, value in zip(
                run.spec.population.seed_numbers(), run.scores().get(metric, []), strict=False
            )
        ]
        columns = ["cell", "name", "line", "place", "run", "seed", "source", "target", metric]
        return pd.DataFrame(rows, columns=columns)


def vary_spec(spec: RunSpec, method: str, **changes: Any) -> RunSpec:
    """The spec with another method or other settings; settings the method lacks are dropped.

    The learning rate stays as it is, so that one thing changes at a time.
    """
    method_settings = METHODS[method].Config.model_fields
    kept = {name: value for name, value in spec.settings.items() if name in method_settings}
    return planning.build_spec(
        spec.base,
        spec.task,
        method,
        kept | changes,
        spec.population,
        spec.training,
        spec.evaluation,
    )


def variant_cells(spec: RunSpec) -> list[AblationCell]:
    """What is trained, what shares a scale, where the scale stands: one run for each."""
    _check_method(spec)
    varied_settings = {name for changes in VARIANTS.values() for name in changes}
    base_spec = spec.model_copy(
        update={"settings": {k: v for k, v in spec.settings.items() if k not in varied_settings}}
    )
    cells = [AblationCell(FIXED_SCALE, FIXED_SCALE, 0, vary_spec(base_spec, PLAIN_METHOD))]
    for number, (name, changes) in enumerate(VARIANTS.items(), 1):
        cells.append(
            AblationCell(name, name, number, vary_spec(base_spec, SCALED_METHOD, **changes))
        )
    return cells


def length_cells(spec: RunSpec, counts: Sequence[int] = LENGTHS) -> list[AblationCell]:
    """Both methods at several prompt lengths, the run's own among them."""
    _check_method(spec)
    counts = sorted({*counts, spec.settings["length"]})
    return [
        AblationCell(
            f"{METHODS[method].title}, {count} tokens",
            METHODS[method].title,
            count,
            vary_spec(spec, method, length=count),
        )
        for method in (SCALED_METHOD, PLAIN_METHOD)
        for count in counts
    ]


def shot_cells(spec: RunSpec, counts: Sequence[int] = SHOTS) -> list[AblationCell]:
    """Both methods with more and fewer training examples, as far as the task has them."""
    _check_method(spec)
    available = len(tasks.find_task(spec.task).load("train"))
    cells = []
    for method in (SCALED_METHOD, PLAIN_METHOD):
        for count in sorted(
            {count for count in (*counts, spec.training.shots) if count <= available}
        ):
            training = Training.make(spec.training.model_dump() | {"shots": count})
            varied = vary_spec(spec.model_copy(update={"training": training}), method)
            title = METHODS[method].title
            cells.append(AblationCell(f"{title}, {count} examples", title, count, varied))
    return cells


def transfer_cells(spec: RunSpec, names: Sequence[str], store: RunStore) -> list[AblationCell]:
    """Every task directly, then every task started from what each of them taught.

    The diagonal starts from the same task: a control for having trained twice as long.  Direct
    cells come first, so that a queue works them off before those that start from them.
    """
    if len(names) < 2:
        raise BadInput("a transfer matrix needs two tasks or more")
    direct = {name: _spec_on_task(spec, name) for name in names}
    runs_by_key = _runs_by_key(store)
    cells = [
        AblationCell(f"{name}, directly", "direct", 0, direct_spec, "", name)
        for name, direct_spec in direct.items()
    ]
    for source in names:
        existing = runs_by_key.get(_spec_key(direct[source]))
        start = existing.id if existing else direct[source].id
        for target in names:
            started_spec = direct[target].model_copy(update={"start": start})
            cells.append(
                AblationCell(f"{source} → {target}", "transfer", 0, started_spec, source, target)
            )
    return cells


def _spec_on_task(spec: RunSpec, task: str) -> RunSpec:
    return vary_spec(spec.model_copy(update={"task": task, "start": ""}), spec.method)


def _check_method(spec: RunSpec) -> None:
    if spec.method not in (SCALED_METHOD, PLAIN_METHOD):
        raise BadInput(
            f"this study varies {SCALED_METHOD} or {PLAIN_METHOD}; the run was made by "
            f"{spec.method}"
        )


ABLATIONS = ("variants", "lengths", "shots", "transfer")


def build_ablation(
    name: str, spec: RunSpec, store: RunStore, task_names: Sequence[str] = ()
) -> PromptAblation:
    """A study around a spec, with the runs there are; `among` are the tasks of a transfer."""
    if name not in ABLATIONS:
        raise unknown_name("study", name, ABLATIONS)
    if name == "transfer":
        cells = transfer_cells(spec, task_names, store)
    else:
        cells = {"variants": variant_cells, "lengths": length_cells, "shots": shot_cells}[name](
            spec
        )
    runs_by_key = _runs_by_key(store)
    return PromptAblation(
        name, tuple(cells), tuple(runs_by_key.get(_spec_key(cell.spec)) for cell in cells)
    )


def queue_missing(ablation: PromptAblation, queue: Queue) -> list[QueueJob]:
    """A job for every missing cell, in an order in which each finds what it starts from."""
    return [queue.submit(cell.spec) for cell in ablation.missing]


def find_unscaled_run(run: Run, store: RunStore) -> Run | None:
    """The finished run of prompt tuning that is equal to this run but for the scale."""
    partner = _runs_by_key(store).get(_spec_key(vary_spec(run.spec, PLAIN_METHOD)))
    return partner if partner and partner.status().state == "done" else None


def _runs_by_key(store: RunStore) -> Mapping[str, Run]:
    """Runs by what decides them; of two that say the same, one that is done."""
    runs: dict[str, Run] = {}
    for run in store.all(include_studies=True):
        key = _spec_key(run.spec)
        if key not in runs or runs[key].status().state != "done":
            runs[key] = run
    return runs


def _spec_key(spec: RunSpec) -> str:
    """What decides a result, with the settings that came after a run was made at their defaults."""
    if spec.method not in METHODS:
        return spec.canonical()
    try:
        settings = METHODS[spec.method].Config.make(spec.settings).model_dump(mode="json")
    except BadInput:  # a setting that is gone
        return spec.canonical()
    return spec.model_copy(update={"settings": settings}).canonical()


@dataclass(frozen=True)
class TransferGain:
    """One field of the matrix: what starting from the source adds on the target."""

    source: str
    target: str
    direct: float | None  # mean score without the source
    started: float | None  # with it
    gain: comparison.PairedDifference


def transfer_gains(ablation: PromptAblation, metric_of: Mapping[str, str]) -> list[TransferGain]:
    """The matrix of a transfer study, paired by seed; metric_of: target → metric."""
    scores_by_cell: dict[tuple[str, str], dict[int, float]] = {}
    for cell, run in zip(ablation.cells, ablation.runs, strict=True):
        if run is not None and run.status().state == "done":
            values = run.scores().get(metric_of[cell.target], [])
            scores_by_cell[cell.source, cell.target] = dict(
                zip(run.spec.population.seed_numbers(), values, strict=False)
            )
    return [
        _transfer_gain(
            cell,
            scores_by_cell.get(("", cell.target), {}),
            scores_by_cell.get((cell.source, cell.target), {}),
        )
        for cell in ablation.cells
        if cell.source
    ]


def _transfer_gain(
    cell: AblationCell, direct: Mapping[int, float], started: Mapping[int, float]
) -> TransferGain:
    before, after = (comparison.interval(scores.values()).mean for scores in (direct, started))
    return TransferGain(
        cell.source, cell.target, before, after, comparison.paired_difference(direct, started)
    )


def comparable_runs(runs: Iterable[Run], run: Run) -> list[Run]:
    """Finished runs whose scores may stand beside this one's, itself among them."""
    from peftcore.analysis import comparability

    done = [other for other in runs if other.status().state == "done"]
    groups = comparability.comparable_groups(done)
    return next((group for group in groups if any(r.id == run.id for r in group)), [run])
