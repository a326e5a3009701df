"""`ship measured`: the tables of all experiments, as one page of Markdown.

No figure of that page is typed: rows come from the file that `experiment NAME --out` writes, and
what an experiment is and how it is made from its definition.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from peftcore import paths, tasks
from peftcore.analysis.comparison import interval
from peftcore.cli.ship import ship
from peftcore.experiments import published, studies
from peftcore.metrics.scores import METRICS, metric_range

TABLE = paths.ASSETS / "measured.csv"


@ship.command("measured")
def ship_measured(
    table: Annotated[
        Path, typer.Option(help="CSV file of experiments.", exists=True, dir_okay=False)
    ] = TABLE,
    out: Annotated[Path | None, typer.Option(help="File to write; else it is printed.")] = None,
) -> None:
    """Write the tables of all experiments as one page of Markdown."""
    page = experiments_markdown(studies.read(table))
    if out is None:
        typer.echo(page)
    else:
        out.write_text(page, "utf-8")


def experiments_markdown(rows: Sequence[studies.ExperimentRow]) -> str:
    """Write the page: a section for each experiment that has rows."""
    parts = [
        "# Measured\n",
        "Made by `python -m peftcore ship measured --out assets/measured.md` from "
        "[measured.csv](measured.csv), which holds the score of every seed. Means with 95 % "
        "intervals over seeds, every method at its defaults. They speak of these "
        "examples: another sample of training examples, another start, the same test examples.\n",
    ]
    for name, experiment in studies.EXPERIMENTS.items():
        experiment_rows = [row for row in rows if row.study == name]
        if experiment_rows:
            parts += _section(name, experiment, experiment_rows)
    parts += ["## Verdicts\n", published.study_block(rows) + "\n"]
    return "\n".join(parts)


def _section(
    name: str, experiment: studies.Experiment, rows: Sequence[studies.ExperimentRow]
) -> Iterator[str]:
    yield f"## {experiment.title}\n"
    yield f"`python -m peftcore experiment {name} --out assets/measured.csv`\n"
    seeds = " or ".join(sorted({str(row.n) for row in rows}))
    examples = f"{experiment.shots[0]} examples; " if len(experiment.shots) == 1 else ""
    yield f"{experiment.note}\n"
    yield f"Base {experiment.base}; {examples}{experiment.steps} steps; n = {seeds} seeds.\n"
    if examples:
        heads = {
            _task_heading(rows, task): (task, experiment.shots[0]) for task in experiment.tasks
        }
        yield _table(rows, heads)
        return
    for task in experiment.tasks:
        mine = [row for row in rows if row.task == task]
        yield f"**{_task_heading(rows, task)}**, by number of examples:\n"
        yield _table(mine, {str(shots): (task, shots) for shots in experiment.shots})


def _table(rows: Sequence[studies.ExperimentRow], columns: Mapping[str, tuple[str, int]]) -> str:
    """Write a row for each method; heads of columns → task and number of examples."""
    by_cell = {(row.label, row.task, row.shots): row for row in rows}
    heads = ["method", "trainable per seed", *columns]
    lines = [heads, ["---"] * len(heads)]
    for label in dict.fromkeys(row.label for row in rows):
        trainable = sorted({row.trainable for row in rows if row.label == label})
        cells = [format_cell(by_cell.get((label, *column))) for column in columns.values()]
        lines.append([label, " or ".join(f"{n:,}" for n in trainable), *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _task_heading(rows: Sequence[studies.ExperimentRow], task: str) -> str:
    """Title and metric of a task."""
    metrics = dict.fromkeys(METRICS[row.metric].title for row in rows if row.task == task)
    return ", ".join([tasks.find_task(task).title, *metrics])


def format_cell(row: studies.ExperimentRow | None) -> str:
    """Format a mean with its interval, or a dash."""
    if row is None or row.mean is None:
        return "–"
    form = ".1f" if METRICS[row.metric].maximum == 100 else ".3f"
    if row.low is None or row.high is None:
        values = [float(value) for value in row.values.split()]
        return f"{row.mean:{form}} ({interval(values, metric_range(row.metric)).reason})"
    return f"{row.mean:{form}} ({row.low:{form}} to {row.high:{form}})"
