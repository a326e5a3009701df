"""Commands that look: list, compare, answers, delete."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, cast

import typer

from peftcore import tasks
from peftcore.adapters.base import METHODS
from peftcore.analysis import judgement
from peftcore.analysis.inference import POPULATIONS, Population
from peftcore.api import results
from peftcore.cli import app, options
from peftcore.errors import BadInput, unknown_name
from peftcore.models import catalog
from peftcore.runs.store import RunStore
from peftcore.system import printing

RunId = Annotated[str, typer.Argument(metavar="RUN", help="Id of a run, as in `runs`.")]


@app.command("list")
def list_names(data: options.Data = None, as_json: printing.AsJson = False) -> None:
    """List methods, tasks and base models, by name."""
    options.use_data(data)
    value = {"methods": list(METHODS), "tasks": tasks.task_names(), "bases": catalog.base_names()}
    unusable = catalog.unusable_bases()

    def lines() -> Iterator[str]:
        titles = {
            "methods": {name: METHODS[name].title for name in METHODS},
            "tasks": {name: tasks.find_task(name).title for name in value["tasks"]},
            "bases": {name: catalog.describe_base(name).note for name in value["bases"]},
        }
        for kind, named in titles.items():
            yield f"{kind}:"
            yield from (f"  {name:24} {title[:70]}".rstrip() for name, title in named.items())
        if unusable:
            yield "folders that are no usable base:"
            yield from (f"  {reason}" for reason in unusable.values())

    printing.print_result({**value, "unusable": unusable}, as_json, lines)


@app.command()
def compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Ids of runs.")],
    metric: Annotated[str | None, typer.Option(help="Metric; otherwise the task's first.")] = None,
    across_bases: Annotated[
        bool, typer.Option("--across-bases", help="Compare runs on different bases.")
    ] = False,
    margin: Annotated[
        float,
        typer.Option(help="Points of the metric's range within which runs count as equal."),
    ] = judgement.DEFAULT_MARGIN,
    population: Annotated[
        str,
        typer.Option(
            help="Whom intervals are about: 'this task' (other seeds and test examples) or "
            "'these examples' (other seeds)."
        ),
    ] = POPULATIONS[0],
    as_json: printing.AsJson = False,
) -> None:
    """Compare runs: mean and 95 % interval of each, and a verdict on every pair.

    Runs that cannot be compared are refused, with the reason.
    """
    found = results.compare(
        runs,
        metric or "",
        across_bases=across_bases,
        margin=margin,
        population=cast(Population, population),
    )
    value = {
        "metric": found.metric,
        "population": found.judgement.population,
        "margin": found.judgement.margin,
        "runs": found.runs.to_dict("records"),
        "verdicts": found.verdicts.to_dict("records"),
        "components": found.components.reset_index().to_dict("records"),
        "tries": found.tries,
        "in_words": found.in_words(),
        "caveats": found.caveats,
        "untouched": [each.as_values() for each in found.untouched],
        "best_steps": {run: vars(each) for run, each in found.at_an_end.items()},
    }

    printing.print_result(value, as_json, lambda: _comparison_lines(found))


def _comparison_lines(found: results.RunComparison) -> Iterator[str]:
    """Yield what a comparison says, line by line."""
    yield from printing.format_records(found.runs)
    yield ""
    yield from found.in_words()
    judged = found.judgement
    yield f"Intervals are about {judged.population}; the margin is {judged.margin:g} points."
    tried = ", ".join(f"{run} {count}" for run, count in found.tries.items())
    if tried:  # methods that train nothing have none
        yield f"Learning rates tried for each method, in runs that are kept: {tried}."
    yield from found.caveats
    for run, ends in found.at_an_end.items():
        if ends.in_words():
            yield f"{run}: {ends.in_words()}."
    form = judgement.value_format(found.metric)
    yield from (each.in_words(form) for each in found.untouched)


@app.command()
def answers(
    run: RunId,
    seed: Annotated[int | None, typer.Option(help="Only the answers of this seed.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many.")] = None,
    as_json: printing.AsJson = False,
) -> None:
    """Print every answer of a run, beside what was asked and what was right."""
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
    """Move a run to the bin, from which `runs restore` brings it back for 30 days."""
    store = RunStore()
    store.open(run)
    if not yes and not as_json:
        typer.confirm(f"Delete run {run} and its answers?", abort=True, err=True)
    store.delete(run)
    printing.print_result({"deleted": run}, as_json, lambda: iter([f"run {run} is in the bin"]))


@app.command("set-aside")
def set_aside(run: RunId, as_json: printing.AsJson = False) -> None:
    """Move a damaged run out of the way, so that it can be trained again; nothing is deleted."""
    target = RunStore().set_aside(run)
    value = {"run": run, "folder": str(target)}
    printing.print_result(value, as_json, lambda: iter([f"run {run} lies in {target}"]))
