"""Grids of runs that answer one question around one run, most of them about soft prompts.

Variants of the scales, prompt lengths and training examples; and, for any method, transfer between
tasks, templates, and explanations that are wrong on purpose.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from peftcore import tasks
from peftcore.adapters.base import METHODS
from peftcore.analysis import comparability, comparison
from peftcore.data.corrupted_explanations import Corruption, check_corruption
from peftcore.data.templates import offered_templates
from peftcore.errors import BadInput, unknown_name
from peftcore.runs.spec import RunSpec
from peftcore.sweeps.grid import RunGrid, Variation, axis, find_run, grid_cells, vary

if TYPE_CHECKING:
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
ABLATIONS = ("variants", "lengths", "shots", "transfer")  # what the Scaling page shows
GRIDS = (*ABLATIONS, "templates", "explanations")  # from transfer on of any method


def build_ablation(
    name: str, spec: RunSpec, store: RunStore, task_names: Sequence[str] = ()
) -> RunGrid:
    """Return a grid around a spec, with the runs there are; `task_names` are those of a transfer.

    Labels: line and place of a cell in a chart; source and target of a transfer.
    """
    if name not in GRIDS:
        raise unknown_name("study", name, GRIDS)
    base_spec = spec.model_copy(update={"start": ""})
    if name == "transfer":
        grid = _transfer_grid(base_spec, task_names)
    elif name == "templates":
        grid = _templates_grid(base_spec)
    elif name == "explanations":
        grid = _explanations_grid(base_spec)
    else:
        _check_method(spec)
        build = {"variants": _variants_grid, "lengths": _lengths_grid, "shots": _shots_grid}[name]
        grid = build(base_spec)
    return grid.find_runs(store)


def _variants_grid(spec: RunSpec) -> RunGrid:
    """Vary what is trained, what shares a scale, and where the scale is applied: one run each."""
    varied = {name for changes in VARIANTS.values() for name in changes}
    kept = {name: value for name, value in spec.settings.items() if name not in varied}
    variations = [Variation(FIXED_SCALE, {"method": PLAIN_METHOD})]
    for name, settings in VARIANTS.items():
        changes = {f"settings.{field}": value for field, value in settings.items()}
        variations.append(Variation(name, {"method": SCALED_METHOD, **changes}))
    return RunGrid.around(spec.model_copy(update={"settings": kept}), variations, name="variants")


def _lengths_grid(spec: RunSpec) -> RunGrid:
    """Both methods at several prompt lengths, the run's own among them."""
    lengths = axis(
        "settings.length", sorted({*LENGTHS, spec.settings["length"]}), "{} tokens", "place"
    )
    return RunGrid.around(spec, _both_methods(), lengths, name="lengths")


def _shots_grid(spec: RunSpec) -> RunGrid:
    """Both methods with more and fewer training examples, as far as the task has them."""
    available = len(tasks.find_task(spec.task).load("train"))
    counts = [n for n in sorted({*SHOTS, spec.training.shots}) if n <= available]
    shots = axis("training.shots", counts, "{} examples", "place")
    return RunGrid.around(spec, _both_methods(), shots, name="shots")


def _templates_grid(spec: RunSpec) -> RunGrid:
    """The task's own template, and each of those that it offers; of any method."""
    offered = offered_templates(tasks.find_task(spec.task))
    if not offered:
        raise BadInput(f"{spec.task} offers no other templates: its texts are not apart")
    variations = [
        Variation(name, {"training.template": template})
        for name, template in {"as the task has it": "", **offered}.items()
    ]
    return RunGrid.around(spec, variations, name="templates")


def _explanations_grid(spec: RunSpec) -> RunGrid:
    """Training on the examples' own explanations, and on each kind that is corrupted."""
    check_corruption(tasks.find_task(spec.task), "corrupted")
    kinds = get_args(Corruption)
    variations = [
        Variation(kind.replace("_", " "), {"training.explanations": kind}) for kind in kinds
    ]
    return RunGrid.around(spec, variations, name="explanations")


def _both_methods() -> list[Variation]:
    titles = {method: METHODS[method].title for method in (SCALED_METHOD, PLAIN_METHOD)}
    return [Variation(title, {"method": m}, {"line": title}) for m, title in titles.items()]


def _transfer_grid(spec: RunSpec, names: Sequence[str]) -> RunGrid:
    """Every task directly, then every task started from the adapter of each of them.

    The diagonal starts from the same task: a control for having trained twice as long.  Direct
    cells come first, so that a queue trains them before those that start from them.
    """
    if len(names) < 2:
        raise BadInput("a transfer matrix needs two tasks or more")
    direct = [
        Variation(f"{name}, directly", {"task": name}, {"source": "", "target": name})
        for name in names
    ]
    starts = [(cell.labels["target"], cell.spec.id) for cell in grid_cells(spec, [direct])]
    started = [
        Variation(
            f"{source} → {target}",
            {"task": target, "start": start},
            {"source": source, "target": target},
        )
        for source, start in starts
        for target in names
    ]
    return RunGrid.around(spec, [*direct, *started], name="transfer")


def _check_method(spec: RunSpec) -> None:
    if spec.method not in (SCALED_METHOD, PLAIN_METHOD):
        raise BadInput(
            f"this study varies {SCALED_METHOD} or {PLAIN_METHOD}; the run was made by "
            f"{spec.method}"
        )


def find_unscaled_run(run: Run, store: RunStore) -> Run | None:
    """Return the finished run of prompt tuning that is equal to this run but for the scale."""
    unscaled = find_run(vary(run.spec, {"method": PLAIN_METHOD, "start": ""}), store)
    return unscaled if unscaled and unscaled.status().state == "done" else None


@dataclass(frozen=True)
class TransferGain:
    """One field of the matrix: what starting from the source adds on the target."""

    source: str
    target: str
    direct: float | None  # mean score without the source
    started: float | None  # with it
    gain: comparison.PairedDifference


def transfer_gains(ablation: RunGrid, metric_of: Mapping[str, str]) -> list[TransferGain]:
    """Return the matrix of a transfer, paired by seed; metric_of: target → metric."""
    seed_scores: dict[tuple[str, str], dict[int, float]] = {}
    for cell, run in ablation.done:
        values = run.scores().get(metric_of[cell.labels["target"]], [])
        seed_scores[cell.labels["source"], cell.labels["target"]] = dict(
            zip(run.spec.population.seed_numbers(), values, strict=False)
        )
    gains = []
    for source, target in ((c.labels["source"], c.labels["target"]) for c in ablation.cells):
        if source:
            without, started = (seed_scores.get((name, target), {}) for name in ("", source))
            before, after = (
                comparison.interval(scores.values()).mean for scores in (without, started)
            )
            gain = comparison.paired_difference(without, started)
            gains.append(TransferGain(source, target, before, after, gain))
    return gains


def comparable_runs(runs: Iterable[Run], run: Run) -> list[Run]:
    """Return finished runs whose scores may stand beside this one's, itself among them."""
    done = [other for other in runs if other.status().state == "done"]
    groups = comparability.comparable_groups(done)
    return next((group for group in groups if any(r.id == run.id for r in group)), [run])
