"""`experiment NAME`: named sets of runs, their table, and what is missing of them."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from peftcore.cli import app, options
from peftcore.cli.training import train_or_load
from peftcore.experiments import studies
from peftcore.system import printing
from peftcore.system.option_groups import grouped

experiment = typer.Typer()
app.add_typer(experiment, name="experiment", help="Train a named set of runs; alone it lists them.")


@experiment.callback(invoke_without_command=True)
def list_experiments(context: typer.Context, as_json: printing.AsJson = False) -> None:
    """Train a named set of runs; alone it lists them."""
    if context.invoked_subcommand is not None:
        return
    group = context.command
    assert isinstance(group, typer.core.TyperGroup)
    titles = {name: command.get_short_help_str(200) for name, command in group.commands.items()}
    value = [{"experiment": name, "title": title} for name, title in titles.items()]
    printing.print_records(value, as_json)


@grouped
def make_table(
    context: typer.Context,
    resources: options.Resources,
    out: Annotated[
        Path | None, typer.Option(help="CSV file whose rows of this experiment are replaced.")
    ] = None,
    only_done: Annotated[
        bool, typer.Option("--done", help="Show what is there and train nothing.")
    ] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Train the runs of the experiment that the command is called by, and print its table."""
    resources.use_data()
    name = str(context.info_name)
    if only_done:
        rows = studies.finished_rows(name)
    else:
        train = lambda spec: train_or_load(spec, resources.device)
        rows = studies.run_experiment(name, train, _tell)
    if out is not None:
        studies.write(rows, out)
    heads = ("task", "shots", "label", "mean", "low", "high", "n", "trainable")
    printing.print_records([asdict(row) for row in rows], as_json, heads)


def _tell(count: int, of: int, row: studies.ExperimentRow) -> None:
    mean = "–" if row.mean is None else f"{row.mean:.3f}"
    line = f"{count}/{of} {row.task} {row.shots} {row.label}: {row.metric} {mean}"
    typer.echo(line, err=True)
    sys.stderr.flush()


for _name, _study in studies.EXPERIMENTS.items():
    experiment.command(_name, help=f"{_study.title}.")(make_table)
