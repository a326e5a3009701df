"""The command `diagnose`: why a run does not learn, and what to try."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated

import typer

from peftcore.analysis.run_diagnosis import Remedy, diagnose, read_curves
from peftcore.api.bases import load_base
from peftcore.cli import app, options
from peftcore.cli.training import train_or_load
from peftcore.runs.store import RunStore
from peftcore.sweeps import learning_rate
from peftcore.system import printing


@app.command("diagnose")
def diagnose_run(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Id of a run, as in `runs`.")],
    curves_only: Annotated[
        bool, typer.Option("--curves-only", help="Judge its curves alone, and load no model.")
    ] = False,
    probe: Annotated[
        bool,
        typer.Option("--probe", help="Train it for a few steps at five rates first."),
    ] = False,
    data: options.Data = None,
    as_json: printing.AsJson = False,
) -> None:
    """Say why a run does not learn: loss, gradient, movement, attention, effect; what to try.

    A run without a stored adapter is judged by its curves; the rate by short runs at others, where
    there are any.
    """
    options.use_data(data)
    store = RunStore()
    opened = store.open(run)
    if probe:
        for spec in learning_rate.search_specs(opened.spec):
            train_or_load(spec, "auto")
    trials = learning_rate.known_trials(opened.spec, store)
    measured = None
    if not curves_only and (opened.folder / "adapter.safetensors").is_file():
        from peftcore.labs.diagnosis import measure_adapter

        measured = measure_adapter(opened, load_base(opened.spec.base))
    found = diagnose(read_curves(opened), measured, trials)

    def lines() -> Iterator[str]:
        for each in found:
            yield f"[{each.verdict}] {each.title}. {each.words}"
            for remedy in each.remedies:
                yield f"    {remedy.words}: {_command(run, remedy)}"

    printing.print_result([asdict(each) for each in found], as_json, lines)


def _command(run: str, remedy: Remedy) -> str:
    """Return the command that tries a remedy."""
    words = ["python", "-m", "peftcore", "runs", "again", run]
    for name, value in remedy.changes.items():
        text = value if isinstance(value, str) else json.dumps(value)
        words += ["--set", f"{name.rpartition('.')[2]}={text}"]
    return shlex.join(words)
