"""The command `coverage`: how often each interval that the app prints covers, by simulation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from peftcore import paths
from peftcore.analysis.coverage import run
from peftcore.cli import app
from peftcore.system import markdown_blocks, printing

README = Path(run.__file__).parents[1] / "README.md"
RESULTS = paths.ASSETS / "coverage.json"


@app.command()
def coverage(
    draws: Annotated[int, typer.Option(min=20, help="Simulated runs of each case.")] = run.DRAWS,
    write: Annotated[
        bool, typer.Option("--write", help="Keep the result, and the table in the analysis README.")
    ] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Simulate how often each interval that is printed covers what it speaks of."""
    rows = run.simulate_all(draws, lambda line: typer.echo(line, err=True))
    tables = run.coverage_markdown(rows)
    if write:
        RESULTS.write_text(json.dumps(rows, indent=None, separators=(",", ":")) + "\n", "utf-8")
        text = markdown_blocks.replace_block(README.read_text("utf-8"), "coverage", tables)
        README.write_text(text, "utf-8")
    printing.print_result({"rows": rows}, as_json, lambda: iter(tables.splitlines()))
