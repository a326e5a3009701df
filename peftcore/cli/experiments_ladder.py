"""`experiment ladder`: every method on six rungs of what is new to a base."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from peftcore.cli import options
from peftcore.cli.experiments import experiment
from peftcore.cli.training import train_or_load
from peftcore.experiments import ladder
from peftcore.experiments.ladder import LadderCell
from peftcore.experiments.ladder_results import LadderResult, judge_ladder
from peftcore.system import printing
from peftcore.system.option_groups import grouped

Rungs = Annotated[str, typer.Option(help="Letters of rungs, as in abf; empty: all of them.")]
Arms = Annotated[str, typer.Option(help="Labels with commas between them; empty: all of them.")]


@experiment.command("ladder")
@grouped
def show_ladder(
    resources: options.Resources,
    rungs: Rungs = "",
    arms: Arms = "",
    only_done: Annotated[
        bool, typer.Option("--done", help="Show what is there and train nothing.")
    ] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Train every method on each rung of the ladder of novelty, and print scores and verdicts."""
    chosen_rungs = [ladder.find_rung(letter) for letter in rungs] or list(ladder.RUNGS)
    names = [name.strip() for name in arms.split(",") if name.strip()]
    chosen_arms = [ladder.find_arm(name) for name in names] or list(ladder.ARMS)
    if not only_done:
        train = lambda spec: train_or_load(spec, resources.device)
        ladder.train_ladder(train, _tell, chosen_rungs, chosen_arms)
    cells = [
        cell
        for cell in ladder.ladder_cells()
        if cell.rung in chosen_rungs and cell.arm in chosen_arms
    ]
    found = judge_ladder(cells)
    table = found.table().astype(object)
    rows = table.where(table.notna(), None).to_dict("records")
    value = {"finding": found.in_words(), "population": found.population, "cells": rows}
    printing.print_result(value, as_json, lambda: _lines(found))


def _lines(found: LadderResult) -> Iterator[str]:
    heads = [
        "rung",
        "method",
        "mean",
        "low",
        "high",
        "seeds",
        "against zero-shot",
        "against guessing",
        "tries",
    ]
    rows = [tuple(row) for row in found.table()[heads].itertuples(index=False)]
    yield f"{found.in_words()}."
    yield from printing.format_table(heads, rows)


def _tell(cell: LadderCell) -> None:
    values = cell.run.scores().get("accuracy", []) if cell.run else []
    mean = f"{sum(values) / len(values):.3f}" if values else "not run"
    chosen = f", {cell.chosen.value}" if cell.chosen else ""
    typer.echo(f"{cell.rung.letter} {cell.arm.label}{chosen}: {mean}", err=True)
    sys.stderr.flush()
