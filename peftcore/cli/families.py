"""The command `families`: which model families can be used, and why others cannot."""

from __future__ import annotations

from typing import Annotated

import typer

from peftcore.cli import app
from peftcore.models.families_table import family_records, markdown_table
from peftcore.system import printing


@app.command()
def families(
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the table of peftcore/models/README.md.")
    ] = False,
    as_json: printing.AsJson = False,
) -> None:
    """List the model families that can be used as a base, and why others cannot."""
    if markdown and not as_json:
        typer.echo(markdown_table())
        return
    printing.print_records(family_records(), as_json)
