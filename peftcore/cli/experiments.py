"""The studies: tables of many runs, made one after another and resumed where they stopped."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from peftcore.cli import app, options
from peftcore.cli.training import train_or_load
from peftcore.experiments.studies import EXPERIMENTS
from peftcore.system import printing


@app.command()
def study(
    name: Annotated[str, typer.Argument(help=f"Study to make: {', '.join(EXPERIMENTS)}.")],
    out: Annotated[
        Path | None, typer.Option(help="CSV file whose rows of this study are replaced.")
    ] = None,
    only_done: Annotated[
        bool, typer.Option("--done", help="Show what is there and make nothing.")
    ] = False,
    data: options.Data = None,
    device: options.Device = "auto",
    as_json: printing.AsJson = False,
) -> None:
    """Make the runs of a study and its table, mean and 95 % interval over seeds."""
    from peftcore.experiments import studies

    options.use_data(data)

    def tell(count: int, of: int, row: studies.ExperimentRow) -> None:
        mean = "–" if row.mean is None else f"{row.mean:.3f}"
        line = f"{count}/{of} {row.task} {row.shots} {row.label}: {row.metric} {mean}"
        typer.echo(line, err=True)
        sys.stderr.flush()

    if only_done:
        studies.find(name)
        rows = studies.finished_rows(name)
    else:
        rows = studies.run_experiment(name, lambda spec: train_or_load(spec, device), tell)
    if out is not None:
        studies.write(rows, out)
    heads = ("task", "shots", "label", "mean", "low", "high", "n", "trainable")
    table = [[getattr(row, head) for head in heads] for row in rows]
    printing.print_result(
        [asdict(row) for row in rows], as_json, lambda: printing.format_table(heads, table)
    )
