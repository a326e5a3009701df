"""Commands that look: list, runs, compare, answers, delete."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from peftcore.cli import app, options, run_scores
from peftcore.errors import BadInput, unknown_name
from peftcore.system import printing

if TYPE_CHECKING:
    import pandas as pd

    from peftcore.runs.store import Run

RunId = Annotated[str, typer.Argument(metavar="RUN", help="Id of a run, as in `runs`.")]


@app.command("list")
def list_names(data: options.Data = None, as_json: printing.AsJson = False) -> None:
    """Methods, tasks and base models, by name."""
    from peftcore import tasks
    from peftcore.adapters.base import METHODS
    from peftcore.models import catalog

    options.use_data(data)
    value = {"methods": list(METHODS), "tasks": tasks.task_names(), "bases": catalog.base_names()}

    def lines() -> Iterator[str]:
        titles = {
            "methods": {name: METHODS[name].title for name in METHODS},
            "tasks": {name: tasks.find_task(name).title for name in value["tasks"]},
            "bases": {name: catalog.describe_base(name).note for name in value["bases"]},
        }
        for kind, named in titles.items():
            yield f"{kind}:"
            yield from (f"  {name:24} {title[:70]}".rstrip() for name, title in named.items())

    printing.print_result(value, as_json, lines)


@app.command()
def runs(as_json: printing.AsJson = False) -> None:
    """Every run, newest first."""
    from peftcore.runs.store import RunStore

    summaries = [_summary(run) for run in RunStore().all()]

    def lines() -> Iterator[str]:
        if not summaries:
            yield "No runs yet; `train` makes one."
            return
        heads = ["run", "state", "base", "task", "method", "seeds", "metric", "mean"]
        yield from printing.format_table(heads, [_line(row) for row in summaries])

    printing.print_result(summaries, as_json, lines)


def _summary(run: Run) -> dict[str, Any]:
    status, spec = run.status(), run.spec
    return {
        "run": run.id,
        "state": status.state,
        "base": spec.base,
        "task": spec.task,
        "method": spec.method,
        "seeds": spec.population.seeds,
        "scores": run_scores.scores_with_intervals(run),
        "step": status.step,
        "steps": status.steps,
        "seconds": round(status.seconds, 2),
        "trainable": status.trainable,
        "message": status.message,
        "demo": run.demo,
    }


def _line(row: dict[str, Any]) -> tuple[Any, ...]:
    metric = _main_metric(row["task"], list(row["scores"]))
    mean = row["scores"][metric]["mean"] if metric else None
    names = (row[name] for name in ("run", "state", "base", "task", "method", "seeds"))
    return (*names, metric or "", mean)


def _main_metric(task: str, scored: list[str]) -> str:
    """The task's own first choice among what was scored; tables that were deleted have none."""
    from peftcore import tasks

    try:
        first = tasks.find_task(task).main_metric
    except BadInput:
        first = ""
    return first if first in scored else next(iter(scored), "")


@app.command()
def compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Ids of runs.")],
    metric: Annotated[str | None, typer.Option(help="Metric; otherwise the task's first.")] = None,
    across_bases: Annotated[
        bool, typer.Option("--across-bases", help="Compare runs on different bases.")
    ] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Runs side by side: mean and 95 % interval over seeds, and differences to the first run.

    Runs that cannot be compared are refused, with the reason.
    """
    from peftcore.analysis import comparability, comparison
    from peftcore.runs.store import RunStore

    store = RunStore()
    chosen = [store.open(run) for run in dict.fromkeys(runs)]
    reasons = comparability.reasons_not_comparable(chosen, across_bases=across_bases)
    if reasons:
        raise BadInput(" ".join(reasons))
    table = store.table(chosen)
    name = _common_metric(chosen, metric)
    summary = comparison.summarize_runs(table, name)
    differences = (
        comparison.differences_from_reference(table, name, chosen[0].id)
        if len(chosen) > 1
        else None
    )
    notes = comparability.caveats(chosen)
    value = {
        "metric": name,
        "runs": summary.to_dict("records"),
        "differences": [] if differences is None else differences.to_dict("records"),
        "caveats": notes,
    }

    def lines() -> Iterator[str]:
        yield from _frame(summary)
        if differences is not None:
            yield f"\n{name} minus that of {chosen[0].id}, paired by seed:"
            yield from _frame(differences)
        yield from notes

    printing.print_result(value, as_json, lines)


def _common_metric(chosen: list[Run], requested: str | None) -> str:
    """A metric that every one of the runs was scored by."""
    scored = [run.scores() for run in chosen]
    for run, run_scores_found in zip(chosen, scored, strict=True):
        if not run_scores_found:
            raise BadInput(f"run {run.id} has no scores yet: it is {run.status().state}")
    common = [
        name for name in scored[0] if all(name in run_scores_found for run_scores_found in scored)
    ]
    if requested and requested not in common:
        raise unknown_name("metric", requested, common)
    return requested or _main_metric(chosen[0].spec.task, common)


def _frame(table: pd.DataFrame) -> Iterator[str]:
    return printing.format_table(list(table.columns), table.to_numpy(dtype=object).tolist())


@app.command()
def answers(
    run: RunId,
    seed: Annotated[int | None, typer.Option(help="Only the answers of this seed.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many.")] = None,
    as_json: printing.AsJson = False,
) -> None:
    """Every answer of a run, beside what was asked and what was right."""
    from peftcore.runs.store import RunStore

    opened_run = RunStore().open(run)
    table = opened_run.answers()
    if table.empty:
        raise BadInput(f"run {run} has no answers yet: it is {opened_run.status().state}")
    if seed is not None:
        if seed not in set(table["seed"]):
            raise unknown_name("seed", str(seed), map(str, sorted(set(table["seed"]))))
        table = table[table["seed"] == seed]
    rows = table.head(limit or len(table)).astype(object)
    rows = rows.where(rows.notna(), None).to_dict("records")

    def lines() -> Iterator[str]:
        for row in rows:
            mark = {True: "right", False: "wrong"}.get(row["correct"], "")
            yield f"[{row['seed']}] {row['source']}"
            yield f"    wanted: {row['target']}"
            yield f"    answer: {row['text']}  {mark}".rstrip()

    printing.print_result(rows, as_json, lines)


@app.command()
def delete(
    run: RunId,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Remove a run and all its results for good."""
    from peftcore.runs.store import RunStore

    store = RunStore()
    store.open(run)
    if not yes and not as_json:
        typer.confirm(f"Delete run {run} and its answers for good?", abort=True, err=True)
    store.delete(run)
    printing.print_result({"deleted": run}, as_json, lambda: iter([f"run {run} is deleted"]))
